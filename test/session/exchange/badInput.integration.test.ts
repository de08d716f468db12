/** Tests that bad input fails with its cause and with advice, and leaves the connection usable or known to be lost. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import { inspect } from "node:util"
import { inject } from "vitest"
import * as PgConnection from "../../../src/PgConnection.ts"
import * as PgError from "../../../src/PgError.ts"
import { TestDatabase } from "../../support/database.ts"
import { assertHealthy, liveConnection, livePool, refusalOf, valueOf } from "../../support/live.ts"

const LONE_SURROGATE = "a\ud800b"
const NUL = "a\0b"

layer(TestDatabase.layer, { excludeTestServices: true })("settings that make no sense", (it) => {
  const SECRET = "hunter2"
  const wrong: ReadonlyArray<readonly [string, object, string]> = [
    ["a URL of another kind", { url: `mysql://app:${SECRET}@localhost/app` }, "postgres://"],
    ["a URL with an unknown key", { url: `postgres://app:${SECRET}@localhost/app?colour=blue` }, "unknown key"],
    ["a URL with a port that is none", { url: `postgres://app:${SECRET}@localhost:port/app` }, "port"],
    ["a URL with a password that is not percent-encoded", { url: `postgres://app:${SECRET}@%@localhost/app` }, "%"],
    ["an option that does not exist", { hots: "localhost", password: Redacted.make(SECRET) }, "hots"],
    ["a password that is not redacted", { password: SECRET }, "password"],
    ["an sslMode that does not exist", { sslMode: "always", password: Redacted.make(SECRET) }, "sslMode"],
    ["a timeout that is negative", { connectTimeout: -1 }, "connectTimeout"]
  ]
  for (const [what, settings, named] of wrong) {
    it.effect(`are named: ${what}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Effect.scoped(PgConnection.make(settings)))
        if (error._tag !== "InvalidConfigError") return assert.fail(String(error))
        assert.include(error.message, named)
        assert.strictEqual(error.outcome, "none")
        for (const told of [String(error), inspect(error, { showHidden: true }), JSON.stringify(error)]) {
          assert.notInclude(told, SECRET)
        }
      })
    )
  }
})

layer(TestDatabase.layer, { excludeTestServices: true })("a connection goes on after", (it) => {
  it.effect("the wrong number of parameters, which are not sent", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      for (const [sql, params, expected] of [
        ["SELECT $1::int4", [], 1],
        ["SELECT $1::int4", [1, 2], 1],
        ["SELECT 1", [1], 0],
        ["SELECT $2::int4, $1::int4", [1], 2]
      ] as const) {
        const error = yield* Effect.flip(connection.fetch(sql, params))
        if (error._tag !== "ParameterCountError") return assert.fail(String(error))
        assert.deepStrictEqual([error.expected, error.actual, error.outcome], [expected, params.length, "none"])
      }
      yield* assertHealthy(connection)
    })
  )

  const unsendable: ReadonlyArray<readonly [string, unknown]> = [
    ["int4", Number.NaN],
    ["int4", 1.5],
    ["int4", 2 ** 31],
    ["int4", { secret: 424_242 }],
    ["int2", 40_000],
    ["int8", 2n ** 63n],
    ["int8", 2 ** 60],
    ["int8", Number.POSITIVE_INFINITY],
    ["bool", 1],
    ["text", LONE_SURROGATE],
    ["text", NUL],
    ["text", Symbol("secret")],
    ["text[]", ["fine", NUL]],
    ["int4[]", [1, 1.5]],
    ["bytea", 424_242],
    ["uuid", 424_242],
    ["timestamptz", new Date(Number.NaN)],
    ["jsonb", { circular: 1n }],
    ["numeric", {}]
  ]
  for (const [index, [type, value]] of unsendable.entries()) {
    it.effect(`a value that is not of its type, which is not sent: ${type} ${index}`, () =>
      Effect.gen(function* () {
        const connection = yield* liveConnection()
        yield* connection.execute("CREATE TEMPORARY SEQUENCE reached")
        const sql = `SELECT nextval('reached'), $1::int4, $2::${type}`
        for (const call of [connection.fetch(sql, [1, value]), connection.execute(sql, [1, value])]) {
          const error = yield* refusalOf(call)
          if (error._tag !== "EncodeError") return assert.fail(String(error))
          assert.isFalse(PgError.isPostgresError(error), "it is no error of the server's class 22")
          assert.deepStrictEqual([error.parameter, error.type, error.outcome], [2, type, "none"])
          assert.include(error.message, "$2")
          for (const told of [String(error), inspect(error, { depth: 9 }), JSON.stringify(error)]) {
            assert.notMatch(told, /secret|424_?242|40_?000|circular/)
          }
        }
        assert.strictEqual(yield* valueOf(connection, "SELECT is_called FROM reached"), false)
        yield* assertHealthy(connection)
      })
    )
  }

  it.effect("an SQL error, which is reported with a caret under its position", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const error = yield* Effect.flip(connection.fetch("SELECT '🐘',\n       missing\n  FROM (SELECT 1) AS one"))
      if (error._tag !== "UndefinedColumnError") return assert.fail(String(error))
      assert.strictEqual(error.outcome, "none")
      const lines = error.report.split("\n")
      const caret = lines.findIndex((line) => line.trim() === "|        ^")
      assert.isAbove(caret, 0, error.report)
      assert.strictEqual(lines[caret - 1]?.indexOf("missing"), lines[caret]?.indexOf("^"))
      assert.include(inspect(error), "^")
      yield* assertHealthy(connection)
    })
  )

  it.effect("an error whose code PostgreSQL does not list, which has the tag of its class", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const raise = (code: string) =>
        refusalOf(connection.execute(`DO $$ BEGIN RAISE EXCEPTION 'odd' USING ERRCODE = '${code}'; END $$`))
      const ofClass = yield* raise("23XYZ")
      if (ofClass._tag !== "IntegrityConstraintViolationError") return assert.fail(String(ofClass))
      // A DO block may have committed before it raised.
      assert.deepStrictEqual([ofClass.code, ofClass.outcome], ["23XYZ", "unknown"])
      assert.isTrue(PgError.isIntegrityConstraintViolation(ofClass))
      const ofNone = yield* raise("XYZ12")
      if (ofNone._tag !== "UnknownPostgresError") return assert.fail(String(ofNone))
      assert.deepStrictEqual([ofNone.code, ofNone.outcome], ["XYZ12", "unknown"])
      yield* assertHealthy(connection)
    })
  )

  it.effect("a text without a statement", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      for (const sql of ["", "  \n", "-- nothing", "/* nothing */", ";"]) {
        const calls = [
          connection.fetch(sql),
          connection.execute(sql),
          connection.fetchRow(sql),
          connection.fetchOne(sql)
        ]
        for (const call of calls) {
          const error = yield* refusalOf(call)
          assert.strictEqual(error._tag, "EmptyQueryError", JSON.stringify(sql))
          assert.strictEqual(error.outcome, "none")
        }
        assert.deepStrictEqual(yield* connection.executeScript(sql), [])
      }
      yield* assertHealthy(connection)
    })
  )

  it.effect("several statements in a call that takes one, and the error names the call that takes several", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      for (const call of [connection.fetch("SELECT 1; SELECT 2"), connection.execute("SELECT 1; SELECT 2")]) {
        const error = yield* refusalOf(call)
        if (!PgError.isPostgresError(error)) return assert.fail(String(error))
        assert.strictEqual(error.code, "42601")
        assert.include(error.hint, "executeScript")
        assert.include(inspect(error), "executeScript")
      }
      yield* assertHealthy(connection)
    })
  )

  it.effect("COPY in a call that does not stream, among other calls, and the error names the call that does", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.execute("CREATE TEMPORARY TABLE copied (n int4)")
      yield* connection.execute("INSERT INTO copied SELECT generate_series(1, 1000)")
      for (const [sql, instead] of [
        ["COPY copied FROM STDIN", "copyIn"],
        ["COPY copied TO STDOUT", "copyOut"],
        ["/* a */ CoPy copied FrOm StdIn (FORMAT binary)", "copyIn"]
      ] as const) {
        const copies = [
          connection.execute(sql),
          connection.fetch(sql),
          connection.executeScript(sql),
          connection.executeScript(`SELECT 1; ${sql}; SELECT 2`)
        ]
        for (const copy of copies) {
          const before = yield* Effect.forkChild(valueOf(connection, "SELECT 'before'"), { startImmediately: true })
          const refused = yield* Effect.forkChild(refusalOf(copy), { startImmediately: true })
          const behind = yield* Effect.forkChild(valueOf(connection, "SELECT 'behind'"), { startImmediately: true })
          assert.strictEqual(yield* Fiber.join(before), "before")
          assert.strictEqual(yield* Fiber.join(behind), "behind")
          const error = yield* Fiber.join(refused)
          if (error._tag !== "UnsupportedError") return assert.fail(String(error))
          assert.include(error.message, instead)
        }
      }
      assert.strictEqual(yield* valueOf(connection, "SELECT count(*)::int4 FROM copied"), 1000)
      yield* assertHealthy(connection)
    })
  )

  it.effect("COPY behind statements that are then committed all the same, with an unknown outcome", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.execute("CREATE TEMPORARY TABLE copied (n int4)")
      const insert = "INSERT INTO copied VALUES (1)"
      const copies = [
        [connection.executeScript(`${insert}; COPY copied TO STDOUT`), "unknown"],
        [connection.execute(`COPY (${insert} RETURNING n) TO STDOUT`), "unknown"],
        [connection.executeScript(`BEGIN; ${insert}; COMMIT; COPY copied FROM STDIN`), "unknown"],
        [connection.executeScript(`${insert}; COPY copied FROM STDIN`), "none"]
      ] as const
      for (const [copy, outcome] of copies) {
        assert.strictEqual((yield* refusalOf(copy)).outcome, outcome)
        const inserted = yield* valueOf(
          connection,
          "WITH gone AS (DELETE FROM copied RETURNING 1) SELECT count(*)::int4 FROM gone"
        )
        assert.strictEqual(inserted, outcome === "unknown" ? 1 : 0)
      }
      yield* assertHealthy(connection)
    })
  )

  it.effect("a COPY that fails in a transaction, which is then to be rolled back", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.execute("CREATE TEMPORARY TABLE copied (n int4)")
      const copy = connection.execute("COPY copied FROM STDIN")
      const error = yield* Effect.flip(connection.withTransaction(copy))
      assert.strictEqual(error._tag, "UnsupportedError")
      yield* assertHealthy(connection)
    })
  )

  it.effect("SQL that PostgreSQL cannot hold, which is not sent", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      for (const text of [LONE_SURROGATE, NUL]) {
        const sql = `SELECT '${text}'`
        for (const call of [connection.fetch(sql), connection.execute(sql), connection.executeScript(sql)]) {
          const error = yield* refusalOf(call)
          if (error._tag !== "EncodeError") return assert.fail(String(error))
          assert.deepStrictEqual([error.parameter, error.outcome], [0, "none"])
        }
      }
      yield* assertHealthy(connection)
    })
  )

  it.effect("bytes that are not UTF-8, which fail their query only", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      // Only in this way does the server send such bytes: it never checks values that it believes to be text already.
      yield* connection.execute("CREATE CAST (bytea AS text) WITHOUT FUNCTION")
      const sql = String.raw`SELECT n, CASE n WHEN 2 THEN '\xff'::bytea::text ELSE 'fine' END AS broken FROM generate_series(1, 3) AS n`
      const calls = [
        connection.fetch(sql),
        connection.fetchTuples(sql),
        connection.fetchValue(`${sql} OFFSET 1`, [], { column: 1 })
      ]
      for (const call of calls) {
        const error = yield* refusalOf(call)
        if (error._tag !== "DecodeError") return assert.fail(String(error))
        assert.deepStrictEqual([error.column, error.type], ["broken", "text"])
        yield* assertHealthy(connection)
      }
      assert.deepStrictEqual(yield* connection.execute(sql), { command: "SELECT", rowCount: 3 })
      yield* connection.execute("DROP CAST (bytea AS text)")
    })
  )

  it.effect("notifications without a listener", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.execute("LISTEN unheard")
      yield* connection.execute("NOTIFY unheard, 'payload'")
      yield* assertHealthy(connection)
    })
  )
})

layer(TestDatabase.layer, { excludeTestServices: true })("a connection is lost, and known to be, after", (it) => {
  it.effect("a change of client_encoding, because every text would be misread", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const error = yield* Effect.flip(connection.execute("SET client_encoding = 'LATIN1'"))
      assert.strictEqual(error._tag, "ProtocolError")
      assert.include(error.message, "client_encoding")
      assert.strictEqual(yield* connection.status, "closed")
      assert.isFalse((yield* connection.awaitClosed).isExpected)
      yield* assertHealthy(yield* liveConnection())
    })
  )
})

layer(TestDatabase.layer, { excludeTestServices: true })("the printed form of a connection and of a pool", (it) => {
  it.effect("has no password in it", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const pool = yield* livePool()
      yield* assertHealthy(pool)
      // "secret" alone is also a word of this library's own.
      const { url } = yield* TestDatabase
      const { password } = inject("postgres")
      for (const resource of [connection, pool]) {
        const shown = inspect(resource, { depth: 20, showHidden: true, getters: true, maxArrayLength: 1_000 })
        assert.notInclude(shown, url)
        assert.notInclude(shown, `'${password}'`)
        assert.notInclude(shown, `:${password}@`)
      }
    })
  )
})
