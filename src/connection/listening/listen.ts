/** Listens to a channel on a session and makes the stream of its events. */
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import * as SchemaParser from "effect/SchemaParser"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as PgError from "../../PgError.ts"
import type * as PgNotification from "../../PgNotification.ts"
import { script } from "../../session/request/request.ts"
import type { Session } from "../../session/engine/session.ts"
import { submitControl } from "../../session/transaction/control.ts"
import type { TransactionLevel } from "../../session/transaction/transactionLevel.ts"
import { TransactionStatus } from "../../wire/backendMessage.ts"
import { DECODE_OPTIONS, misfitPayload } from "../rowSchema.ts"
import * as Shape from "../../call/shape.ts"
import { quoteName } from "../../wire/sqlText.ts"
import { listenStatement } from "./listenStatement.ts"
import { type Events, type Mailbox, makeMailbox } from "./mailbox.ts"

/**
 * Listens to a channel for the scope, on the session of `lease`. When this completes, the server has confirmed the
 * LISTEN. If `lease` ends, its error ends the events.
 */
export const listenOn = Effect.fnUntraced(function* (
  lease: TransactionLevel,
  level: TransactionLevel,
  channel: string,
  options: PgNotification.ListenOptions | undefined
): Effect.fn.Return<Mailbox, PgError.PgError, Scope.Scope> {
  const { session } = level
  const listen = yield* listenStatement(channel)
  const mailbox = yield* makeMailbox(channel, options)
  yield* Effect.acquireRelease(
    Effect.sync(() => session.channels.add(channel, mailbox.notify)),
    () => Effect.sync(() => leave(session, mailbox))
  )
  yield* listenAt(level, channel, listen)
  const end = (error: PgError.PgError): void => {
    leave(session, mailbox)
    mailbox.fail(error)
  }
  yield* Effect.acquireRelease(
    Effect.sync(() => lease.onEnd(end)),
    (forget) => Effect.sync(forget)
  )
  return mailbox
})

/** Sends LISTEN. If it ran in a transaction that is rolled back, the server forgets it, and it is sent again. */
const listenAt = (level: TransactionLevel, channel: string, listen: string): Effect.Effect<void, PgError.PgError> =>
  Effect.map(level.run(script(listen)), () => {
    level.session.statements.pooler.listens()
    if (!level.isTransaction) return
    const again = Effect.suspend(() =>
      level.session.channels.has(channel) ? listenAt(level.surviving, channel, listen) : Effect.void
    )
    level.afterRollback({ effect: Effect.ignore(again) })
  })

/**
 * Removes a reader from a session. After the last reader of a channel, the session sends UNLISTEN once it has nothing
 * else to do and no transaction is open: a query in front of the UNLISTEN could not be canceled, a rollback would undo
 * it, and a failed transaction would refuse it.
 */
export const leave = (session: Session, { channel, notify }: Pick<Mailbox, "channel" | "notify">): void => {
  const { channels } = session
  if (!channels.remove(channel, notify) || session.lost !== undefined) return
  if (channels.leave(channel)) session.onIdle(() => unlisten(session))
}

const unlisten = (session: Session): void => {
  if (session.lost !== undefined) return
  // Another callback of the idle session may just have sent something or begun a transaction.
  if (!session.settled || session.transactionStatus !== TransactionStatus.idle) {
    session.onIdle(() => unlisten(session), true)
    return
  }
  const statements = session.channels.takeLeft().map((channel) => `UNLISTEN ${quoteName(channel)}`)
  if (statements.length === 0) return
  submitControl(session, { operation: "UNLISTEN", sql: statements.join("; ") }, () => {})
}

/**
 * Makes the public `listen` from a function that subscribes to a channel. A schema decodes the payloads if the options
 * have one. `statement` is the LISTEN that the server receives.
 */
export const listenWith = (
  subscribe: (
    channel: string,
    options: PgNotification.ListenOptions | undefined,
    statement: string
  ) => Effect.Effect<Mailbox, PgError.PgError, Scope.Scope>
): PgNotification.Listen => {
  function listen(
    channel: string,
    options?: PgNotification.ListenOptions
  ): Effect.Effect<Stream.Stream<PgNotification.Event, PgError.PgError>, PgError.PgError, Scope.Scope>
  function listen<S extends Schema.Top>(
    channel: string,
    options: PgNotification.PayloadOptions<S>
  ): Effect.Effect<
    Stream.Stream<PgNotification.DecodedEvent<S["Type"]>, PgError.PgError, S["DecodingServices"]>,
    PgError.PgError,
    Scope.Scope
  >
  function listen<S extends Schema.Top>(
    channel: string,
    options?: PgNotification.ListenOptions | PgNotification.PayloadOptions<S>
  ) {
    return Shape.unless(Shape.faultOf("channel", channel, Shape.text), () =>
      Shape.withOptions<Partial<PgNotification.PayloadOptions<S>>, unknown, unknown, unknown>(
        options,
        LISTEN_OPTIONS,
        (known) =>
          Effect.flatMap(listenStatement(channel), (statement) =>
            Effect.map(subscribe(channel, known, statement), ({ events }) =>
              known?.payload === undefined ? Stream.fromQueue(events) : decoded(events, known.payload, statement)
            )
          )
      )
    )
  }
  return listen
}

const LISTEN_OPTIONS: Shape.Kinds = { bufferSize: Shape.count, payload: Shape.schema }

/** Decodes the payloads of events. One that does not fit becomes an `Undecodable` event, and the stream goes on. */
const decoded = <S extends Schema.Top>(
  events: Events,
  payload: S,
  sql: string
): Stream.Stream<PgNotification.DecodedEvent<S["Type"]>, PgError.PgError, S["DecodingServices"]> => {
  const decode = SchemaParser.decodeUnknownEffect(payload, DECODE_OPTIONS)
  return Stream.mapEffect(
    Stream.fromQueue(events),
    (event): Effect.Effect<PgNotification.DecodedEvent<S["Type"]>, never, S["DecodingServices"]> => {
      if (event._tag === "Gap") return Effect.succeed(event)
      return Effect.match(decode(event.payload), {
        onSuccess: (payload) => ({ ...event, payload }),
        onFailure: (issue) => ({ ...event, _tag: "Undecodable" as const, error: misfitPayload(issue, sql) })
      })
    }
  )
}
