/**
 * One connection to a PostgreSQL server, as a scoped resource. Most programs use a pool of them through `PgClient`.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TypeCodec } from "./codec/typeCodec.ts"
import type { TypeName } from "./codec/userCodec.ts"
import type { Queryable } from "./connection/queryable/queryable.ts"
import { resetKeepingListeners } from "./session/transaction/reset.ts"
import { listenOn, listenWith } from "./connection/listen.ts"
import { BaseQueryable } from "./connection/baseQueryable.ts"
import { levelSource, Router } from "./connection/router.ts"
import * as Shape from "./call/shape.ts"
import * as PgConfig from "./PgConfig.ts"
import * as PgError from "./PgError.ts"
import type * as PgNotification from "./PgNotification.ts"
import { checkCodec } from "./session/transaction/codecCheck.ts"
import { checkSession } from "./session/transaction/startupCheck.ts"
import { connect } from "./session/opening/connect.ts"
import { type ServerVersion, serverVersionOf } from "./wire/serverVersion.ts"
import type { Session } from "./session/engine/session.ts"
import { TransactionLevel } from "./session/transaction/transactionLevel.ts"
import * as Wire from "./wire/backendMessage.ts"
import type { ErrorFields } from "./wire/errorFields.ts"

// ------------------------------------------------------------------------------------------------------ models

// All that `call.ts` exports is public here.
export type * from "./call/call.ts"
export type { AdvisoryLockKey, AdvisoryLockOptions, Queryable } from "./connection/queryable/queryable.ts"

/**
 * A message that the server sends besides its answer, such as a warning or the output of `RAISE NOTICE`. It has the
 * fields of an error.
 *
 * @category models
 * @since 0.1.0
 */
export type PgNotice = ErrorFields

/**
 * Whether a session is in a transaction. If that has `failed`, the server refuses everything but its end.
 *
 * @category models
 * @since 0.1.0
 */
export type TransactionStatus = "idle" | "inTransaction" | "failed"

/**
 * Whether a connection can be used. It is `closing` while its queries are being canceled and the server is told
 * goodbye.
 *
 * @category models
 * @since 0.1.0
 */
export type Status = "open" | "closing" | "closed"

/**
 * How a connection ended.
 *
 * @category models
 * @since 0.1.0
 */
export interface Closed {
  /** True if the client ended the connection: the scope closed, or `terminate` was called. */
  readonly isExpected: boolean
  readonly reason: PgError.PgError
}

export type { ServerVersion } from "./wire/serverVersion.ts"

/**
 * A connection to a server. It lives as long as its scope. When the scope closes, running queries are canceled and the
 * server is told goodbye; if the server does not answer, this takes no longer than `cancelTimeout` and a second.
 * Concurrent calls are pipelined in the order in which they were made.
 *
 * @category models
 * @since 0.1.0
 */
export interface PgConnection extends Queryable {
  /** The ID of the server process for this connection (`pg_backend_pid()`). */
  readonly processId: number
  readonly serverVersion: ServerVersion
  /** Tells the run-time parameters that the server reports, as they are now: `TimeZone`, `server_version`... */
  readonly parameters: Effect.Effect<ReadonlyMap<string, string>>
  /** Tells whether the session is in a transaction, as of the server's last answer. */
  readonly transactionStatus: Effect.Effect<TransactionStatus>
  /** Tells whether the connection is open, is closing, or has ended. */
  readonly status: Effect.Effect<Status>
  /** Waits until the connection ends, and returns how. Interrupting the wait does not affect the connection. */
  readonly awaitClosed: Effect.Effect<Closed>
  /**
   * Listens to a channel on this connection. Inside a transaction, notifications arrive only after the transaction
   * ends. The stream fails with `ConnectionLostError` when the connection is lost or returned to its pool; `listen` of
   * `PgClient` survives the loss of a connection. A `reset` does not interrupt the stream. An `UNLISTEN` or `DISCARD
   * ALL` in SQL does: the stream then stays open but receives nothing more.
   */
  readonly listen: PgNotification.Listen
  /**
   * Changes how a type is read and written from now on, on this connection only; to change it everywhere, use the
   * setting `types`. The connection then looks up types separately from others. In a pool, a codec set by `init` stays
   * with the connection, and a codec set by a borrower lasts until the connection is returned.
   *
   * Fails with an `InvalidConfigError` for a domain, because the server does not distinguish a column of a domain from
   * one of its base type.
   */
  readonly setTypeCodec: (codec: TypeCodec) => Effect.Effect<void, PgError.PgError>
  /** Makes this connection read and write a type as if no codec had ever been given for it. */
  readonly resetTypeCodec: (type: TypeName) => Effect.Effect<void, PgError.PgError>
  /**
   * Restores the state that the session had after startup. Rolls back a transaction begun in SQL, and undoes settings,
   * role, cursors, LISTEN in SQL, advisory locks and temporary tables. Prepared statements and the streams of `listen`
   * continue.
   */
  readonly reset: Effect.Effect<void, PgError.PgError>
  /**
   * Ends the connection at once without notifying the server; pending calls fail with `ConnectionLostError`. Does
   * nothing to a connection that has been returned to its pool.
   */
  readonly terminate: Effect.Effect<void>
  /**
   * Streams the notices that arrive while the stream runs. It ends when the connection ends or is returned to its pool.
   * If the reader is slow, the latest 1,000 notices are kept for it.
   */
  readonly notices: Stream.Stream<PgNotice>
}

/**
 * The service tag of a single connection, for programs that want exactly one.
 *
 * @category tags
 * @since 0.1.0
 */
export const PgConnection: Context.Service<PgConnection, PgConnection> =
  Context.Service<PgConnection>("effectpg/PgConnection")

// ------------------------------------------------------------------------------------------------- constructors

/**
 * Opens a connection that lives as long as the scope. Fails with `InvalidConfigError`, with `ConnectError` if no host
 * can be reached in time (it lists every attempt), with `AuthenticationError`, with `ProtocolError`, or with the
 * server's own error, such as `InvalidPasswordError`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { PgConnection } from "effectpg"
 *
 * export const program = Effect.gen(function* () {
 *   const connection = yield* PgConnection.make({ host: "localhost", user: "app" })
 *   return yield* connection.fetch("SELECT 1 AS one")
 * }).pipe(Effect.scoped)
 * ```
 * @category constructors
 * @since 0.1.0
 */
export const make = (settings: PgConfig.Settings): Effect.Effect<PgConnection, PgError.PgError, Scope.Scope> =>
  Effect.map(
    Effect.flatMap(PgConfig.resolve(settings), (config) => connect(config, undefined, checkSession)),
    (session) => fromRoot(TransactionLevel.root(session))
  )

/**
 * Provides one connection as `PgConnection`, for as long as the layer lives. Fails as `make` does.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (settings: PgConfig.Settings): Layer.Layer<PgConnection, PgError.PgError> =>
  Layer.effect(PgConnection, make(settings))

/** @internal */
export const fromRoot = (root: TransactionLevel): PgConnection => new Connection(root)

// ----------------------------------------------------------------------------------------------- implementation

const MAX_WAITING_NOTICES = 1000

const transactionStatuses: Readonly<Record<Wire.TransactionStatus, TransactionStatus>> = {
  [Wire.TransactionStatus.idle]: "idle",
  [Wire.TransactionStatus.inTransaction]: "inTransaction",
  [Wire.TransactionStatus.failed]: "failed"
}

const CODEC: Shape.Kind = {
  is: (value) => value instanceof TypeCodec,
  takes: "a codec such as PgTypes.hstore or those that PgTypes.codec makes"
}
const TYPE_NAME: Shape.Kinds = { name: Shape.text, schema: Shape.text }

/**
 * A pool creates one of these for each lease. So creating it costs little: it holds only the level, and everything else
 * is created on demand.
 */
class Connection extends BaseQueryable implements PgConnection {
  readonly #level: TransactionLevel
  readonly #router: Router

  constructor(level: TransactionLevel) {
    const router = new Router(levelSource(level))
    super(router)
    this.#level = level
    this.#router = router
  }

  get #session(): Session {
    return this.#level.session
  }

  override toJSON(): unknown {
    return { _id: "effectpg/PgConnection", session: this.#session }
  }

  get processId(): number {
    return this.#session.processId
  }

  get serverVersion(): ServerVersion {
    return serverVersionOf(this.#session.parameters)
  }

  get listen(): PgNotification.Listen {
    return listenWith((channel, options, statement) => {
      const listen = this.#router.onLevel((level) => listenOn(this.#level, level, channel, options))
      return this.#router.observed("listen", { sql: statement, params: undefined }, listen)
    })
  }

  get parameters(): Effect.Effect<ReadonlyMap<string, string>> {
    return Effect.sync(() => new Map(this.#session.parameters))
  }

  get transactionStatus(): Effect.Effect<TransactionStatus> {
    return Effect.sync(() => transactionStatuses[this.#session.transactionStatus])
  }

  get status(): Effect.Effect<Status> {
    return Effect.sync(() => {
      if (this.#session.lost !== undefined) return "closed"
      return this.#session.closing === undefined ? "open" : "closing"
    })
  }

  get reset(): Effect.Effect<void, PgError.PgError> {
    const once = this.#router.run("reset", resetKeepingListeners, undefined)
    // What a pooler has lost in the first reset, the second one sets again.
    return Effect.flatMap(once, (isWhole) => (isWhole ? Effect.void : Effect.asVoid(once)))
  }

  get terminate(): Effect.Effect<void> {
    return this.whileOurs((session) => session.terminate())
  }

  get awaitClosed(): Effect.Effect<Closed> {
    return Effect.callback((resume) => {
      const unsubscribe = this.#session.onEnd((reason) =>
        resume(Effect.succeed({ isExpected: reason === this.#session.closing, reason }))
      )
      return Effect.sync(unsubscribe)
    })
  }

  setTypeCodec(codec: TypeCodec): Effect.Effect<void, PgError.PgError> {
    return Shape.unless(Shape.faultOf("codec", codec, CODEC), () =>
      Effect.andThen(
        Effect.suspend(() => (this.#level.isOver ? Effect.void : checkCodec(this.#session, codec))),
        this.whileOurs((session) => {
          session.catalogue = session.catalogue.withCodec(codec)
        })
      )
    )
  }

  resetTypeCodec(type: TypeName): Effect.Effect<void, PgError.PgError> {
    const known = Shape.read(type, "type", TYPE_NAME)
    if (known instanceof PgError.InvalidConfigError) return Effect.fail(known)
    return Shape.unless(Shape.faultOf("name", known.name, Shape.text), () =>
      this.whileOurs((session) => {
        session.catalogue = session.catalogue.withoutCodec(known.name, known.schema)
      })
    )
  }

  /** Does something local to the session, unless the session may already belong to another borrower. */
  private whileOurs(act: (session: Session) => void): Effect.Effect<void> {
    return Effect.sync(() => {
      if (!this.#level.isOver) act(this.#session)
    })
  }

  get notices(): Stream.Stream<PgNotice> {
    return Stream.callback<PgNotice>(
      (queue) =>
        Effect.acquireRelease(
          Effect.sync(() => this.subscribe(queue)),
          (unsubscribe) => Effect.sync(unsubscribe)
        ),
      { bufferSize: MAX_WAITING_NOTICES, strategy: "sliding" }
    )
  }

  private subscribe(queue: Queue.Queue<PgNotice, Cause.Done>): () => void {
    const { noticeListeners } = this.#session
    const listener = (notice: PgNotice): void => void Queue.offerUnsafe(queue, notice)
    noticeListeners.add(listener)
    const leave = (): boolean => noticeListeners.delete(listener)
    const forget = this.#level.onEnd(() => {
      leave()
      Queue.endUnsafe(queue)
    })
    return () => {
      leave()
      forget()
    }
  }
}
