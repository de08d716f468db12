/** A pool as a program sees it. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Shape from "../call/shape.ts"
import { BaseQueryable } from "../connection/baseQueryable.ts"
import { fromRoot } from "../connection/connection.ts"
import { listenWith } from "../connection/listening/listen.ts"
import { currentLsnOf, type OfStandbys, readOnlyOn } from "../connection/queryable/standbys.ts"
import { Router } from "../connection/router.ts"
import type * as PgConfig from "../PgConfig.ts"
import type * as PgConnection from "../PgConnection.ts"
import type * as PgError from "../PgError.ts"
import type * as PgNotification from "../PgNotification.ts"
import type { Hooks } from "./hooks.ts"
import { type OpenPool, openPool, statsOf } from "./opening/openPool.ts"

/** Opens a pool for the scope; see `PgPool.make`. */
export const makePool = (settings: PgConfig.PoolSettings & Hooks): Effect.Effect<Pool, PgError.PgError, Scope.Scope> =>
  Effect.map(openPool(settings), (parts) => new Pool(parts))

export class Pool extends BaseQueryable {
  readonly listen: PgNotification.Listen
  readonly connection: Effect.Effect<PgConnection.PgConnection, PgError.PgError, Scope.Scope>
  readonly currentLsn: Effect.Effect<string, PgError.PgError>
  readonly readOnly: OfStandbys["readOnly"]
  readonly #parts: OpenPool

  constructor(parts: OpenPool) {
    const { hub, source } = parts
    const router = new Router(source)
    super(router)
    this.#parts = parts
    this.readOnly = (effect, options) => readOnlyOn(router, effect, options)
    this.currentLsn = currentLsnOf(router)
    this.connection = Effect.map(source.scopedRoot, fromRoot)
    this.listen = listenWith((channel, options, statement) =>
      router.observed("listen", { sql: statement, params: undefined }, hub.listen(channel, options))
    )
  }

  override toJSON(): unknown {
    return { _id: "effectpg/PgPool", ...statsOf(this.#parts) }
  }

  withConnection<A, E, R>(
    use: (connection: PgConnection.PgConnection) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | PgError.PgError, R> {
    return Shape.unless(Shape.faultOf("use", use, Shape.callback), () =>
      this.#parts.source.withRoot((root) => Shape.answerOf("use", use(fromRoot(root))))
    )
  }

  readonly expire: Effect.Effect<void> = Effect.sync(() => this.#parts.sessions.expire())

  readonly stats: Effect.Effect<ReturnType<typeof statsOf>> = Effect.sync(() => statsOf(this.#parts))
}
