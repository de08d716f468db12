/** Tests how long a pool's close takes if the server answers neither a connection nor a CancelRequest. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, eventually, livePool, refusalOf } from "../support/live.ts"
import { proxyTo } from "../../src/pgTest/proxy.ts"

/** What a busy machine may add to a bound. */
const GRACE_MILLIS = 400

layer(TestDatabase.layer, { excludeTestServices: true })("a server that has gone silent", (it) => {
  it.effect("holds up the close of a pool for closeTimeout and a second, whatever its connections do", () =>
    Effect.gen(function* () {
      const proxy = yield* proxyTo(yield* TestDatabase)
      const scope = yield* Scope.make()
      const pool = yield* livePool({
        host: proxy.host,
        port: proxy.port,
        sslMode: "disable",
        minConnections: 3,
        closeTimeout: "200 millis"
      }).pipe(Scope.provide(scope))
      yield* Effect.provideService(pool.listen("silence"), Scope.Scope, scope)
      yield* assertHealthy(pool)
      const running = yield* Effect.forkChild(refusalOf(pool.execute("SELECT pg_sleep(60)")), {
        startImmediately: true
      })
      yield* eventually(
        Effect.map(pool.stats, ({ inUse }) => inUse),
        1
      )
      proxy.losesCancels = true
      for (const link of proxy.links) link.hold()
      assert.strictEqual(proxy.links.size, 4)
      const startedAt = performance.now()
      yield* Scope.close(scope, Exit.void)
      assert.isBelow(performance.now() - startedAt, 200 + 1_000 + GRACE_MILLIS)
      assert.strictEqual((yield* Fiber.join(running))._tag, "ConnectionLostError")
      yield* eventually(
        Effect.sync(() => proxy.links.size),
        0
      )
    })
  )
})
