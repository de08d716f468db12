/** The queue between a channel and one of its readers. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import type * as PgError from "../PgError.ts"
import type * as PgNotification from "../PgNotification.ts"
import type { NotificationListener } from "../session/engine/channels.ts"

export type Events = Queue.Queue<PgNotification.Event, PgError.PgError | Cause.Done>

const DEFAULT_BUFFER_SIZE = 10_000

/** What one reader of one channel has waiting for it: so many events at most, and a gap behind them. */
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

  /** Says that what came before and what comes after may not be all; once is enough while nothing else has come. */
  gap(reason: PgNotification.Gap["reason"]): void {
    if (this.endsInGap && Queue.sizeUnsafe(this.events) > 0) return
    Queue.offerUnsafe(this.events, { _tag: "Gap", channel: this.channel, reason })
    this.endsInGap = true
  }

  /** Nothing more comes, for that reason. What has come can still be read before. */
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
    // The mailbox itself bounds what waits.
    Effect.acquireRelease(Queue.make<PgNotification.Event, PgError.PgError | Cause.Done>(), (events) =>
      Queue.end(events)
    ),
    (events) => new Mailbox(channel, events, bufferSize)
  )
