/**
 * Tests pages that a stream asks for before its reader wants them: which streams do so, what it gains, and that a stream
 * ends as it would without.
 */
import { assert, layer } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type * as PgError from "../../../src/PgError.ts"
import type * as PgPool from "../../../src/PgPool.ts"
import { proxyTo } from "../../../src/pgTest/proxy.ts"
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
/** Its first rows come at once. The rows from the seventh on take a minute each. */
const SLOW_LATER = "SELECT i, pg_sleep(CASE WHEN i > 6 THEN 60 ELSE 0 END) FROM generate_series(1, 20) AS i"
const ONE_WAY_MILLIS = 15
const ROUNDS = 6
/** The reset of the session, the first page, the second one, the others, and COMMIT, with one to spare. */
const FEW_WAITS = 6
/** A page that was asked for ahead may hold up the end of a stream for 200 ms; the rest is for a busy machine. */
const SOON_MILLIS = 2_000

/** What a pool sends before it lends a connection again. */
const RESET = "RESET ALL"

const isAsked = (type: string): boolean => type === "E" || type === "Q"

/** What a client says to the server through a proxy. */
const listening = Effect.gen(function* () {
  const { host, port } = yield* TestDatabase
  const proxy = yield* proxyTo({ host, port })
  const asked: Array<string> = []
  let unanswered = 0
  let waits = 0
  proxy.onMessage = (_, { bytes, from, type }) => {
    if (from === "client" && isAsked(type) && !bytes.includes(RESET))
      asked.push(type === "E" ? "page" : bytes.toString("utf8", 5, bytes.length - 1))
    if (from === "client" && (type === "S" || type === "Q") && unanswered++ === 0) waits++
    if (from === "server" && type === "Z") unanswered = Math.max(0, unanswered - 1)
  }
  return {
    proxy,
    settings: { host: proxy.host, port: proxy.port, sslMode: "disable" } as const,
    /** The pages and texts that were asked for since the last call. */
    taken: () => asked.splice(0),
    pagesAsked: () => asked.filter((each) => each === "page").length,
    /** How often the server had nothing to do until the client asked, since the last call. */
    waitsTaken: () => {
      const taken = waits
      waits = 0
      return taken
    }
  }
})

/** Waits until the pages of a stream that its reader has not come for must have arrived. */
const settle = Effect.sleep("50 millis")

/** Pulls the pages of a stream one by one. */
const pulled = (pool: Pick<PgPool.PgPool, "stream">, sql: string, fetchSize = 2, timeout?: Duration.Input) =>
  Stream.toPull(pool.stream(sql, [], { fetchSize, timeout }))

const collectingLogger = () => {
  const logged: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => void logged.push(`${logLevel} ${message}`))
  return { logged, logger: Logger.layer([logger]) }
}

const millisOf = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<number, E, R> =>
  Effect.map(Effect.timed(effect), ([took]) => Duration.toMillis(took))

layer(TestDatabase.layer, { excludeTestServices: true })("a stream that looks ahead", (it) => {
  it.effect("asks for one page for a reader that wants no more, and for nothing else", () =>
    Effect.gen(function* () {
      const wire = yield* listening
      const pool = yield* livePool({ ...wire.settings, maxConnections: 1 })
      yield* Stream.runDrain(pool.stream(COUNTED, [10], { fetchSize: 100 }))
      wire.taken()
      for (const rows of [1, 2]) {
        yield* Stream.runDrain(Stream.take(pool.stream(COUNTED, [1_000], { fetchSize: 2 }), rows))
        yield* settle
        const [begin, page, end, ...rest] = wire.taken()
        // BEGIN and the page are both executed.
        assert.deepStrictEqual([begin, page, end], ["page", "page", "COMMIT"])
        assert.notInclude(rest, "page")
      }
    }).pipe(Effect.scoped)
  )

  it.effect("asks for the second page alone, and ahead from the third on", () =>
    Effect.gen(function* () {
      const wire = yield* listening
      const pool = yield* livePool({ ...wire.settings, maxConnections: 1 })
      yield* Effect.scoped(
        Effect.gen(function* () {
          const pull = yield* pulled(pool, "SELECT generate_series(1, 1000) AS i")
          yield* pull
          wire.taken()
          yield* pull
          yield* settle
          const [question, ...second] = wire.taken()
          assert.match(question ?? "", /pg_current_xact_id_if_assigned/)
          assert.deepStrictEqual(second, ["page"])
          yield* pull
          yield* settle
          assert.isAbove(wire.pagesAsked(), 1)
          // All that was asked for ahead is there.
          wire.taken()
          wire.proxy.latencyMillis = 200
          assert.isBelow(yield* millisOf(pull), 150)
          wire.proxy.latencyMillis = 0
        })
      )
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("does not do so in a transaction of the program, where other statements may come between its pages", () =>
    Effect.gen(function* () {
      const wire = yield* listening
      const pool = yield* livePool({ ...wire.settings, maxConnections: 1 })
      let pages = 0
      yield* pool.withTransaction(
        Stream.runForEachArray(pool.stream(COUNTED, [20], { fetchSize: 2 }), () =>
          Effect.andThen(
            settle,
            Effect.sync(() => {
              const asked = wire.pagesAsked()
              wire.taken()
              // The first one takes BEGIN along.
              assert.strictEqual(asked, pages++ === 0 ? 2 : 1)
            })
          )
        )
      )
      assert.strictEqual(pages, 10)
    }).pipe(Effect.scoped)
  )

  it.effect("does not run a statement that writes further than its reader has come", () =>
    Effect.gen(function* () {
      const wire = yield* listening
      const pool = yield* livePool({ ...wire.settings, maxConnections: 1 })
      yield* pool.executeScript(`
        CREATE TABLE noted (i int4);
        CREATE FUNCTION note(i int4) RETURNS int4 LANGUAGE sql VOLATILE AS 'INSERT INTO noted VALUES (i) RETURNING i'`)
      const noted = valueOf(pool, "SELECT count(*)::int4 FROM noted")
      yield* Stream.runDrain(
        Stream.take(
          Stream.tap(
            pool.stream("SELECT note(i) FROM generate_series(1, 100) AS i", [], { fetchSize: 2 }),
            () => settle
          ),
          7
        )
      )
      assert.strictEqual(yield* noted, 8)
      yield* Stream.runDrain(pool.stream("SELECT note(i) FROM generate_series(1, 10) AS i", [], { fetchSize: 2 }))
      assert.strictEqual(yield* noted, 18)
      wire.taken()
      const returning = pool.stream("INSERT INTO noted SELECT generate_series(1, 100) RETURNING i", [], {
        fetchSize: 2
      })
      yield* Stream.runDrain(Stream.take(returning, 7))
      // BEGIN, and the four pages of the seven rows.
      assert.strictEqual(wire.pagesAsked(), 5)
      assert.strictEqual(yield* noted, 118)
      const locking = pool.stream("SELECT i FROM noted FOR UPDATE", [], { fetchSize: 2 })
      wire.taken()
      yield* Stream.runDrain(Stream.take(locking, 7))
      assert.strictEqual(wire.pagesAsked(), 5)
      yield* pool.executeScript("DROP TABLE noted; DROP FUNCTION note")
    }).pipe(Effect.scoped)
  )

  it.effect("waits for few round trips over a line of 15 ms one way", () =>
    Effect.gen(function* () {
      const wire = yield* listening
      const pool = yield* livePool({ ...wire.settings, maxConnections: 1 })
      // As many bytes as 100,000 rows of the benchmark, in fewer messages.
      const rows = (count: number) =>
        Stream.runCount(pool.stream("SELECT repeat('x', 1000) AS wide FROM generate_series(1, $1)", [count]))
      yield* rows(1)
      wire.proxy.latencyMillis = ONE_WAY_MILLIS
      /** The fewest waits of some runs, because a busy machine adds some. */
      const fewestWaits = (run: Effect.Effect<number, PgError.PgError>) =>
        Effect.gen(function* () {
          let fewest = Infinity
          for (let round = 0; round < ROUNDS && fewest > FEW_WAITS; round++) {
            wire.waitsTaken()
            assert.strictEqual(yield* run, 3_600)
            fewest = Math.min(fewest, wire.waitsTaken())
          }
          return fewest
        })
      assert.isAtMost(yield* fewestWaits(rows(3_600)), FEW_WAITS)
      assert.isAtLeast(yield* fewestWaits(pool.withTransaction(rows(3_600))), 10)
    }).pipe(Effect.scoped)
  )

  it.effect("asks ahead over a line whose round trip takes longer than a page may take the server", () =>
    Effect.gen(function* () {
      const wire = yield* listening
      const pool = yield* livePool({ ...wire.settings, maxConnections: 1 })
      wire.proxy.latencyMillis = 75
      yield* Effect.scoped(
        Effect.gen(function* () {
          const pull = yield* pulled(pool, "SELECT generate_series(1, 1000) AS i")
          yield* pull
          yield* pull
          wire.taken()
          yield* pull
          assert.isAbove(wire.pagesAsked(), 2)
          wire.proxy.latencyMillis = 0
        })
      )
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("holds half a mebibyte for a slow reader, however much it has asked for ahead", () =>
    Effect.gen(function* () {
      const wire = yield* listening
      const pool = yield* livePool({ ...wire.settings, maxConnections: 1 })
      const wide = "SELECT repeat('x', 10000) AS wide FROM generate_series(1, 5000)"
      wire.proxy.latencyMillis = 5
      let before = 0
      let most = 0
      let pages = 0
      const count = yield* Stream.runFold(
        Stream.tap(
          Stream.mapArray(pool.stream(wide), (page) => [page.length]),
          () =>
            Effect.gen(function* () {
              // It is fast at first, so that much is asked for ahead.
              if (++pages <= 20 || pages % 40 !== 0) return
              before ||= liveBytes()
              yield* Effect.sleep("100 millis")
              most = Math.max(most, liveBytes() - before)
            })
        ),
        () => 0,
        (sum, length) => sum + length
      )
      assert.strictEqual(count, 5_000)
      assert.isBelow(most, 3 * 524_288)
    }).pipe(Effect.scoped)
  )

  it.effect("ends soon although a slow page is under way, without a word, and cancels that page", () =>
    Effect.gen(function* () {
      const { logged, logger } = collectingLogger()
      const observer = yield* liveConnection()
      const applicationName = uniqueName()
      const pool = yield* livePool({ maxConnections: 1, applicationName })
      const taken: Array<unknown> = []
      const early = Stream.runForEach(Stream.take(pool.stream(SLOW_LATER, [], { fetchSize: 2 }), 6), ({ i }) =>
        Effect.sync(() => taken.push(i))
      )
      assert.isBelow(yield* millisOf(Effect.provide(early, logger)), SOON_MILLIS)
      assert.deepStrictEqual(taken, [1, 2, 3, 4, 5, 6])
      assert.deepStrictEqual(logged, [])
      yield* assertHealthy(pool)
      const sleeping =
        "SELECT count(*)::int4 FROM pg_stat_activity WHERE application_name = $1 AND query LIKE '%pg_sleep%'"
      assert.strictEqual(yield* valueOf(observer, sleeping, [applicationName]), 0)
      yield* eventually(
        Effect.map(pool.stats, ({ inUse }) => inUse),
        0
      )
    }).pipe(Effect.scoped)
  )

  it.effect("gives the rows before an error, and succeeds if its reader leaves before it", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1 })
      const failing = pool.stream("SELECT 1 / (9 - i) AS n, i FROM generate_series(1, 20) AS i", [], { fetchSize: 2 })
      const taken: Array<unknown> = []
      const all = Stream.runForEach(failing, ({ i }) =>
        Effect.andThen(
          settle,
          Effect.sync(() => taken.push(i))
        )
      )
      assert.strictEqual((yield* refusalOf(all))._tag, "DivisionByZeroError")
      assert.deepStrictEqual(taken, [1, 2, 3, 4, 5, 6, 7, 8])
      yield* assertHealthy(pool)
      const { logged, logger } = collectingLogger()
      const early = Stream.runCollect(
        Stream.take(
          Stream.tap(failing, () => settle),
          8
        )
      )
      assert.strictEqual((yield* Effect.provide(early, logger)).length, 8)
      assert.deepStrictEqual(logged, [])
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("counts its timeout from when the reader comes for a page, and then cancels the page at once", () =>
    Effect.gen(function* () {
      const observer = yield* liveConnection()
      const applicationName = uniqueName()
      const pool = yield* livePool({ maxConnections: 1, applicationName })
      const slow = "SELECT i, pg_sleep(CASE i WHEN 8 THEN 0.6 ELSE 0 END) FROM generate_series(1, 10) AS i"
      const pull = (sql: string, pause: Duration.Input) =>
        Effect.gen(function* () {
          const next = yield* pulled(pool, sql, 2, "300 millis")
          for (let page = 1; page <= 3; page++) yield* next
          yield* Effect.sleep(pause)
          return yield* Effect.exit(next)
        })
      // The fourth page was asked for with the third. It takes the server longer than the timeout, but not its reader.
      assert.isTrue(Exit.isSuccess(yield* Effect.scoped(pull(slow, "500 millis"))))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const exit = yield* pull(SLOW_LATER, 0)
          const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
          assert.strictEqual(Reflect.get(Object(error), "_tag"), "QueryTimeoutError")
          // The stream is still open.
          const running = "SELECT count(*)::int4 FROM pg_stat_activity WHERE application_name = $1 AND state = 'active'"
          yield* eventually(valueOf(observer, running, [applicationName]), 0)
        })
      )
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect(
    "leaves a clean connection if its reader is interrupted, fails or cannot decode while pages are under way",
    () =>
      Effect.gen(function* () {
        const pool = yield* livePool({ maxConnections: 1 })
        const reached = yield* Deferred.make<void>()
        const stopped = yield* Effect.forkChild(
          Stream.runForEach(pool.stream(SLOW_LATER, [], { fetchSize: 2 }), ({ i }) =>
            i === 6 ? Effect.andThen(Deferred.succeed(reached, undefined), Effect.never) : Effect.void
          )
        )
        yield* Deferred.await(reached)
        assert.isBelow(yield* millisOf(Fiber.interrupt(stopped)), SOON_MILLIS)
        yield* assertHealthy(pool)

        const waiting = yield* Effect.forkChild(Stream.runDrain(pool.stream(SLOW_LATER, [], { fetchSize: 2 })))
        yield* Effect.sleep("200 millis")
        assert.isBelow(yield* millisOf(Fiber.interrupt(waiting)), SOON_MILLIS)
        yield* assertHealthy(pool)

        const failed = Stream.runForEach(pool.stream(SLOW_LATER, [], { fetchSize: 2 }), ({ i }) =>
          i === 6 ? Effect.fail("enough") : Effect.void
        )
        assert.isBelow(yield* millisOf(Effect.exit(failed)), SOON_MILLIS)
        yield* assertHealthy(pool)

        const row = Schema.Struct({ i: Schema.Int.check(Schema.isLessThan(6)) })
        const undecoded = Stream.runDrain(pool.stream(SLOW_LATER, [], { fetchSize: 2, row }))
        assert.strictEqual((yield* refusalOf(undecoded))._tag, "DecodeError")
        yield* assertHealthy(pool)
        yield* eventually(
          Effect.map(pool.stats, ({ inUse }) => inUse),
          0
        )
      }).pipe(Effect.scoped)
  )

  it.effect("fails if its connection is lost while pages are under way, behind the pages that have come", () =>
    Effect.gen(function* () {
      const observer = yield* liveConnection()
      const connection = yield* liveConnection()
      const taken: Array<unknown> = []
      const reading = Stream.runForEach(connection.stream(SLOW_LATER, [], { fetchSize: 2 }), ({ i }) => {
        taken.push(i)
        return i === 5 ? killBackend(observer, connection.processId) : Effect.void
      })
      assert.include(["ConnectionLostError", "AdminShutdownError"], (yield* refusalOf(reading))._tag)
      assert.deepStrictEqual(taken, [1, 2, 3, 4, 5, 6])
      assert.strictEqual(yield* connection.status, "closed")
    }).pipe(Effect.scoped)
  )

  it.effect("reads types that it does not know, which are looked up between its pages", () =>
    Effect.gen(function* () {
      const wire = yield* listening
      const pool = yield* livePool({ ...wire.settings, maxConnections: 1 })
      yield* pool.executeScript(
        "CREATE TYPE shade AS ENUM ('dark', 'light'); CREATE TYPE tint AS (shade shade, n int4)"
      )
      wire.proxy.latencyMillis = 20
      // A record tells the types of its fields only in its rows.
      const sql = `SELECT i, CASE WHEN i BETWEEN 3000 AND 3010 THEN ROW('dark'::shade, i) ELSE ROW(i, i) END AS r, repeat('x', 1000) AS wide
        FROM generate_series(1, 6000) AS i`
      const rows = yield* Stream.runCollect(Stream.map(pool.stream(sql), ({ i }) => Number(i)))
      assert.strictEqual(rows.length, 6_000)
      assert.isTrue(rows.every((i, at) => i === at + 1))
      wire.proxy.latencyMillis = 0
      yield* pool.executeScript("DROP TYPE tint; DROP TYPE shade")
    }).pipe(Effect.scoped)
  )

  it.effect("reads what has no cursor behind it: SHOW, EXPLAIN, VALUES, and a statement that ends with its page", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1 })
      for (const sql of ["SHOW ALL", "EXPLAIN SELECT * FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid"]) {
        const whole = yield* pool.fetch(sql)
        assert.deepStrictEqual(yield* Stream.runCollect(pool.stream(sql, [], { fetchSize: 1 })), [...whole])
      }
      for (const count of [1, 2, 3, 4, 5, 6, 7, 8]) {
        const rows = yield* Stream.runCollect(pool.stream(COUNTED, [count], { fetchSize: 2 }))
        assert.strictEqual(rows.length, count)
        yield* Stream.runDrain(Stream.take(pool.stream(COUNTED, [8], { fetchSize: 2 }), count))
      }
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("reports each page that its reader has taken, and how long the reader waited for it", () =>
    Effect.gen(function* () {
      const waits: Array<number> = []
      const pool = yield* livePool({
        maxConnections: 1,
        onQuery: ({ durationMillis, operation }) =>
          Effect.sync(() => void (operation === "stream" && waits.push(durationMillis)))
      })
      const sql = "SELECT i, pg_sleep(CASE i WHEN 8 THEN 0.3 ELSE 0 END) FROM generate_series(1, 9) AS i"
      yield* Stream.runForEachArray(pool.stream(sql, [], { fetchSize: 2 }), ([first]) =>
        first.i === 5 ? Effect.sleep("400 millis") : Effect.void
      )
      // Nobody waited for the page that took long, because it was asked for before.
      assert.strictEqual(waits.length, 5)
      assert.isBelow(waits[3] ?? Infinity, 200)
    }).pipe(Effect.scoped)
  )

  it.effect("ends if its connection is closed while it has stopped reading", () =>
    Effect.gen(function* () {
      const wire = yield* listening
      const pool = yield* livePool({ ...wire.settings, maxConnections: 1 })
      wire.proxy.latencyMillis = 5
      const reached = yield* Deferred.make<void>()
      const reading = yield* Effect.forkChild(
        Effect.exit(
          Effect.scoped(
            Effect.gen(function* () {
              const pull = yield* Stream.toPull(
                pool.stream("SELECT repeat('x', 10000) AS wide FROM generate_series(1, 5000)")
              )
              for (let page = 1; page <= 20; page++) yield* pull
              yield* Effect.sleep("100 millis")
              yield* Deferred.succeed(reached, undefined)
              return yield* Effect.never
            })
          )
        )
      )
      yield* Deferred.await(reached)
      assert.isBelow(yield* millisOf(Fiber.interrupt(reading)), SOON_MILLIS)
      assert.isTrue(Exit.isSuccess(yield* Effect.exit(assertHealthy(pool))))
    }).pipe(Effect.scoped)
  )
})
