/**
 * A pool of connections, as a scoped resource. Programs usually use it through `PgClient`.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { listenWith } from "./connection/listen.ts"
import { Requester } from "./connection/baseQueryable.ts"
import * as Shape from "./call/shape.ts"
import * as PgConfig from "./PgConfig.ts"
import * as PgConnection from "./PgConnection.ts"
import * as PgError from "./PgError.ts"
import type * as PgNotification from "./PgNotification.ts"
import { EarlyReset } from "./pool/earlyReset.ts"
import { givenBack, type Hooks } from "./pool/hooks.ts"
import type { Member } from "./pool/member.ts"
import { NotificationHub } from "./pool/notificationHub.ts"
import { connector, memberOpener } from "./pool/opener.ts"
import * as Meter from "./pool/meter.ts"
import type { PoolCounts } from "./pool/meter.ts"
import { Multiplexer } from "./pool/multiplexing/multiplexer.ts"
import { call } from "./pool/pooledCall.ts"
import { resetWith } from "./pool/memberReset.ts"
import type { Borrower } from "./pool/borrower.ts"
import { SessionPool } from "./pool/sessionPool.ts"
import { realTimers } from "./pool/timers.ts"
import { KnownDatabases } from "./session/types/knownDatabase.ts"
import { Observer, targetOf } from "./session/observer.ts"
import type { Request } from "./session/request/request.ts"
import type { Session } from "./session/engine/session.ts"
import type { LastCommit } from "./session/transaction/lastCommit.ts"
import { type Restore, TransactionLevel } from "./session/transaction/transactionLevel.ts"

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
 * the calls of its effect on the pool run there. Every call may also fail with `AcquireTimeoutError`,
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
 * their queries are canceled. One second later every connection is closed, whatever the server does.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (
  settings: Settings
): Effect.fn.Return<PgPool, PgError.PgError, Scope.Scope> {
  const { hooks, others: poolSettings } = yield* divided(settings)
  const { init, onConnect, reset } = hooks
  const config = yield* PgConfig.resolvePool(poolSettings)
  const sessions = yield* Scope.fork(yield* Effect.scope, "parallel")
  const databases = new KnownDatabases(config.statementCache.lifetimeMillis)
  const ownSettings = onConnect && Effect.map(onConnect, (given) => ({ ...poolSettings, ...given }))
  const open = new Set<Session>()
  const connect = Effect.tap(connector(config, databases, ownSettings), (session) =>
    Effect.sync(() => {
      open.add(session)
      session.onEnd(() => open.delete(session))
    })
  )
  const opener = yield* memberOpener({
    connect,
    sessions,
    timers: realTimers,
    maxLifetimeMillis: config.maxLifetimeMillis,
    generation: () => pool.currentGeneration,
    init
  })
  const meter = config.watch.metrics ? yield* Meter.make(config.database) : undefined
  const pool: SessionPool = new SessionPool(config, realTimers, opener, yield* resetWith({ init, reset }), meter)
  const hub = yield* NotificationHub.make({ connect, scope: sessions, timers: realTimers })
  yield* Effect.addFinalizer(() => close(pool, open, config.closeTimeoutMillis))
  yield* warmUp(pool, config.minConnections)
  return new Pool(pool, hub, databases, config, hooks)
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
const close = (pool: SessionPool, open: ReadonlySet<Session>, timeoutMillis: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    pool.close()
    const empty = Effect.callback<void>((resume) => {
      const unsubscribe = pool.onEmpty(() => resume(Effect.void))
      return Effect.sync(unsubscribe)
    })
    return Effect.andThen(
      Effect.timeoutOption(empty, timeoutMillis),
      Effect.sync(() => endSoon(open))
    )
  })

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

/** A lent session, with the level on which its borrower's statements and transactions run. */
class Lease implements LastCommit {
  readonly member: Member
  readonly root: TransactionLevel

  constructor(member: Member) {
    this.member = member
    this.root = TransactionLevel.root(member.session)
  }

  submitted(): void {
    this.member.earlyReset = EarlyReset.begin(this.member)
  }

  /** Forgets the early reset, because a COMMIT that failed may have left residue behind it. */
  failed(): void {
    this.member.earlyReset = undefined
  }
}

/**
 * A fiber's request for a connection, from the request to its end. The fiber may be interrupted after the pool has lent
 * a connection but before the fiber has it; the connection is then given back from here.
 */
class Loan implements Borrower {
  private readonly sessions: SessionPool
  private lease: Lease | undefined
  private resume: ((answer: Effect.Effect<Lease, PgError.PgError>) => void) | undefined
  private withdraw: (() => void) | undefined

  constructor(sessions: SessionPool) {
    this.sessions = sessions
  }

  /** If this is interrupted, call `giveUp`. */
  readonly answer: Effect.Effect<Lease, PgError.PgError> = Effect.callback((resume) => {
    this.resume = resume
    this.withdraw = this.sessions.acquire(this)
  })

  lend(member: Member): void {
    member.session.residue.isUsed = false
    this.lease = new Lease(member)
    this.resume?.(Exit.succeed(this.lease))
  }

  refuse(cause: Cause.Cause<PgError.PgError>): void {
    this.resume?.(Exit.failCause(cause))
  }

  /** Withdraws the request, or gives back the connection that was lent. */
  giveUp(giveBack: (lease: Lease) => void): void {
    if (this.lease === undefined) this.withdraw?.()
    else giveBack(this.lease)
  }
}

class Pool extends Requester implements PgPool {
  readonly listen: PgNotification.Listen
  readonly #databases: KnownDatabases
  readonly #observer: Observer
  readonly #sessions: SessionPool
  readonly #multiplexer: Multiplexer | undefined
  readonly #maxConnections: number
  readonly #setup: Hooks["setup"]
  readonly #hasResetHook: boolean
  readonly #resetsByScript: boolean

  constructor(
    sessions: SessionPool,
    hub: NotificationHub,
    databases: KnownDatabases,
    config: PgConfig.ResolvedPoolConfig,
    { init, reset, setup }: Hooks
  ) {
    super()
    this.#sessions = sessions
    this.#databases = databases
    this.#observer = new Observer(config.watch, targetOf(config, config.hosts[0]))
    this.listen = listenWith((channel, options, statement) =>
      this.observed("listen", statement, hub.listen(channel, options), undefined)
    )
    this.#multiplexer = config.multiplex ? new Multiplexer(sessions, config) : undefined
    this.#maxConnections = config.maxConnections
    this.#setup = setup
    this.#hasResetHook = reset !== undefined
    this.#resetsByScript = reset === undefined && init === undefined
  }

  toJSON(): unknown {
    return { _id: "effectpg/PgPool", ...this.#shown() }
  }

  protected get catalogue(): KnownDatabases {
    return this.#databases
  }

  protected get observer(): Observer {
    return this.#observer
  }

  protected direct<A>(request: Request<A>): Effect.Effect<A, PgError.PgError> {
    if (this.#setup !== undefined) return this.withRoot((root) => root.run(request))
    return this.#multiplexer === undefined ? call(this.#sessions, request) : this.#multiplexer.call(request)
  }

  protected withRoot<A, E, R>(
    use: (root: TransactionLevel, lastCommit?: LastCommit) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | PgError.PgError, R> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(this.borrow(restore), (lease) => {
        // Only the pool's own script can be written behind a COMMIT. A hook needs the session to itself.
        const used = Effect.suspend(() => use(lease.root, this.#resetsByScript ? lease : undefined))
        const whole = this.#setup === undefined ? used : Effect.andThen(this.setUp(lease), used)
        return Effect.onExit(restore(whole), () => {
          this.giveBack(lease)
          return Effect.void
        })
      })
    )
  }

  withConnection<A, E, R>(
    use: (connection: PgConnection.PgConnection) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | PgError.PgError, R> {
    return Shape.unless(Shape.faultOf("use", use, Shape.callback), () =>
      this.withRoot((root) => Shape.answerOf("use", use(PgConnection.fromRoot(root))))
    )
  }

  protected readonly scopedRoot: Effect.Effect<TransactionLevel, PgError.PgError, Scope.Scope> =
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(this.borrow(restore), (lease) =>
        Effect.addFinalizer(() => Effect.sync(() => this.giveBack(lease))).pipe(
          Effect.andThen(restore(this.setUp(lease))),
          Effect.as(lease.root)
        )
      )
    )

  readonly connection: Effect.Effect<PgConnection.PgConnection, PgError.PgError, Scope.Scope> = Effect.map(
    this.scopedRoot,
    PgConnection.fromRoot
  )

  readonly expire: Effect.Effect<void> = Effect.sync(() => this.#sessions.expire())

  readonly stats: Effect.Effect<Stats> = Effect.sync(() => this.#shown())

  #shown(): Stats {
    const { counts } = this.#sessions
    return { ...counts, inUse: counts.size - counts.idle, maxConnections: this.#maxConnections }
  }

  /** Waits interruptibly. Call it in an uninterruptible region, so that the connection cannot be lost. */
  private borrow(restore: Restore): Effect.Effect<Lease, PgError.PgError> {
    return Effect.suspend(() => {
      const loan = new Loan(this.#sessions)
      return Effect.onExit(restore(loan.answer), (exit) =>
        Exit.isSuccess(exit) ? Effect.void : Effect.sync(() => loan.giveUp((lease) => this.giveBack(lease)))
      )
    })
  }

  /** Runs the `setup` hook; a connection on which it fails is not used again. */
  private setUp({ member, root }: Lease): Effect.Effect<void, PgError.PgError> {
    if (this.#setup === undefined) return Effect.void
    return Shape.answerOf("setup", this.#setup(PgConnection.fromRoot(root))).pipe(
      Effect.onError(() => Effect.sync(() => member.session.terminate())),
      Effect.asVoid
    )
  }

  /** Cancels what still runs on the connection, and refuses what is requested from now on. */
  private giveBack({ member, root }: Lease): void {
    const { catalogue, session } = member
    root.end(givenBack)
    session.catalogue = catalogue
    if (session.lost === undefined && !session.isQuiet) session.abandonAll(givenBack())
    // Any statement may have changed the session, since a SELECT can call a function. If none ran, no reset is needed.
    if (session.residue.isUsed || this.#hasResetHook) {
      session.residue.isSoiled = true
      member.earlyReset = undefined
    }
    this.#sessions.release(member)
  }
}
