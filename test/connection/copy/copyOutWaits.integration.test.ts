/**
 * Tests a COPY out whose reader uses the connection that it reads from, in every way that makes another fiber of it.
 */
import { assert, layer } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as PgConnection from "../../../src/PgConnection.ts"
import { TestDatabase } from "../../support/database.ts"
import { assertHealthy, liveConnection, livePool, refusalOf, valueOf } from "../../support/live.ts"

/** More than a connection holds for a reader that takes nothing. */
const LARGE = { query: "SELECT i, repeat('x', 1000) AS wide FROM generate_series(1, 6000) AS i" }
const PATIENCE = "8 seconds"

type Rows = Stream.Stream<unknown, unknown>
type Asking = (rows: Rows, pg: PgConnection.Queryable) => Effect.Effect<unknown, unknown>

const asks: ReadonlyArray<readonly [string, Asking]> = [
  ["itself", (rows, pg) => Stream.runForEach(rows, () => pg.fetch("SELECT 1"))],
  [
    "with concurrency",
    (rows, pg) => Stream.runDrain(Stream.mapEffect(rows, () => pg.fetch("SELECT 1"), { concurrency: 4 }))
  ],
  [
    "behind a buffer",
    (rows, pg) => Stream.runForEach(Stream.buffer(rows, { capacity: 4 }), () => pg.fetch("SELECT 1"))
  ],
  [
    "with Effect.all",
    (rows, pg) =>
      Stream.runForEach(rows, () =>
        Effect.all([pg.fetch("SELECT 1"), pg.fetch("SELECT 2")], { concurrency: "unbounded" })
      )
  ],
  ["with a timeout", (rows, pg) => Stream.runForEach(rows, () => pg.fetch("SELECT 1", [], { timeout: "60 seconds" }))],
  [
    "for a transaction in a child",
    (rows, pg) =>
      Stream.runForEach(rows, () => Effect.flatMap(Effect.forkChild(pg.withTransaction(Effect.void)), Fiber.join))
  ]
]

const inTime = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.timeoutOrElse(effect, { duration: PATIENCE, orElse: () => Effect.die(new Error("it does not end")) })

layer(TestDatabase.layer, { excludeTestServices: true })("the reader of a COPY out", (it) => {
  for (const [how, ask] of asks) {
    it.effect(`fails if it asks its own connection ${how}, and neither side hangs`, () =>
      Effect.gen(function* () {
        const connection = yield* liveConnection()
        const pool = yield* livePool({ maxConnections: 1 })
        const readings: ReadonlyArray<readonly [PgConnection.Queryable, Effect.Effect<unknown, unknown>]> = [
          [connection, ask(connection.copyOutRows(LARGE), connection)],
          [pool, pool.withTransaction(ask(pool.copyOutRows(LARGE), pool))]
        ]
        const assertRefused = ([pg, reading]: (typeof readings)[number]) =>
          Effect.gen(function* () {
            const error = yield* inTime(Effect.flip(reading))
            if (!(error instanceof Error)) return assert.fail(String(error))
            assert.include(error.message, "on the connection of a COPY")
            assert.strictEqual(error.name, "UnsupportedError")
            yield* assertHealthy(pg)
          })
        yield* Effect.forEach(readings, assertRefused, { concurrency: "unbounded" })
      }).pipe(Effect.scoped)
    )
  }

  it.effect("delays the query of another fiber, without failing it, if it is slow but does read", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      let bytes = 0
      const hasBegun = yield* Deferred.make<void>()
      const slowly = Stream.runForEach(connection.copyOut(LARGE), (piece) => {
        bytes += piece.length
        return Effect.andThen(Deferred.succeed(hasBegun, undefined), Effect.sleep("20 millis"))
      })
      const reading = yield* Effect.forkChild(slowly, { startImmediately: true })
      yield* Deferred.await(hasBegun)
      assert.strictEqual(yield* valueOf(connection, "SELECT 7"), 7)
      yield* Fiber.join(reading)
      assert.isAbove(bytes, 6_000_000)
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("does not delay the end of a transaction forever if it is left in a scope around the transaction", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1 })
      const scope = yield* Scope.make()
      const left = Effect.gen(function* () {
        const pull = yield* Scope.provide(Stream.toPull(pool.copyOut(LARGE)), scope)
        yield* Effect.orDie(pull)
      })
      const refusal = yield* refusalOf(inTime(pool.withTransaction(left)))
      assert.strictEqual(refusal._tag, "UnsupportedError")
      yield* Scope.close(scope, Exit.void)
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )
})
