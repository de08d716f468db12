/** A connection as a program sees it: one session, with the calls that only a whole connection has. */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Shape from "../call/shape.ts"
import { TypeCodec } from "../codec/typeCodec.ts"
import type { TypeName } from "../codec/userCodec.ts"
import * as PgConfig from "../PgConfig.ts"
import * as PgError from "../PgError.ts"
import type * as PgNotification from "../PgNotification.ts"
import type { Session } from "../session/engine/session.ts"
import { connect } from "../session/opening/connect.ts"
import { checkCodec } from "../session/transaction/codecCheck.ts"
import { resetKeepingListeners } from "../session/transaction/reset.ts"
import { checkSession } from "../session/transaction/startupCheck.ts"
import { TransactionLevel } from "../session/transaction/transactionLevel.ts"
import * as Wire from "../wire/backendMessage.ts"
import type { ErrorFields } from "../wire/errorFields.ts"
import { type ServerVersion, serverVersionOf } from "../wire/serverVersion.ts"
import { BaseQueryable } from "./baseQueryable.ts"
import { listenOn, listenWith } from "./listening/listen.ts"
import { levelSource, Router } from "./router.ts"

/** Opens a connection for the scope; see `PgConnection.make`. */
export const openConnection = (settings: PgConfig.Settings): Effect.Effect<Connection, PgError.PgError, Scope.Scope> =>
  Effect.map(
    Effect.flatMap(PgConfig.resolve(settings), (config) => connect(config, undefined, checkSession)),
    (session) => fromRoot(TransactionLevel.root(session))
  )

export const fromRoot = (root: TransactionLevel): Connection => new Connection(root)

const MAX_WAITING_NOTICES = 1000

const transactionStatuses = {
  [Wire.TransactionStatus.idle]: "idle",
  [Wire.TransactionStatus.inTransaction]: "inTransaction",
  [Wire.TransactionStatus.failed]: "failed"
} as const

const CODEC: Shape.Kind = {
  is: (value) => value instanceof TypeCodec,
  takes: "a codec such as PgTypes.hstore or those that PgTypes.codec makes"
}
const TYPE_NAME: Shape.Kinds = { name: Shape.text, schema: Shape.text }

/**
 * A pool creates one of these for each lease. So creating it costs little: it holds only the level, and everything else
 * is created on demand.
 */
export class Connection extends BaseQueryable {
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

  get transactionStatus(): Effect.Effect<"idle" | "inTransaction" | "failed"> {
    return Effect.sync(() => transactionStatuses[this.#session.transactionStatus])
  }

  get status(): Effect.Effect<"open" | "closing" | "closed"> {
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

  get awaitClosed(): Effect.Effect<{ readonly isExpected: boolean; readonly reason: PgError.PgError }> {
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

  get notices(): Stream.Stream<ErrorFields> {
    return Stream.callback<ErrorFields>(
      (queue) =>
        Effect.acquireRelease(
          Effect.sync(() => this.subscribe(queue)),
          (unsubscribe) => Effect.sync(unsubscribe)
        ),
      { bufferSize: MAX_WAITING_NOTICES, strategy: "sliding" }
    )
  }

  private subscribe(queue: Queue.Queue<ErrorFields, Cause.Done>): () => void {
    const { noticeListeners } = this.#session
    const listener = (notice: ErrorFields): void => void Queue.offerUnsafe(queue, notice)
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
