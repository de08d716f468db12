/**
 * The one connection of a pool that listens, for all channels and all readers. It is opened for the first reader and
 * closed after the last. Where it is lost while somebody reads, it is opened again, with growing pauses, and every
 * reader is told that there may be a gap.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { leave, listenStatement, type Mailbox, makeMailbox } from "../connection/listening.ts"
import type * as PgError from "../PgError.ts"
import type * as PgNotification from "../PgNotification.ts"
import { script, send } from "../session/request.ts"
import type { Session } from "../session/session.ts"
import { reconnectDelay } from "./reconnect.ts"

/** The session that listens, and how to close it. */
interface Connected {
  readonly session: Session
  readonly close: Effect.Effect<void>
}

export class NotificationHub {
  private readonly connect: Effect.Effect<Session, PgError.PgError, Scope.Scope>
  private readonly scope: Scope.Scope
  private readonly mailboxes = new Set<Mailbox>()
  /** Connecting, listening and closing happen one at a time. */
  private readonly turn = Semaphore.makeUnsafe(1)
  private connected: Connected | undefined

  /** Sessions are opened in scopes below `scope`. */
  constructor(connect: Effect.Effect<Session, PgError.PgError, Scope.Scope>, scope: Scope.Scope) {
    this.connect = connect
    this.scope = scope
  }

  /** Listens for the scope; the server has confirmed it when this completes. */
  listen(
    channel: string,
    options: PgNotification.ListenOptions | undefined
  ): Effect.Effect<Mailbox, PgError.PgError, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const listen = yield* listenStatement(channel)
      const mailbox = yield* makeMailbox(channel, options)
      yield* Effect.addFinalizer(() => this.leave(mailbox))
      yield* this.turn.withPermit(
        Effect.gen({ self: this }, function* () {
          const { session } = this.connected ?? (yield* this.open)
          this.mailboxes.add(mailbox)
          session.channels.add(channel, mailbox.notify)
          yield* send(session, script(listen))
        })
      )
      return mailbox
    })
  }

  private leave(mailbox: Mailbox): Effect.Effect<void> {
    return this.turn.withPermit(
      Effect.suspend(() => {
        this.mailboxes.delete(mailbox)
        const { connected } = this
        if (connected === undefined) return Effect.void
        if (this.mailboxes.size === 0) {
          this.connected = undefined
          return connected.close
        }
        leave(connected.session, mailbox)
        return Effect.void
      })
    )
  }

  /** Opens the connection for all who listen already, and tells them that there may be a gap. */
  private get open(): Effect.Effect<Connected, PgError.PgError> {
    return Effect.gen({ self: this }, function* () {
      const scope = yield* Scope.fork(this.scope)
      const close = Scope.close(scope, Exit.void)
      const session = yield* this.connect.pipe(
        Effect.tap((session) => this.listenAgain(session)),
        Scope.provide(scope),
        Effect.onError(() => close)
      )
      const connected: Connected = { session, close }
      this.connected = connected
      const run = Effect.runForkWith(yield* Effect.context<never>())
      session.onEnd(() => run(Effect.andThen(close, Effect.forkIn(this.recover(connected), this.scope))))
      for (const mailbox of this.mailboxes) mailbox.gap("reconnected")
      return connected
    })
  }

  private listenAgain(session: Session): Effect.Effect<void, PgError.PgError> {
    if (this.mailboxes.size === 0) return Effect.void
    for (const { channel, notify } of this.mailboxes) session.channels.add(channel, notify)
    return Effect.all(session.channels.names.map(listenStatement)).pipe(
      Effect.flatMap((statements) => send(session, script(statements.join("; ")))),
      Effect.asVoid
    )
  }

  /** Takes the place of a session that was lost while somebody read. */
  private recover(lost: Connected): Effect.Effect<void> {
    const attempt = this.turn.withPermit(
      Effect.suspend(() => {
        if (this.connected === lost) this.connected = undefined
        return this.connected !== undefined || this.mailboxes.size === 0 ? Effect.void : Effect.asVoid(this.open)
      })
    )
    const again = (failures: number): Effect.Effect<void> =>
      Effect.catch(attempt, () => Effect.andThen(Effect.sleep(reconnectDelay(failures)), again(failures + 1)))
    return Effect.suspend(() => again(1))
  }
}
