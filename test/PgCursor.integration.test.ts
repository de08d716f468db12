/** Tests cursors: those that only go forward, those that scroll, and those that outlive their transaction. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Exit from "effect/Exit"
import type * as PgConnection from "../src/PgConnection.ts"
import { TestDatabase } from "./support/database.ts"
import { assertHealthy, eventually, killBackend, liveConnection, livePool, refusalOf, valueOf } from "./support/live.ts"

const COUNTED = "SELECT i FROM generate_series(1, $1::int4) AS i"
const numbers = (...all: ReadonlyArray<number>) => all.map((i) => ({ i }))

const openCursors = (connection: PgConnection.Queryable) =>
  valueOf(connection, "SELECT count(*)::int4 FROM pg_cursors WHERE name LIKE 'effectpg%'")

layer(TestDatabase.layer, { excludeTestServices: true })("a cursor", (it) => {
  it.effect("fetches as many rows as it is asked for, skips others, and reports its end", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.withTransaction(
        Effect.gen(function* () {
          const cursor = yield* connection.cursor(COUNTED, [10])
          assert.deepStrictEqual(yield* cursor.fetch(3), numbers(1, 2, 3))
          assert.deepStrictEqual(yield* cursor.fetchRow, Option.some({ i: 4 }))
          assert.strictEqual(yield* cursor.forward(4), 4)
          assert.strictEqual(yield* valueOf(connection, "SELECT 1"), 1)
          assert.deepStrictEqual(yield* cursor.fetch(5), numbers(9, 10))
          assert.deepStrictEqual(yield* cursor.fetch(5), [])
          assert.deepStrictEqual(yield* cursor.fetchRow, Option.none())
          assert.strictEqual(yield* cursor.forward(1), 0)
        }).pipe(Effect.scoped)
      )
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("may skip rows before it has fetched any, and beyond its end", () =>
    Effect.gen(function* () {
      const pool = yield* livePool()
      const cursor = yield* pool.cursor(COUNTED, [10])
      assert.strictEqual(yield* cursor.forward(8), 8)
      assert.deepStrictEqual(yield* cursor.fetchRow, Option.some({ i: 9 }))
      assert.strictEqual(yield* cursor.forward(8), 1)
      assert.deepStrictEqual(yield* cursor.fetch(3), [])
    }).pipe(Effect.scoped)
  )

  it.effect("has a connection to itself until its scope ends if there is no transaction", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 2 })
      const scope = yield* Scope.make()
      const cursor = yield* Scope.provide(pool.cursor(COUNTED, [10]), scope)
      assert.deepStrictEqual(yield* cursor.fetch(2), numbers(1, 2))
      assert.strictEqual((yield* pool.stats).inUse, 1)
      yield* assertHealthy(pool)
      yield* Scope.close(scope, Exit.void)
      yield* eventually(
        Effect.map(pool.stats, ({ inUse }) => inUse),
        0
      )
      assert.strictEqual((yield* refusalOf(cursor.fetch(1))).outcome, "none")
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("is closed with its scope, and its transaction goes on", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.withTransaction(
        Effect.gen(function* () {
          for (const options of [{}, { scroll: true }, { hold: true }]) {
            yield* Effect.scoped(Effect.flatMap(connection.cursor(COUNTED, [10], options), (cursor) => cursor.fetch(2)))
            assert.strictEqual(yield* openCursors(connection), 0)
          }
        })
      )
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("runs in the nested transaction of the fiber that uses it", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.withTransaction(
        Effect.gen(function* () {
          const cursor = yield* connection.cursor(COUNTED, [4])
          assert.deepStrictEqual(yield* connection.withTransaction(cursor.fetch(2)), numbers(1, 2))
          assert.deepStrictEqual(yield* cursor.fetch(2), numbers(3, 4))
        }).pipe(Effect.scoped)
      )
    }).pipe(Effect.scoped)
  )

  it.effect("lives in a transaction that was begun in SQL, and the transaction goes on after it", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.execute("BEGIN")
      for (const options of [{}, { scroll: true }]) {
        const paged = Effect.gen(function* () {
          const cursor = yield* connection.cursor(COUNTED, [10], options)
          assert.deepStrictEqual(yield* cursor.fetch(2), numbers(1, 2))
          assert.strictEqual(yield* valueOf(connection, "SELECT 1"), 1)
          assert.strictEqual(yield* cursor.forward(5), 5)
          assert.deepStrictEqual(yield* cursor.fetch(9), numbers(8, 9, 10))
        })
        yield* Effect.scoped(paged)
        assert.strictEqual(yield* connection.transactionStatus, "inTransaction")
        assert.strictEqual(yield* openCursors(connection), 0)
      }
      yield* connection.execute("ROLLBACK")
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("reads where a transaction is read-only, as on a standby", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ settings: { default_transaction_read_only: "on" } })
      for (const options of [{}, { scroll: true }, { hold: true }]) {
        const opened = Effect.flatMap(pool.cursor(COUNTED, [3], options), (cursor) => cursor.fetch(2))
        assert.deepStrictEqual(yield* Effect.scoped(opened), numbers(1, 2))
        assert.deepStrictEqual(yield* Effect.scoped(pool.withTransaction(opened)), numbers(1, 2))
      }
      assert.strictEqual((yield* refusalOf(pool.execute("CREATE TABLE t ()")))._tag, "ReadOnlySQLTransactionError")
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("cancels its fetch at once if the fiber that waits for the rows is interrupted", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const slow = "SELECT i, pg_sleep(CASE WHEN i > 2 THEN 60 ELSE 0 END)::text FROM generate_series(1, 4) AS i"
      for (const options of [{}, { scroll: true }]) {
        const began = performance.now()
        const late = Effect.gen(function* () {
          const cursor = yield* connection.cursor(slow, [], options)
          assert.strictEqual((yield* cursor.fetch(2)).length, 2)
          assert.deepStrictEqual(yield* Effect.timeoutOption(cursor.fetch(1), "50 millis"), Option.none())
        })
        const error = yield* refusalOf(connection.withTransaction(Effect.scoped(late)))
        assert.strictEqual(error._tag, "TransactionRolledBackError")
        yield* assertHealthy(connection)
        assert.isBelow(performance.now() - began, 5_000)
      }
    }).pipe(Effect.scoped)
  )

  it.effect("lets its scope end well if its failure was caught", () =>
    Effect.gen(function* () {
      const pool = yield* livePool()
      const caught = Effect.gen(function* () {
        const cursor = yield* pool.cursor("SELECT 1 / (3 - i) AS whole FROM generate_series(1, 9) AS i")
        assert.strictEqual((yield* cursor.fetch(2)).length, 2)
        assert.strictEqual((yield* refusalOf(cursor.fetch(2)))._tag, "DivisionByZeroError")
        return "caught"
      })
      assert.strictEqual(yield* Effect.scoped(caught), "caught")
      const observer = yield* liveConnection()
      const connection = yield* liveConnection()
      const lost = Effect.gen(function* () {
        const cursor = yield* connection.cursor(COUNTED, [9])
        yield* killBackend(observer, connection.processId)
        return (yield* refusalOf(cursor.fetch(2)))._tag
      })
      assert.include(["ConnectionLostError", "AdminShutdownError"], yield* Effect.scoped(lost))
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("gives each of several fibers different rows", () =>
    Effect.gen(function* () {
      const pool = yield* livePool()
      const cursor = yield* pool.cursor(COUNTED, [30])
      const pages = yield* Effect.all(
        Array.from({ length: 8 }, () => cursor.fetch(4)),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(pages.flat(), numbers(...Array.from({ length: 30 }, (_, i) => i + 1)))
    }).pipe(Effect.scoped)
  )

  it.effect("fails when it is made if the statement, a value or the number of rows is invalid", () =>
    Effect.gen(function* () {
      const pool = yield* livePool()
      const refused = (sql: string, params: PgConnection.Parameters, options = {}) =>
        Effect.map(refusalOf(Effect.scoped(pool.cursor(sql, params, options))), ({ _tag }) => _tag)
      assert.strictEqual(yield* refused("SELEC 1", []), "PostgresSyntaxError")
      assert.strictEqual(yield* refused(COUNTED, ["x"]), "InvalidTextRepresentationError")
      assert.strictEqual(yield* refused(COUNTED, [{}]), "EncodeError")
      assert.strictEqual(yield* refused("CREATE TABLE t ()", [], { scroll: true }), "PostgresSyntaxError")
      const cursor = yield* pool.cursor(COUNTED, [1], { scroll: true })
      for (const count of [0, -1, 1.5, Number.NaN, 2 ** 31]) {
        assert.strictEqual((yield* refusalOf(cursor.fetch(count)))._tag, "InvalidConfigError")
        assert.strictEqual((yield* refusalOf(cursor.backward(count)))._tag, "InvalidConfigError")
      }
      assert.strictEqual((yield* refusalOf(cursor.absolute(0.5)))._tag, "InvalidConfigError")
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )
})

layer(TestDatabase.layer, { excludeTestServices: true })("a cursor with scroll", (it) => {
  it.effect("goes back, and to any row counted from either end", () =>
    Effect.gen(function* () {
      const pool = yield* livePool()
      const cursor = yield* pool.cursor(COUNTED, [10], { scroll: true })
      assert.deepStrictEqual(yield* cursor.fetch(4), numbers(1, 2, 3, 4))
      assert.strictEqual(yield* cursor.backward(3), 3)
      assert.deepStrictEqual(yield* cursor.fetch(2), numbers(2, 3))
      assert.deepStrictEqual(yield* cursor.fetch(2), numbers(4, 5))
      assert.deepStrictEqual(yield* cursor.last, Option.some({ i: 10 }))
      assert.deepStrictEqual(yield* cursor.fetchRow, Option.none())
      assert.deepStrictEqual(yield* cursor.first, Option.some({ i: 1 }))
      assert.deepStrictEqual(yield* cursor.absolute(7), Option.some({ i: 7 }))
      assert.deepStrictEqual(yield* cursor.absolute(-2), Option.some({ i: 9 }))
      assert.deepStrictEqual(yield* cursor.absolute(11), Option.none())
      assert.deepStrictEqual(yield* cursor.absolute(0), Option.none())
      assert.strictEqual(yield* cursor.forward(20), 10)
      assert.strictEqual(yield* cursor.backward(20), 10)
    }).pipe(Effect.scoped)
  )

  it.effect("keeps nothing prepared on the server when its scope has ended", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* Effect.scoped(
        Effect.flatMap(connection.cursor(COUNTED, [10], { scroll: true }), (cursor) =>
          Effect.andThen(cursor.fetch(2), Effect.andThen(cursor.fetch(3), cursor.first))
        )
      )
      const left = "SELECT count(*)::int4 FROM pg_prepared_statements WHERE statement LIKE 'FETCH%'"
      assert.strictEqual(yield* valueOf(connection, left), 0)
    }).pipe(Effect.scoped)
  )
})

layer(TestDatabase.layer, { excludeTestServices: true })("a cursor with hold", (it) => {
  it.effect("outlives the transaction in which it was made", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const cursor = yield* connection.withTransaction(
        Effect.gen(function* () {
          const made = yield* connection.cursor(COUNTED, [6], { hold: true })
          assert.deepStrictEqual(yield* made.fetch(2), numbers(1, 2))
          return made
        })
      )
      assert.deepStrictEqual(yield* cursor.fetch(2), numbers(3, 4))
      assert.deepStrictEqual(yield* connection.withTransaction(cursor.fetch(2)), numbers(5, 6))
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("needs no transaction, lets other statements run, and is closed with its scope", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const inside = Effect.gen(function* () {
        const cursor = yield* connection.cursor(COUNTED, [6], { hold: true, scroll: true })
        assert.strictEqual(yield* connection.transactionStatus, "idle")
        yield* assertHealthy(connection)
        assert.deepStrictEqual(yield* cursor.last, Option.some({ i: 6 }))
        assert.strictEqual(yield* openCursors(connection), 1)
      })
      yield* Effect.scoped(inside)
      assert.strictEqual(yield* openCursors(connection), 0)
    }).pipe(Effect.scoped)
  )

  it.effect("is closed before the next borrower has the connection", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1 })
      const scope = yield* Scope.make()
      const cursor = yield* Scope.provide(
        pool.withConnection((connection) => Scope.provide(connection.cursor(COUNTED, [6], { hold: true }), scope)),
        scope
      )
      assert.strictEqual((yield* refusalOf(cursor.fetch(1)))._tag, "ConnectionLostError")
      assert.strictEqual(yield* openCursors(pool), 0)
      yield* Scope.close(scope, Exit.void)
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )
})
