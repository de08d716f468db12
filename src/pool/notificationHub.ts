/**
 * Manages the one connection on which a pool listens, for all channels and all readers. The first reader opens it, and
 * it is closed after the last one. If it is lost while there are readers, it is opened again, at growing intervals, and
 * every reader is told that there may be a gap.
 *
 *
 * No reader waits for another. A new reader waits only for the server, and fails if the server does not answer in time.
 * A reader that leaves waits for nothing, because the pool closes the connection if nobody needs it.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import { type Mailbox, makeMailbox } from "../connection/listening/mailbox.ts"
import { leave } from "../connection/listening/listen.ts"
import { listenStatement } from "../connection/listening/listenStatement.ts"
import * as PgError from "../PgError.ts"
import type * as PgNotification from "../PgNotification.ts"
import { submitControl } from "../session/transaction/control.ts"
import type { Session } from "../session/engine/session.ts"
import { isTransient, reconnectDelay } from "./opening/reconnect.ts"
import type { Timers } from "./timers.ts"

/** How often a new reader tries while the connection is lost; the pauses add up to three to six seconds. */
const NEW_READER_ATTEMPTS = 8

/** The session that listens, and how to close it. */
interface Connected {
  readonly session: Session
  readonly close: Effect.Effect<void>
}

/** Receives the session, or the reason why there is none. */
type Waiter = (opened: Exit.Exit<Session, PgError.PgError>) => void

/** A connection that is being opened, and the readers that wait for it. */
interface Opening {
  readonly waiters: Set<Waiter>
  /** Set when the connection is open but has not yet listened to the readers' channels. */
  session: Session | undefined
  fiber: Fiber.Fiber<unknown, unknown> | undefined
}

export interface HubOptions {
  readonly connect: Effect.Effect<Session, PgError.PgError, Scope.Scope>
  /** The sessions' scopes are children of this one. When it ends, all readers end. */
  readonly scope: Scope.Scope
  readonly timers: Timers
}

export class NotificationHub {
  private readonly options: HubOptions
  private readonly run: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  private readonly mailboxes = new Set<Mailbox>()
  private connected: Connected | undefined
  private opening: Opening | undefined
  private recovery: Fiber.Fiber<void> | undefined
  /** The fibers that close connections that are no longer needed. */
  private readonly partings = new Set<Fiber.Fiber<void>>()
  /** Functions that cut the pauses short. */
  private readonly pauses = new Set<() => void>()

  private constructor(options: HubOptions, run: NotificationHub["run"]) {
    this.options = options
    this.run = run
  }

  static make(options: HubOptions): Effect.Effect<NotificationHub> {
    return Effect.gen(function* () {
      const hub = new NotificationHub(options, Effect.runForkWith(yield* Effect.context<never>()))
      yield* Scope.addFinalizer(options.scope, hub.close)
      return hub
    })
  }

  /**
   * Listens for as long as the scope; when this completes, the server has confirmed the LISTEN. If the connection is
   * lost, a new reader waits for the next one as the others do, though not as long.
   */
  listen(
    channel: string,
    options: PgNotification.ListenOptions | undefined
  ): Effect.Effect<Mailbox, PgError.PgError, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const listen = yield* listenStatement(channel)
      const mailbox = yield* makeMailbox(channel, options)
      yield* Effect.addFinalizer(() => Effect.sync(() => this.leave(mailbox)))
      yield* this.join(mailbox, listen)
      return mailbox
    })
  }

  private join(mailbox: Mailbox, listen: string): Effect.Effect<void, PgError.PgError> {
    const attempt = Effect.callback<void, PgError.PgError>((resume) => {
      const withdraw = this.whenConnected((opened) => {
        if (Exit.isFailure(opened)) return resume(opened)
        const { value: session } = opened
        this.mailboxes.add(mailbox)
        session.channels.add(mailbox.channel, mailbox.notify)
        submitListen(session, listen, (answer) => {
          // Leave at once, because the recovery of a lost connection would otherwise count this as a reader.
          if (Exit.isFailure(answer)) this.leave(mailbox)
          resume(answer)
        })
      })
      return Effect.sync(withdraw)
    }).pipe(Effect.onError(() => Effect.sync(() => this.leave(mailbox))))
    const again = (failures: number): Effect.Effect<void, PgError.PgError> =>
      Effect.catchIf(
        attempt,
        (error) => failures < NEW_READER_ATTEMPTS && this.mailboxes.size > 0 && isTransient(error),
        () =>
          // Notifications from before the loss would need a gap after them, and there is no stream yet.
          Queue.clear(mailbox.events).pipe(
            Effect.andThen(this.pause(failures)),
            Effect.andThen(Effect.suspend(() => again(failures + 1)))
          )
      )
    return again(1)
  }

  private leave(mailbox: Mailbox): void {
    this.mailboxes.delete(mailbox)
    if (this.opening?.session !== undefined) leave(this.opening.session, mailbox)
    if (this.mailboxes.size === 0) this.endUnlessWanted()
    else if (this.connected !== undefined) leave(this.connected.session, mailbox)
  }

  // ------------------------------------------------------------------------------------------------- opening

  private get isClosed(): boolean {
    return this.options.scope.state._tag === "Closed"
  }

  /** A lost session is about to be replaced, so it does not count. */
  private get alive(): Session | undefined {
    return this.connected?.session.lost === undefined ? this.connected?.session : undefined
  }

  /** Calls back with the session, at once if there is one. Returns a function that withdraws the callback. */
  private whenConnected(waiter: Waiter): () => void {
    const { alive, isClosed } = this
    if (isClosed || alive !== undefined) {
      waiter(isClosed || alive === undefined ? Exit.fail(new PgError.PoolClosedError()) : Exit.succeed(alive))
      return () => {}
    }
    const isFirst = this.opening === undefined
    const opening = (this.opening ??= { waiters: new Set(), session: undefined, fiber: undefined })
    opening.waiters.add(waiter)
    if (isFirst) this.open(opening)
    return () => {
      opening.waiters.delete(waiter)
      this.endUnlessWanted()
    }
  }

  /** Opens the connection for all current readers, and tells them that there may be a gap. */
  private open(opening: Opening): void {
    const { connect, scope: parent } = this.options
    const connected = Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(Scope.fork(parent), (scope) => {
        const close = Scope.close(scope, Exit.void)
        return connect.pipe(
          Effect.tap((session) => this.listenAgain((opening.session = session))),
          Scope.provide(scope),
          restore,
          Effect.map((session): Connected => ({ session, close })),
          Effect.onError(() => close)
        )
      })
    )
    // Store what has been opened before anything can interrupt, so that it is closed with its last reader.
    const answered = Effect.onExit(connected, (exit) => Effect.sync(() => this.opened(opening, exit)))
    this.run(
      Effect.map(Effect.forkIn(answered, parent, { startImmediately: true }), (fiber) => {
        opening.fiber = fiber
      })
    )
  }

  private opened(opening: Opening, exit: Exit.Exit<Connected, PgError.PgError>): void {
    const isWanted = this.opening === opening
    if (isWanted) this.opening = undefined
    if (Exit.isSuccess(exit)) {
      if (isWanted) this.keep(exit.value)
      else this.part(exit.value)
    }
    const answer = this.isClosed ? Exit.fail(new PgError.PoolClosedError()) : Exit.map(exit, ({ session }) => session)
    for (const waiter of opening.waiters) waiter(answer)
    this.endUnlessWanted()
  }

  /**
   * Listens to all channels again. The server may deliver a notification before it confirms the LISTEN, so the gap is
   * reported with the first notification, ahead of all readers of its channel. If it came later, it would follow what
   * it must precede; if earlier, a reader might catch up before the server listens.
   */
  private listenAgain(session: Session): Effect.Effect<void, PgError.PgError> {
    if (this.mailboxes.size === 0) return Effect.void
    const { channels } = session
    let isTold = false
    const tellOfGap = (): void => {
      if (isTold) return
      isTold = true
      for (const channel of channels.names) leave(session, { channel, notify: tellOfGap })
      for (const mailbox of this.mailboxes) mailbox.gap("reconnected")
    }
    for (const { channel, notify } of this.mailboxes) {
      channels.add(channel, tellOfGap)
      channels.add(channel, notify)
    }
    return Effect.flatMap(Effect.all(channels.names.map(listenStatement)), (statements) =>
      Effect.callback<void, PgError.PgError>((resume) => {
        submitListen(session, statements.join("; "), (answer) => {
          if (Exit.isSuccess(answer)) tellOfGap()
          resume(answer)
        })
      })
    )
  }

  // ------------------------------------------------------------------------------------------------- the end of it

  private keep(connected: Connected): void {
    this.connected = connected
    connected.session.onEnd(() => {
      this.part(connected)
      this.recover()
    })
  }

  /** Closes the connection. Only the end of the pool waits for this. */
  private part(connected: Connected): void {
    if (this.connected === connected) this.connected = undefined
    const parting = this.run(connected.close)
    this.partings.add(parting)
    parting.addObserver(() => this.partings.delete(parting))
  }

  private endUnlessWanted(): void {
    const { connected, opening } = this
    if (this.mailboxes.size > 0) return
    this.recovery?.interruptUnsafe()
    if (opening?.waiters.size === 0) {
      this.opening = undefined
      opening.fiber?.interruptUnsafe()
    }
    if (connected !== undefined) this.part(connected)
  }

  /** Replaces a session that was lost while there were readers. */
  private recover(): void {
    if (this.isClosed || this.mailboxes.size === 0 || this.recovery !== undefined || this.alive !== undefined) return
    const attempt = Effect.callback<void, PgError.PgError>((resume) =>
      Effect.sync(this.whenConnected((opened) => resume(Exit.asVoid(opened))))
    )
    const again = (failures: number): Effect.Effect<void> =>
      Effect.catchCause(attempt, () => Effect.flatMap(this.pause(failures), () => again(failures + 1)))
    const recovery = this.run(again(1))
    this.recovery = recovery
    recovery.addObserver(() => {
      this.recovery = undefined
      this.recover()
    })
  }

  private pause(failures: number): Effect.Effect<void> {
    return Effect.callback((resume) => {
      const end = (): void => {
        callOff()
        this.pauses.delete(end)
        resume(Effect.void)
      }
      const callOff = this.options.timers.after(reconnectDelay(failures), end)
      this.pauses.add(end)
      return Effect.sync(end)
    })
  }

  private get close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      for (const mailbox of this.mailboxes) mailbox.fail(new PgError.PoolClosedError())
      this.mailboxes.clear()
      this.recovery?.interruptUnsafe()
      for (const end of this.pauses) end()
      return Effect.forEach([...this.partings], Fiber.await, { discard: true })
    })
  }
}

/** LISTEN takes the server no time, so if it does not answer within the limit, the connection counts as lost. */
const submitListen = (session: Session, sql: string, done: (answer: Exit.Exit<void, PgError.PgError>) => void): void =>
  submitControl(session, { operation: "LISTEN", sql }, (answer) => {
    if (Exit.isSuccess(answer)) session.statements.pooler.listens()
    done(Exit.asVoid(answer))
  })
