/** Tests a transaction whose server falls silent: its fiber leaves, and the connection's owner settles the rest. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as PgConnection from "../../src/PgConnection.ts"
import * as PgPool from "../../src/PgPool.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, eventually, liveSettings } from "../support/live.ts"
import { type Proxy, proxyTo } from "../../src/pgTest/proxy.ts"

/** By then a fiber that is interrupted, or has failed, must have left. */
const LEAVES_WITHIN_MILLIS = 300
/** A server that stays silent for longer is given up. */
const CANCEL_TIMEOUT_MILLIS = 1_500

const setup = Effect.gen(function* () {
  const { host, port } = yield* TestDatabase
  const proxy = yield* proxyTo({ host, port })
  const settings = yield* liveSettings({
    host: proxy.host,
    port: proxy.port,
    sslMode: "disable",
    maxConnections: 1,
    cancelTimeout: CANCEL_TIMEOUT_MILLIS
  })
  return { proxy, settings }
})

/** Holds every link when a message of the client with this text passes. */
const holdAt = (proxy: Proxy, text: string) =>
  Effect.callback<void>((resume) => {
    proxy.onMessage = (link, { bytes, from }) => {
      if (from !== "client" || !bytes.includes(text)) return
      proxy.onMessage = () => {}
      link.hold()
      resume(Effect.void)
    }
  })

const letGo = (proxy: Proxy) => Effect.sync(() => proxy.links.forEach((link) => link.letGo()))

type Run = (pg: PgConnection.Queryable) => Effect.Effect<unknown, unknown>

/** What is under way when the server falls silent, and at which message. */
const moments: ReadonlyArray<readonly [what: string, at: string, run: Run]> = [
  ["a query in it", "a_query", (pg) => pg.withTransaction(pg.fetch("SELECT 1 AS a_query"))],
  [
    "a query in a savepoint",
    "a_query",
    (pg) => pg.withTransaction(pg.withTransaction(pg.fetch("SELECT 1 AS a_query")))
  ],
  ["its BEGIN and its first query", "BEGIN", (pg) => pg.withTransaction(pg.fetch("SELECT 1"))],
  ["its BEGIN in front of a script", "BEGIN", (pg) => pg.withTransaction(pg.executeScript("SELECT 1"))],
  ["its BEGIN in front of a SAVEPOINT", "BEGIN", (pg) => pg.withTransaction(pg.withTransaction(Effect.void))],
  [
    "a SAVEPOINT",
    "SAVEPOINT",
    (pg) => pg.withTransaction(Effect.andThen(pg.fetch("SELECT 1"), pg.withTransaction(Effect.void)))
  ],
  ["a RELEASE", "RELEASE", (pg) => pg.withTransaction(pg.withTransaction(Effect.void))],
  ["its COMMIT", "COMMIT", (pg) => pg.withTransaction(pg.fetch("SELECT 1"))],
  ["its ROLLBACK", "ROLLBACK", (pg) => pg.withTransaction(Effect.andThen(pg.fetch("SELECT 1"), Effect.fail("enough")))],
  [
    "the first query after a begin by hand",
    "BEGIN",
    (pg) => Effect.scoped(Effect.flatMap(pg.begin(), (transaction) => transaction.fetch("SELECT 1")))
  ],
  [
    "a commit by hand",
    "COMMIT",
    (pg) =>
      Effect.scoped(
        Effect.flatMap(pg.begin(), (transaction) => Effect.andThen(transaction.fetch("SELECT 1"), transaction.commit))
      )
  ],
  ["a stream", "a_query", (pg) => Stream.runDrain(pg.stream("SELECT 1 AS a_query"))],
  ["a cursor", "a_query", (pg) => Effect.scoped(pg.cursor("SELECT 1 AS a_query"))],
  ["a lock", "a_query", (pg) => pg.withAdvisoryLock(4713, pg.fetch("SELECT 1 AS a_query"))],
  ["the release of a lock", "advisory_unlock", (pg) => pg.withAdvisoryLock(4713, Effect.void)]
]

layer(TestDatabase.layer, { excludeTestServices: true })("a transaction whose server falls silent", (it) => {
  for (const [what, at, run] of moments) {
    it.effect(`is left at once at ${what} by an interrupted fiber, and its connection serves again`, () =>
      Effect.gen(function* () {
        const { proxy, settings } = yield* setup
        const connection = yield* PgConnection.make(settings)
        const pool = yield* PgPool.make(settings)
        yield* assertHealthy(pool)
        for (const pg of [connection, pool]) {
          const held = yield* Effect.forkChild(holdAt(proxy, at), { startImmediately: true })
          const fiber = yield* Effect.forkChild(run(pg), { startImmediately: true })
          yield* Fiber.join(held)
          const began = performance.now()
          yield* Fiber.interrupt(fiber)
          assert.isBelow(performance.now() - began, LEAVES_WITHIN_MILLIS)
          yield* letGo(proxy)
          yield* assertHealthy(pg)
          assert.strictEqual(yield* connection.transactionStatus, "idle")
        }
        yield* eventually(
          Effect.map(pool.stats, ({ inUse }) => inUse),
          0
        )
        assert.strictEqual(yield* connection.status, "open")
      }).pipe(Effect.scoped)
    )
  }

  it.effect("is left within the bound of a call if the silence lasts, and the pool opens another connection", () =>
    Effect.gen(function* () {
      const { proxy, settings } = yield* setup
      const pool = yield* PgPool.make(settings)
      yield* assertHealthy(pool)
      const body = Effect.gen(function* () {
        yield* pool.fetch("SELECT 1")
        proxy.links.forEach((link) => link.hold())
        yield* pool.fetch("SELECT 2", [], { timeout: 50 })
      })
      const began = performance.now()
      const exit = yield* Effect.exit(pool.withTransaction(body))
      assert.isBelow(performance.now() - began, 500)
      assert.isTrue(Exit.isFailure(exit))
      assert.include(String(exit), "QueryTimeoutError")
      yield* assertHealthy(pool)
      assert.isBelow(performance.now() - began, 4 * CANCEL_TIMEOUT_MILLIS)
    }).pipe(Effect.scoped)
  )
})
