/**
 * The one connection of a pool that listens, for all channels and all readers. It is opened for the first reader and
 * closed after the last. Where it is lost while somebody reads, it is opened again, with growing pauses, and every
 * reader is told that there may be a gap.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { leave, listenStatement, type Mailbox, makeMailbox } from "../connection/listening.ts"
import * as PgError from "../PgError.ts"
import type * as PgNotification from "../PgNotification.ts"
import { script, send } from "../session/request.ts"
import type { Session } from "../session/session.ts"
import type { Restore } from "../session/transport.ts"
import { isTransient, reconnectDelay } from "./reconnect.ts"

/** How often a new reader tries while the connection is lost; the pauses make three to six seconds in all. */
const NEW_READER_ATTEMPTS = 8

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

  /**
   * Listens for the scope; the server has confirmed it when this completes. Whoever comes while others have lost the
   * connection waits for the next one as they do, though not as long.
   */
  listen(
    channel: string,
    options: PgNotification.ListenOptions | undefined
  ): Effect.Effect<Mailbox, PgError.PgError, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const listen = yield* listenStatement(channel)
      const mailbox = yield* makeMailbox(channel, options)
      yield* Effect.addFinalizer(() => this.leave(mailbox))
      yield* this.join(mailbox, listen)
      return mailbox
    })
  }

  private join(mailbox: Mailbox, listen: string): Effect.Effect<void, PgError.PgError> {
    const attempt = Effect.gen({ self: this }, function* () {
      const { session } = this.alive ?? (yield* this.open)
      this.mailboxes.add(mailbox)
      session.channels.add(mailbox.channel, mailbox.notify)
      yield* send(session, script(listen))
    }).pipe(
      Effect.onError(() => this.remove(mailbox)),
      this.turn.withPermit
    )
    const again = (failures: number): Effect.Effect<void, PgError.PgError> =>
      Effect.catchIf(
        attempt,
        (error) => failures < NEW_READER_ATTEMPTS && this.mailboxes.size > 0 && isTransient(error),
        () =>
          // What has been heard already would have a gap behind it, before there is a stream.
          Queue.clear(mailbox.events).pipe(
            Effect.andThen(Effect.sleep(reconnectDelay(failures))),
            Effect.andThen(Effect.suspend(() => again(failures + 1)))
          )
      )
    return again(1)
  }

  /** A session that is lost stays in its place until something is done about it. */
  private get alive(): Connected | undefined {
    return this.connected?.session.lost === undefined ? this.connected : undefined
  }

  private leave(mailbox: Mailbox): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.mailboxes.has(mailbox) ? this.turn.withPermit(this.remove(mailbox)) : Effect.void
    )
  }

  private remove(mailbox: Mailbox): Effect.Effect<void> {
    return Effect.suspend(() => {
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
  }

  /** Opens the connection for all who listen already, and tells them that there may be a gap. */
  private get open(): Effect.Effect<Connected, PgError.PgError> {
    const opening = Effect.fnUntraced({ self: this }, function* (restore: Restore) {
      if (this.scope.state._tag === "Closed") return yield* new PgError.PoolClosedError()
      const scope = yield* Scope.fork(this.scope)
      const close = Scope.close(scope, Exit.void)
      const session = yield* this.connect.pipe(
        Effect.tap((session) => this.listenAgain(session)),
        Scope.provide(scope),
        restore,
        Effect.onError(() => close)
      )
      const connected: Connected = { session, close }
      this.connected = connected
      const run = Effect.runForkWith(yield* Effect.context<never>())
      session.onEnd(() => run(Effect.andThen(close, Effect.forkIn(this.recover(connected), this.scope))))
      return connected
    })
    // What has been opened is kept before anything can interrupt, so that it is closed with its last reader.
    return Effect.uninterruptibleMask(opening)
  }

  /**
   * The server may deliver before it has confirmed. So the gap is told with the first of what comes, ahead of all
   * readers of its channel: not later, or it would stand behind what it must precede, and not earlier, or a reader
   * might make up for it before anybody listens.
   */
  private listenAgain(session: Session): Effect.Effect<void, PgError.PgError> {
    if (this.mailboxes.size === 0) return Effect.void
    const { channels } = session
    let isTold = false
    const tellOfGap = (): void => {
      if (isTold) return
      isTold = true
      for (const mailbox of this.mailboxes) {
        channels.remove(mailbox.channel, tellOfGap)
        mailbox.gap("reconnected")
      }
    }
    for (const { channel, notify } of this.mailboxes) {
      channels.add(channel, tellOfGap)
      channels.add(channel, notify)
    }
    return Effect.all(channels.names.map(listenStatement)).pipe(
      Effect.flatMap((statements) => send(session, script(statements.join("; ")))),
      Effect.map(tellOfGap)
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
