/**
 * Tests rows that are read a page at a time: inside and outside a transaction, to the end or not, beside other
 * statements.
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type * as PgConnection from "../../../src/PgConnection.ts"
import type * as PgError from "../../../src/PgError.ts"
import { TestDatabase } from "../../support/database.ts"
import {
  assertHealthy,
  eventually,
  killBackend,
  liveConnection,
  livePool,
  refusalOf,
  uniqueName,
  valueOf
} from "../../support/live.ts"
import { liveBytes } from "../../support/liveBytes.ts"

const COUNTED = "SELECT i FROM generate_series(1, $1::int4) AS i"

/** The lines of a log, with their levels and causes. */
const collectingLogger = () => {
  const logged: Array<string> = []
  const logger = Logger.make(({ cause, logLevel, message }) => void logged.push(`${logLevel} ${message} ${cause}`))
  return { logged, logger: Logger.layer([logger]) }
}

/** How many rows each page of a stream has. */
const sizesOf = <A>(rows: Stream.Stream<A, PgError.PgError>) =>
  Stream.runFold(
    Stream.mapArray(rows, (page) => [page.length]),
    (): ReadonlyArray<number> => [],
    (sizes, size) => [...sizes, size]
  )

/** What is open on a connection beside the statement that asks. */
const portals = (connection: PgConnection.Queryable) =>
  valueOf(connection, "SELECT count(*)::int4 FROM pg_cursors WHERE name LIKE 'effectpg_portal%'")

layer(TestDatabase.layer, { excludeTestServices: true })("a stream", (it) => {
  it.effect("gives every row once and in order, whatever the size of its pages", () =>
    Effect.gen(function* () {
      const pool = yield* livePool()
      for (const fetchSize of [1, 7, 99, 100, 101, 1000]) {
        const rows = yield* Stream.runCollect(pool.stream(COUNTED, [100], { fetchSize }))
        assert.deepStrictEqual(
          rows,
          Array.from({ length: 100 }, (_, i) => ({ i: i + 1 }))
        )
      }
      assert.isEmpty(yield* Stream.runCollect(pool.stream(COUNTED, [0])))
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("holds no more than a page in memory", () =>
    Effect.gen(function* () {
      const pool = yield* livePool()
      const rows = pool.stream("SELECT repeat('x', 100000) AS wide FROM generate_series(1, 3000)", [], {
        fetchSize: 10
      })
      const before = liveBytes()
      let most = before
      let count = 0
      const total = yield* Stream.runFold(
        Stream.tap(rows, () => Effect.sync(() => (++count % 250 === 0 ? (most = Math.max(most, liveBytes())) : most))),
        () => 0,
        (sum, { wide }) => sum + String(wide).length
      )
      assert.strictEqual(total, 300_000_000)
      assert.isBelow(most - before, 75_000_000)
    }).pipe(Effect.scoped)
  )

  it.effect("gives the rows of a page as one array", () =>
    Effect.gen(function* () {
      const pool = yield* livePool()
      const sizes: Array<number> = []
      yield* Stream.runForEachArray(pool.stream(COUNTED, [25], { fetchSize: 10 }), (rows) =>
        Effect.sync(() => sizes.push(rows.length))
      )
      assert.deepStrictEqual(sizes, [10, 10, 5])
    }).pipe(Effect.scoped)
  )

  it.effect("begins with few rows, and then has pages of half a mebibyte or of 10,000 rows, if no size is named", () =>
    Effect.gen(function* () {
      const pool = yield* livePool()
      const narrow = pool.withTransaction(sizesOf(pool.stream(COUNTED, [26_000])))
      assert.deepStrictEqual(yield* narrow, [250, 4000, 10_000, 10_000, 1750])
      // A page with a schema is decoded at once, and must not keep other fibers waiting for long.
      const row = Schema.Struct({ i: Schema.Int })
      const decoded = pool.withTransaction(sizesOf(pool.stream(COUNTED, [2500], { row })))
      assert.deepStrictEqual(yield* decoded, [250, 1000, 1000, 250])
      const wide = sizesOf(pool.stream("SELECT repeat('x', 10000) FROM generate_series(1, 500)"))
      assert.deepStrictEqual(yield* pool.withTransaction(wide), [250, 52, 52, 52, 52, 42])
      // Outside a transaction, two pages share the half mebibyte.
      const [first, second, ...shares] = yield* wide
      assert.deepStrictEqual([first, second], [250, 52])
      assert.isTrue(shares.every((size) => size <= 26))
      assert.strictEqual(
        shares.reduce((sum, size) => sum + size),
        500 - 250 - 52
      )
    }).pipe(Effect.scoped)
  )

  it.effect("lets other statements of its transaction run between its pages, also nested transactions", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.execute("CREATE TABLE copied (i int4 PRIMARY KEY)")
      const copy = Stream.runForEach(connection.stream(COUNTED, [30], { fetchSize: 7 }), ({ i }) =>
        connection.withTransaction(connection.execute("INSERT INTO copied VALUES ($1)", [i]))
      )
      yield* connection.withTransaction(copy)
      assert.strictEqual(yield* valueOf(connection, "SELECT count(*)::int4 FROM copied"), 30)
      yield* connection.execute("DROP TABLE copied")
    }).pipe(Effect.scoped)
  )

  it.effect("can be read while another stream is read in the same transaction", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const numbers = connection.stream(COUNTED, [50], { fetchSize: 3 })
      const letters = connection.stream("SELECT chr(96 + i) AS letter FROM generate_series(1, 26) AS i", [], {
        fetchSize: 4
      })
      const both = yield* connection.withTransaction(Stream.runCollect(Stream.zip(numbers, letters)))
      assert.strictEqual(both.length, 26)
      assert.deepStrictEqual(both.at(-1), [{ i: 26 }, { letter: "z" }])
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("closes its portal if it is ended early, cancels nothing, and leaves the transaction alive", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const kept = yield* connection.withTransaction(
        Effect.gen(function* () {
          yield* connection.execute("CREATE TEMPORARY TABLE kept (i int4)")
          const some = yield* Stream.runCollect(
            Stream.take(connection.stream(COUNTED, [1_000_000], { fetchSize: 10 }), 15)
          )
          assert.strictEqual(some.length, 15)
          assert.strictEqual(yield* portals(connection), 0)
          yield* connection.execute("INSERT INTO kept VALUES (1)")
          return yield* valueOf(connection, "SELECT count(*)::int4 FROM kept")
        })
      )
      assert.strictEqual(kept, 1)
      assert.strictEqual(yield* valueOf(connection, "SELECT count(*)::int4 FROM kept"), 1)
    }).pipe(Effect.scoped)
  )

  it.effect("releases its table after its last row", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.withTransaction(
        Effect.gen(function* () {
          yield* connection.executeScript("CREATE TABLE read_once (i int4); INSERT INTO read_once VALUES (1), (2)")
          const pull = connection.stream("SELECT i FROM read_once", [], { fetchSize: 1 })
          assert.strictEqual((yield* Stream.runCollect(pull)).length, 2)
          yield* connection.execute("DROP TABLE read_once")
        })
      )
    }).pipe(Effect.scoped)
  )

  it.effect("has a connection to itself outside a transaction, and gives it back at its end, early or not", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 2 })
      const whole = yield* Stream.runFold(
        Stream.mapEffect(pool.stream(COUNTED, [40], { fetchSize: 6 }), ({ i }) =>
          Effect.map(pool.fetchValue("SELECT $1::int4", [i]), (value) => Number(Option.getOrThrow(value)))
        ),
        () => 0,
        (sum, i) => sum + i
      )
      assert.strictEqual(whole, 820)
      for (let round = 0; round < 5; round++) {
        yield* Stream.runDrain(Stream.take(pool.stream(COUNTED, [1_000_000], { fetchSize: 5 }), 12))
      }
      yield* eventually(
        Effect.map(pool.stats, ({ inUse }) => inUse),
        0
      )
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("keeps the effects of its statement outside a transaction, unless its reader fails", () =>
    Effect.gen(function* () {
      const pool = yield* livePool()
      yield* pool.executeScript("CREATE TABLE drained (i int4); INSERT INTO drained SELECT generate_series(1, 20)")
      const left = valueOf(pool, "SELECT count(*)::int4 FROM drained")
      const taken = (below: number) =>
        pool.stream("DELETE FROM drained WHERE i <= $1 RETURNING i", [below], { fetchSize: 2 })
      assert.strictEqual((yield* Stream.runCollect(taken(5))).length, 5)
      assert.strictEqual(yield* left, 15)
      yield* Stream.runDrain(Stream.take(taken(10), 1))
      assert.strictEqual(yield* left, 10)
      const failed = yield* Effect.exit(Stream.runForEach(taken(15), () => Effect.fail("enough")))
      assert.isTrue(Exit.isFailure(failed))
      assert.strictEqual(yield* left, 10)
      yield* pool.execute("DROP TABLE drained")
    }).pipe(Effect.scoped)
  )

  it.effect(
    "reports to the observer and the log if it is ended early and cannot be committed, and fails in a transaction",
    () =>
      Effect.gen(function* () {
        const { logged, logger } = collectingLogger()
        const told: Array<string> = []
        const pool = yield* livePool({
          onQuery: ({ error, operation }) =>
            Effect.sync(() => void (error === undefined ? told : told.push(`${operation} ${error._tag}`)))
        })
        yield* pool.executeScript(
          "CREATE TABLE deferring (i int4 PRIMARY KEY, other int4 REFERENCES deferring DEFERRABLE INITIALLY DEFERRED)"
        )
        const sql = "INSERT INTO deferring SELECT n, 0 FROM generate_series(1, 10) AS n RETURNING i"
        const early = Stream.runDrain(Stream.take(pool.stream(sql, [], { fetchSize: 2 }), 3))
        yield* early.pipe(Effect.provide(logger))
        yield* Effect.scoped(Effect.flatMap(pool.cursor(sql), (cursor) => cursor.fetch(3))).pipe(Effect.provide(logger))
        assert.deepStrictEqual(told, ["stream ForeignKeyViolationError", "cursor ForeignKeyViolationError"])
        assert.strictEqual(logged.length, 2)
        for (const line of logged) assert.match(line, /^Error .*ended early.*foreign key/s)
        const refusal = yield* refusalOf(pool.withTransaction(early))
        assert.strictEqual(refusal._tag, "ForeignKeyViolationError")
        assert.strictEqual(yield* valueOf(pool, "SELECT count(*)::int4 FROM deferring"), 0)
        yield* pool.execute("DROP TABLE deferring")
        yield* assertHealthy(pool)
      }).pipe(Effect.scoped)
  )

  it.effect("causes no defect if it, or a cursor, is ended early after its connection was lost", () =>
    Effect.gen(function* () {
      const { logged, logger } = collectingLogger()
      const observer = yield* liveConnection()
      const applicationName = uniqueName()
      const pool = yield* livePool({ maxConnections: 1, applicationName })
      const backend = valueOf(observer, "SELECT pid FROM pg_stat_activity WHERE application_name = $1", [
        applicationName
      ])
      const kill = Effect.flatMap(backend, (pid) => killBackend(observer, Number(pid)))
      const sql = "VALUES (1), (2), (3)"
      const cursors = [pool.cursor(sql), pool.cursor(sql, [], { scroll: true })]
      yield* pool.stream(sql, [], { fetchSize: 1 }).pipe(
        Stream.take(1),
        Stream.runForEach(() => kill),
        Effect.provide(logger)
      )
      for (const cursor of cursors) {
        yield* Effect.scoped(
          Effect.andThen(
            Effect.flatMap(cursor, (each) => each.fetch(1)),
            kill
          )
        ).pipe(Effect.provide(logger))
      }
      // A statement that only reads has lost nothing.
      assert.deepStrictEqual(logged, [])
      yield* assertHealthy(pool)
      yield* eventually(
        Effect.map(pool.stats, ({ inUse }) => inUse),
        0
      )
    }).pipe(Effect.scoped)
  )

  it.effect("makes a connection refuse other statements outside a transaction, instead of letting them hang", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const reading = Stream.runForEach(connection.stream(COUNTED, [30], { fetchSize: 3 }), () =>
        connection.execute("SELECT 1")
      )
      const refusal = yield* refusalOf(reading)
      assert.strictEqual(refusal._tag, "UnsupportedError")
      assert.include(refusal.message, "withTransaction")
      const nested = yield* refusalOf(
        Stream.runForEach(connection.stream(COUNTED, [3], { fetchSize: 1 }), () =>
          connection.withTransaction(Effect.void)
        )
      )
      assert.strictEqual(nested._tag, "UnsupportedError")
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("reads inside a transaction that was begun in SQL", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.execute("BEGIN")
      assert.strictEqual((yield* Stream.runCollect(connection.stream(COUNTED, [12], { fetchSize: 5 }))).length, 12)
      assert.strictEqual(yield* connection.transactionStatus, "inTransaction")
      yield* connection.execute("ROLLBACK")
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("decodes its rows by a schema", () =>
    Effect.gen(function* () {
      const pool = yield* livePool()
      const Small = Schema.Struct({ i: Schema.Int.check(Schema.isLessThan(8)) })
      const some = yield* Stream.runCollect(pool.stream(COUNTED, [7], { row: Small, fetchSize: 2 }))
      assert.deepStrictEqual(some.at(-1), { i: 7 })
      const refusal = yield* refusalOf(Stream.runDrain(pool.stream(COUNTED, [9], { row: Small, fetchSize: 2 })))
      assert.strictEqual(refusal._tag, "DecodeError")
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("fails because of a bad value or statement in the first page, and in a later one", () =>
    Effect.gen(function* () {
      const pool = yield* livePool()
      const failing = (sql: string, params: PgConnection.Parameters = []) =>
        refusalOf(Stream.runDrain(pool.stream(sql, params, { fetchSize: 2 })))
      assert.strictEqual((yield* failing("SELEC 1"))._tag, "PostgresSyntaxError")
      assert.strictEqual((yield* failing(COUNTED, ["x"]))._tag, "InvalidTextRepresentationError")
      assert.strictEqual((yield* failing(COUNTED, []))._tag, "ParameterCountError")
      assert.strictEqual(
        (yield* failing("SELECT 1 / (5 - i) FROM generate_series(1, 9) AS i"))._tag,
        "DivisionByZeroError"
      )
      assert.strictEqual(
        (yield* refusalOf(Stream.runDrain(pool.stream("SELECT 1", [], { fetchSize: 0 }))))._tag,
        "InvalidConfigError"
      )
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("is reported to the observer, page by page", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const pool = yield* livePool({
        onQuery: ({ operation, outcome }) => Effect.sync(() => seen.push(`${operation} ${outcome}`))
      })
      yield* Stream.runDrain(pool.stream(COUNTED, [5], { fetchSize: 2 }))
      yield* Effect.ignore(Stream.runDrain(pool.stream("SELECT 1 / 0")))
      yield* pool.executeMany("SELECT $1::int4", [[1]])
      yield* pool.batch([{ sql: "SELECT 1" }])
      assert.deepStrictEqual(seen, [
        "stream success",
        "stream success",
        "stream success",
        "stream failure",
        "executeMany success",
        "batch success"
      ])
    }).pipe(Effect.scoped)
  )

  it.effect("survives a stale plan outside a transaction", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.executeScript("CREATE TABLE altered (a int4); INSERT INTO altered VALUES (1), (2)")
      const all = connection.stream("SELECT * FROM altered", [], { fetchSize: 1 })
      assert.strictEqual((yield* Stream.runCollect(all)).length, 2)
      yield* connection.executeScript("ALTER TABLE altered ADD COLUMN b int4 DEFAULT 7")
      assert.deepStrictEqual((yield* Stream.runCollect(all))[1], { a: 2, b: 7 })
      yield* connection.executeScript("DROP TABLE altered")
    }).pipe(Effect.scoped)
  )

  it.effect("cancels the page that it waits for if it is interrupted, and the connection goes on", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const slow = connection.stream(
        "SELECT i, pg_sleep(CASE WHEN i > 2 THEN 60 ELSE 0 END) FROM generate_series(1, 4) AS i",
        [],
        {
          fetchSize: 2
        }
      )
      const reading = yield* Effect.forkChild(Stream.runDrain(slow), { startImmediately: true })
      yield* Effect.sleep("100 millis")
      yield* Fiber.interrupt(reading)
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("fails if its connection is lost between two pages", () =>
    Effect.gen(function* () {
      const observer = yield* liveConnection()
      const connection = yield* liveConnection()
      const reading = Stream.runForEach(connection.stream(COUNTED, [10], { fetchSize: 2 }), ({ i }) =>
        i === 3 ? killBackend(observer, connection.processId) : Effect.void
      )
      const refusal = yield* refusalOf(reading)
      assert.include(["ConnectionLostError", "AdminShutdownError"], refusal._tag)
      assert.strictEqual(yield* connection.status, "closed")
    }).pipe(Effect.scoped)
  )
})
