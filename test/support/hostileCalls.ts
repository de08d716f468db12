/** Calls every public method with sound arguments, and with something else in one of their places. */
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import { isSqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import * as PgClient from "../../src/PgClient.ts"
import * as PgConfig from "../../src/PgConfig.ts"
import * as PgConnection from "../../src/PgConnection.ts"
import * as PgError from "../../src/PgError.ts"
import * as PgKysely from "../../src/PgKysely.ts"
import * as PgLargeObject from "../../src/PgLargeObject.ts"
import * as PgPool from "../../src/PgPool.ts"
import * as PgReplication from "../../src/PgReplication.ts"
import * as PgSql from "../../src/PgSql.ts"
import * as PgSqlClient from "../../src/PgSqlClient.ts"
import * as PgTransaction from "../../src/PgTransaction.ts"
import * as PgTypes from "../../src/PgTypes.ts"
import { hostileValues, OwnFault, type Path, pathsOf, withValueAt } from "./hostileValues.ts"
import { isFunctionType, membersOf, publicNames } from "./publicListing.ts"

const SELECT = "SELECT $1::text AS a"
const row = Schema.Struct({ a: Schema.NullOr(Schema.String) })
const timeout = 5000
const nothing = Effect.succeed(0)

/** The sound arguments of each method, by its name; a second form under the same name is one that it also takes. */
const methodArguments: Readonly<Record<string, ReadonlyArray<ReadonlyArray<unknown>>>> = {
  fetch: [
    [SELECT, ["x"], { timeout, row }],
    [PgSql.sql`SELECT ${1}::int4 AS a`, { timeout, readOnly: { after: "0/0", wait: 10 } }]
  ],
  fetchTuples: [[SELECT, ["x"], { timeout, row: Schema.Unknown }]],
  fetchRow: [[SELECT, ["x"], { timeout, row }]],
  fetchOne: [[SELECT, ["x"], { timeout, row }]],
  fetchValue: [[SELECT, ["x"], { timeout, column: "a", value: Schema.Unknown }]],
  execute: [[SELECT, ["x"], { timeout }]],
  executeScript: [["SELECT 1; SELECT 2", { timeout }]],
  executeMany: [[SELECT, [["x"], ["y"]], { timeout }]],
  fetchMany: [[SELECT, [["x"], ["y"]], { timeout, row }]],
  batch: [[[{ sql: SELECT, params: ["x"] }, PgSql.sql`SELECT ${1}::int4`], { timeout, errorBarriers: true }]],
  copyIn: [
    [
      { table: "hostile", columns: ["a"] },
      [new TextEncoder().encode("1\n")],
      {
        format: "csv",
        delimiter: ",",
        header: false,
        null: "",
        quote: '"',
        where: "true",
        timeout,
        onProgress: () => nothing
      }
    ]
  ],
  copyInRows: [
    [{ table: "hostile", columns: ["a"] }, [["x"], ["y"]], { timeout, format: "binary", onProgress: () => nothing }],
    [{ table: "hostile" }, [{ a: "x" }, { a: "y" }], { timeout, format: "csv" }]
  ],
  copyOut: [
    [
      { query: SELECT, params: ["x"] },
      { format: "text", timeout, onProgress: () => nothing }
    ]
  ],
  copyOutRows: [
    [
      { table: "hostile", columns: ["a"] },
      { timeout, onProgress: () => nothing }
    ]
  ],
  stream: [[SELECT, ["x"], { timeout, fetchSize: 10, row, readOnly: true }]],
  cursor: [[SELECT, ["x"], { timeout, scroll: true, hold: true }]],
  prepare: [["SELECT 1", { timeout, name: "of_the_user" }]],
  notify: [["channel", "payload", { timeout }]],
  withTransaction: [
    [
      nothing,
      {
        timeout,
        isolation: "serializable",
        access: "read write",
        deferrable: true,
        trackOutcome: true,
        retry: Schedule.recurs(1)
      }
    ]
  ],
  begin: [[{ timeout, isolation: "serializable", access: "read write", deferrable: true, trackOutcome: true }]],
  withAdvisoryLock: [
    [[1, 2], nothing, { timeout, shared: true }],
    [7, nothing]
  ],
  withAdvisoryLockIfAvailable: [[7n, nothing, { shared: true }]],
  afterCommit: [[nothing]],
  afterRollback: [[nothing]],
  withConnection: [[() => nothing]],
  readOnly: [[nothing, { after: "0/0", wait: 10 }]],
  listen: [["channel", { bufferSize: 10, payload: Schema.String }]],
  setTypeCodec: [[PgTypes.hstore]],
  resetTypeCodec: [[{ name: "hstore", schema: "public" }]]
}

const statementArguments: Readonly<Record<string, ReadonlyArray<ReadonlyArray<unknown>>>> = {
  ...Object.fromEntries(
    ["fetch", "fetchTuples", "fetchRow", "fetchOne", "fetchValue", "execute", "stream"].map((name) => [
      name,
      (methodArguments[name] ?? []).filter(([sql]) => sql === SELECT).map(([, ...others]) => others)
    ])
  ),
  executeMany: [[[["x"], ["y"]], { timeout }]],
  fetchMany: [[[["x"], ["y"]], { timeout, row }]],
  cursor: [[["x"], { timeout }]],
  explain: [[["x"], { timeout, analyze: true }]]
}

const cursorArguments: Readonly<Record<string, ReadonlyArray<ReadonlyArray<unknown>>>> = {
  fetch: [[1]],
  forward: [[1]],
  backward: [[1]],
  absolute: [[1]]
}

/** Settings of a server that does not exist: they are only read, and nothing connects. */
const settings: PgConfig.Settings = {
  url: "postgres://user:password@127.0.0.1:1/database",
  host: ["127.0.0.1", "/tmp"],
  hostaddr: ["127.0.0.1", ""],
  port: [1, 2],
  targetSessionAttrs: "primary",
  loadBalanceHosts: "random",
  user: "user",
  database: "database",
  password: PgTypes.jsonNull as never,
  passfile: "/nowhere",
  sslMode: "disable",
  sslNegotiation: "postgres",
  sslCertMode: "allow",
  sslSni: true,
  sslMinProtocolVersion: "TLSv1.2",
  sslMaxProtocolVersion: "TLSv1.3",
  channelBinding: "prefer",
  minProtocolVersion: "3.0",
  maxProtocolVersion: "latest",
  oauthToken: PgTypes.jsonNull as never,
  requireAuth: ["scram-sha-256"],
  applicationName: "hostile",
  settings: { work_mem: "4MB" },
  connectTimeout: 1000,
  cancelTimeout: 1000,
  connectTotalTimeout: 1000,
  keepAlive: 1000,
  keepAliveInterval: 1000,
  keepAliveCount: 3,
  maxScramIterations: 10,
  statementMode: "cached",
  names: "unchanged",
  statementCacheSize: 1,
  statementCacheLifetime: 1,
  statementCacheMaxSqlBytes: 1,
  slowQueryThreshold: 1,
  metrics: true,
  types: [PgTypes.hstore]
}
const poolSettings: PgConfig.PoolSettings = {
  ...settings,
  minConnections: 0,
  maxConnections: 1,
  acquireTimeout: 1000,
  closeTimeout: 1000,
  idleTimeout: 1000,
  maxLifetime: 1000,
  maxUses: 1,
  maxWaiters: 1,
  multiplex: true
}

/** A subject of calls: an object with methods, made for each call, and their sound arguments. */
interface Subject {
  readonly name: string
  readonly make: (pool: PgPool.PgPool) => Effect.Effect<unknown, PgError.PgError, Scope.Scope>
  readonly calls: Readonly<Record<string, ReadonlyArray<ReadonlyArray<unknown>>>>
}

const subjects: ReadonlyArray<Subject> = [
  { name: "PgPool.PgPool", make: Effect.succeed, calls: methodArguments },
  { name: "PgClient.PgClient", make: Effect.succeed, calls: methodArguments },
  { name: "PgConnection.PgConnection", make: (pool) => pool.connection, calls: methodArguments },
  { name: "PgTransaction.Transaction", make: (pool) => pool.begin(), calls: methodArguments },
  { name: "PgStatement.PgStatement", make: (pool) => pool.prepare(SELECT), calls: statementArguments },
  { name: "PgCursor.PgCursor", make: (pool) => pool.cursor(SELECT, ["x"]), calls: cursorArguments },
  {
    name: "PgCursor.ScrollCursor",
    make: (pool) => pool.cursor(SELECT, ["x"], { scroll: true, hold: true }),
    calls: cursorArguments
  }
]

/** The result of a call: it runs to its end in a scope of its own. */
export interface HostileCall {
  readonly what: string
  readonly run: (pool: PgPool.PgPool, hostile: (given: ReadonlyArray<unknown>) => ReadonlyArray<unknown>) => Call
  readonly given: ReadonlyArray<unknown>
}

type Call = Effect.Effect<Exit.Exit<unknown, unknown> | string, unknown>

const sqlOptions = {
  reactiveChannel: "hostile",
  spanAttributes: { service: "hostile" },
  transformJson: true,
  transformQueryNames: (name: string) => name,
  transformResultNames: (name: string) => name
}

const changes = {
  connection: settings,
  slot: "hostile",
  publications: ["hostile"],
  tables: { "public.hostile": row },
  messages: true,
  localOnly: false,
  requireReplicaIdentity: true,
  waitForSlot: false,
  statusInterval: 1000,
  serverTimeout: 1000,
  bufferBytes: 1000
}

/** The functions of the modules that ask or open something. */
const functionArguments: Readonly<Record<string, ReadonlyArray<ReadonlyArray<unknown>>>> = {
  "PgClient.layer": [[poolSettings]],
  "PgClient.layerConfig": [
    [Object.fromEntries(Object.entries(poolSettings).map(([name, value]) => [name, Config.succeed(value as unknown)]))]
  ],
  "PgClient.make": [[poolSettings]],
  "PgConfig.resolve": [[settings, { PGHOST: "localhost", PGPORT: "1" }]],
  "PgConfig.resolvePool": [[poolSettings, { PGHOST: "localhost", PGPORT: "1" }]],
  "PgKysely.execute": [[{ execute: () => Promise.resolve([]) }], [() => Promise.resolve([])]],
  "PgKysely.executeTakeFirst": [[{ execute: () => Promise.resolve([]) }]],
  "PgKysely.stream": [[{ stream: noRows }, { fetchSize: 10 }]],
  "PgConnection.layer": [[settings]],
  "PgConnection.make": [[settings]],
  "PgPool.layer": [[poolSettings]],
  "PgPool.make": [[poolSettings]],
  "PgReplication.createSlot": [[settings, { slot: "hostile", failover: false }]],
  "PgReplication.dropSlot": [[settings, "hostile"]],
  "PgReplication.make": [[{ ...changes, temporary: true, after: "0/0" }]],
  "PgReplication.run": [[changes, () => nothing]],
  "PgReplication.snapshotThenStream": [[{ ...changes, failover: false }]],
  "PgReplication.stream": [[changes]],
  "PgSqlClient.layer": [[{ ...poolSettings, ...sqlOptions }]],
  "PgSqlClient.layerConfig": [[{ ...poolSettings, ...sqlOptions }]],
  "PgSqlClient.make": [[{ ...poolSettings, ...sqlOptions }]]
}

async function* noRows(): AsyncGenerator {}

const POOL = Symbol("the pool")
/** The functions that take something that can be asked. */
const askingArguments: Readonly<Record<string, ReadonlyArray<ReadonlyArray<unknown>>>> = {
  "PgKysely.dialect": [[POOL]],
  "PgKysely.make": [[{ log: ["error"], plugins: [{ transformQuery: () => 0, transformResult: () => 0 }] }]],
  "PgSqlClient.fromClient": [[POOL, sqlOptions]],
  "PgSqlClient.installReactiveTriggers": [["hostile", ["hostile", { schema: "public", table: "hostile" }]]],
  "PgSqlClient.layerFrom": [[sqlOptions]],
  "PgSqlClient.removeReactiveTriggers": [["hostile", ["hostile", { schema: "public", table: "hostile" }]]],
  "PgLargeObject.read": [[POOL, 4_000_000_000]],
  "PgLargeObject.remove": [[POOL, 4_000_000_000]],
  "PgLargeObject.write": [[POOL, Stream.make(Uint8Array.of(1))]],
  "PgReplication.slots": [[POOL]],
  "PgReplication.storedPosition": [[POOL, { reader: "hostile", table: "hostile.positions" }]],
  "PgReplication.withSnapshot": [[POOL, "00000003-00000002-1", nothing]],
  "PgTransaction.outcome": [
    [POOL, new PgError.CommitOutcomeUnknownError({ lost: new PgError.PoolClosedError(), transactionId: "700" })]
  ]
}

const modules: Readonly<Record<string, object>> = {
  PgClient,
  PgConfig,
  PgConnection,
  PgError,
  PgKysely,
  PgLargeObject,
  PgPool,
  PgReplication,
  PgSql,
  PgSqlClient,
  PgTransaction,
  PgTypes
}

const functionOf = (name: string): ((...given: ReadonlyArray<unknown>) => unknown) => {
  const [module = "", member = ""] = name.split(".")
  const found: unknown = Reflect.get(modules[module] ?? {}, member)
  if (typeof found !== "function") throw new Error(`there is no function ${name}`)
  return (...given) => Reflect.apply(found, undefined, given) as unknown
}

/** The methods of the listing without known sound arguments, and known methods that the listing does not have. */
export const unknownMethods = (): ReadonlyArray<string> => {
  const missing: Array<string> = []
  for (const { calls, name } of subjects) {
    for (const member of membersOf(name)) {
      if ((isFunctionType(member.type) || member.type === "Listen") && !Object.hasOwn(calls, member.name)) {
        missing.push(`${name}.${member.name}`)
      }
    }
  }
  const known = { ...functionArguments, ...askingArguments, ...builders }
  for (const { keyword, name, type } of publicNames) {
    if (keyword !== "const" || !isFunctionType(type) || type.startsWith("typeof ")) continue
    if (!Object.hasOwn(known, name) && !GUARD.test(name) && !OF_PROGRAMS.test(name)) missing.push(name)
  }
  for (const name of [...Object.keys(functionArguments), ...Object.keys(askingArguments), ...Object.keys(builders)]) {
    if (!publicNames.some((listed) => listed.name === name || name.startsWith("PgSql.sql")))
      missing.push(`${name} is none`)
  }
  return missing
}

const members = ({ calls, name }: Subject): ReadonlyArray<readonly [string, ReadonlyArray<unknown>]> =>
  membersOf(name).flatMap((member) =>
    (Object.hasOwn(calls, member.name) ? (calls[member.name] ?? []) : []).map((given) => [member.name, given] as const)
  )

const hostileCalls: ReadonlyArray<HostileCall> = [
  ...subjects.flatMap((subject) =>
    members(subject).map(([method, given]): HostileCall => ({
      what: `${subject.name}.${method}`,
      given,
      run: (pool, hostile) =>
        Effect.flatMap(subject.make(pool), (asked) =>
          outcomeOf(() => {
            const call: unknown = Reflect.get(Object(asked), method)
            if (typeof call !== "function") throw new Error(`${subject.name} has no ${method}`)
            return Reflect.apply(call, asked, hostile(given)) as unknown
          })
        ).pipe(Effect.scoped)
    }))
  ),
  ...Object.entries(askingArguments).flatMap(([name, forms]) =>
    forms.map((given): HostileCall => ({
      what: name,
      given,
      run: (pool, hostile) =>
        outcomeOf(() => functionOf(name)(...hostile(given).map((value) => (value === POOL ? pool : value)))).pipe(
          Effect.provideServiceEffect(
            SqlClient.SqlClient,
            Effect.provide(PgSqlClient.fromClient(pool), Reactivity.layer)
          ),
          Effect.provideService(PgClient.PgClient, pool)
        )
    }))
  ),
  ...Object.entries(functionArguments).flatMap(([name, forms]) =>
    forms.map((given): HostileCall => ({
      what: name,
      given,
      run: (_, hostile) => outcomeOf(() => functionOf(name)(...hostile(given)))
    }))
  )
]

/** Runs the result of a call, and describes results that must never happen. */
const outcomeOf = (call: () => unknown): Effect.Effect<Exit.Exit<unknown, unknown> | string> =>
  Effect.suspend(() => {
    let answer: unknown
    try {
      answer = call()
    } catch (thrown) {
      return Effect.succeed(`threw ${wordsOf(thrown)}`)
    }
    const effect = runnable(answer)
    if (effect === undefined) return Effect.succeed("gave neither an Effect nor a Stream nor a Layer")
    return Effect.map(Effect.timeoutOption(Effect.exit(Effect.scoped(effect)), HANG_MILLIS), (exit) =>
      Option.getOrElse(exit, () => `did not end within ${HANG_MILLIS} ms`)
    )
  })

const HANG_MILLIS = 20_000

const runnable = (answer: unknown): Effect.Effect<unknown, unknown, Scope.Scope> | undefined => {
  if (Effect.isEffect(answer)) {
    return Effect.provide(answer as Effect.Effect<unknown, unknown, Scope.Scope>, Reactivity.layer)
  }
  if (Stream.isStream(answer)) return Stream.runDrain(answer as Stream.Stream<unknown, unknown>)
  if (Layer.isLayer(answer)) return Layer.build(answer as Layer.Layer<unknown, unknown>)
  return undefined
}

const wordsOf = (thrown: unknown): string => {
  try {
    return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
  } catch {
    return "what cannot be looked at"
  }
}

/** What is wrong with an outcome: everything but a success and a typed failure. The user's own function may throw. */
export const faultOf = (outcome: Exit.Exit<unknown, unknown> | string): string | undefined => {
  if (typeof outcome === "string") return outcome
  if (Exit.isSuccess(outcome)) return undefined
  for (const reason of outcome.cause.reasons) {
    if (Cause.isFailReason(reason) && isTyped(reason.error)) continue
    if (Cause.isDieReason(reason) && reason.defect instanceof OwnFault) continue
    if (Cause.isFailReason(reason)) return `failed with ${wordsOf(reason.error)}`
    return Cause.isDieReason(reason) ? `died of ${wordsOf(reason.defect)}` : "was interrupted"
  }
  return undefined
}

const isTyped = (error: unknown): boolean =>
  PgError.isPgError(error) || (isSqlError(error) && Option.isSome(PgError.fromSqlError(error)))

/** One value in one place of one call. */
export interface HostileCase {
  readonly call: HostileCall
  readonly path: Path
  readonly value: number
}

/** Every value in every place, and one argument too many. */
export const hostileCases: ReadonlyArray<HostileCase> = hostileCalls.flatMap((call) =>
  [...pathsOf(call.given), [call.given.length], ...optionPaths(call)].flatMap((path) =>
    [...hostileValues.keys()].map((value) => ({ call, path, value }))
  )
)

/** An option that the call does not have. */
function optionPaths({ given }: HostileCall): ReadonlyArray<Path> {
  const last = given.length - 1
  return typeof given[last] === "object" && !Array.isArray(given[last]) ? [[last, "noSuchOption"]] : []
}

export const describe = ({ call, path, value }: HostileCase): string =>
  `${call.what} with ${hostileValues[value]?.[0]} at ${path.join(".")}`

/** Runs a case, with a second value elsewhere if one is given, and returns what is wrong with its outcome. */
export const runCase = (pool: PgPool.PgPool, { call, path, value }: HostileCase, also?: HostileCase) =>
  Effect.map(
    Effect.exit(
      call.run(pool, (given) => {
        const once = withValueAt(given, path, hostileValues[value]?.[1]())
        return also === undefined ? once : withValueAt(once, also.path, hostileValues[also.value]?.[1]())
      })
    ),
    (exit) => (Exit.isSuccess(exit) ? faultOf(exit.value) : faultOf(exit))
  )

// ------------------------------------------------------------------------------------------------- builders

/** Functions that make a value and ask no server. */
export const builders: Readonly<Record<string, ReadonlyArray<ReadonlyArray<unknown>>>> = {
  "PgClient.Service": [[]],
  "PgSql.sql": [[Object.assign(["a", "b"], { raw: ["a", "b"] }), 1]],
  "PgSql.sql.id": [["a", "b"]],
  "PgSql.sql.in": [[[1, 2]]],
  "PgSql.sql.values": [
    [
      [
        [1, 2],
        [3, 4]
      ]
    ]
  ],
  "PgSql.sql.insert": [[[{ a: 1, b: 2 }]]],
  "PgSql.sql.update": [[{ a: 1, b: 2 }, ["b"]]],
  "PgSql.sql.upsert": [[[{ a: 1, b: 2 }], { conflict: ["a"], update: ["b"] }]],
  "PgSql.sql.join": [[[1, 2], PgSql.sql`, `]],
  "PgTypes.codec": [
    [
      {
        name: "text",
        schema: "public",
        format: "text",
        valuesAreArrays: false,
        decode: (a: string) => a,
        encode: String
      }
    ],
    [{ name: "text", format: "binary", decode: (a: unknown) => a, encode: () => new Uint8Array() }]
  ],
  "PgTypes.composite": [[{ name: "pair", schema: "public", valuesAreArrays: true, decode: (a: unknown) => a }]],
  "PgTypes.losslessArrayOf": [[{ name: "int4", schema: "pg_catalog" }]],
  "PgTypes.ArrayOf": [[Schema.Int]],
  "PgTypes.Range": [[Schema.Int]],
  "PgTypes.typed": [["int4[]", [1]]],
  "PgTypes.literal": [["{}"]],
  ...Object.fromEntries(
    publicNames
      .filter(({ name, type }) => name.startsWith("PgTypes.") && type.endsWith("=> TypedParameter"))
      .filter(({ name }) => name !== "PgTypes.typed")
      .map(({ name }) => [name, [["1"]]])
  ),
  "PgError.catchAll": [[() => nothing]],
  "PgError.catchClass": [["23", () => nothing]],
  "PgError.catchTag": [["UniqueViolationError", () => nothing]],
  "PgError.catchTags": [[{ UniqueViolationError: () => nothing }]],
  "PgError.fromServer": [
    [
      { code: "23505", message: "m" },
      { sql: "", outcome: "none" }
    ]
  ],
  "PgError.hasTag": [["UniqueViolationError"]],
  "PgError.isOfClass": [["23"]],
  "PgError.make": [["UniqueViolationError", { constraintName: "users_email_key" }]],
  "PgError.mapError": [[() => "mapped"]],
  "PgError.orDie": [[nothing]]
}

/**
 * Functions whose arguments are the migrations of a program, its tests, its handler of changes, or errors that it has
 * caught. test/migrator tries wrong migrations and options, test/PgTest.integration.test.ts wrong options of tests,
 * test/replication/exactlyOnce.integration.test.ts wrong arguments of a handler, and
 * test/sqlClient/nativeErrors.integration.test.ts wrong errors.
 */
const OF_PROGRAMS = /^(PgMigrator\.\w+|PgTest\.\w+|PgReplication\.exactlyOnce|PgError\.fromSqlError)$/

const GUARD = /^(PgError\.is[A-Z]|PgSql\.isStatement$)/

export const guards: ReadonlyArray<string> = publicNames
  .filter(({ keyword, name }) => keyword === "const" && GUARD.test(name) && name !== "PgError.isOfClass")
  .map(({ name }) => name)

export { functionOf }
