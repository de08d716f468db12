import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { inspect } from "node:util"
import { expectTypeOf } from "vitest"
import * as ClientError from "../src/error/clientError.ts"
import * as ConnectionError from "../src/error/connectionError.ts"
import * as ReplicationError from "../src/error/replicationError.ts"
import * as PgError from "../src/PgError.ts"
import { sqlStates } from "../src/error/sqlState.generated.ts"
import { errorFields } from "./fixtures/errorFields.ts"

const context = { sql: undefined, outcome: "none" } as const

const clientTags = [...Object.keys(ConnectionError), ...Object.keys(ClientError), ...Object.keys(ReplicationError)]

const ofCode = (code: string): PgError.PostgresError => PgError.fromServer(errorFields({ code }), context)

const listed: ReadonlyMap<string, string> = new Map(Object.values(sqlStates).flatMap((codes) => Object.entries(codes)))

describe("the tag of an error of the server", () => {
  it.each([
    ["23505", "UniqueViolationError"],
    ["40P01", "DeadlockDetectedError"],
    ["42P01", "UndefinedTableError"],
    ["57P03", "CannotConnectNowError"],
    ["40001", "SerializationError"],
    ["22000", "DataError"],
    ["P0001", "RaiseError"],
    ["25P02", "InFailedSQLTransactionError"],
    ["HV00N", "FDWUnableToEstablishConnectionError"],
    ["22001", "StringDataRightTruncationError"],
    ["42601", "PostgresSyntaxError"],
    ["58030", "PostgresIOError"],
    ["72000", "SnapshotTooOldError"],
    ["08006", "ConnectionFailureError"],
    ["XX000", "InternalServerError"]
  ])("is, for %s, asyncpg's name %s", (code, tag) => {
    assert.strictEqual(ofCode(code)._tag, tag)
  })

  it("is that of the class's general condition if PostgreSQL does not list the code", () => {
    assert.strictEqual(ofCode("23XYZ")._tag, "IntegrityConstraintViolationError")
    assert.strictEqual(ofCode("10000")._tag, "InvalidArgumentForXqueryError")
    assert.strictEqual(ofCode("P0999")._tag, "PLPGSQLError")
  })

  it("is UnknownPostgresError if PostgreSQL has no such class", () => {
    for (const code of ["XY123", "00000", "01000", "02000", "99999", "23", "2", "", "proto", "constructor"]) {
      const expected = code === "23" ? "IntegrityConstraintViolationError" : "UnknownPostgresError"
      assert.strictEqual(ofCode(code)._tag, expected, code)
    }
  })

  const Code = Arbitrary.schema(Schema.String.check(Schema.isPattern(/^[0-9A-Z]{5}$/)))

  it.prop("always exists, and lies in the class of the code", [Code], ([code]) => {
    const { _tag, code: kept } = ofCode(code)
    assert.strictEqual(kept, code)
    const general = [...listed].find(([other]) => other.startsWith(code.slice(0, 2)))?.[1]
    assert.strictEqual(_tag, listed.get(code) ?? general ?? "UnknownPostgresError")
  })

  it("differs from every tag of the client's errors", () => {
    assert.isAbove(clientTags.length, 10)
    assert.deepStrictEqual(
      [...listed.values(), "UnknownPostgresError"].filter((tag) => clientTags.includes(tag)),
      []
    )
  })
})

const everything = errorFields({
  severity: "FEHLER",
  severityUnlocalized: "ERROR",
  code: "23505",
  message: 'duplicate key value violates unique constraint "users_email_key"',
  detail: "Key (email)=(ada@example.com) already exists.",
  hint: "Use another one.",
  position: "8",
  internalPosition: "3",
  internalQuery: "INSERT INTO users VALUES ('ada@internal.example')",
  where: "SQL function f, argument 'ada@where.example'",
  schemaName: "public",
  tableName: "users",
  columnName: "email",
  dataTypeName: "text",
  constraintName: "users_email_key",
  file: "nbtinsert.c",
  line: "666",
  routine: "_bt_check_unique"
})

const duplicate = PgError.fromServer(everything, { sql: "SELECT f($1)", outcome: "none" })

describe("an error of the server", () => {
  it("holds all fields that came, the statement, and the outcome", () => {
    for (const [name, value] of Object.entries(everything)) assert.propertyVal(duplicate, name, value)
    assert.strictEqual(duplicate.sql, "SELECT f($1)")
    assert.strictEqual(duplicate.outcome, "none")
    assert.strictEqual(PgError.fromServer(everything, { sql: undefined, outcome: "unknown" }).outcome, "unknown")
  })

  it("is an Error under the name of its tag, with the server's message", () => {
    assert.instanceOf(duplicate, Error)
    assert.instanceOf(duplicate, PgError.PostgresError)
    assert.strictEqual(duplicate.name, "UniqueViolationError")
    assert.strictEqual(duplicate.message, everything.message)
  })

  it.effect("fails the effect that yields it", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        return yield* duplicate
      })
      expectTypeOf(program).toEqualTypeOf<Effect.Effect<never, PgError.PostgresError>>()
      assert.strictEqual(yield* Effect.flip(program), duplicate)
    })
  )

  it.effect("is caught by its tag", () =>
    Effect.gen(function* () {
      const failing: Effect.Effect<never, PgError.PgError> = Effect.fail(duplicate)
      const caught = failing.pipe(
        Effect.catchTag("UniqueViolationError", (error) => {
          expectTypeOf(error).toEqualTypeOf<PgError.PostgresError>()
          return Effect.succeed(error.constraintName)
        })
      )
      expectTypeOf<Effect.Error<typeof caught>>().toEqualTypeOf<PgError.PgError>()
      assert.strictEqual(yield* caught, "users_email_key")
    })
  )

  it("can be told apart by its tag", () => {
    const error: PgError.PgError = duplicate
    expectTypeOf<"CannotConnectNowError">().toExtend<typeof error._tag>()
    expectTypeOf<"ConnectionLostError">().toExtend<PgError.PgError["_tag"]>()
    // @ts-expect-error: not a name that PostgreSQL or effectpg has
    assert.isFalse(error._tag === "UniqueViolation")
    assert.isTrue(error._tag === "UniqueViolationError")
  })

  it("prints its name, message, hint and the statement with a caret", () => {
    const printed = [
      'UniqueViolationError: duplicate key value violates unique constraint "users_email_key"',
      "SQLSTATE: 23505",
      "HINT: Use another one.",
      "SQL:",
      "  1 | SELECT f($1)",
      "    |        ^"
    ].join("\n")
    assert.strictEqual(String(duplicate), printed)
    assert.strictEqual(duplicate.stack, printed)
    assert.strictEqual(inspect(duplicate), printed)
    assert.strictEqual(Cause.pretty(Cause.fail(duplicate)), printed)
    // This is how Node prints an error that was not caught.
    assert.include(inspect(duplicate, { customInspect: false }), printed.slice(printed.indexOf("\n")))
  })

  it("has the same fields in JSON", () => {
    const { detail: _detail, where: _where, internalQuery: _internalQuery, ...shown } = everything
    assert.deepStrictEqual(JSON.parse(JSON.stringify(duplicate)), {
      _tag: "UniqueViolationError",
      ...shown,
      sql: "SELECT f($1)",
      outcome: "none"
    })
  })

  it("quotes no rows unless a program asks it to", () => {
    const lost = new PgError.ConnectionLostError({
      reason: "the server closed the connection",
      server: duplicate,
      safeToRetry: false,
      outcome: "unknown"
    })
    for (const error of [duplicate, lost, new PgError.CommitOutcomeUnknownError({ lost, transactionId: undefined })]) {
      for (const text of [
        String(error),
        error.message,
        error.stack ?? "",
        inspect(error, { depth: 9, showHidden: true }),
        inspect(error, { depth: 9, showHidden: true, customInspect: false }),
        inspect({ ...error }, { depth: 9, showHidden: true }),
        JSON.stringify(error),
        Cause.pretty(Cause.fail(error)),
        inspect(Exit.fail(error), { depth: 9 }),
        JSON.stringify(Exit.fail(error))
      ]) {
        assert.include(text, "users_email_key")
        assert.notInclude(text, "ada@")
      }
    }
    assert.include(duplicate.report, "DETAIL: Key (email)=(ada@example.com) already exists.")
    assert.include(duplicate.report, "ada@internal.example")
    assert.include(duplicate.report, "ada@where.example")
  })
})

const sql = "SELECT $1,\n  $2"

const clientErrors: ReadonlyArray<readonly [PgError.PgError, PgError.Outcome, string]> = [
  [new PgError.InvalidConfigError({ setting: "port", reason: "0 is not a port" }), "none", "port: 0 is not a port"],
  [new PgError.InvalidConfigError({ setting: undefined, reason: "no user" }), "none", "no user"],
  [
    new PgError.ConnectError({
      stage: "tcp",
      attempts: [{ host: "localhost", port: 5432, address: undefined, stage: "tcp", reason: "connection refused" }]
    }),
    "none",
    "cannot connect to localhost:5432, tcp: connection refused"
  ],
  [
    new PgError.ConnectError({
      stage: "startup",
      attempts: [
        { host: "a.example", port: 5432, address: "192.0.2.1", stage: "tls", reason: "certificate has expired" },
        { host: "192.0.2.2", port: 5433, address: "192.0.2.2", stage: "tcp", reason: "connection refused" },
        { host: "/run/postgresql", port: undefined, address: undefined, stage: "startup", reason: "starting up" }
      ]
    }),
    "none",
    [
      "cannot connect to any host",
      "a.example:5432 (192.0.2.1), tls: certificate has expired",
      "192.0.2.2:5433, tcp: connection refused",
      "/run/postgresql, startup: starting up"
    ].join("\n  ")
  ],
  [new PgError.ConnectError({ stage: "resolve", attempts: [] }), "none", "cannot connect: there is no host to try"],
  [
    new PgError.AuthenticationError({ method: "md5", reason: "requireAuth does not allow it" }),
    "none",
    "cannot authenticate with md5: requireAuth does not allow it"
  ],
  [
    new PgError.AuthenticationError({ method: undefined, reason: "there is no password" }),
    "none",
    "cannot authenticate: there is no password"
  ],
  [
    new PgError.ConnectionLostError({
      reason: "the server closed the connection",
      server: PgError.fromServer(errorFields({ code: "57P01", message: "terminating connection" }), context),
      safeToRetry: false,
      outcome: "unknown"
    }),
    "unknown",
    "the connection is lost: the server closed the connection (the server said: terminating connection)"
  ],
  [
    new PgError.ConnectionLostError({ reason: "it broke", server: undefined, safeToRetry: true, outcome: "none" }),
    "none",
    "the connection is lost: it broke"
  ],
  [
    new PgError.ProtocolError({ received: "DataRow", expected: "ReadyForQuery" }),
    "unknown",
    "the server sent DataRow, but the client expected ReadyForQuery"
  ],
  [
    new PgError.EncodeError({ parameter: 2, type: "int4", reason: "int4 takes a number, not a boolean", sql }),
    "none",
    "cannot send parameter $2 as int4: int4 takes a number, not a boolean"
  ],
  [
    new PgError.EncodeError({ parameter: 0, type: "SQL text", reason: "it holds a NUL", sql }),
    "none",
    "cannot send the statement: it holds a NUL"
  ],
  [
    new PgError.DecodeError({ column: "at", type: "timestamptz", reason: "it is out of range", sql }),
    "unknown",
    'cannot read column "at" as timestamptz: it is out of range'
  ],
  [
    new PgError.ParameterCountError({ expected: 1, actual: 3, sql }),
    "none",
    "the statement takes 1 parameter, but the call gives 3"
  ],
  [
    new PgError.ParameterCountError({ expected: 2, actual: 0, sql }),
    "none",
    "the statement takes 2 parameters, but the call gives 0"
  ],
  [new PgError.EmptyQueryError({ sql: "-- nothing" }), "none", "the text contains no statement"],
  [
    new PgError.UnexpectedRowCountError({ expected: "exactly one row", actual: 2, sql }),
    "unknown",
    "the call expects exactly one row, but the statement returned more than one row"
  ],
  [
    new PgError.UnsupportedError({ feature: "COPY as a plain statement", instead: "call copyIn", sql }),
    "none",
    "COPY as a plain statement is not supported here: call copyIn"
  ],
  [
    new PgError.UnsupportedError({ feature: "COPY", instead: "call copyOut", sql, outcome: "unknown" }),
    "unknown",
    "COPY is not supported here: call copyOut"
  ],
  [
    new PgError.AcquireTimeoutError({ waitedMillis: 5000, waiting: 3, inUse: 10, connecting: 0 }),
    "none",
    "no connection became available within 5000 ms: 10 in use, 0 connecting, 3 other calls waiting"
  ],
  [
    new PgError.TooManyWaitersError({ waiting: 20, inUse: 10 }),
    "none",
    "20 calls already wait for a connection, and 10 are in use; try again later, or raise maxWaiters"
  ],
  [new PgError.PoolClosedError(), "none", "the pool is closed"],
  [
    new PgError.TransactionRolledBackError({ reason: "a statement had failed" }),
    "none",
    "the transaction was rolled back: a statement had failed"
  ],
  [
    new PgError.TransactionClosedError({ reason: "it was committed" }),
    "none",
    "the transaction is over: it was committed"
  ],
  [
    new PgError.TransactionClosedError({ reason: "SQL in its body ended it", outcome: "unknown" }),
    "unknown",
    "the transaction is over: SQL in its body ended it"
  ],
  [
    new PgError.QueryTimeoutError({ operation: "the query", durationMillis: 100, sql }),
    "unknown",
    "the query did not end within 100 ms"
  ],
  [
    new PgError.CommitOutcomeUnknownError({
      transactionId: undefined,
      lost: new PgError.ConnectionLostError({
        reason: "the server closed the connection",
        server: undefined,
        safeToRetry: false,
        outcome: "unknown"
      })
    }),
    "unknown",
    "the client does not know whether the transaction was committed: the connection is lost: the server closed the connection"
  ],
  [
    new PgError.ReplicationSetupError({
      problem: "slot",
      reason: 'there is no replication slot "s"',
      hint: "Make it."
    }),
    "none",
    'logical replication is not set up: there is no replication slot "s"'
  ],
  [
    new PgError.ReplicationSlotLostError({
      slot: "s",
      loss: "missing",
      reason: "the server does not have it",
      lastAcknowledged: "0/1A",
      hint: "Make it anew."
    }),
    "none",
    'the replication slot "s" cannot be continued: the server does not have it; changes after 0/1A may be lost'
  ],
  [
    new PgError.ReplicationSlotLostError({
      slot: "s",
      loss: "advanced",
      reason: "it was moved",
      lastAcknowledged: undefined,
      hint: "Make it anew."
    }),
    "none",
    'the replication slot "s" cannot be continued: it was moved'
  ]
]

describe("an error of the client", () => {
  it("is listed here with each of its classes", () => {
    assert.deepStrictEqual([...new Set(clientErrors.map(([error]) => error._tag))].toSorted(), clientTags.toSorted())
  })

  it.each(clientErrors)("$_tag says what is wrong, and has an outcome: %s", (error, outcome, message) => {
    assert.strictEqual(error.message, message)
    assert.strictEqual(error.outcome, outcome)
    assert.instanceOf(error, Error)
    assert.isTrue(String(error).startsWith(`${error._tag}: ${message}`))
    for (const printed of [error.stack ?? "", inspect(error), Cause.pretty(Cause.fail(error))]) {
      assert.isTrue(printed.startsWith(`${String(error)}\n    at `), printed)
      assert.include(printed, "PgError.test.ts")
      assert.notMatch(printed, /[/\\]src[/\\]|node_modules[/\\]effect/)
    }

    const json = JSON.parse(JSON.stringify(error))
    assert.strictEqual(json._tag, error._tag)
    assert.strictEqual(json.message, message)
    assert.strictEqual(json.outcome, outcome)
  })

  it("prints what to do and the statement that it is about", () => {
    const hint = "Use a bigint."
    assert.strictEqual(
      String(new PgError.EncodeError({ parameter: 2, type: "int4", reason: "it is too big", sql, hint })),
      [
        "EncodeError: cannot send parameter $2 as int4: it is too big",
        "HINT: Use a bigint.",
        "SQL:",
        "  1 | SELECT $1,",
        "  2 |   $2"
      ].join("\n")
    )
  })

  it("can be given another stack, as other errors can", () => {
    const error = new PgError.PoolClosedError()
    error.stack = "elsewhere"
    assert.strictEqual(error.stack, "elsewhere")
    assert.notInclude(Object.keys(error), "stack")
  })

  it.effect("is caught by its tag, with its fields", () =>
    Effect.gen(function* () {
      const failing: Effect.Effect<never, PgError.PgError> = Effect.fail(
        new PgError.UnexpectedRowCountError({ expected: "exactly one row", actual: 2, sql })
      )
      const actual = yield* failing.pipe(
        Effect.catchTag("UnexpectedRowCountError", (error) => Effect.succeed(error.actual))
      )
      assert.strictEqual(actual, 2)
    })
  )

  it("has an outcome that its type knows, if only one is possible", () => {
    const error = new PgError.PoolClosedError()
    assert.strictEqual<"none">(error.outcome, "none")
    expectTypeOf<PgError.CommitOutcomeUnknownError["outcome"]>().toEqualTypeOf<"unknown">()
    expectTypeOf<PgError.PgError["outcome"]>().toEqualTypeOf<PgError.Outcome>()
  })
})

describe("isPgError", () => {
  it("holds for every error of server and client, and for nothing else", () => {
    for (const error of [duplicate, ofCode("XY123"), ...clientErrors.map(([error]) => error)]) {
      assert.isTrue(PgError.isPgError(error), error._tag)
    }
    for (const value of [
      new Error("no"),
      new Cause.TimeoutError(),
      { _tag: "UniqueViolationError" },
      null,
      undefined
    ]) {
      assert.isFalse(PgError.isPgError(value))
    }
  })

  it("narrows further as isPostgresError", () => {
    assert.isTrue(PgError.isPostgresError(duplicate))
    for (const [error] of clientErrors) assert.isFalse(PgError.isPostgresError(error))
  })
})
