/**
 * Tests that nothing is left after a while of faults on pools that come and go: backends are killed, sockets reset,
 * links held, cancels lost, callers interrupted, and readers reconnected. When everything is closed, no fiber, socket,
 * timer or backend is left.
 *
 *   EFFECTPG_SOAK_SECONDS=600
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Exit from "effect/Exit"
import type * as PgError from "../../src/PgError.ts"
import * as PgPool from "../../src/PgPool.ts"
import { TestDatabase } from "../support/database.ts"
import { backendsOf, eventually, liveConnection, liveSettings, uniqueName } from "../support/live.ts"
import { type Proxy, proxyTo } from "../../src/pgTest/proxy.ts"

const SECONDS = Number(process.env["EFFECTPG_SOAK_SECONDS"] ?? 12)
const CALLERS = 8
/** The fewest faults of each kind that have to happen for the test to be meaningful. */
const FEWEST = 10
const PATIENCE_MILLIS = 20_000

const pick = <A>(of: ReadonlyArray<A>): A => of[Math.floor(Math.random() * of.length)] as A

const MANY = "SELECT n FROM generate_series(1, 5000) AS n"

const uses: ReadonlyArray<(pool: PgPool.PgPool) => Effect.Effect<unknown, PgError.PgError>> = [
  (pool) => pool.fetch("SELECT 1 AS one"),
  (pool) => pool.fetch("SELECT pg_sleep(0.05)", [], { timeout: 20 }),
  (pool) => pool.withTransaction(Effect.andThen(pool.fetch("SELECT 1"), pool.withTransaction(pool.fetch("SELECT 2")))),
  (pool) =>
    pool.withTransaction(
      Effect.andThen(pool.afterRollback(Effect.ignore(pool.fetch("SELECT 1"))), pool.execute("SELECT 1/0"))
    ),
  (pool) => Effect.scoped(Effect.flatMap(pool.begin(), (transaction) => transaction.fetch("SELECT 1"))),
  (pool) => Effect.scoped(Effect.flatMap(pool.cursor(MANY), (cursor) => cursor.fetch(3))),
  (pool) => Stream.runDrain(Stream.take(pool.stream(MANY, [], { fetchSize: 10 }), 25)),
  (pool) => Stream.runDrain(Stream.take(pool.copyOut({ query: MANY }), 1)),
  (pool) => Effect.scoped(Effect.andThen(pool.listen(pick(["a", "b"])), Effect.sleep(20))),
  (pool) => pool.withAdvisoryLock(pick([1, 2]), pool.fetch("SELECT 1")),
  (pool) => pool.withConnection((lent) => Effect.andThen(lent.execute("SET work_mem = 65"), lent.fetch("SELECT 1"))),
  (pool) => pool.batch([{ sql: "SELECT 1" }, { sql: "SELECT 2" }])
]

/** What is open in this process and keeps it alive. */
const openResources = (): ReadonlyArray<string> =>
  process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap" || name === "Timeout")

layer(TestDatabase.layer, { excludeTestServices: true })("after a while of faults", (it) => {
  it.effect(
    "no fiber, socket, timer or backend is left",
    () =>
      Effect.gen(function* () {
        const observer = yield* liveConnection()
        const upstream = yield* TestDatabase
        const applicationName = uniqueName()
        const before = openResources().length
        const happened = { calls: 0, interruptions: 0, faults: 0, pools: 0, events: 0 }
        let fibers = 0
        let started = 0
        const counted = Effect.provideService(Metric.FiberRuntimeMetrics, {
          recordFiberStart: () => {
            fibers++
            started++
          },
          recordFiberEnd: () => void fibers--
        })
        const until = performance.now() + SECONDS * 1_000
        const whileThereIsTime = <E>(step: Effect.Effect<unknown, E>) =>
          Effect.whileLoop({ while: () => performance.now() < until, body: () => step, step: () => {} })

        const calls = (pool: PgPool.PgPool) =>
          Effect.gen(function* () {
            happened.calls++
            const fiber = yield* Effect.forkChild(Effect.exit(pick(uses)(pool)))
            if (Math.random() < 0.5) {
              yield* Effect.sleep(Math.random() * 30)
              happened.interruptions++
              yield* Fiber.interrupt(fiber)
            } else {
              yield* Effect.timeoutOption(Fiber.await(fiber), 500)
              yield* Fiber.interrupt(fiber)
            }
          })
        const faults = (proxy: Proxy) =>
          Effect.gen(function* () {
            yield* Effect.sleep(Math.random() * 150)
            const link = pick([...proxy.links])
            if (link === undefined) return
            happened.faults++
            switch (pick(["kill", "reset", "half-close", "hold", "lose cancels"])) {
              case "kill":
                if (link.processId === undefined) return
                return yield* Effect.ignore(observer.execute("SELECT pg_terminate_backend($1)", [link.processId]))
              case "reset":
                return link.reset()
              case "half-close":
                return link.halfClose()
              case "hold":
                link.hold()
                yield* Effect.sleep(Math.random() * 600)
                return link.letGo()
              default:
                proxy.losesCancels = true
                yield* Effect.sleep(100)
                proxy.losesCancels = false
            }
          })
        /** A pool that lives for a few seconds. */
        const life = (proxy: Proxy, multiplex: boolean) =>
          Effect.gen(function* () {
            happened.pools++
            const settings = yield* liveSettings({
              host: proxy.host,
              port: proxy.port,
              sslMode: "disable",
              applicationName,
              multiplex,
              minConnections: 0,
              maxConnections: 4,
              acquireTimeout: "500 millis",
              connectTimeout: "500 millis",
              cancelTimeout: "300 millis",
              closeTimeout: "300 millis"
            })
            const scope = yield* Scope.make()
            const pool = yield* Scope.provide(PgPool.make(settings), scope)
            const reader = Effect.scoped(
              Effect.flatMap(pool.listen("a"), (events) =>
                Stream.runForEach(events, () => Effect.sync(() => void happened.events++))
              )
            )
            const readers = whileThereIsTime(Effect.andThen(Effect.exit(reader), Effect.sleep(10)))
            const work = [readers, ...Array.from({ length: CALLERS }, () => whileThereIsTime(calls(pool)))]
            const working = yield* Effect.forkChild(
              Effect.all(
                work.map((each) => Effect.exit(each)),
                { concurrency: "unbounded", discard: true }
              )
            )
            yield* Effect.sleep(1_000 + Math.random() * 2_000)
            // The pool ends before its users, or after them.
            if (Math.random() < 0.5) yield* Fiber.interrupt(working)
            yield* Scope.close(scope, Exit.void)
            yield* Fiber.interrupt(working)
          }).pipe(Effect.provideService(TestDatabase, upstream))
        const soak = Effect.gen(function* () {
          const proxies = yield* Effect.all([proxyTo(upstream), proxyTo(upstream)])
          const lives = proxies.map((proxy, index) => whileThereIsTime(life(proxy, index === 0)))
          yield* Effect.all([...lives, ...proxies.map((proxy) => whileThereIsTime(faults(proxy)))], {
            concurrency: "unbounded"
          })
        }).pipe(Effect.scoped)
        const soaking = yield* Effect.forkChild(counted(soak))
        yield* Fiber.join(soaking)
        console.log(`${JSON.stringify(happened)}, ${started} fibers, ${fibers} live at the end`)
        const { events, ...others } = happened
        assert.isAtLeast(Math.min(...Object.values(others)), FEWEST)
        assert.isAtLeast(events, 1)
        yield* eventually(
          Effect.sync(() => fibers),
          0,
          PATIENCE_MILLIS
        )
        yield* eventually(backendsOf(observer, applicationName), 0, PATIENCE_MILLIS)
        // The question comes at a moment when this fiber itself waits for nothing.
        yield* eventually(
          Effect.sync(() => openResources().length <= before + 1),
          true,
          PATIENCE_MILLIS
        )
      }),
    SECONDS * 1_000 + 5 * PATIENCE_MILLIS
  )
})
