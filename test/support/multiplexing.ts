/** Helpers for pools whose short statements share connections, on a real server. */
import { assert } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type * as PgConnection from "../../src/PgConnection.ts"
import type * as PgError from "../../src/PgError.ts"
import * as PgPool from "../../src/PgPool.ts"
import { TIMED_EACH } from "../../src/pool/multiplexing/multiplexer.ts"
import { TestDatabase } from "./database.ts"
import { eventually } from "./live.ts"

export const multiplexingPool = (
  settings: PgPool.Settings = {}
): Effect.Effect<PgPool.PgPool, PgError.PgError, TestDatabase | Scope.Scope> =>
  Effect.flatMap(TestDatabase, ({ url }) =>
    PgPool.make({ url, sslMode: "disable", maxConnections: 2, multiplex: true, ...settings })
  )

/** Runs a statement until the pool knows that it is short: it is shared from then on. */
export const learn = (pool: PgPool.PgPool, sql: string, params: ReadonlyArray<unknown> = []): Effect.Effect<void> =>
  Effect.forEach(Array.from({ length: 3 * TIMED_EACH }), () => Effect.exit(pool.fetch(sql, params)), { discard: true })

/** Borrows a connection until it is told to give it back. */
export const hold = (pool: PgPool.PgPool) =>
  Effect.gen(function* () {
    const over = yield* Deferred.make<void>()
    const held = yield* Deferred.make<PgConnection.PgConnection>()
    const holding = yield* Effect.forkChild(
      pool.withConnection((lent) => Effect.andThen(Deferred.succeed(held, lent), Deferred.await(over))),
      { startImmediately: true }
    )
    const lent = yield* Deferred.await(held)
    const giveBack = Effect.andThen(Deferred.succeed(over, undefined), Fiber.join(holding))
    return { lent, giveBack: Effect.orDie(giveBack) }
  })

/** The tag of the error, or `success`. */
export const tagOf = (exit: Exit.Exit<unknown, PgError.PgError>): string =>
  Exit.isSuccess(exit)
    ? "success"
    : Option.match(Exit.findErrorOption(exit), { onNone: () => "none", onSome: ({ _tag }) => _tag })

/** Shows that a pool still serves several calls at once, and that nothing waits for it or holds it. */
export const assertSharingHealthy = (pool: PgPool.PgPool): Effect.Effect<void, PgError.PgError> =>
  Effect.gen(function* () {
    const answers = yield* Effect.all(
      Array.from({ length: 4 }, (_, index) => pool.fetchValue("SELECT $1::int", [index])),
      { concurrency: "unbounded" }
    )
    assert.deepStrictEqual(answers, [0, 1, 2, 3].map(Option.some))
    // An interrupted call may still be leaving.
    yield* eventually(
      Effect.map(pool.stats, ({ inUse, waiting }) => inUse + waiting),
      0
    )
  })
