/**
 * Tests `statementMode: "auto"`: a statement that is not where the client prepared it turns names off for the whole pool
 * if a pooler is the reason, and changes nothing if SQL has deallocated it. Whatever runs, runs once.
 */
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as PgConnection from "../../../../src/PgConnection.ts"
import type * as PgError from "../../../../src/PgError.ts"
import * as PgPool from "../../../../src/PgPool.ts"
import { TestDatabase } from "../../../support/database.ts"
import { assertHealthy, liveConnection, livePool, liveSettings, refusalOf, valueOf } from "../../../support/live.ts"
import { type LoggedLine, loggingTo } from "../../../support/logging.ts"
import { type TransactionPooler, transactionPooler } from "../../../support/transactionPooler.ts"

const POOLER = /^a pooler between the client and the server does not keep prepared statements/

/** Runs an effect on a pool behind a pooler with two server connections, and returns what was logged of the pooler. */
const behindPooler = <A>(
  settings: PgPool.Settings,
  use: (pool: PgPool.PgPool, pooler: TransactionPooler) => Effect.Effect<A, PgError.PgError, Scope.Scope>
): Effect.Effect<{ readonly answer: A; readonly lines: ReadonlyArray<string> }, PgError.PgError, TestDatabase> =>
  Effect.suspend(() => {
    const lines: Array<LoggedLine> = []
    return Effect.gen(function* () {
      const pooler = yield* transactionPooler()
      const pool = yield* PgPool.make({ ...(yield* liveSettings(settings)), ...pooler.settings })
      const answer = yield* use(pool, pooler)
      yield* assertHealthy(pool)
      return answer
    }).pipe(
      Effect.scoped,
      Effect.provide(loggingTo(lines)),
      Effect.map((answer) => ({
        answer,
        lines: lines
          .map(({ level, text }) => `${level}: ${text}`)
          .filter((line) => POOLER.test(line.slice("Warn: ".length)))
      }))
    )
  })

/** Asks the same at different server processes. */
const askTwice = (pool: PgConnection.Queryable, sql = "SELECT $1::int4 + 1", params: ReadonlyArray<unknown> = [1]) =>
  Effect.all([valueOf(pool, sql, params), valueOf(pool, sql, params), valueOf(pool, sql, params)])

const transactions = (pool: PgPool.PgPool) =>
  Effect.forEach([1, 2, 3, 4, 5], (n) => Effect.exit(pool.withTransaction(valueOf(pool, "SELECT $1::int4", [n]))))

const ask = (connection: PgConnection.Queryable) => valueOf(connection, "SELECT $1::text || 'x'", ["a"])

layer(TestDatabase.layer, { excludeTestServices: true })("a pool behind a pooler", (it) => {
  it.effect("runs the first lost statement again, names none from then on, and says so once", () =>
    Effect.gen(function* () {
      const { answer, lines } = yield* behindPooler({ maxConnections: 3 }, (pool, { prepared }) =>
        Effect.gen(function* () {
          for (let round = 0; round < 4; round++) assert.deepStrictEqual(yield* askTwice(pool), [2, 2, 2])
          const many = Array.from({ length: 30 }, (_, n) => valueOf(pool, "SELECT $1::int4", [n]))
          assert.deepStrictEqual(
            yield* Effect.all(many, { concurrency: "unbounded" }),
            Array.from({ length: 30 }, (_, n) => n)
          )
          const before = prepared.length
          for (let n = 0; n < 5; n++) yield* valueOf(pool, `SELECT ${n} + $1::int4`, [n])
          return [before, prepared.length]
        })
      )
      assert.isAbove(Number(answer[0]), 0)
      assert.strictEqual(answer[0], answer[1])
      assert.strictEqual(lines.length, 1)
    })
  )

  it.effect("runs each statement that changes rows once", () =>
    Effect.gen(function* () {
      const { answer } = yield* behindPooler({ maxConnections: 2 }, (pool) =>
        Effect.gen(function* () {
          yield* pool.execute("CREATE TABLE once (id int4)")
          for (let id = 0; id < 10; id++) yield* pool.fetch("INSERT INTO once VALUES ($1) RETURNING id", [id])
          return yield* valueOf(pool, "SELECT count(*)::int4 FROM once")
        })
      )
      assert.strictEqual(answer, 10)
    })
  )

  it.effect("fails a transaction at most once, with a hint, and runs all later ones", () =>
    Effect.gen(function* () {
      const { lines } = yield* behindPooler({ maxConnections: 1 }, (pool, pooler) =>
        Effect.gen(function* () {
          pooler.takes = "newest"
          yield* valueOf(pool, "SELECT $1::int4", [0])
          pooler.takes = "oldest"
          const ask = pool.withTransaction(valueOf(pool, "SELECT $1::int4", [1]))
          const error = yield* refusalOf(ask)
          assert.strictEqual(error._tag, "InvalidSQLStatementNameError")
          assert.include("hint" in error ? error.hint : "", "statementMode")
          assert.strictEqual(error.outcome, "none")
          for (let round = 0; round < 5; round++) assert.strictEqual(yield* ask, 1)
        })
      )
      assert.strictEqual(lines.length, 1)
    })
  )

  it.effect("fails no transaction and no batch, once a reset has shown that there is a pooler", () =>
    Effect.gen(function* () {
      yield* behindPooler({ maxConnections: 2 }, (pool, pooler) =>
        Effect.gen(function* () {
          pooler.takes = "newest"
          yield* pool.withConnection((connection) => connection.executeScript("SELECT 1"))
          const texts = [1, 2, 3].map((n) => `SELECT $1::int4 * ${n} AS n`)
          for (const sql of texts) yield* valueOf(pool, sql, [1])
          pooler.takes = "oldest"
          for (let round = 0; round < 4; round++) {
            const asked = Effect.forEach(texts, (sql) => valueOf(pool, sql, [1]))
            assert.deepStrictEqual(yield* pool.withTransaction(asked), [1, 2, 3])
            const answers = yield* pool.batch(texts.map((sql) => ({ sql, params: [1] })))
            assert.deepStrictEqual(
              answers.map(({ rows }) => rows),
              [[{ n: 1 }], [{ n: 2 }], [{ n: 3 }]]
            )
          }
        })
      )
    })
  )

  describe.each<
    readonly [string, (pool: PgPool.PgPool) => Effect.Effect<unknown, PgError.PgError, Scope.Scope>, unknown]
  >([
    [
      "executeMany",
      (pool) =>
        Effect.gen(function* () {
          yield* pool.execute("CREATE TABLE many (id int4)")
          for (let round = 0; round < 3; round++) yield* pool.executeMany("INSERT INTO many VALUES ($1)", [[1], [2]])
          return yield* valueOf(pool, "SELECT count(*)::int4 FROM many")
        }),
      6
    ],
    [
      "fetchMany",
      (pool) => Effect.forEach([1, 2, 3], (n) => pool.fetchMany("SELECT $1::int4 AS n", [[n]])),
      [1, 2, 3].map((n) => [[{ n }]])
    ],
    [
      "batch of one text",
      (pool) => Effect.forEach([1, 2, 3], (n) => pool.batch([{ sql: "SELECT $1::int4 AS n", params: [n] }])),
      [1, 2, 3].map((n) => [{ command: "SELECT", rowCount: 1, rows: [{ n }] }])
    ],
    [
      "stream",
      (pool) =>
        Effect.forEach([1, 2, 3], () =>
          Stream.runCollect(pool.stream("SELECT n::int4 FROM generate_series(1, $1::int4) AS n", [3], { fetchSize: 1 }))
        ),
      [1, 2, 3].map(() => [{ n: 1 }, { n: 2 }, { n: 3 }])
    ],
    [
      "cursor",
      (pool) =>
        Effect.forEach([1, 2, 3], () =>
          Effect.scoped(
            Effect.flatMap(pool.cursor("SELECT n::int4 FROM generate_series(1, $1::int4) AS n", [3]), (cursor) =>
              Effect.all([cursor.fetch(1), cursor.fetch(5)])
            )
          )
        ),
      [1, 2, 3].map(() => [[{ n: 1 }], [{ n: 2 }, { n: 3 }]])
    ],
    [
      "held statement",
      (pool) =>
        Effect.gen(function* () {
          const connection = yield* pool.connection
          const statement = yield* connection.prepare("SELECT $1::int4 AS n")
          const rows = []
          for (let n = 0; n < 6; n++) rows.push(yield* statement.fetchOne([n]))
          return rows
        }),
      Array.from({ length: 6 }, (_, n) => ({ n }))
    ]
  ])("%s", (name, use, expected) => {
    it.effect("gives the right answers from the first time on", () =>
      Effect.gen(function* () {
        const { answer } = yield* behindPooler({ maxConnections: 2 }, use)
        assert.deepStrictEqual(answer, expected, name)
      })
    )
  })

  it.effect("may refuse a batch once if a statement behind the first is lost, and has then run nothing of it", () =>
    Effect.gen(function* () {
      const { answer, lines } = yield* behindPooler({ maxConnections: 2 }, (pool, pooler) =>
        Effect.gen(function* () {
          // Nothing resets a borrowed connection meanwhile.
          const connection = yield* pool.connection
          yield* connection.execute("CREATE TABLE batched (id int4)")
          const first = { sql: "INSERT INTO batched VALUES ($1)", params: [1] }
          const second = { sql: "INSERT INTO batched VALUES ($1 + 0)", params: [2] }
          // Each of the two processes has one of the two statements.
          pooler.takes = "newest"
          yield* connection.batch([first])
          pooler.takes = "oldest"
          yield* connection.executeScript("SELECT 1")
          pooler.takes = "newest"
          yield* connection.batch([second])
          pooler.takes = "oldest"
          const error = yield* refusalOf(connection.batch([first, second]))
          assert.strictEqual(error._tag, "InvalidSQLStatementNameError")
          assert.strictEqual(error.outcome, "none")
          assert.strictEqual(yield* valueOf(connection, "SELECT count(*)::int4 FROM batched"), 2)
          yield* connection.batch([first, second])
          yield* connection.batch([first, second])
          return yield* valueOf(connection, "SELECT count(*)::int4 FROM batched")
        })
      )
      assert.strictEqual(answer, 6)
      assert.strictEqual(lines.length, 1)
    })
  )

  it.effect("gives statements that share connections the right answers", () =>
    Effect.gen(function* () {
      const { answer, lines } = yield* behindPooler({ maxConnections: 2, multiplex: true }, (pool) =>
        Effect.gen(function* () {
          const answers = []
          for (let round = 0; round < 5; round++) {
            const calls = Array.from({ length: 40 }, (_, n) =>
              valueOf(pool, `SELECT $1::int4 + ${n % 5}`, [n - (n % 5)])
            )
            answers.push(yield* Effect.all(calls, { concurrency: "unbounded" }))
          }
          return answers
        })
      )
      for (const round of answer)
        assert.deepStrictEqual(
          round,
          Array.from({ length: 40 }, (_, n) => n)
        )
      assert.strictEqual(lines.length, 1)
    })
  )

  it.effect("fails with a hint if the mode is cached, and never if it is unnamed", () =>
    Effect.gen(function* () {
      const cached = yield* behindPooler({ maxConnections: 1, statementMode: "cached" }, transactions)
      assert.include(
        cached.answer.map(({ _tag }) => _tag),
        "Failure"
      )
      assert.deepStrictEqual(cached.lines, [])
      const unnamed = yield* behindPooler({ maxConnections: 1, statementMode: "unnamed" }, transactions)
      assert.deepStrictEqual(
        unnamed.answer.map(({ _tag }) => _tag),
        Array.from({ length: 5 }, () => "Success")
      )
    })
  )
})

const DEALLOCATING = `CREATE OR REPLACE FUNCTION deallocating() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
  EXECUTE 'DEALLOCATE ALL'; END $$`

/** Shows that the statement has a name after it was lost in some way, and that nothing was logged. */
const namedAgainAfter = (lose: (connection: PgConnection.PgConnection) => Effect.Effect<unknown, PgError.PgError>) => {
  const lines: Array<LoggedLine> = []
  return Effect.gen(function* () {
    const connection = yield* liveConnection()
    // Before the first statement, because a change of the schema makes the client prepare all statements again.
    yield* connection.execute(DEALLOCATING)
    for (let round = 0; round < 3; round++) {
      assert.strictEqual(yield* ask(connection), "ax")
      yield* lose(connection)
    }
    assert.strictEqual(yield* ask(connection), "ax")
    assert.strictEqual(yield* ask(connection), "ax")
    const names = yield* connection.executeScript(
      "SELECT FROM pg_prepared_statements WHERE statement = 'SELECT $1::text || ''x'''"
    )
    assert.strictEqual(names[0]?.rowCount, 1)
    assert.deepStrictEqual(lines, [])
    yield* assertHealthy(connection)
  }).pipe(Effect.scoped, Effect.provide(loggingTo(lines)))
}

layer(TestDatabase.layer, { excludeTestServices: true })("a connection to the server itself", (it) => {
  for (const sql of ["DEALLOCATE ALL", "DISCARD ALL", "DISCARD PLANS"]) {
    it.effect(`goes on using names after ${sql}`, () => namedAgainAfter((connection) => connection.executeScript(sql)))
  }

  it.effect("goes on using names after a function has deallocated everything unseen", () =>
    namedAgainAfter((connection) => connection.executeScript("SELECT deallocating()"))
  )

  it.effect("goes on using names if the loss shows in a transaction, which fails", () => {
    const lines: Array<LoggedLine> = []
    return Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1 })
      yield* pool.execute(DEALLOCATING)
      yield* ask(pool)
      const error = yield* Effect.flip(
        pool.withTransaction(Effect.andThen(pool.executeScript("SELECT deallocating()"), ask(pool)))
      )
      assert.strictEqual(error._tag, "InvalidSQLStatementNameError")
      yield* valueOf(pool, "SELECT $1::int8", [1])
      yield* valueOf(pool, "SELECT $1::int8 + 1", [1])
      const named = yield* pool.executeScript(
        "SELECT FROM pg_prepared_statements WHERE statement = 'SELECT $1::int8 + 1'"
      )
      assert.strictEqual(named[0]?.rowCount, 1)
      assert.deepStrictEqual(lines, [])
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped, Effect.provide(loggingTo(lines)))
  })

  it.effect("runs a statement again whose name is taken, and takes this for the work of a pooler", () => {
    const lines: Array<LoggedLine> = []
    return Effect.gen(function* () {
      const connection = yield* liveConnection({ statementCacheSize: 1 })
      assert.strictEqual(yield* ask(connection), "ax")
      // A statement that reads the name would push it out of the cache.
      const names = yield* connection
        .copyOutRows({
          query: "SELECT name FROM pg_prepared_statements WHERE statement LIKE 'SELECT $1::text ||%'"
        })
        .pipe(Stream.runCollect)
      yield* connection.fetch("SELECT 1")
      yield* connection.fetch("SELECT 2")
      yield* connection.executeScript(`PREPARE "${String(names[0]?.["name"])}" AS SELECT 2`)
      assert.strictEqual(yield* ask(connection), "ax")
      assert.strictEqual(yield* ask(connection), "ax")
      assert.strictEqual(lines.filter(({ text }) => POOLER.test(text)).length, 1)
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped, Effect.provide(loggingTo(lines)))
  })
})
