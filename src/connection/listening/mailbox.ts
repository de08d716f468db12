/** A mailbox: the bounded queue of events between a channel and one of its readers. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import type * as PgError from "../../PgError.ts"
import type * as PgNotification from "../../PgNotification.ts"
import type { NotificationListener } from "../../session/engine/channels.ts"

export type Events = Queue.Queue<PgNotification.Event, PgError.PgError | Cause.Done>

const DEFAULT_BUFFER_SIZE = 10_000

/** Holds the events that wait for a reader: at most `bufferSize`, and one gap behind them. */
export class Mailbox {
  readonly channel: string
  readonly events: Events
  private readonly bufferSize: number
  private endsInGap = false

  constructor(channel: string, events: Events, bufferSize: number) {
    this.channel = channel
    this.events = events
    this.bufferSize = bufferSize
  }

  readonly notify: NotificationListener = ({ channel, payload, processId }) => {
    if (Queue.sizeUnsafe(this.events) >= this.bufferSize) return this.gap("overflow")
    Queue.offerUnsafe(this.events, { _tag: "Notification", channel, payload, processId })
    this.endsInGap = false
  }

  /** Adds a gap, because notifications may have been lost here. A gap directly behind another is not added. */
  gap(reason: PgNotification.Gap["reason"]): void {
    if (this.endsInGap && Queue.sizeUnsafe(this.events) > 0) return
    Queue.offerUnsafe(this.events, { _tag: "Gap", channel: this.channel, reason })
    this.endsInGap = true
  }

  /** Ends the events with an error. The reader still gets those that are waiting. */
  fail(error: PgError.PgError): void {
    Queue.failCauseUnsafe(this.events, Cause.fail(error))
  }
}

/** Makes a mailbox that ends with the scope. A reader that still waits then sees the end of the stream. */
export const makeMailbox = (
  channel: string,
  { bufferSize = DEFAULT_BUFFER_SIZE }: PgNotification.ListenOptions = {}
): Effect.Effect<Mailbox, never, Scope.Scope> =>
  Effect.map(
    // The mailbox limits the queue itself, because a gap has to fit in even if the queue is full.
    Effect.acquireRelease(Queue.make<PgNotification.Event, PgError.PgError | Cause.Done>(), (events) =>
      Queue.end(events)
    ),
    (events) => new Mailbox(channel, events, bufferSize)
  )
