/**
 * Opens a pool: its settings and hooks, its first connections, the sources of sessions that it supplies, and what becomes
 * of it at the end of its scope.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { timeoutOption } from "../../call/realTime.ts"
import * as Shape from "../../call/shape.ts"
import type { Lender } from "../../connection/router.ts"
import * as PgConfig from "../../PgConfig.ts"
import * as PgError from "../../PgError.ts"
import type { Session } from "../../session/engine/session.ts"
import { Observer } from "../../session/observing/observer.ts"
import { targetOf } from "../../session/observing/target.ts"
import { KnownHosts } from "../../session/opening/knownHosts.ts"
import { KnownDatabases } from "../../session/types/knownDatabase.ts"
import type { Hooks } from "../hooks.ts"
import { resetWith } from "../resetting/memberReset.ts"
import { NotificationHub } from "../notificationHub.ts"
import * as Health from "../observing/health.ts"
import { LocatingLender } from "../observing/locating.ts"
import * as Meter from "../observing/meter.ts"
import { connector, memberOpener, type OpenMember } from "./opener.ts"
import { PoolSource } from "../poolSource.ts"
import { SessionPool } from "../sessionPool.ts"
import { realTimers } from "../timers.ts"

/** The parts of an open pool. */
export interface OpenPool {
  readonly sessions: SessionPool
  readonly hub: NotificationHub
  readonly source: Lender
  readonly maxConnections: number
}

/** What a pool is doing now. */
export const statsOf = ({ maxConnections, sessions: { counts } }: OpenPool) => ({
  ...counts,
  inUse: counts.size - counts.idle,
  maxConnections
})

/** For a pool without which its client can work, too. */
export interface OptionalPool {
  /** What the metrics call the pool, behind its address. */
  readonly purpose: string
  /** Sees each attempt to open a session. */
  readonly watch: (open: OpenMember, sessions: () => SessionPool) => OpenMember
  /** Decides what a failure to open the first connections means. */
  readonly notWarm: (error: PgError.PgError) => Effect.Effect<void, PgError.PgError>
}

/** Opens a pool in the scope, with its first connections. The end of the scope closes it; see `PgPool.make`. */
export const openPool = Effect.fnUntraced(function* (
  settings: PgConfig.PoolSettings & Hooks,
  optional?: OptionalPool
): Effect.fn.Return<OpenPool, PgError.PgError, Scope.Scope> {
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
    generation: () => pool.generation,
    init
  })
  const meter = config.observing.metrics ? yield* Meter.make(config, optional?.purpose) : undefined
  const health = yield* Health.make(config.database, realTimers)
  const timed = meter?.timing(opener) ?? opener
  const watched = optional?.watch(timed, () => pool) ?? timed
  const reset = yield* resetWith({ init, reset: hooks.reset })
  const pool: SessionPool = new SessionPool(config, realTimers, watched, reset, { meter, health })
  const hub = yield* NotificationHub.make({ connect, scope: sessions, timers: realTimers })
  yield* Effect.addFinalizer(() => close(pool, open, config))
  const warm = warmUp(pool, config.minConnections)
  yield* optional === undefined ? warm : Effect.catch(warm, optional.notWarm)
  // With several hosts only a session tells which one it is.
  const isSpread = optional !== undefined || config.hosts.length > 1
  const lender = new PoolSource({
    sessions: pool,
    catalogue: databases,
    observer: new Observer(config.observing, targetOf(config, config.hosts[0]), { isSpread }),
    hooks,
    multiplex: config.multiplex ? config : undefined
  })
  const source = isSpread ? new LocatingLender(lender) : lender
  return { sessions: pool, hub, source, maxConnections: config.maxConnections }
})

/** Divides the settings into the pool's hooks, each of which is checked, and those that `PgConfig` reads. */
const divided = (
  settings: PgConfig.PoolSettings & Hooks
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
      timeoutOption(empty, config.closeTimeoutMillis),
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
