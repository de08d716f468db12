/** Compares how errors of the server, of the connection and of the client itself are reported: by real errors of each kind. */
import { assert } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import * as SqlError from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import { inspect } from "node:util"
import { TestDatabase } from "../support/database.ts"
import { answerOf, type Answers, named, parity, type Participant } from "./support/participants.ts"

type Provoke = (
  sql: SqlClient.SqlClient
) => Effect.Effect<unknown, SqlError.SqlError, SqlClient.SqlClient | TestDatabase>

interface Row {
  readonly code: string
  readonly what: string
  readonly provoke: Provoke
  readonly reason: Answers<SqlError.SqlErrorReason["_tag"]>
}

const RETRYABLE: ReadonlyArray<string> = [
  "ConnectionError",
  "DeadlockError",
  "SerializationError",
  "LockTimeoutError",
  "StatementTimeoutError"
]

/** Tables that refuse much. */
const createTables = Effect.flatMap(SqlClient.SqlClient, (sql) =>
  Effect.forEach(
    [
      `CREATE TABLE strict (id int4 CONSTRAINT strict_key PRIMARY KEY, name text NOT NULL DEFAULT 'n',
        CONSTRAINT positive CHECK (id > 0), during int4range,
        CONSTRAINT apart EXCLUDE USING gist (during WITH &&))`,
      "CREATE TABLE child (id int4 REFERENCES strict)",
      "INSERT INTO strict (id, during) VALUES (1, '[1,5)'), (2, NULL)",
      "CREATE TABLE locked (id int4 PRIMARY KEY, n int4)",
      "INSERT INTO locked VALUES (1, 0), (2, 0)"
    ],
    (statement) => sql.unsafe(statement),
    { discard: true }
  )
)

/** Two transactions that each hold a row and want that of the other. */
const deadlock: Provoke = (sql) => {
  const lock = (id: number) => sql`UPDATE locked SET n = n + 1 WHERE id = ${id}`
  const both = (first: number, second: number) =>
    sql.withTransaction(Effect.andThen(lock(first), Effect.andThen(sql`SELECT pg_sleep(0.2)`, lock(second))))
  return Effect.gen(function* () {
    const exits = yield* Effect.all([Effect.exit(both(1, 2)), Effect.exit(both(2, 1))], { concurrency: 2 })
    return yield* Effect.all(exits)
  })
}

/** A transaction that writes what another has written since its first look. */
const serialization: Provoke = (sql) =>
  Effect.gen(function* () {
    yield* sql`SELECT n FROM locked WHERE id = 1`
    yield* Effect.scoped(
      Effect.flatMap(sql.reserve, (other) => other.execute("UPDATE locked SET n = n + 1 WHERE id = 1", [], undefined))
    )
    yield* sql`UPDATE locked SET n = n + 1 WHERE id = 1`
  }).pipe(
    sql.withTransaction,
    Effect.provideService(SqlClient.BeginTransaction, "BEGIN ISOLATION LEVEL REPEATABLE READ")
  )

/** A statement that wants a row that another session holds. */
const whileLocked =
  (provoke: Provoke): Provoke =>
  (sql) =>
    Effect.scoped(
      Effect.gen(function* () {
        const other = yield* sql.reserve
        yield* other.executeUnprepared("BEGIN", [], undefined)
        yield* other.executeUnprepared("SELECT FROM locked WHERE id = 1 FOR UPDATE", [], undefined)
        yield* Effect.ensuring(provoke(sql), Effect.ignore(other.executeUnprepared("ROLLBACK", [], undefined)))
      })
    )

const inTransaction =
  (first: string, second: string): Provoke =>
  (sql) =>
    sql.withTransaction(Effect.andThen(sql.unsafe(first), sql.unsafe(second)))

const rows: ReadonlyArray<Row> = [
  {
    code: "23505",
    what: "a duplicate key",
    provoke: (sql) => sql`INSERT INTO strict (id) VALUES (${1})`,
    reason: { right: "UniqueViolation" }
  },
  {
    code: "23502",
    what: "NULL in a column that must have a value",
    provoke: (sql) => sql`INSERT INTO strict (id, name) VALUES (${9}, ${null})`,
    reason: { right: "ConstraintError" }
  },
  {
    code: "23503",
    what: "a reference to nothing",
    provoke: (sql) => sql`INSERT INTO child VALUES (${99})`,
    reason: { right: "ConstraintError" }
  },
  {
    code: "23514",
    what: "a value that a check refuses",
    provoke: (sql) => sql`INSERT INTO strict (id) VALUES (${-1})`,
    reason: { right: "ConstraintError" }
  },
  {
    code: "23P01",
    what: "a row that an exclusion refuses",
    provoke: (sql) => sql`INSERT INTO strict (id, during) VALUES (${9}, ${"[4,6)"})`,
    reason: { right: "ConstraintError" }
  },
  { code: "40P01", what: "a deadlock", provoke: deadlock, reason: { right: "DeadlockError" } },
  {
    code: "40001",
    what: "transactions that cannot be put in an order",
    provoke: serialization,
    reason: { right: "SerializationError" }
  },
  {
    code: "55P03",
    what: "a lock that NOWAIT does not get",
    provoke: whileLocked((sql) => sql`SELECT FROM locked WHERE id = 1 FOR UPDATE NOWAIT`),
    reason: { right: "LockTimeoutError" }
  },
  {
    code: "55P03",
    what: "a lock for which lock_timeout is too short",
    provoke: whileLocked(
      inTransaction("SET LOCAL lock_timeout = '20ms'", "SELECT FROM locked WHERE id = 1 FOR UPDATE")
    ),
    reason: { right: "LockTimeoutError" }
  },
  {
    code: "57014",
    what: "a statement that takes longer than statement_timeout",
    provoke: inTransaction("SET LOCAL statement_timeout = '20ms'", "SELECT pg_sleep(10)"),
    reason: { right: "StatementTimeoutError" }
  },
  {
    code: "57014",
    what: "a statement that somebody else has canceled",
    provoke: (sql) => sql`SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(10)`,
    reason: { right: "StatementTimeoutError" }
  },
  {
    code: "42501",
    what: "a table that belongs to somebody else",
    provoke: inTransaction("SET LOCAL ROLE pg_monitor", "SELECT * FROM strict"),
    reason: { right: "AuthorizationError" }
  },
  { code: "42601", what: "a syntax error", provoke: (sql) => sql`SELEKT`, reason: { right: "SqlSyntaxError" } },
  {
    code: "42P01",
    what: "a table that is not there",
    provoke: (sql) => sql`SELECT * FROM nowhere`,
    reason: { right: "SqlSyntaxError" }
  },
  {
    code: "42703",
    what: "a column that is not there",
    provoke: (sql) => sql`SELECT missing FROM strict`,
    reason: { right: "SqlSyntaxError" }
  },
  {
    code: "42883",
    what: "a function that is not there",
    provoke: (sql) => sql`SELECT no_such_function(${1})`,
    reason: { right: "SqlSyntaxError" }
  },
  {
    code: "42601",
    what: "a text of two statements",
    provoke: (sql) => sql`SELECT 1; SELECT 2`,
    reason: { right: "SqlSyntaxError" }
  },
  {
    code: "23505",
    what: "a duplicate of a Date that is written as a text",
    provoke: (sql) =>
      Effect.gen(function* () {
        yield* sql`CREATE TABLE IF NOT EXISTS times (at text PRIMARY KEY)`
        yield* sql`INSERT INTO times ${sql.insert({ at: new Date(0) })}`
        yield* sql`INSERT INTO times ${sql.insert({ at: new Date(0) })}`
      }),
    reason: { right: "UniqueViolation" }
  },
  {
    code: "22012",
    what: "a division by zero",
    provoke: (sql) => sql`SELECT 1 / (${0}::int4)`,
    reason: { right: "UnknownError" }
  },
  {
    code: "22P02",
    what: "a string that is no number",
    provoke: (sql) => sql`SELECT ${"seven"}::int4`,
    reason: { right: "UnknownError" }
  },
  {
    code: "P0001",
    what: "an exception of a function",
    provoke: (sql) => sql.unsafe("DO $$ BEGIN RAISE EXCEPTION 'raised'; END $$"),
    reason: { right: "UnknownError" }
  },
  {
    code: "25P02",
    what: "a statement after a failed one",
    provoke: (sql) => sql.withTransaction(Effect.andThen(Effect.ignore(sql`SELECT 1 / 0`), sql`SELECT 1`)),
    reason: { right: "UnknownError" }
  },
  {
    code: "57P01",
    what: "a session that an administrator ends",
    provoke: (sql) => sql`SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(10)`,
    reason: { right: "ConnectionError" }
  },
  {
    code: "57P05",
    what: "a session that was idle for too long",
    provoke: (sql) =>
      Effect.scoped(
        Effect.gen(function* () {
          const mine = yield* sql.reserve
          yield* mine.executeUnprepared("SET idle_session_timeout = '20ms'", [], undefined)
          yield* Effect.sleep("200 millis")
          yield* mine.execute("SELECT 1", [], undefined)
        })
      ),
    reason: { right: "ConnectionError", "@effect/sql-pg": "UnknownError" }
  }
]

/** The member `code` of the innermost error of the driver. */
const codeOf = (error: unknown): unknown =>
  typeof error === "object" && error !== null
    ? "code" in error && typeof error.code === "string"
      ? error.code
      : "cause" in error
        ? codeOf(error.cause)
        : undefined
    : undefined

/** How a client for another address fails: when it is made, or when it is used. */
const refusalAt = (participant: Participant, change: (url: URL) => void) =>
  Effect.gen(function* () {
    const url = new URL((yield* TestDatabase).url)
    change(url)
    return yield* Effect.flip(
      Effect.scoped(
        Effect.provide(
          Effect.flatMap(SqlClient.SqlClient, (sql) => sql`SELECT 1`),
          participant.layer(Redacted.make(url.href), { acquireTimeout: "1 second" })
        )
      )
    )
  })

/** A client whose address is in the configuration, as `DATABASE_ADDRESS`. */
const configured = (participant: Participant, env: Record<string, string>) =>
  Layer.provide(participant.layerConfig("DATABASE_ADDRESS"), ConfigProvider.layer(ConfigProvider.fromEnv({ env })))

parity(
  "the reason of an error",
  (it, participant) => {
    it.effect("the tables of these tests can be created", () =>
      Effect.gen(function* () {
        yield* createTables
        const sql = yield* SqlClient.SqlClient
        assert.deepStrictEqual(yield* sql`SELECT count(*)::int AS n FROM strict`, [{ n: 2 }])
      })
    )

    for (const { code, provoke, reason, what } of rows) {
      const wrong = reason[participant.name]
      const behavior = `${what} (${code}) is a ${reason.right}`
      it.effect(named(participant, behavior, { [participant.name]: wrong && `says ${wrong}` }), () =>
        Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          const error = yield* Effect.flip(provoke(sql))
          assert.strictEqual(error._tag, "SqlError")
          const expected = answerOf(participant, reason)
          assert.strictEqual(error.reason._tag, expected)
          assert.strictEqual(error.isRetryable, RETRYABLE.includes(expected))
          assert.deepStrictEqual(yield* sql`SELECT ${1} AS healthy`, [{ healthy: 1 }])
        })
      )
    }

    it.effect("a unique violation names its constraint", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const { reason } = yield* Effect.flip(sql`INSERT INTO strict (id) VALUES (1)`)
        assert.containsSubset(reason, { _tag: "UniqueViolation", constraint: "strict_key" })
      })
    )

    it.effect("the cause is the driver's own error, with the code of the server", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const { reason } = yield* Effect.flip(sql`INSERT INTO strict (id) VALUES (1)`)
        assert.strictEqual(codeOf(reason.cause), "23505")
        assert.instanceOf(reason.cause, Error)
      })
    )

    const messages: Answers<string> = {
      right: 'duplicate key value violates unique constraint "strict_key"',
      "@effect/sql-pg": "PgConnection: Query failed"
    }
    it.effect(
      named(participant, "the message is the server's", { "@effect/sql-pg": `says ${messages["@effect/sql-pg"]}` }),
      () =>
        Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          const error = yield* Effect.flip(sql`INSERT INTO strict (id) VALUES (1)`)
          assert.include(error.message, answerOf(participant, messages))
        })
    )

    it.effect("neither the message nor the operation has the value of a parameter", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const error = yield* Effect.flip(sql`INSERT INTO strict (id, name) VALUES (1, ${"a secret"})`)
        assert.notInclude(error.message, "secret")
        assert.notInclude(String(error.reason.operation), "secret")
        assert.isString(error.reason.operation)
      })
    )

    it.effect("an error crosses a process by its schema", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const error = yield* Effect.flip(sql`INSERT INTO strict (id) VALUES (1)`)
        const codec = Schema.toCodecJson(SqlError.SqlError)
        const text = JSON.stringify(yield* Effect.orDie(Schema.encodeEffect(codec)(error)))
        const decoded = yield* Effect.orDie(Schema.decodeUnknownEffect(codec)(JSON.parse(text)))
        assert.containsSubset(decoded.reason, { _tag: "UniqueViolation", constraint: "strict_key" })
        assert.strictEqual(decoded.message, error.message)
      })
    )

    it.effect.each([
      Symbol("s"),
      () => 1,
      new Date(Number.NaN),
      {
        toJSON: () => {
          throw new Error("no JSON")
        }
      }
    ])("a value that no type takes is a typed failure, and never a defect", (value) =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const error = yield* Effect.flip(sql`SELECT ${value} AS value`)
        assert.strictEqual(error.reason._tag, "UnknownError")
        assert.deepStrictEqual(yield* sql`SELECT ${1} AS healthy`, [{ healthy: 1 }])
      })
    )

    it.effect("json that cannot be written is a typed failure", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const { json } = participant.extrasOf(sql)
        const circle: { self?: unknown } = {}
        circle.self = circle
        for (const value of [{ n: 1n }, circle]) {
          assert.strictEqual((yield* Effect.flip(sql`SELECT ${json(value)} AS body`))._tag, "SqlError")
        }
        assert.deepStrictEqual(yield* sql`SELECT ${1} AS healthy`, [{ healthy: 1 }])
      })
    )

    const surrogates: Answers<unknown> = { right: "refused", "@effect/sql-pg": [{ text: "a\ufffd" }] }
    const surrogate = "a text with half a surrogate pair is refused, and never changed"
    it.effect(named(participant, surrogate, { "@effect/sql-pg": "writes U+FFFD instead" }), () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const answer = yield* Effect.match(sql`SELECT ${"a\ud800"}::text AS text`, {
          onSuccess: (rows): unknown => rows,
          onFailure: () => "refused"
        })
        assert.deepStrictEqual(answer, answerOf(participant, surrogates))
      })
    )

    it.effect("a text with NUL is a typed failure", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        assert.strictEqual((yield* Effect.flip(sql`SELECT ${"a\u0000b"}::text`))._tag, "SqlError")
        assert.strictEqual((yield* Effect.flip(sql.unsafe("SELECT 'a\u0000b'")))._tag, "SqlError")
        assert.deepStrictEqual(yield* sql`SELECT ${1} AS healthy`, [{ healthy: 1 }])
      })
    )

    it.effect("too few parameters are a typed failure", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        assert.strictEqual((yield* Effect.flip(sql.unsafe("SELECT $1::int4, $2::int4", [1])))._tag, "SqlError")
        assert.deepStrictEqual(yield* sql`SELECT ${1} AS healthy`, [{ healthy: 1 }])
      })
    )

    it.effect("COPY FROM STDIN is a typed failure, and no hang", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const exit = yield* Effect.exit(Effect.timeoutOption(sql`COPY strict FROM STDIN`, "2 seconds"))
        assert.isTrue(Exit.isFailure(exit))
        assert.deepStrictEqual(yield* sql`SELECT ${1} AS healthy`, [{ healthy: 1 }])
      })
    )
  },
  { maxConnections: 3 }
)

parity("the reason of a connection that fails", (it, participant) => {
  it.effect("a wrong password is an AuthenticationError", () =>
    Effect.gen(function* () {
      const error = yield* refusalAt(participant, (url) => (url.password = "wrong password"))
      assert.strictEqual(error.reason._tag, "AuthenticationError")
      assert.isFalse(error.isRetryable)
      assert.notInclude(inspect(error, { depth: 10 }), "wrong password")
    })
  )

  it.effect("a port where nobody listens is a ConnectionError", () =>
    Effect.gen(function* () {
      const error = yield* refusalAt(participant, (url) => (url.port = "1"))
      assert.strictEqual(error.reason._tag, "ConnectionError")
      assert.isTrue(error.isRetryable)
    })
  )

  it.effect("a layer is built without a server; the first statement fails", () =>
    Effect.gen(function* () {
      const layer = participant.layer(Redacted.make("postgres://a:b@127.0.0.1:1/c"), { acquireTimeout: "1 second" })
      const context = yield* Layer.build(layer)
      const sql = Context.get(context, SqlClient.SqlClient)
      assert.strictEqual((yield* Effect.flip(sql`SELECT 1`)).reason._tag, "ConnectionError")
      assert.strictEqual((yield* Effect.flip(sql.withTransaction(sql`SELECT 1`))).reason._tag, "ConnectionError")
      assert.strictEqual((yield* Effect.flip(Effect.scoped(sql.reserve))).reason._tag, "ConnectionError")
      assert.strictEqual((yield* Effect.flip(Stream.runDrain(sql`SELECT 1`.stream))).reason._tag, "ConnectionError")
    })
  )

  it.effect("the address may come from the configuration; if it is not there, the layer fails with a ConfigError", () =>
    Effect.gen(function* () {
      const { url } = yield* TestDatabase
      const ask = Effect.flatMap(SqlClient.SqlClient, (sql) => sql`SELECT 1 AS one`)
      assert.deepStrictEqual(yield* Effect.provide(ask, configured(participant, { DATABASE_ADDRESS: url })), [
        { one: 1 }
      ])
      const error = yield* Effect.flip(Effect.provide(ask, configured(participant, {})))
      assert.strictEqual(error._tag, "ConfigError")
    })
  )

  const crowded: Answers<string> = { right: "ConnectionError", "@effect/sql-pg": "UnknownError" }
  const title = "too many connections (53300) is a ConnectionError"
  it.effect(named(participant, title, { "@effect/sql-pg": "says UnknownError" }), () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const role = `limited_${participant.name.replaceAll(/\W/g, "")}`
      yield* sql.unsafe(`CREATE ROLE ${role} LOGIN PASSWORD 'limited' CONNECTION LIMIT 0`)
      const error = yield* Effect.ensuring(
        refusalAt(participant, (url) => {
          url.username = role
          url.password = "limited"
        }),
        Effect.ignore(sql.unsafe(`DROP ROLE ${role}`))
      )
      assert.strictEqual(error.reason._tag, answerOf(participant, crowded))
    })
  )

  it.effect("a layer whose scope is closed refuses typed", () =>
    Effect.gen(function* () {
      const { url } = yield* TestDatabase
      const layer = participant.layer(Redacted.make(url), {})
      const escaped = yield* Effect.scoped(
        Effect.map(Layer.build(layer), (context) => Effect.provideContext(SqlClient.SqlClient, context))
      )
      const sql = yield* escaped
      const exit = yield* Effect.exit(Effect.timeoutOption(sql`SELECT 1`, "2 seconds"))
      assert.isTrue(Exit.isFailure(exit))
    })
  )
})
