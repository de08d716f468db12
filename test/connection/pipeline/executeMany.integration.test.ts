/** Tests one statement for many rows: all or nothing, and rows are pulled only as fast as the connection takes them. */
import { assert, layer } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import type * as PgConnection from "../../../src/PgConnection.ts"
import { TestDatabase } from "../../support/database.ts"
import { assertHealthy, killBackend, liveConnection, livePool, refusalOf, valueOf } from "../../support/live.ts"
import { int } from "../../wire/frames.ts"

const INSERT = "INSERT INTO items (id, name) VALUES ($1, $2)"

/** A table for one test, in the connection's own schema of temporary tables. */
const withItems = (connection: PgConnection.Queryable) =>
  connection.executeScript(
    "DROP TABLE IF EXISTS items; CREATE TEMPORARY TABLE items (id int4 PRIMARY KEY, name text CHECK (name <> 'bad'))"
  )

const count = (connection: PgConnection.Queryable) => valueOf(connection, "SELECT count(*)::int4 FROM items")

/** Rows that count how many of them were pulled, and report whether the source was ended. */
class Source implements Iterable<PgConnection.Parameters> {
  pulled = 0
  isClosed = false
  private readonly size: number
  private readonly row: (id: number) => PgConnection.Parameters

  constructor(size: number, row: (id: number) => PgConnection.Parameters = (id) => [id, `name ${id}`]) {
    this.size = size
    this.row = row
  }

  *[Symbol.iterator](): Iterator<PgConnection.Parameters> {
    try {
      while (this.pulled < this.size) yield this.row(++this.pulled)
    } finally {
      this.isClosed = true
    }
  }
}

/** More than one write takes. */
const MANY = 30_000

layer(TestDatabase.layer, { excludeTestServices: true })("executeMany", (it) => {
  it.effect("runs a statement for every row of an Iterable, in order", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* withItems(connection)
      assert.deepStrictEqual(yield* connection.executeMany(INSERT, []), { rowCount: 0 })
      assert.deepStrictEqual(yield* connection.executeMany(INSERT, [[1, "one"]]), { rowCount: 1 })
      yield* connection.execute("TRUNCATE items")
      assert.deepStrictEqual(yield* connection.executeMany(INSERT, new Source(MANY)), { rowCount: MANY })
      assert.strictEqual(yield* valueOf(connection, "SELECT sum(id) FROM items"), BigInt((MANY * (MANY + 1)) / 2))
      assert.deepStrictEqual(
        yield* connection.executeMany("UPDATE items SET name = $1 WHERE id <= $2", [
          ["a", 10],
          ["b", 5]
        ]),
        { rowCount: 15 }
      )
      assert.strictEqual(
        yield* valueOf(connection, "SELECT string_agg(DISTINCT name, '') FROM items WHERE id < 11"),
        "ab"
      )
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("accepts a Stream, which may read from the same transaction", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* withItems(connection)
      const rows = Stream.map(
        connection.stream("SELECT i FROM generate_series(1, 2500) AS i", [], { fetchSize: 300 }),
        ({ i }) => [i, `from the server ${i}`]
      )
      const inTransaction = connection.withTransaction(connection.executeMany(INSERT, rows))
      assert.deepStrictEqual(yield* inTransaction, { rowCount: 2500 })
      assert.deepStrictEqual(
        yield* connection.executeMany(INSERT, Stream.fromIterable(new Source(10, (id) => [-id, "less"]))),
        { rowCount: 10 }
      )
      assert.strictEqual(yield* count(connection), 2510)
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("is all or nothing if the server refuses a row, and names the row", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* withItems(connection)
      const rows = new Source(5, (id) => [id, id === 4 ? "bad" : "good"])
      const refusal = yield* refusalOf(connection.executeMany(INSERT, rows))
      if (refusal._tag !== "CheckViolationError") return assert.fail(String(refusal))
      assert.strictEqual(refusal.row, 4)
      assert.strictEqual(refusal.outcome, "none")
      assert.strictEqual(yield* count(connection), 0)
      const streamed = yield* refusalOf(
        connection.executeMany(
          INSERT,
          Stream.fromIterable(new Source(3000, (id) => [id, id === 2100 ? "bad" : "good"]))
        )
      )
      if (streamed._tag !== "CheckViolationError") return assert.fail(String(streamed))
      assert.strictEqual(streamed.row, 2100)
      assert.strictEqual(yield* count(connection), 0)
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("stops pulling its source when the server has failed", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* withItems(connection)
      const source = new Source(1_000_000, (id) => [id, id === 3 ? "bad" : "good"])
      const refusal = yield* refusalOf(connection.executeMany(INSERT, source))
      assert.strictEqual(refusal._tag, "CheckViolationError")
      assert.isBelow(source.pulled, 100_000)
      assert.isTrue(source.isClosed)
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  for (const at of [2, MANY - 1]) {
    it.effect(`is all or nothing if row ${at} cannot be sent, and names the row`, () =>
      Effect.gen(function* () {
        const connection = yield* liveConnection()
        yield* withItems(connection)
        const failing = (bad: unknown) =>
          refusalOf(
            connection.executeMany(
              INSERT,
              new Source(MANY, (id) => (id === at ? (Array.isArray(bad) ? bad : [bad, "x"]) : [id, "good"]))
            )
          )
        const encoding = yield* failing({})
        if (encoding._tag !== "EncodeError") return assert.fail(String(encoding))
        assert.deepStrictEqual([encoding.row, encoding.parameter, encoding.type], [at, 1, "int4"])
        assert.include(encoding.message, `row ${at}`)
        const short = yield* failing([1])
        if (short._tag !== "ParameterCountError") return assert.fail(String(short))
        assert.deepStrictEqual([short.row, short.expected, short.actual], [at, 2, 1])
        assert.strictEqual(yield* count(connection), 0)
        yield* assertHealthy(connection)
      }).pipe(Effect.scoped)
    )

    it.effect(`undoes only itself inside a transaction if row ${at} cannot be sent`, () =>
      Effect.gen(function* () {
        const connection = yield* liveConnection()
        yield* withItems(connection)
        yield* connection.withTransaction(
          Effect.gen(function* () {
            yield* connection.execute(INSERT, [0, "before"])
            const rows = new Source(MANY, (id) => [id === at ? {} : id, "good"])
            assert.strictEqual((yield* refusalOf(connection.executeMany(INSERT, rows)))._tag, "EncodeError")
            const bad = new Source(MANY, (id) => [id, id === at ? "bad" : "good"])
            assert.strictEqual((yield* refusalOf(connection.executeMany(INSERT, bad)))._tag, "CheckViolationError")
          })
        )
        assert.strictEqual(yield* count(connection), 1)
        yield* assertHealthy(connection)
      }).pipe(Effect.scoped)
    )

    it.effect(`undoes everything if its source throws at row ${at}, and passes on what was thrown`, () =>
      Effect.gen(function* () {
        const connection = yield* liveConnection()
        yield* withItems(connection)
        const thrown = new Error("the source has run dry")
        const rows = new Source(MANY, (id) => {
          if (id === at) throw thrown
          return [id, "good"]
        })
        const refusal = yield* refusalOf(connection.executeMany(INSERT, rows))
        assert.strictEqual(refusal._tag === "EncodeError" && refusal.thrown, thrown)
        assert.notInclude(String(refusal), thrown.message)
        assert.strictEqual(yield* count(connection), 0)
        yield* assertHealthy(connection)
      }).pipe(Effect.scoped)
    )
  }

  it.effect("undoes only itself inside a transaction that was begun in SQL", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* withItems(connection)
      const misfit = (id: number) => (id === MANY ? [id, {}] : [id, "x"])
      yield* connection.executeScript("BEGIN; INSERT INTO items VALUES (-1, 'before')")
      const refused = [new Source(MANY, misfit), Stream.fromIterable(new Source(MANY, misfit))]
      for (const rows of refused) {
        assert.strictEqual((yield* refusalOf(connection.executeMany(INSERT, rows)))._tag, "EncodeError")
        assert.strictEqual(yield* count(connection), 1)
      }
      assert.strictEqual((yield* refusalOf(connection.executeMany(INSERT, [[-1, "x"]])))._tag, "UniqueViolationError")
      assert.deepStrictEqual(yield* connection.executeMany(INSERT, [[-2, "x"]]), { rowCount: 1 })
      yield* connection.executeScript("COMMIT")
      assert.strictEqual(yield* count(connection), 2)
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("undoes everything if its Stream fails, and fails with that failure", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* withItems(connection)
      const rows = Stream.concat(Stream.fromIterable(new Source(2500)), Stream.fail("dry" as const))
      assert.strictEqual(yield* Effect.flip(connection.executeMany(INSERT, rows)), "dry")
      assert.strictEqual(yield* count(connection), 0)
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("refuses a row that is not an array", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* withItems(connection)
      const rows: Iterable<never> = JSON.parse('[{"id": 1}]')
      const refusal = yield* refusalOf(connection.executeMany(INSERT, rows))
      if (refusal._tag !== "EncodeError") return assert.fail(String(refusal))
      assert.deepStrictEqual([refusal.row, refusal.parameter], [1, 0])
      assert.include(refusal.message, "array of values")
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("undoes everything if it is interrupted while rows are being sent", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* withItems(connection)
      const running = yield* Effect.forkChild(connection.executeMany(INSERT, new Source(10_000_000)), {
        startImmediately: true
      })
      yield* Effect.sleep("150 millis")
      yield* Fiber.interrupt(running)
      assert.strictEqual(yield* count(connection), 0)
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("fails if its connection is lost while rows are being sent, and stops pulling", () =>
    Effect.gen(function* () {
      const observer = yield* liveConnection()
      const connection = yield* liveConnection()
      yield* withItems(connection)
      const source = new Source(10_000_000)
      const running = yield* Effect.forkChild(refusalOf(connection.executeMany(INSERT, source)), {
        startImmediately: true
      })
      yield* Effect.sleep("100 millis")
      yield* killBackend(observer, connection.processId)
      assert.include(["ConnectionLostError", "AdminShutdownError"], (yield* Fiber.join(running))._tag)
      assert.isTrue(source.isClosed)
      assert.strictEqual(yield* connection.status, "closed")
    }).pipe(Effect.scoped)
  )

  it.effect("is undone if its connection is given back to the pool in the middle of its rows", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1 })
      yield* pool.execute("CREATE TABLE given_back (id int4, name text)")
      const sql = "INSERT INTO given_back VALUES ($1, $2)"
      const left = yield* pool.withConnection((connection) =>
        Effect.gen(function* () {
          const running = yield* Effect.forkScoped(refusalOf(connection.executeMany(sql, new Source(10_000_000))), {
            startImmediately: true
          })
          yield* Effect.sleep("100 millis")
          return running
        })
      )
      assert.strictEqual((yield* Fiber.join(left))._tag, "ConnectionLostError")
      assert.strictEqual(yield* valueOf(pool, "SELECT count(*)::int4 FROM given_back"), 0)
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect.prop(
    "writes what single runs would have written, whatever the source of the rows",
    [Arbitrary.array(int(-9, 9)), int(0, 1)],
    ([numbers, isStream]) =>
      Effect.gen(function* () {
        const connection = yield* liveConnection()
        yield* connection.execute("CREATE TEMPORARY TABLE squares (a int4, b int4)")
        const pairs = numbers.map((a) => [a, a * a])
        const rows = isStream === 1 ? Stream.fromIterable(pairs) : pairs
        const written = yield* connection.executeMany("INSERT INTO squares VALUES ($1, $2)", rows)
        assert.strictEqual(written.rowCount, pairs.length)
        assert.deepStrictEqual(yield* connection.fetchTuples("SELECT a, b FROM squares"), pairs)
      }).pipe(Effect.scoped)
  )

  it.effect("is repeated with all rows if its plan was stale and nothing had run", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* withItems(connection)
      yield* connection.executeMany(INSERT, [[1, "one"]])
      yield* connection.executeScript("DEALLOCATE ALL")
      yield* connection.executeMany(INSERT, new Source(MANY, (id) => [id + 1, "more"]))
      assert.strictEqual(yield* count(connection), MANY + 1)
      yield* connection.execute("ALTER TABLE items ALTER COLUMN id TYPE int8")
      yield* connection.executeMany(INSERT, [[-1, "again"]])
      assert.strictEqual(yield* count(connection), MANY + 2)
    }).pipe(Effect.scoped)
  )

  it.effect("is repeated with all rows, also those that were not yet pulled when its plan turned out to be stale", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* withItems(connection)
      const returning = `${INSERT} RETURNING *`
      yield* connection.executeMany(INSERT, [[1, "one"]])
      yield* connection.fetchMany(returning, [[2, "two"]])
      const prepared = "SELECT name FROM pg_prepared_statements WHERE statement = $1"
      const name = yield* valueOf(connection, prepared, [INSERT])
      yield* connection.executeScript(`TRUNCATE items; DEALLOCATE ${String(name)}`)
      const executed = new Source(MANY)
      assert.deepStrictEqual(yield* connection.executeMany(INSERT, executed), { rowCount: MANY })
      assert.isTrue(executed.isClosed)
      yield* connection.executeScript("TRUNCATE items; ALTER TABLE items ADD COLUMN more text")
      const fetched = yield* connection.fetchMany(returning, new Source(MANY))
      assert.strictEqual(fetched.length, MANY)
      assert.strictEqual(yield* count(connection), MANY)
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("ends its source even if nothing could be sent", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* withItems(connection)
      const source = new Source(10, (id) => [id, {}])
      assert.strictEqual((yield* refusalOf(connection.executeMany(INSERT, source)))._tag, "EncodeError")
      assert.isTrue(source.isClosed)
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("works without a statement cache", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection({ statementCacheSize: 0 })
      yield* withItems(connection)
      yield* connection.executeMany(INSERT, new Source(MANY))
      yield* connection.withTransaction(connection.executeMany(INSERT, new Source(5, (id) => [-id, "in"])))
      const at = new Source(MANY, (id) => [id === MANY ? {} : id + MANY, "no"])
      assert.strictEqual((yield* refusalOf(connection.executeMany(INSERT, at)))._tag, "EncodeError")
      assert.strictEqual(yield* count(connection), MANY + 5)
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("refuses COPY, wherever the word stands in its text, and an empty statement", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* withItems(connection)
      for (const [sql, call] of [
        ["COPY items FROM STDIN", "copyIn"],
        ["/* load */ COPY items FROM STDIN", "copyIn"],
        ["-- save\nCOPY items TO STDOUT", "copyOut"]
      ] as const) {
        for (const rows of [[[]], [[], [], []], Stream.make([], [])]) {
          const refusal = yield* refusalOf(connection.executeMany(sql, rows))
          assert.strictEqual(refusal._tag, "UnsupportedError")
          assert.include(refusal.message, `call ${call}`)
        }
        yield* assertHealthy(connection)
      }
      assert.deepStrictEqual(yield* connection.executeMany("INSERT INTO items VALUES (1, 'copy') RETURNING 1", [[]]), {
        rowCount: 1
      })
      assert.deepStrictEqual(yield* connection.executeMany("UPDATE items SET name = 'copy'", [[], [], []]), {
        rowCount: 3
      })
      const pool = yield* livePool()
      assert.strictEqual((yield* refusalOf(pool.executeMany("", [[]])))._tag, "EmptyQueryError")
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("fails with QueryTimeoutError if it takes longer than its timeout, and undoes everything", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* withItems(connection)
      const sql = "INSERT INTO items SELECT $1::int4, 'slept' FROM pg_sleep(60)"
      const refusal = yield* refusalOf(connection.executeMany(sql, [[1], [2]], { timeout: "100 millis" }))
      assert.strictEqual(refusal._tag, "QueryTimeoutError")
      assert.strictEqual(yield* count(connection), 0)
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("fails with QueryTimeoutError also while the server takes no more rows", () =>
    Effect.gen(function* () {
      const blocker = yield* liveConnection()
      const connection = yield* liveConnection()
      yield* blocker.execute("CREATE TABLE blocked (id int4, name text)")
      const writing = (source: Source, options?: PgConnection.CallOptions) =>
        connection.executeMany("INSERT INTO blocked VALUES ($1, $2)", source, options)
      yield* writing(new Source(1))
      yield* blocker.executeScript("BEGIN; LOCK TABLE blocked IN SHARE MODE")
      const source = new Source(10_000_000, (id) => [id, "x".repeat(50_000)])
      assert.strictEqual((yield* refusalOf(writing(source, { timeout: "600 millis" })))._tag, "QueryTimeoutError")
      // This is what the buffers of two sockets hold, at 50 KB a row.
      assert.isAbove(source.pulled, 0)
      assert.isBelow(source.pulled, 400)
      yield* blocker.executeScript("COMMIT")
      assert.strictEqual(yield* valueOf(connection, "SELECT count(*)::int4 FROM blocked"), 1)
      assert.isTrue(source.isClosed)
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )
})

layer(TestDatabase.layer, { excludeTestServices: true })("fetchMany", (it) => {
  it.effect("gives a list of the returned rows for each run", () =>
    Effect.gen(function* () {
      const pool = yield* livePool()
      const sql = "SELECT i FROM generate_series(1, $1::int4) AS i"
      const expected = [[{ i: 1 }, { i: 2 }], [], [{ i: 1 }]]
      assert.deepStrictEqual(yield* pool.fetchMany(sql, [[2], [0], [1]]), expected)
      assert.deepStrictEqual(yield* pool.fetchMany(sql, Stream.make([2], [0], [1])), expected)
      assert.deepStrictEqual(yield* pool.fetchMany("CREATE TEMPORARY TABLE nothing ()", [[]]), [[]])
      assert.deepStrictEqual(yield* pool.fetchMany(sql, []), [])
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )
  it.effect("gives the rows that a writing statement returns, in the order of its runs", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* withItems(connection)
      const rows = [
        [3, "c"],
        [1, "a"],
        [2, null]
      ]
      assert.deepStrictEqual(
        yield* connection.fetchMany(`${INSERT} RETURNING id, name`, rows),
        rows.map(([id, name]) => [{ id, name }])
      )
      assert.deepStrictEqual(yield* connection.fetchMany("DELETE FROM items WHERE id = $1", [[1], [2]]), [[], []])
      assert.strictEqual(yield* count(connection), 1)
    }).pipe(Effect.scoped)
  )
})
