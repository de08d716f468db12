/**
 * A pool of connections, as a scoped resource. Programs usually reach it through `PgClient`.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { listenWith } from "./connection/listening.ts"
import { Requester } from "./connection/requester.ts"
import * as Shape from "./connection/shape.ts"
import * as PgConfig from "./PgConfig.ts"
import * as PgConnection from "./PgConnection.ts"
import * as PgError from "./PgError.ts"
import type * as PgNotification from "./PgNotification.ts"
import { givenBack, type Hooks } from "./pool/hooks.ts"
import type { Member } from "./pool/member.ts"
import { NotificationHub } from "./pool/notificationHub.ts"
import { connector, memberOpener } from "./pool/opener.ts"
import * as Meter from "./pool/meter.ts"
import type { PoolCounts } from "./pool/meter.ts"
import { Multiplexer } from "./pool/multiplexer.ts"
import { call } from "./pool/pooledCall.ts"
import { resetWith } from "./pool/reset.ts"
import type { Borrower } from "./pool/borrower.ts"
import { SessionPool } from "./pool/sessionPool.ts"
import { realTimers } from "./pool/timers.ts"
import { KnownDatabases } from "./session/knownDatabase.ts"
import { Observer, targetOf } from "./session/observer.ts"
import type { Request } from "./session/request.ts"
import type { Session } from "./session/session.ts"
import { type Restore, TransactionLevel } from "./session/transaction.ts"

// ------------------------------------------------------------------------------------------------------ models

export type { Hooks } from "./pool/hooks.ts"

/**
 * The settings of a pool, of its connections, and what it runs at the stations of their life.
 *
 * @category models
 * @since 0.1.0
 */
export interface Settings extends PgConfig.PoolSettings, Hooks {}

/**
 * What a pool is doing at a moment: `size` connections are open, `idle` of them with nobody, though some may be
 * on their way back from a reset; `connecting` are being opened, and `waiting` calls wait for one.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stats extends PoolCounts {
  readonly inUse: number
  readonly maxConnections: number
}

/**
 * A pool of connections. Each call runs on whichever connection is free; a transaction keeps one to itself, and what
 * its effect asks of the pool goes there. Every call may also fail with `AcquireTimeoutError`, with
 * `TooManyWaitersError`, with what a new connection fails with (see `PgConnection.make`), and with `PoolClosedError`.
 *
 * While no connection can be opened for a reason that may pass (the server is starting, full or out of reach), calls
 * wait for `acquireTimeout`, the pool tries again with growing pauses, and then they fail with that reason.
 *
 * @category models
 * @since 0.1.0
 */
export interface PgPool extends PgConnection.Queryable {
  /**
   * Borrows a connection for the scope. When that closes, what the connection still does is cancelled, a transaction
   * that was left open is rolled back, and the session is reset at once, if anything was asked of it: settings, role,
   * LISTEN, cursors, advisory locks, temporary objects, statements prepared in SQL. Then `init` runs again. A connection
   * whose reset fails is closed, and the next borrower gets another.
   */
  readonly connection: Effect.Effect<PgConnection.PgConnection, PgError.PgError, Scope.Scope>
  /** Borrows a connection for as long as the effect runs, and gives it back as `connection` does. */
  readonly withConnection: <A, E, R>(
    use: (connection: PgConnection.PgConnection) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | PgError.PgError, R>
  /**
   * Listens to a channel, on a connection that the pool keeps for all channels beside its `maxConnections`. If that is
   * lost it is made again, and a `Gap` says that notifications may have been lost meanwhile. The stream ends with the
   * scope, and fails with `PoolClosedError` if the pool ends before. A server that does not answer LISTEN within
   * `cancelTimeout` counts as lost; the end of the scope waits for no server and for no other reader.
   */
  readonly listen: PgNotification.Listen
  /** Replaces every connection: the idle ones now, the others when they come back. */
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
 * The service of a pool. `PgClient` is the same with more.
 *
 * @category tags
 * @since 0.1.0
 */
export const PgPool: Context.Service<PgPool, PgPool> = Context.Service<PgPool>("effectpg/PgPool")

// ------------------------------------------------------------------------------------------------- constructors

/**
 * Opens a pool with its first `minConnections` connections, within the scope. Fails with `InvalidConfigError`, or as
 * `PgConnection.make` where one of these cannot be opened. At the end of the scope calls that wait fail with
 * `PoolClosedError`; connections in use have `closeTimeout` to come back, then what they do is cancelled. A second later
 * every connection is closed, whatever the server does.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (
  settings: Settings
): Effect.fn.Return<PgPool, PgError.PgError, Scope.Scope> {
  const { hooks, others: poolSettings } = yield* divided(settings)
  const { init, onConnect, reset, setup } = hooks
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
  return new Pool(pool, hub, databases, config, { reset, setup })
})

/**
 * Provides a pool as `PgPool`, for as long as the layer lives. Fails as `make` does.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (settings: Settings): Layer.Layer<PgPool, PgError.PgError> => Layer.effect(PgPool, make(settings))

// ----------------------------------------------------------------------------------------------- implementation

/** The settings that are the pool's own, each of its kind, and those that `PgConfig` reads. */
const divided = (
  settings: Settings
): Effect.Effect<{ readonly hooks: Hooks; readonly others: PgConfig.PoolSettings }, PgError.InvalidConfigError> =>
  Effect.suspend(() => {
    const known = Shape.copyOf(settings)
    // What is no object has no hooks either, and whoever reads the others says so.
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

/** The first connection alone, so that a wrong setting is one failure and not many; then the others together. */
const warmUp = (pool: SessionPool, connections: number): Effect.Effect<void, PgError.PgError> => {
  const one = Effect.callback<void, PgError.PgError>((resume) => pool.open((opened) => resume(Exit.asVoid(opened))))
  const others = Array.from({ length: connections - 1 }, () => one)
  return connections === 0
    ? Effect.void
    : Effect.andThen(one, Effect.all(others, { concurrency: "unbounded", discard: true }))
}

/** How long what is cancelled when a pool closes may take to end. */
const PARTING_MILLIS = 1000

/** What is not back in time is closed with the scope of its session, and what cannot be closed is let go. */
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

/** Ends those who are still there after a while: a server that is silent would keep each for longer. */
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

/** A member that somebody has, as the level that their statements and transactions run on. */
interface Lease {
  readonly member: Member
  readonly root: TransactionLevel
}

/**
 * What a fiber has asked for, from the question to the end. The fiber may be interrupted when the pool has lent already
 * and before it knows: then what it never got goes back from here.
 */
class Loan implements Borrower {
  private readonly sessions: SessionPool
  private lease: Lease | undefined
  private resume: ((answer: Effect.Effect<Lease, PgError.PgError>) => void) | undefined
  private withdraw: (() => void) | undefined

  constructor(sessions: SessionPool) {
    this.sessions = sessions
  }

  /** Where it is interrupted, call `giveUp`. */
  readonly answer: Effect.Effect<Lease, PgError.PgError> = Effect.callback((resume) => {
    this.resume = resume
    this.withdraw = this.sessions.acquire(this)
  })

  lend(member: Member): void {
    member.session.residue.isUsed = false
    this.lease = { member, root: TransactionLevel.root(member.session) }
    this.resume?.(Exit.succeed(this.lease))
  }

  refuse(cause: Cause.Cause<PgError.PgError>): void {
    this.resume?.(Exit.failCause(cause))
  }

  /** Takes the question back, or gives back what was lent. */
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

  constructor(
    sessions: SessionPool,
    hub: NotificationHub,
    databases: KnownDatabases,
    config: PgConfig.ResolvedPoolConfig,
    { reset, setup }: Pick<Hooks, "reset" | "setup">
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
    use: (root: TransactionLevel) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | PgError.PgError, R> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(this.borrow(restore), (lease) =>
        Effect.onExit(restore(Effect.andThen(this.setUp(lease), () => use(lease.root))), () =>
          Effect.sync(() => this.giveBack(lease))
        )
      )
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

  /** Waits interruptibly; call it where nothing can interrupt, so that what it gives is not lost. */
  private borrow(restore: Restore): Effect.Effect<Lease, PgError.PgError> {
    return Effect.suspend(() => {
      const loan = new Loan(this.#sessions)
      return Effect.onExit(restore(loan.answer), (exit) =>
        Exit.isSuccess(exit) ? Effect.void : Effect.sync(() => loan.giveUp((lease) => this.giveBack(lease)))
      )
    })
  }

  /** A connection that its setup fails on is of no use to anybody. */
  private setUp({ member, root }: Lease): Effect.Effect<void, PgError.PgError> {
    if (this.#setup === undefined) return Effect.void
    return Shape.answerOf("setup", this.#setup(PgConnection.fromRoot(root))).pipe(
      Effect.onError(() => Effect.sync(() => member.session.terminate())),
      Effect.asVoid
    )
  }

  /** What somebody still asks of the connection is cancelled, and what they ask from now on is refused. */
  private giveBack({ member, root }: Lease): void {
    const { catalogue, session } = member
    root.end(givenBack)
    session.catalogue = catalogue
    if (session.lost === undefined && !session.isQuiet) session.abandonAll(givenBack())
    // What was asked may have changed anything: a function in a SELECT can. Where nothing was, nothing is to be reset.
    if (session.residue.isUsed || this.#hasResetHook) session.residue.isSoiled = true
    this.#sessions.release(member)
  }
}
