/**
 * A pool of connections, as a scoped resource. Programs usually use it through `PgClient`.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { listenWith } from "./connection/listen.ts"
import { BaseQueryable } from "./connection/baseQueryable.ts"
import { Router } from "./connection/router.ts"
import * as Shape from "./call/shape.ts"
import * as PgConfig from "./PgConfig.ts"
import * as PgConnection from "./PgConnection.ts"
import * as PgError from "./PgError.ts"
import type * as PgNotification from "./PgNotification.ts"
import type { Hooks } from "./pool/hooks.ts"
import { NotificationHub } from "./pool/notificationHub.ts"
import { connector, memberOpener } from "./pool/opening/opener.ts"
import * as Health from "./pool/observing/health.ts"
import * as Meter from "./pool/observing/meter.ts"
import type { PoolCounts } from "./pool/observing/meter.ts"
import { PoolSource } from "./pool/poolSource.ts"
import { resetWith } from "./pool/memberReset.ts"
import { SessionPool } from "./pool/sessionPool.ts"
import { realTimers } from "./pool/timers.ts"
import { KnownDatabases } from "./session/types/knownDatabase.ts"
import { Observer } from "./session/observing/observer.ts"
import { targetOf } from "./session/observing/target.ts"
import { KnownHosts } from "./session/opening/knownHosts.ts"
import type { Session } from "./session/engine/session.ts"

// ------------------------------------------------------------------------------------------------------ models

export type { Hooks } from "./pool/hooks.ts"

/**
 * The settings of a pool and of its connections, and the hooks that the pool runs on its connections.
 *
 * @category models
 * @since 0.1.0
 */
export interface Settings extends PgConfig.PoolSettings, Hooks {}

/**
 * What a pool is doing at a moment. `size` connections are open; `idle` of them are not in use, although some may still
 * be resetting. `connecting` connections are being opened, and `waiting` calls wait for one.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stats extends PoolCounts {
  readonly inUse: number
  readonly maxConnections: number
}

/**
 * A pool of connections. Each call runs on any connection that is free. A transaction has a connection to itself, and
 * the calls of its effect on the pool run there. A single call of BEGIN, SET, LISTEN or another statement that would have
 * no effect, because the connection is returned and reset, fails with `UnsupportedError`, which names the right call; in
 * a transaction and on a borrowed connection such statements run. Every call may also fail with `AcquireTimeoutError`,
 * `TooManyWaitersError` or `PoolClosedError`, or because a new connection cannot be opened (see `PgConnection.make`).
 *
 * If no connection can be opened for a reason that may pass (the server is starting, full or unreachable), the pool
 * tries again at growing intervals. Meanwhile calls wait up to `acquireTimeout`, and then fail with that reason.
 *
 * @category models
 * @since 0.1.0
 */
export interface PgPool extends PgConnection.Queryable {
  /**
   * Borrows a connection for the scope. When the scope closes, running queries are canceled and an open transaction is
   * rolled back. If the connection was used at all, the session is then reset: settings, role, LISTEN, cursors,
   * advisory locks, temporary objects, and statements prepared in SQL. Then `init` runs again. If the reset fails, the
   * connection is closed and the next borrower gets another one.
   */
  readonly connection: Effect.Effect<PgConnection.PgConnection, PgError.PgError, Scope.Scope>
  /** Borrows a connection for as long as the effect runs, and returns it as `connection` does. */
  readonly withConnection: <A, E, R>(
    use: (connection: PgConnection.PgConnection) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | PgError.PgError, R>
  /**
   * Listens to a channel, on one connection that the pool opens for all channels in addition to `maxConnections`. If
   * this connection is lost, the pool opens another one, and a `Gap` says that notifications may have been lost
   * meanwhile. The stream ends with the scope, and fails with `PoolClosedError` if the pool ends before. If the server
   * does not answer LISTEN within `cancelTimeout`, the connection counts as lost. The end of the scope does not wait
   * for the server.
   */
  readonly listen: PgNotification.Listen
  /** Replaces every connection: idle ones now, the others when they are returned. */
  readonly expire: Effect.Effect<void>
  /**
   * Tells what the pool is doing at this moment: how many connections are open, idle and in use, and how many calls
   * wait.
   *
   * @since 0.1.0
   */
  readonly stats: Effect.Effect<Stats>
}

/**
 * The service tag of a pool. Applications usually use `PgClient` instead, which has the same methods.
 *
 * @category tags
 * @since 0.1.0
 */
export const PgPool: Context.Service<PgPool, PgPool> = Context.Service<PgPool>("effectpg/PgPool")

// ------------------------------------------------------------------------------------------------- constructors

/**
 * Opens a pool that lives as long as the scope, with its first `minConnections` connections. Fails with
 * `InvalidConfigError`, or as `PgConnection.make` does if one of these connections cannot be opened. At the end of the
 * scope, waiting calls fail with `PoolClosedError`, and connections in use have `closeTimeout` to be returned before
 * their queries are canceled; a warning in the log then says how many there were, and shows their last statements
 * without values. One second later every connection is closed, whatever the server does.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (
  settings: Settings
): Effect.fn.Return<PgPool, PgError.PgError, Scope.Scope> {
  const { hooks, others: poolSettings } = yield* divided(settings)
  const { init, onConnect } = hooks
  const config = yield* PgConfig.resolvePool(poolSettings)
  const sessions = yield* Scope.fork(yield* Effect.scope, "parallel")
  const databases = KnownDatabases.of(config)
  const hosts = new KnownHosts()
  const ownSettings = onConnect && Effect.map(onConnect, (given) => ({ ...poolSettings, ...given }))
  const open = new Set<Session>()
  const connect = Effect.tap(connector(config, { databases, hosts }, ownSettings), (session) =>
    Effect.sync(() => {
      open.add(session)
      session.onEnd(() => open.delete(session))
    })
  )
  const opener = yield* memberOpener({
    connect,
    hosts,
    sessions,
    timers: realTimers,
    maxLifetimeMillis: config.maxLifetimeMillis,
    generation: () => pool.currentGeneration,
    init
  })
  const meter = config.observing.metrics ? yield* Meter.make(config) : undefined
  const health = yield* Health.make(config.database, realTimers)
  const timed = meter?.timing(opener) ?? opener
  const reset = yield* resetWith({ init, reset: hooks.reset })
  const pool: SessionPool = new SessionPool(config, realTimers, timed, reset, { meter, health })
  const hub = yield* NotificationHub.make({ connect, scope: sessions, timers: realTimers })
  yield* Effect.addFinalizer(() => close(pool, open, config))
  yield* warmUp(pool, config.minConnections)
  const source = new PoolSource({
    sessions: pool,
    catalogue: databases,
    observer: new Observer(config.observing, targetOf(config, config.hosts[0])),
    hooks,
    multiplex: config.multiplex ? config : undefined
  })
  return new Pool(pool, hub, source, config.maxConnections)
})

/**
 * Provides a pool as `PgPool`, for as long as the layer lives. Fails as `make` does.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (settings: Settings): Layer.Layer<PgPool, PgError.PgError> => Layer.effect(PgPool, make(settings))

// ----------------------------------------------------------------------------------------------- implementation

/** Divides the settings into the pool's hooks, each of which is checked, and those that `PgConfig` reads. */
const divided = (
  settings: Settings
): Effect.Effect<{ readonly hooks: Hooks; readonly others: PgConfig.PoolSettings }, PgError.InvalidConfigError> =>
  Effect.suspend(() => {
    const known = Shape.copyOf(settings)
    // A value that is not an object has no hooks; reading the other settings reports it.
    if (known === undefined) return Effect.succeed({ hooks: {}, others: settings })
    const { init, onConnect, reset, setup, ...others } = known
    const hooks = Shape.read({ init, onConnect, reset, setup }, "settings", HOOKS)
    return hooks instanceof PgError.InvalidConfigError ? Effect.fail(hooks) : Effect.succeed({ hooks, others })
  })

const HOOKS: Shape.Kinds = {
  init: Shape.callback,
  onConnect: Shape.effect,
  reset: Shape.callback,
  setup: Shape.callback
}

/**
 * Opens the first connection alone, so that a wrong setting causes one failure and not many; then the others
 * concurrently.
 */
const warmUp = (pool: SessionPool, connections: number): Effect.Effect<void, PgError.PgError> => {
  const one = Effect.callback<void, PgError.PgError>((resume) => pool.open((opened) => resume(Exit.asVoid(opened))))
  const others = Array.from({ length: connections - 1 }, () => one)
  return connections === 0
    ? Effect.void
    : Effect.andThen(one, Effect.all(others, { concurrency: "unbounded", discard: true }))
}

/** After a closing pool has canceled the queries in use, how long they may take to end. */
const PARTING_MILLIS = 1000

/**
 * Closes the pool. A session that is not returned in time is closed with its scope, and one that cannot be closed is
 * abandoned.
 */
const close = (
  pool: SessionPool,
  open: ReadonlySet<Session>,
  config: PgConfig.ResolvedPoolConfig
): Effect.Effect<void> =>
  Effect.suspend(() => {
    pool.close()
    const empty = Effect.callback<void>((resume) => {
      const unsubscribe = pool.onEmpty(() => resume(Effect.void))
      return Effect.sync(unsubscribe)
    })
    return Effect.andThen(
      Effect.timeoutOption(empty, config.closeTimeoutMillis),
      Effect.suspend(() => {
        endSoon(open)
        return reportCut(pool, config)
      })
    )
  })

/** Logs how many connections were not returned in time, and their last statements. */
const reportCut = (
  pool: SessionPool,
  { closeTimeoutMillis, database }: PgConfig.ResolvedPoolConfig
): Effect.Effect<void> => {
  const cut = Array.from(pool.members, ({ session }) => session).filter(({ closing }) => closing === undefined)
  if (cut.length === 0) return Effect.void
  const statements = cut.map(({ oldest, residue }) =>
    oldest === undefined || oldest.isControl === true ? residue.lastSql : oldest.sql
  )
  const connections = cut.length === 1 ? "1 connection that was" : `${cut.length} connections that were`
  return Effect.logWarning(
    `the pool of database ${database} closed ${connections} still in use after ${closeTimeoutMillis} ms`,
    { lastStatements: Array.from(new Set(statements.map((sql) => sql ?? "none"))) }
  )
}

/** After a while, ends the sessions that are left, because a silent server would keep each of them longer. */
const endSoon = (open: ReadonlySet<Session>): void => {
  if (open.size === 0) return
  const bound = setTimeout(() => {
    for (const session of open) session.terminate()
  }, PARTING_MILLIS)
  for (const session of open) {
    session.onEnd(() => {
      if (open.size === 0) clearTimeout(bound)
    })
  }
}

class Pool extends BaseQueryable implements PgPool {
  readonly listen: PgNotification.Listen
  readonly connection: Effect.Effect<PgConnection.PgConnection, PgError.PgError, Scope.Scope>
  readonly #sessions: SessionPool
  readonly #source: PoolSource
  readonly #maxConnections: number

  constructor(sessions: SessionPool, hub: NotificationHub, source: PoolSource, maxConnections: number) {
    const router = new Router(source)
    super(router)
    this.#sessions = sessions
    this.#source = source
    this.#maxConnections = maxConnections
    this.connection = Effect.map(source.scopedRoot, PgConnection.fromRoot)
    this.listen = listenWith((channel, options, statement) =>
      router.observed("listen", { sql: statement, params: undefined }, hub.listen(channel, options))
    )
  }

  override toJSON(): unknown {
    return { _id: "effectpg/PgPool", ...this.#shown() }
  }

  withConnection<A, E, R>(
    use: (connection: PgConnection.PgConnection) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | PgError.PgError, R> {
    return Shape.unless(Shape.faultOf("use", use, Shape.callback), () =>
      this.#source.withRoot((root) => Shape.answerOf("use", use(PgConnection.fromRoot(root))))
    )
  }

  readonly expire: Effect.Effect<void> = Effect.sync(() => this.#sessions.expire())

  readonly stats: Effect.Effect<Stats> = Effect.sync(() => this.#shown())

  #shown(): Stats {
    const { counts } = this.#sessions
    return { ...counts, inUse: counts.size - counts.idle, maxConnections: this.#maxConnections }
  }
}
