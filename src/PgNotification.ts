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
 * One notification of a channel, sent by `NOTIFY`. A connection hears its own, too.
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
  /**
   * How many events may wait for a slow reader; then the newest are dropped, and a `Gap` says so.
   *
   * @default 10_000
   */
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
  /**
   * Listens to a channel for the scope, and returns the stream of its notifications. When the effect completes, the
   * server has confirmed the LISTEN, and every notification sent from then on is in the stream. By default 10,000
   * events may wait for a slow reader (`bufferSize`); after that the newest are dropped, and a `Gap` says so.
   *
   * If the connection is lost, the stream of a pool or a client goes on with another one, and a `Gap` says that
   * notifications may have been lost meanwhile. It fails with `PoolClosedError` if the pool ends before the scope. The
   * stream of a `PgConnection` fails with `ConnectionLostError`. The effect fails with `EncodeError` for a name that
   * PostgreSQL cannot hold, and as every call of `Queryable` does.
   *
   * @example
   * ```ts
   * import { Effect, Stream } from "effect"
   * import { PgClient } from "effectpg"
   *
   * const heard = Effect.gen(function* () {
   *   const pg = yield* PgClient.PgClient
   *   const events = yield* pg.listen("orders")
   *   yield* Stream.runForEach(events, (event) =>
   *     Effect.log(event._tag === "Gap" ? "read everything anew" : event.payload)
   *   )
   * })
   *
   * export const program = Effect.scoped(heard)
   * ```
   * @since 0.1.0
   */
  (
    channel: string,
    options?: ListenOptions
  ): Effect.Effect<Stream.Stream<Event, PgError.PgError>, PgError.PgError, Scope.Scope>
  /**
   * Listens to a channel for the scope, and returns the stream of its notifications, whose payloads are decoded by the
   * schema in `payload`. A payload that the schema rejects is an `Undecodable` event, and the stream goes on. Otherwise
   * the stream and the effect are as without a schema.
   *
   * @example
   * ```ts
   * import { Effect, Schema, Stream } from "effect"
   * import { PgClient } from "effectpg"
   *
   * const Order = Schema.fromJsonString(Schema.Struct({ id: Schema.Int }))
   *
   * const heard = Effect.gen(function* () {
   *   const pg = yield* PgClient.PgClient
   *   const events = yield* pg.listen("orders", { payload: Order })
   *   yield* Stream.runForEach(events, (event) => {
   *     switch (event._tag) {
   *       case "Notification":
   *         return Effect.log(event.payload.id)
   *       case "Undecodable":
   *         return Effect.logError("no order", event.error)
   *       case "Gap":
   *         return Effect.log("read everything anew")
   *     }
   *   })
   * })
   *
   * export const program = Effect.scoped(heard)
   * ```
   * @since 0.1.0
   */
  <S extends Schema.Top>(
    channel: string,
    options: PayloadOptions<S>
  ): Effect.Effect<
    Stream.Stream<DecodedEvent<S["Type"]>, PgError.PgError, S["DecodingServices"]>,
    PgError.PgError,
    Scope.Scope
  >
}
