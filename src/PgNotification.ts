/**
 * The events of `LISTEN`: the notifications of a channel, and gaps in which some may have been lost.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type * as PgError from "./PgError.ts"

/**
 * A notification sent by `NOTIFY`. A connection also receives its own.
 *
 * @category models
 * @since 0.1.0
 */
export interface Notification<A = string> {
  readonly _tag: "Notification"
  readonly channel: string
  readonly payload: A
  /** The ID of the server process that sent it. */
  readonly processId: number
}

/**
 * Notifications may have been lost at this point. Either the connection had to be replaced (`reconnected`), or the
 * reader was so slow that `bufferSize` events were waiting (`overflow`). If you derive state from notifications, read
 * that state again.
 *
 * @category models
 * @since 0.1.0
 */
export interface Gap {
  readonly _tag: "Gap"
  readonly channel: string
  readonly reason: "reconnected" | "overflow"
}

/**
 * A notification whose payload the schema rejects. The stream continues after it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Undecodable {
  readonly _tag: "Undecodable"
  readonly channel: string
  /** The payload as it was sent. */
  readonly payload: string
  /** The ID of the server process that sent it. */
  readonly processId: number
  /** Why the schema rejects the payload; the error does not contain the payload. */
  readonly error: PgError.DecodeError
}

/**
 * An event from a channel. Events arrive in order.
 *
 * @category models
 * @since 0.1.0
 */
export type Event<A = string> = Notification<A> | Gap

/**
 * An event from a channel whose payloads are decoded by a schema. Events arrive in order.
 *
 * @category models
 * @since 0.1.0
 */
export type DecodedEvent<A> = Event<A> | Undecodable

/**
 * The options of `listen`.
 *
 * @category models
 * @since 0.1.0
 */
export interface ListenOptions {
  /** How many events may wait for a slow reader; then the newest are dropped, and a `Gap` says so. 10,000. */
  readonly bufferSize?: number | undefined
}

/**
 * The options of `listen` with a schema for the payloads; for JSON, use `Schema.fromJsonString(...)`. A payload that
 * the schema rejects becomes an `Undecodable` event, which contains the `DecodeError`.
 *
 * @category models
 * @since 0.1.0
 */
export interface PayloadOptions<S extends Schema.Top> extends ListenOptions {
  readonly payload: S
}

/**
 * Listens to a channel with any name, for as long as the scope. When the effect completes, the server has confirmed the
 * LISTEN, and the stream contains every notification sent from then on. Fails with `EncodeError` for a name that
 * PostgreSQL cannot hold.
 *
 * @category models
 * @since 0.1.0
 */
export interface Listen {
  (
    channel: string,
    options?: ListenOptions
  ): Effect.Effect<Stream.Stream<Event, PgError.PgError>, PgError.PgError, Scope.Scope>
  <S extends Schema.Top>(
    channel: string,
    options: PayloadOptions<S>
  ): Effect.Effect<
    Stream.Stream<DecodedEvent<S["Type"]>, PgError.PgError, S["DecodingServices"]>,
    PgError.PgError,
    Scope.Scope
  >
}
