/** A client with a pool for reads, as a program sees it. */
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import { BaseQueryable, routerOf } from "../connection/baseQueryable.ts"
import { currentLsnOf, readOnlyOn } from "../connection/queryable/standbys.ts"
import type { Lender } from "../connection/router.ts"
import type * as PgError from "../PgError.ts"
import type * as PgPool from "../PgPool.ts"
import { LocatingLender } from "../pool/observing/locating.ts"
import { type OpenPool, openPool, statsOf } from "../pool/opening/openPool.ts"
import { makePool } from "../pool/pool.ts"
import { Reachability } from "./reachability.ts"
import { ReadsRouter, Standbys } from "./readsRouter.ts"
import { ofReads } from "./settings.ts"
import { StandbyReads } from "./standbyReads.ts"

/** Opens a client with its two pools. Both close at the same time, because each may wait for its connections. */
export const readingClient = Effect.fnUntraced(function* (
  own: PgPool.Settings,
  reads: PgPool.Settings
): Effect.fn.Return<ReadingClient, PgError.PgError, Scope.Scope> {
  const both = yield* Scope.fork(yield* Effect.scope, "parallel")
  const pool = yield* Scope.provide(makePool(own), yield* Scope.fork(both))
  const scope = yield* Scope.fork(both)
  const reachability = new Reachability(reads.targetSessionAttrs === "prefer-standby")
  const second = yield* Effect.mapError(Scope.provide(openPool(reads, reachability), scope), ofReads)
  yield* Scope.addFinalizer(
    scope,
    Effect.sync(() => reachability.stop())
  )
  return new ReadingClient(pool, yield* lenderOf(pool), second, reachability)
})

/** Lends what the pool lends. */
const lenderOf = (pool: PgPool.PgPool): Effect.Effect<Lender> => {
  const source = routerOf(pool)?.source
  return source === undefined || source.level !== undefined
    ? Effect.die("a pool that lends nothing")
    : Effect.succeed(source)
}

export class ReadingClient extends BaseQueryable {
  readonly readOnly: PgPool.PgPool["readOnly"]
  readonly currentLsn: PgPool.PgPool["currentLsn"]
  readonly listen: PgPool.PgPool["listen"]
  readonly connection: PgPool.PgPool["connection"]
  readonly withConnection: PgPool.PgPool["withConnection"]
  readonly expire: Effect.Effect<void>
  readonly stats: Effect.Effect<PgPool.Stats & { readonly reads: PgPool.Stats }>
  readonly #pool: PgPool.PgPool
  readonly #primary: Lender
  readonly #reads: OpenPool

  constructor(pool: PgPool.PgPool, primary: Lender, reads: OpenPool, reachability: Reachability) {
    const substitute = new LocatingLender(primary)
    const lender = new StandbyReads(reads.source, substitute, reachability)
    const standbys = new Standbys(lender, substitute, (session) => reads.sessions.demote(session))
    const router = new ReadsRouter({
      source: primary,
      standbys,
      observer: primary.observer,
      readsObserver: reads.source.observer
    })
    super(router)
    this.readOnly = (effect, options) => readOnlyOn(router, effect, options)
    this.currentLsn = currentLsnOf(router)
    this.listen = pool.listen
    this.connection = pool.connection
    this.withConnection = pool.withConnection.bind(pool)
    this.expire = Effect.andThen(
      pool.expire,
      Effect.sync(() => reads.sessions.expire())
    )
    this.stats = Effect.map(pool.stats, (stats) => ({ ...stats, reads: statsOf(reads) }))
    this.#pool = pool
    this.#primary = primary
    this.#reads = reads
  }

  override toJSON(): unknown {
    return { _id: "effectpg/PgClient", pool: this.#pool, reads: statsOf(this.#reads) }
  }

  override get reloadSchemaState(): Effect.Effect<void> {
    return Effect.sync(() => {
      for (const { catalogue } of [this.#primary, this.#reads.source]) catalogue.reload()
    })
  }
}
