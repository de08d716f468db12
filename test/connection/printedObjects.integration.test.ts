/**
 * Tests that no object of the library, when it is printed, logged or serialized, shows a value that has passed through
 * it. The listing of the public API supplies the names, so a new name needs an entry here.
 */
import { assert, layer } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Inspectable from "effect/Inspectable"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import { Console } from "node:console"
import * as fs from "node:fs"
import { Writable } from "node:stream"
import { inspect } from "node:util"
import * as PgClient from "../../src/PgClient.ts"
import * as PgConfig from "../../src/PgConfig.ts"
import * as PgConnection from "../../src/PgConnection.ts"
import * as PgError from "../../src/PgError.ts"
import * as PgPool from "../../src/PgPool.ts"
import * as PgReplication from "../../src/PgReplication.ts"
import * as PgSql from "../../src/PgSql.ts"
import * as PgSqlClient from "../../src/PgSqlClient.ts"
import { makeFaults } from "../../src/pgTest/faults.ts"
import * as PgTest from "../../src/PgTest.ts"
import type * as PgTransaction from "../../src/PgTransaction.ts"
import * as PgTypes from "../../src/PgTypes.ts"
import { freePort } from "../../src/testServer/freePort.ts"
import { testServer } from "../../src/testServer/server.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, liveConnection, refusalOf } from "../support/live.ts"
import { isFunctionType, membersOf, publicNames } from "../support/publicListing.ts"

// ------------------------------------------------------------------------------------------------- secrets

const secret = (what: string): string => `secret-${what}-${crypto.randomUUID()}`

const PARAMETER = secret("parameter")
const ROW = secret("row")
const INIT = secret("init")
const PASSWORD = secret("password")
const pem = (name: string): string => fs.readFileSync(new URL(`../support/tls/${name}`, import.meta.url), "utf8")

const SECRETS = { PARAMETER, ROW, INIT, PASSWORD }

/** Everything that prints of an object. Each printer may throw for an object of the user, and none for ours. */
const printers: Readonly<Record<string, (value: unknown) => string>> = {
  inspect: (value) => inspect(value, { ...WHOLE, showHidden: true, getters: false }),
  "console.log": (value) => printedBy((console) => console.log(value)),
  "console.log in a text": (value) => printedBy((console) => console.log("%o %O %s", value, value, value)),
  "console.dir, which asks no object how it wants to be shown": (value) =>
    printedBy((console) => console.dir(value, WHOLE)),
  "inspect of everything hidden": (value) => inspect(value, { ...WHOLE, showHidden: true, customInspect: false }),
  String: (value) => (typeof value === "object" && value !== null && !("toString" in value) ? "" : String(value)),
  "JSON.stringify": (value) => JSON.stringify(value, withBigints) ?? "",
  "Inspectable.toStringUnknown": (value) => Inspectable.toStringUnknown(value),
  "Inspectable.toJson": (value) => inspect(Inspectable.toJson(value), WHOLE),
  stack: (value) => (value instanceof Error ? `${value.stack} ${value.message} ${value.name}` : ""),
  "Cause.pretty": (value) => `${Cause.pretty(Cause.fail(value))} ${Cause.pretty(Cause.die(value))}`,
  Exit: (value) =>
    inspect(Exit.fail(value), WHOLE) + String(Exit.fail(value)) + JSON.stringify(Exit.fail(value), withBigints)
}

const WHOLE = { depth: Infinity, maxArrayLength: Infinity, maxStringLength: Infinity }

/** JSON cannot hold the times of Effect's spans. */
const withBigints = (_: string, value: unknown): unknown => (typeof value === "bigint" ? String(value) : value)

const printedBy = (print: (console: Console) => void): string => {
  const chunks: Array<string> = []
  const stream = new Writable({
    write: (chunk, _, done) => {
      chunks.push(String(chunk))
      done()
    }
  })
  print(new Console({ stdout: stream, stderr: stream, inspectOptions: { depth: Infinity } }))
  return chunks.join("")
}

/** How a value is made to contain which secret, and between which words. */
const leaksOf = (value: unknown, by = Object.keys(printers)): ReadonlyArray<string> =>
  Object.entries(SECRETS).flatMap(([name, text]) => {
    const printed = by.map((printer) => [printer, printers[printer]!(value)] as const)
    const tells = printed.filter(([, told]) => told.includes(text))
    const [printer, told] = tells[0] ?? []
    if (told === undefined) return []
    const at = told.indexOf(text)
    const words = told.slice(Math.max(0, at - 100), at).replaceAll(/\s+/g, " ")
    return [
      `${tells.length === by.length ? "all" : tells.map(([by]) => by).join(", ")} tell ${name}: ${printer}: ${words}`
    ]
  })

// ------------------------------------------------------------------------------------------------- the names

/** The kind of a name of the public API, which decides what it may show. */
type Place =
  /** An object of ours: it shows no value. The samples are in the test. */
  | "handed out"
  /** It was asked for, or is made to carry a value that was read: it shows that value. */
  | "an answer"
  /** The caller has made it and still has it: options, sources of rows, codecs. The caller may show it. */
  | "the caller's own"
  /** A type that has no objects of its own: a union of words or of other names, a member of another name. */
  | "a type"
  /** It is made before anything is sent. */
  | "a constant"

const places: Readonly<Record<string, Place>> = {
  "PgConnection.ColumnOptions": "the caller's own",
  "PgConnection.NamedCall": "the caller's own",
  "PgConnection.NamedCallWith": "the caller's own",
  "PgError.ReplicationProblem": "a type",
  "PgError.ReplicationSetupError": "handed out",
  "PgError.ReplicationSlotLostError": "handed out",
  "PgError.SlotLoss": "a type",
  "PgReplication.AnyTable": "a type",
  "PgReplication.Change": "a type",
  "PgReplication.CreateSlotOptions": "the caller's own",
  "PgReplication.CreatedSlot": "an answer",
  "PgReplication.Delete": "an answer",
  "PgReplication.Insert": "an answer",
  "PgReplication.Message": "an answer",
  "PgReplication.PgReplication": "handed out",
  "PgReplication.PositionOptions": "the caller's own",
  "PgReplication.Progress": "an answer",
  "PgReplication.Relation": "an answer",
  "PgReplication.RelationColumn": "an answer",
  "PgReplication.Slot": "an answer",
  "PgReplication.SnapshotBegun": "an answer",
  "PgReplication.SnapshotEnded": "an answer",
  "PgReplication.SnapshotEvent": "a type",
  "PgReplication.SnapshotOptions": "the caller's own",
  "PgReplication.SnapshotRows": "an answer",
  "PgReplication.StreamOptions": "the caller's own",
  "PgReplication.Tables": "the caller's own",
  "PgReplication.Transaction": "an answer",
  "PgReplication.Truncate": "an answer",
  "PgReplication.Update": "an answer",
  "PgSql.ParametersOf": "a type",
  "PgSql.RowOf": "a type",
  "PgSql.TypedStatements": "a type",
  "PgTest.CHANGE": "a constant",
  "PgTest.DatabaseOptions": "the caller's own",
  "PgTest.Expected": "an answer",
  "PgTest.Failure": "a type",
  "PgTest.Fault": "a type",
  "PgTest.Faults": "handed out",
  "PgTest.Message": "an answer",
  "PgTest.Options": "the caller's own",
  "PgTest.Program": "the caller's own",
  "PgTest.ProgramOptions": "the caller's own",
  "PgTest.ServerOptions": "the caller's own",
  "PgTest.Step": "a type",
  "PgTest.Subject": "the caller's own",
  "PgTest.TestDatabase": "handed out",
  "PgTest.TestServerError": "handed out",
  "PgTest.When": "the caller's own",
  "PgClient.ConfigSettings": "the caller's own",
  "PgClient.PgClient": "handed out",
  "PgClient.ReadsSettings": "the caller's own",
  "PgClient.ServiceClass": "a type",
  "PgClient.Settings": "the caller's own",
  "PgClient.Stats": "handed out",
  "PgClient.layerEnv": "a constant",
  // The errors of migrations show what the program has given: names and texts of its migrations.
  "PgKysely.StreamOptions": "the caller's own",
  "PgMigrator.Loader": "the caller's own",
  "PgMigrator.Migration": "the caller's own",
  "PgMigrator.MigratorOptions": "the caller's own",
  "PgMigrator.Options": "the caller's own",
  "PgMigrator.RunOptions": "the caller's own",
  "PgMigrator.SchemaDump": "the caller's own",
  "PgMigrator.SchemaDumpOptions": "the caller's own",
  "PgMigrator.SqlFile": "the caller's own",
  "PgMigrator.SqlMigration": "the caller's own",
  "PgSqlClient.ConfigSettings": "the caller's own",
  "PgSqlClient.Options": "the caller's own",
  "PgSqlClient.Settings": "the caller's own",
  "PgMigrator.ResolvedMigration": "the caller's own",
  "PgKysely.Executable": "the caller's own",
  "PgKysely.Streamable": "the caller's own",
  "PgMigrator.ConflictError": "the caller's own",
  "PgMigrator.DuplicateError": "the caller's own",
  "PgMigrator.EffectFailedError": "the caller's own",
  "PgMigrator.FileChangedError": "the caller's own",
  "PgMigrator.FileMissingError": "the caller's own",
  "PgMigrator.InsideTransactionError": "the caller's own",
  "PgMigrator.InvalidFileError": "the caller's own",
  "PgMigrator.LoaderFailedError": "the caller's own",
  "PgMigrator.MigrationError": "the caller's own",
  "PgMigrator.OutOfOrderError": "the caller's own",
  "PgMigrator.PgMigrationError": "the caller's own",
  "PgMigrator.SchemaDumpError": "the caller's own",
  "PgMigrator.StatementFailedError": "the caller's own",
  "PgMigrator.PendingMigration": "the caller's own",
  "PgMigrator.RanStatement": "the caller's own",
  "PgMigrator.MigrationReason": "a type",
  "PgMigrator.MigrationState": "a type",
  "PgSqlClient.SqlPgConfig": "a type",
  "PgSqlClient.SqlPgNotification": "a type",
  "PgMigrator.MigrationStatus": "an answer",
  "PgSqlClient.RawAnswer": "an answer",
  "PgSqlClient.ReactiveTable": "the caller's own",
  "PgSqlClient.RawField": "an answer",
  "PgSqlClient.PgSqlClient": "handed out",
  "PgSqlClient.SqlPgClient": "handed out",
  "PgSqlClient.layerSqlPg": "a constant",
  "PgConfig.CommentedCall": "handed out",
  "PgConfig.HostAddress": "handed out",
  "PgConfig.PoolSettings": "the caller's own",
  "PgConfig.QueryEvent": "handed out",
  "PgConfig.AuthMethod": "a type",
  "PgConfig.ChannelBinding": "a type",
  "PgConfig.LoadBalanceHosts": "a type",
  "PgConfig.ProtocolVersion": "a type",
  "PgConfig.RequireAuth": "a type",
  "PgConfig.SslCertMode": "a type",
  "PgConfig.SslNegotiation": "a type",
  "PgConfig.TargetSessionAttrs": "a type",
  "PgConfig.TlsVersion": "a type",
  "PgConfig.ResolvedConfig": "handed out",
  "PgConfig.ResolvedPoolConfig": "handed out",
  "PgConfig.Settings": "the caller's own",
  "PgConfig.Names": "a type",
  "PgConfig.SslMode": "a type",
  "PgConfig.StatementMode": "a type",
  "PgConfig.traceComment": "a constant",
  "PgConfig.Observing": "handed out",
  "PgConnection.AdvisoryLockKey": "the caller's own",
  "PgConnection.AdvisoryLockOptions": "the caller's own",
  "PgConnection.BarrierResult": "an answer",
  "PgConnection.BatchResult": "an answer",
  "PgConnection.BatchStatement": "the caller's own",
  "PgConnection.Call": "the caller's own",
  "PgConnection.CallOptions": "the caller's own",
  "PgConnection.ReadOnlyOptions": "the caller's own",
  "PgConnection.CallWith": "the caller's own",
  "PgConnection.Closed": "handed out",
  "PgConnection.CommandResult": "handed out",
  "PgConnection.DecodedValueOptions": "the caller's own",
  "PgConnection.ManyResult": "handed out",
  "PgConnection.Parameters": "the caller's own",
  "PgConnection.PgConnection": "handed out",
  // The text of RAISE is meant to be read.
  "PgConnection.PgNotice": "an answer",
  "PgConnection.Queryable": "a type",
  "PgConnection.Row": "an answer",
  "PgConnection.RowOptions": "the caller's own",
  "PgConnection.RowSource": "the caller's own",
  "PgConnection.RowStreamOptions": "the caller's own",
  "PgConnection.ServerVersion": "handed out",
  "PgConnection.Status": "a type",
  "PgConnection.StreamOptions": "the caller's own",
  "PgConnection.TransactionStatus": "a type",
  "PgConnection.Tuple": "an answer",
  "PgConnection.ValueOptions": "the caller's own",
  "PgCopy.InOptions": "the caller's own",
  "PgCopy.InputRow": "the caller's own",
  "PgCopy.Observed": "the caller's own",
  "PgCopy.OutOptions": "the caller's own",
  "PgCopy.Progress": "handed out",
  "PgCopy.Query": "the caller's own",
  "PgCopy.Result": "handed out",
  "PgCopy.RowsInOptions": "the caller's own",
  "PgCopy.Source": "the caller's own",
  "PgCopy.Table": "the caller's own",
  "PgCursor.CursorOptions": "the caller's own",
  "PgSql.UpsertOptions": "the caller's own",
  "PgCursor.PgCursor": "handed out",
  "PgCursor.ScrollCursor": "handed out",
  "PgError.AcquireTimeoutError": "handed out",
  "PgError.AdminShutdownError": "a type",
  "PgError.AuthenticationError": "handed out",
  "PgError.CannotConnectNowError": "a type",
  "PgError.CheckViolationError": "a type",
  "PgError.ClientErrors": "a type",
  "PgError.CommitOutcomeUnknownError": "handed out",
  "PgError.ConnectAttempt": "handed out",
  "PgError.ConnectError": "handed out",
  "PgError.ConnectPlace": "a type",
  "PgError.ConnectStage": "a type",
  "PgError.ConnectionLostError": "handed out",
  "PgError.DeadlockDetectedError": "a type",
  "PgError.DecodeError": "handed out",
  "PgError.DivisionByZeroError": "a type",
  "PgError.DuplicateTableError": "a type",
  "PgError.EmptyQueryError": "handed out",
  "PgError.EncodeError": "handed out",
  "PgError.ExclusionViolationError": "a type",
  "PgError.ForeignKeyViolationError": "a type",
  "PgError.InFailedSQLTransactionError": "a type",
  "PgError.InsufficientPrivilegeError": "a type",
  "PgError.InvalidCatalogNameError": "a type",
  "PgError.InvalidConfigError": "handed out",
  "PgError.InvalidPasswordError": "a type",
  "PgError.InvalidTextRepresentationError": "a type",
  "PgError.LockNotAvailableError": "a type",
  "PgError.MakeFields": "the caller's own",
  "PgError.NotNullViolationError": "a type",
  "PgError.NumericValueOutOfRangeError": "a type",
  "PgError.Outcome": "a type",
  "PgError.ParameterCountError": "handed out",
  "PgError.PgError": "a type",
  "PgError.PoolClosedError": "handed out",
  "PgError.PostgresError": "handed out",
  "PgError.PostgresErrorContext": "a type",
  "PgError.PostgresErrorOfClass": "a type",
  "PgError.PostgresSyntaxError": "a type",
  "PgError.ProtocolError": "handed out",
  "PgError.QueryCanceledError": "a type",
  "PgError.QueryTimeoutError": "handed out",
  "PgError.RaiseError": "a type",
  "PgError.ReadOnlySQLTransactionError": "a type",
  "PgError.SerializationError": "a type",
  "PgError.SqlStateClass": "a type",
  "PgError.SqlStateTag": "a type",
  "PgError.StringDataRightTruncationError": "a type",
  "PgError.TooManyConnectionsError": "a type",
  "PgError.TooManyWaitersError": "handed out",
  "PgError.TransactionClosedError": "handed out",
  "PgError.TransactionRolledBackError": "handed out",
  "PgError.UndefinedColumnError": "a type",
  "PgError.UndefinedFunctionError": "a type",
  "PgError.UndefinedTableError": "a type",
  "PgError.UnexpectedRowCountError": "handed out",
  "PgError.UniqueViolationError": "a type",
  "PgError.UnsupportedError": "handed out",
  "PgNotification.DecodedEvent": "a type",
  "PgNotification.Event": "a type",
  "PgNotification.Gap": "handed out",
  "PgNotification.Listen": "a type",
  "PgNotification.ListenOptions": "the caller's own",
  "PgNotification.Notification": "an answer",
  "PgNotification.PayloadOptions": "the caller's own",
  // It holds the payload for its reader; its error does not.
  "PgNotification.Undecodable": "an answer",
  "PgPool.Hooks": "the caller's own",
  "PgPool.PgPool": "handed out",
  "PgPool.Settings": "the caller's own",
  "PgPool.Stats": "handed out",
  "PgSql.Sql": "a type",
  "PgSql.Statement": "handed out",
  "PgSql.TypeId": "a constant",
  "PgSql.sql": "a constant",
  "PgStatement.Column": "handed out",
  "PgStatement.ExplainOptions": "the caller's own",
  "PgStatement.PgStatement": "handed out",
  "PgStatement.PrepareOptions": "the caller's own",
  "PgStatement.Type": "handed out",
  "PgTransaction.Access": "a type",
  "PgTransaction.Isolation": "a type",
  "PgTransaction.Options": "the caller's own",
  "PgTransaction.OptionsWithRetry": "the caller's own",
  "PgTransaction.Transaction": "handed out",
  "PgTransaction.TransactionOutcome": "a type",
  "PgTypes.BinaryEncoding": "the caller's own",
  "PgTypes.BuiltinTypeName": "a type",
  "PgTypes.Codec": "a constant",
  "PgTypes.CompositeEncoding": "the caller's own",
  "PgTypes.Interval": "a constant",
  "PgTypes.PgArray": "an answer",
  "PgTypes.PgBox": "an answer",
  "PgTypes.PgCircle": "an answer",
  "PgTypes.PgCube": "an answer",
  "PgTypes.PgGeometry": "an answer",
  "PgTypes.PgGeometryLayout": "a type",
  "PgTypes.PgInterval": "an answer",
  "PgTypes.PgLine": "an answer",
  "PgTypes.PgLineSegment": "an answer",
  "PgTypes.PgPath": "an answer",
  "PgTypes.PgPoint": "an answer",
  "PgTypes.PgPolygon": "an answer",
  "PgTypes.PgPosition": "an answer",
  "PgTypes.PgRange": "an answer",
  "PgTypes.PgSnapshot": "an answer",
  "PgTypes.PgSparseVector": "an answer",
  "PgTypes.PgTimestamp": "an answer",
  "PgTypes.TextEncoding": "the caller's own",
  "PgTypes.Timestamp": "a constant",
  "PgTypes.TypeName": "the caller's own",
  "PgTypes.PgLiteral": "handed out",
  "PgTypes.TypedParameter": "handed out",
  "PgTypes.jsonNull": "a constant"
}

/** A function holds nothing; its result is listed by its own name. Codecs are constants. */
const listed = publicNames.filter(
  ({ keyword, type }) => keyword !== "const" || !(isFunctionType(type) || /^(TypeCodec$|Service<)/.test(type))
)

// ------------------------------------------------------------------------------------------------- samples

type Samples = Record<string, Array<unknown>>

const SELECT = "SELECT $1::text AS a"

/** How each method is called with a secret; a member that takes nothing is an Effect or a Stream as it is. */
const calls = (
  asked: PgPool.PgPool | PgConnection.PgConnection | PgTransaction.Transaction
): Record<string, unknown> => {
  const effect = Effect.ignore(asked.fetch(SELECT, [PARAMETER]))
  return {
    fetch: asked.fetch(SELECT, [PARAMETER]),
    fetchTuples: asked.fetchTuples(SELECT, [PARAMETER], { timeout: 5000 }),
    fetchRow: asked.fetchRow(PgSql.sql`SELECT ${PARAMETER}::text AS a`, { row: Schema.Struct({ a: Schema.String }) }),
    fetchOne: asked.fetchOne(SELECT, [PARAMETER]),
    fetchValue: asked.fetchValue(SELECT, [PARAMETER], { value: Schema.String }),
    execute: asked.execute(SELECT, [PARAMETER]),
    executeScript: asked.executeScript("SELECT 1"),
    executeMany: asked.executeMany(SELECT, [[PARAMETER]]),
    fetchMany: asked.fetchMany(SELECT, [[PARAMETER]]),
    batch: [
      asked.batch([{ sql: SELECT, params: [PARAMETER] }]),
      asked.batch([{ sql: SELECT }], { errorBarriers: true })
    ],
    copyIn: asked.copyIn({ table: "kept" }, new TextEncoder().encode(PARAMETER)),
    copyInRows: asked.copyInRows({ table: "kept" }, [[PARAMETER]]),
    copyOut: asked.copyOut({ query: SELECT, params: [PARAMETER] }),
    copyOutRows: asked.copyOutRows({ query: PgSql.sql`SELECT ${PARAMETER}::text` }),
    stream: [asked.stream(SELECT, [PARAMETER]), asked.stream(SELECT, [PARAMETER], { row: Schema.Unknown })],
    cursor: [asked.cursor(SELECT, [PARAMETER]), asked.cursor(SELECT, [PARAMETER], { scroll: true, hold: true })],
    prepare: asked.prepare(SELECT),
    notify: asked.notify("channel", PARAMETER),
    begin: asked.begin(),
    withTransaction: asked.withTransaction(asked.fetch(SELECT, [PARAMETER])),
    withAdvisoryLock: asked.withAdvisoryLock(1, asked.fetch(SELECT, [PARAMETER])),
    withAdvisoryLockIfAvailable: asked.withAdvisoryLockIfAvailable(1, asked.fetch(SELECT, [PARAMETER])),
    afterCommit: asked.afterCommit(effect),
    afterRollback: asked.afterRollback(effect),
    ...("withConnection" in asked
      ? {
          withConnection: asked.withConnection((lent) => lent.fetch(SELECT, [PARAMETER])),
          readOnly: asked.readOnly(asked.fetch(SELECT, [PARAMETER]), { after: "0/0" })
        }
      : {}),
    ...("listen" in asked ? { listen: asked.listen("channel", { payload: Schema.String }) } : {}),
    ...("setTypeCodec" in asked
      ? { setTypeCodec: asked.setTypeCodec(PgTypes.hstore), resetTypeCodec: asked.resetTypeCodec({ name: "hstore" }) }
      : {})
  }
}

/** Everything that an object gives without being run: the results of its methods, and its Effects and Streams. */
const partsOf = (name: string, object: object, called: Readonly<Record<string, unknown>>): ReadonlyArray<unknown> =>
  membersOf(name).map((member) => {
    if (Object.hasOwn(called, member.name)) return called[member.name]
    assert.isFalse(
      isFunctionType(member.type) || member.type === "Listen",
      `${name}.${member.name} is new: call it here with a secret`
    )
    return Reflect.get(object, member.name)
  })

const userWith = (password: string) =>
  Effect.acquireRelease(
    Effect.gen(function* () {
      const { host, port, database } = yield* TestDatabase
      const administrator = yield* liveConnection()
      const name = `printed_${crypto.randomUUID().replaceAll("-", "")}`
      yield* administrator.execute(`CREATE ROLE ${name} SUPERUSER LOGIN PASSWORD '${password}'`)
      const url = `postgres://${name}:${password}@${host}:${port}/${database}`
      return { administrator, name, url: Redacted.make(url), host, port, database }
    }),
    ({ administrator, name }) => Effect.ignore(administrator.execute(`DROP ROLE ${name}`))
  )

/** Errors that are made while a value is at hand. */
const provoked = (pool: PgPool.PgPool): Effect.Effect<ReadonlyArray<PgError.PgError>, PgError.PgError> =>
  Effect.gen(function* () {
    yield* pool.execute("CREATE TABLE IF NOT EXISTS kept (a text PRIMARY KEY, n int4 CHECK (n > 0))")
    yield* pool.execute("INSERT INTO kept VALUES ($1, 1) ON CONFLICT DO NOTHING", [ROW])
    const wrong = { [PARAMETER]: PARAMETER, toString: () => PARAMETER }
    const failing: ReadonlyArray<Effect.Effect<unknown, PgError.PgError>> = [
      // The server's detail and context quote the values that it was given.
      pool.execute("INSERT INTO kept VALUES ($1, 2)", [ROW]),
      pool.execute("INSERT INTO kept VALUES ($1, -1)", [PARAMETER]),
      pool.copyIn({ table: "kept" }, [new TextEncoder().encode(`${PARAMETER}\tno number\n`)]),
      pool.executeScript("SELECT 1/0; SELECT 2"),
      // Our own errors quote no value.
      ...[
        "int4",
        "int8",
        "float8",
        "bool",
        "bytea",
        "uuid",
        "date",
        "timestamptz",
        "interval",
        "jsonb",
        "int4[]",
        "point"
      ]
        .flatMap((type) => [wrong, [wrong], Symbol(PARAMETER), () => PARAMETER].map((value) => ({ type, value })))
        .map(({ type, value }) =>
          Effect.flatMap(pool.fetch(`SELECT $1::${type}`, [value]), () => pool.fetch("SELECT 1, $1::int4", []))
        ),
      pool.fetch(SELECT, [PARAMETER, PARAMETER]),
      pool.fetch("", []),
      pool.fetchOne("SELECT a FROM kept WHERE a <> $1 UNION ALL SELECT a FROM kept", [PARAMETER]),
      pool.fetchRow("SELECT a FROM kept", [], { row: Schema.Struct({ a: Schema.Int }) }),
      pool.fetchValue("SELECT a FROM kept", [], { value: Schema.Literals(["x"]) }),
      pool.fetchValue("SELECT a FROM kept", [], { column: "other" }),
      pool.fetchMany("SELECT $1::text AS a", [[PARAMETER]], { row: Schema.Struct({ a: Schema.Int }) }),
      Stream.runDrain(pool.stream(SELECT, [PARAMETER], { row: Schema.Struct({ a: Schema.Int }) })),
      pool.executeMany("INSERT INTO kept VALUES ($1, $2)", [[PARAMETER, wrong]]),
      pool.copyInRows({ table: "kept" }, [[PARAMETER, wrong]]),
      pool.copyInRows({ table: "kept" }, [{ a: PARAMETER, other: PARAMETER }, { a: PARAMETER }]),
      pool.execute("COPY kept FROM STDIN", []),
      pool.fetch("SELECT pg_sleep(5), $1::text", [PARAMETER], { timeout: 20 }),
      pool.withTransaction(Effect.ignore(pool.execute("INSERT INTO kept VALUES ($1, 2)", [ROW]))),
      pool.withConnection((lent) =>
        Effect.andThen(lent.terminate, Effect.andThen(Effect.sleep(20), lent.fetch(SELECT, [PARAMETER])))
      ),
      pool.fetch("SELECT $1::text, pg_terminate_backend(pg_backend_pid())", [PARAMETER]),
      Effect.scoped(
        Effect.gen(function* () {
          const handle = yield* pool.begin()
          yield* handle.rollback
          yield* handle.fetch(SELECT, [PARAMETER])
        })
      ),
      ...[PARAMETER, { sql: PARAMETER }, [PARAMETER], wrong].map((options) =>
        asAny(pool, "fetch", SELECT, [PARAMETER], options)
      ),
      asAny(pool, "fetch", { sql: PARAMETER, params: [PARAMETER] }),
      asAny(pool, "fetch", SELECT, PARAMETER),
      asAny(pool, "batch", [{ sql: SELECT, params: PARAMETER }]),
      asAny(pool, "notify", 5, PARAMETER),
      asAny(pool, "withAdvisoryLock", PARAMETER, Effect.void)
    ]
    return yield* Effect.forEach(failing, refusalOf)
  })

/** A call that TypeScript would refuse. */
const asAny = (
  pool: PgPool.PgPool,
  method: string,
  ...given: ReadonlyArray<unknown>
): Effect.Effect<unknown, PgError.PgError> =>
  Effect.suspend(() => {
    const call: unknown = Reflect.get(pool, method)
    const answer: unknown = typeof call === "function" ? Reflect.apply(call, pool, given) : undefined
    return Effect.isEffect(answer) ? (answer as Effect.Effect<unknown, PgError.PgError>) : Effect.die(method)
  })

/** For each public name, objects through which the secrets have passed or are passing. */
const sampled: Effect.Effect<Samples, PgError.PgError, TestDatabase | Scope.Scope> = Effect.gen(function* () {
  const user = yield* userWith(PASSWORD)
  const events: Array<PgConfig.QueryEvent> = []
  const commented: Array<PgConfig.CommentedCall> = []
  const settings: PgPool.Settings = {
    url: user.url,
    maxConnections: 2,
    comment: (call) => Effect.sync(() => (commented.push(call), {})),
    onQuery: (event) => Effect.sync(() => void events.push(event)),
    init: (connection) => Effect.asVoid(connection.execute("SELECT set_config('app.key', $1, false)", [INIT]))
  }
  const pool = yield* PgPool.make(settings)
  const client = yield* PgClient.make({ ...settings, maxConnections: 1, multiplex: false })
  const reading = yield* PgClient.make({ ...settings, reads: {} })
  yield* reading.fetch(SELECT, [PARAMETER], { readOnly: { after: yield* reading.currentLsn } })
  const connection = yield* PgConnection.make({ url: user.url })
  const sql = yield* PgSqlClient.fromClient(pool).pipe(Effect.provide(Reactivity.layer), Effect.orDie)
  const underKey = yield* Layer.build(PgSqlClient.layerSqlPg).pipe(Effect.provideService(PgSqlClient.PgSqlClient, sql))
  const lent = yield* client.connection
  const errors = [...(yield* provoked(pool)), ...(yield* unprovoked(user))]
  const samples: Samples = {}
  const add = (name: string, ...values: ReadonlyArray<unknown>): void => void (samples[name] ??= []).push(...values)
  add("PgSqlClient.PgSqlClient", sql)
  add("PgSqlClient.SqlPgClient", ...underKey.mapUnsafe.values())
  for (const error of errors) add(`PgError.${PgError.isPostgresError(error) ? "PostgresError" : error._tag}`, error)

  // Both connections of the pool are held, and calls of every kind wait.
  const held = yield* Deferred.make<void>()
  const handle = yield* pool.begin()
  const [forward, anywhere] = [
    yield* handle.cursor("SELECT a, $1::text FROM kept", [PARAMETER]),
    yield* handle.cursor("SELECT a, $1::text FROM kept", [PARAMETER], { scroll: true })
  ]
  yield* forward.fetch(1)
  yield* anywhere.fetch(1)
  const statement = yield* handle.prepare("SELECT a, $1::text FROM kept")
  yield* statement.fetch([PARAMETER])
  const levels: Array<unknown> = []
  yield* Effect.forkScoped(
    pool.withTransaction(
      Effect.gen(function* () {
        yield* pool.afterCommit(Effect.ignore(pool.fetch(SELECT, [PARAMETER])))
        yield* pool.execute("INSERT INTO kept VALUES ($1, 2)", [PARAMETER])
        const { mapUnsafe } = yield* Effect.context()
        levels.push(...[...mapUnsafe].filter(([key]) => key.startsWith("effectpg/connection/")))
        assert.isNotEmpty(levels)
        const inside = yield* reading.readOnly(Effect.context<never>(), { after: "0/0" })
        const regions = [...inside.mapUnsafe].filter(([key]) => key.startsWith("effectpg/reads/"))
        assert.lengthOf(regions, 1)
        levels.push(...regions)
        yield* Deferred.succeed(held, undefined)
        yield* Effect.sleep("1 minute")
      })
    )
  )
  yield* Deferred.await(held)
  const waiting = [
    pool.fetch(SELECT, [PARAMETER]),
    pool.executeMany("SELECT $1::text", [[PARAMETER]]),
    pool.withTransaction(pool.fetch(SELECT, [PARAMETER])),
    Stream.runDrain(pool.stream(SELECT, [PARAMETER])),
    client.fetch(SELECT, [PARAMETER]),
    lent.fetch("SELECT pg_sleep(60), $1::text", [PARAMETER]),
    connection.fetch("SELECT pg_sleep(60), $1::text", [PARAMETER]),
    connection.withTransaction(connection.fetch(SELECT, [PARAMETER])),
    connection.fetch(SELECT, [PARAMETER])
  ]
  yield* Effect.forEach(waiting, (call) => Effect.forkScoped(call, { startImmediately: true }))
  const heard = yield* pool.listen("printed")
  yield* user.administrator.notify("printed", ROW)
  yield* Effect.sleep("50 millis")

  for (const [name, object] of [
    ["PgPool.PgPool", pool],
    ["PgClient.PgClient", client],
    ["PgClient.PgClient", reading],
    ["PgConnection.PgConnection", connection],
    ["PgConnection.PgConnection", lent],
    ["PgTransaction.Transaction", handle]
  ] as const) {
    add(name, object, ...levels, heard, ...partsOf(name, object, calls(object)))
  }
  const moves = { fetch: forward.fetch(1), forward: forward.forward(1) }
  add("PgCursor.PgCursor", forward, ...partsOf("PgCursor.PgCursor", forward, moves))
  const everywhere = { ...moves, absolute: anywhere.absolute(1), backward: anywhere.backward(1) }
  add("PgCursor.ScrollCursor", anywhere, ...partsOf("PgCursor.ScrollCursor", anywhere, everywhere))
  const asked = {
    fetch: statement.fetch([PARAMETER]),
    fetchTuples: statement.fetchTuples([PARAMETER]),
    fetchRow: statement.fetchRow([PARAMETER]),
    fetchOne: statement.fetchOne([PARAMETER]),
    fetchValue: statement.fetchValue([PARAMETER]),
    execute: statement.execute([PARAMETER]),
    executeMany: statement.executeMany([[PARAMETER]]),
    fetchMany: statement.fetchMany([[PARAMETER]]),
    stream: statement.stream([PARAMETER]),
    cursor: statement.cursor([PARAMETER]),
    explain: statement.explain([PARAMETER])
  }
  add("PgStatement.PgStatement", statement, ...partsOf("PgStatement.PgStatement", statement, asked))
  add("PgStatement.Column", ...statement.columns)
  add("PgStatement.Type", ...statement.parameters)

  // What stands before the key in its file is read with it.
  const tls = { sslKey: Redacted.make(`${PASSWORD}\n${pem("client.key")}`), sslCert: pem("client.crt") }
  const config = yield* PgConfig.resolve({ url: user.url, ...tls })
  add("PgConfig.ResolvedConfig", config)
  add("PgConfig.ResolvedPoolConfig", yield* PgConfig.resolvePool({ url: user.url, ...tls }))
  add("PgConfig.HostAddress", ...config.hosts)
  add("PgConfig.Observing", config.observing)
  add("PgConfig.QueryEvent", ...events)
  add("PgConfig.CommentedCall", ...commented)
  add("PgConnection.ServerVersion", connection.serverVersion)
  add("PgPool.Stats", yield* pool.stats)
  add("PgClient.Stats", yield* reading.stats)
  add("PgNotification.Gap", { _tag: "Gap", channel: "printed", reason: "overflow" })
  add("PgTypes.PgLiteral", PgTypes.literal(PARAMETER), [PgTypes.literal(PARAMETER)])
  add("PgTypes.TypedParameter", PgTypes.text(PARAMETER), [PgTypes.jsonb({ key: PARAMETER })])
  const template = PgSql.sql`SELECT ${PARAMETER} ${PgSql.sql.in([PARAMETER])} ${PgSql.sql.update({ a: PARAMETER })}`
  add(
    "PgSql.Statement",
    template,
    [PgSql.sql.values([[PARAMETER]]), PgSql.sql.insert({ a: PARAMETER })],
    PgSql.sql.join([PARAMETER])
  )

  const made = yield* Effect.orDie(PgTest.make({ server: { url: user.url } }))
  add("PgTest.TestDatabase", made)
  add("PgTest.Faults", yield* makeFaults({ url: user.url }))
  add("PgTest.TestServerError", new PgTest.TestServerError({ message: "there is no server", cause: undefined }))
  add("PgReplication.PgReplication", yield* Effect.orDie(replication))

  const progress: Array<unknown> = []
  const administrator = user.administrator
  add("PgConnection.CommandResult", yield* administrator.execute(SELECT, [PARAMETER]))
  add("PgConnection.ManyResult", yield* administrator.executeMany(SELECT, [[PARAMETER]]))
  const onProgress = (so: unknown) => Effect.sync(() => void progress.push(so))
  yield* administrator.execute("CREATE TEMPORARY TABLE target (a text)")
  add("PgCopy.Result", yield* administrator.copyInRows({ table: "target" }, [[PARAMETER]], { onProgress }))
  add("PgCopy.Progress", ...progress, { bytes: 0, rows: 0 })
  const lost = yield* Effect.forkScoped(lent.awaitClosed, { startImmediately: true })
  yield* lent.terminate
  add("PgConnection.Closed", yield* Fiber.join(lost))
  return samples
})

/** A stream of changes from a server of its own, since that of the tests does not keep what it needs. */
const replication = Effect.gen(function* () {
  const { url } = yield* testServer({ port: yield* Effect.promise(freePort), settings: { wal_level: "logical" } })
  const administrator = yield* PgConnection.make({ url })
  yield* administrator.executeScript(`
    CREATE ROLE printed SUPERUSER LOGIN PASSWORD '${PASSWORD}';
    CREATE PUBLICATION printed FOR ALL TABLES
  `)
  const connection = { url, user: "printed", password: Redacted.make(PASSWORD) }
  yield* PgReplication.createSlot(connection, { slot: "printed" })
  return yield* PgReplication.make({ connection, slot: "printed", publications: ["printed"] })
})

/** Errors that occur before there is a session, or that a healthy server does not cause. */
const unprovoked = ({
  database,
  host,
  name,
  port,
  url
}: {
  readonly database: string
  readonly host: string
  readonly name: string
  readonly port: number
  readonly url: Redacted.Redacted
}) =>
  Effect.gen(function* () {
    const other = { database, host, port, user: name, password: Redacted.make(`${PASSWORD}!`) }
    const full = yield* PgPool.make({ url, maxConnections: 1, maxWaiters: 1, acquireTimeout: 200, multiplex: false })
    const waits = Effect.scoped(
      Effect.andThen(
        full.connection,
        Effect.all([refusalOf(full.fetch(SELECT, [PARAMETER])), refusalOf(full.fetch(SELECT, [PARAMETER]))], {
          concurrency: 2
        })
      )
    )
    const over = yield* Effect.scoped(PgPool.make({ url }))
    const lost = yield* failureOf(PgConnection.make(other))
    return [
      ...(yield* waits),
      lost,
      yield* refusalOf(over.fetch(SELECT, [PARAMETER])),
      yield* failureOf(PgConnection.make({ ...other, port: 1 })),
      yield* failureOf(PgConnection.make({ url: `postgres://a:${PASSWORD}@host:none/b` })),
      yield* failureOf(PgConnection.make({ url: `postgres://a:${PASSWORD}@h/b?pasword=${PASSWORD}` })),
      new PgError.AuthenticationError({ method: "scram-sha-256", reason: "the server could not prove itself" }),
      new PgError.ProtocolError({ received: "a message", expected: "another" }),
      new PgError.CommitOutcomeUnknownError({ lost, transactionId: undefined }),
      yield* failureOf(PgReplication.make({ connection: { url }, slot: "none", publications: ["none"] })),
      new PgError.ReplicationSlotLostError({
        slot: "printed",
        loss: "missing",
        reason: "it is gone",
        lastAcknowledged: undefined,
        hint: "make another one"
      })
    ]
  })

const failureOf = <A>(made: Effect.Effect<A, PgError.PgError, Scope.Scope>): Effect.Effect<PgError.PgError> =>
  refusalOf(Effect.scoped(made))

// ------------------------------------------------------------------------------------------------- tests

layer(TestDatabase.layer, { excludeTestServices: true })("every object of the library", (it) => {
  it.effect("has an entry here, by every name that the public API lists", () =>
    Effect.sync(() => {
      const names = [...new Set(listed.map(({ name }) => name))].toSorted()
      assert.deepStrictEqual(Object.keys(places).toSorted(), names)
    })
  )

  it.effect("shows no parameter, row, password or init setting, whatever prints it, and neither do its results", () =>
    Effect.gen(function* () {
      const samples = yield* sampled
      const leaks: Array<string> = []
      for (const [name, place] of Object.entries(places)) {
        if (place !== "handed out") continue
        const values = samples[name] ?? (name === "PgError.ConnectAttempt" ? attemptsOf(samples) : [])
        assert.isNotEmpty(values, `there is no sample of ${name}`)
        for (const [at, value] of values.entries()) {
          const by = HAVE_A_FIELD.has(name) ? SHOWN : Object.keys(printers)
          leaks.push(...leaksOf(value, by).map((leak) => `${name}, sample ${at}: ${leak}`))
        }
      }
      assert.deepStrictEqual(leaks, [])
    }).pipe(Effect.scoped)
  )
})

/**
 * These have a public field for the secret: a program can read it, and only a printer that ignores the object's own
 * methods prints it.
 */
const HAVE_A_FIELD: ReadonlySet<string> = new Set([
  "PgTypes.PgLiteral",
  "PgTypes.TypedParameter",
  "PgConfig.ResolvedConfig",
  "PgConfig.ResolvedPoolConfig"
])

const SHOWN = Object.keys(printers).filter((printer) => !/console.dir|hidden/.test(printer))

const attemptsOf = (samples: Samples): ReadonlyArray<unknown> =>
  (samples["PgError.ConnectError"] ?? []).flatMap((error) =>
    error instanceof PgError.ConnectError ? error.attempts : []
  )

layer(TestDatabase.layer, { excludeTestServices: true })("a span, and a line of a log", (it) => {
  it.effect("show no value either, also for a call that fails or is slow", () =>
    Effect.gen(function* () {
      const { url } = yield* TestDatabase
      const seen: Array<unknown> = []
      const pool = yield* PgPool.make({ url, maxConnections: 1, slowQueryThreshold: 0 })
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          seen.push(span)
          return span
        }
      })
      const logger = Logger.make((line) => void seen.push(line.message, line.cause))
      const work = Effect.gen(function* () {
        yield* pool.fetch(SELECT, [PARAMETER])
        const errors = yield* provoked(pool)
        yield* Effect.forEach(errors, (error) => Effect.logError("failed", error, Cause.fail(error)))
        yield* pool.withTransaction(
          Effect.andThen(pool.afterCommit(Effect.die(errors[0])), pool.fetch(SELECT, [PARAMETER]))
        )
      })
      yield* work.pipe(Effect.provideService(Tracer.Tracer, tracer), Effect.provide(Logger.layer([logger])))
      assert.isAbove(seen.length, 50)
      assert.deepStrictEqual(
        seen.flatMap((value, at) => leaksOf(value).map((leak) => `${at}: ${leak}`)),
        []
      )
      yield* assertHealthy(pool)
      assert.isTrue(Option.isSome(yield* pool.fetchRow("SELECT 1 FROM kept")))
    }).pipe(Effect.scoped)
  )
})
