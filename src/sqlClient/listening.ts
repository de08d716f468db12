/**
 * Channels of PostgreSQL as queues of effect/sql. Notifications wait in the client, which counts them and tells a slow
 * reader that some are missing. The queues are therefore short, and hold back the events of the client.
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { ConnectionError, SqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import type * as PgClient from "../PgClient.ts"
import type * as PgError from "../PgError.ts"
import type * as PgNotification from "../PgNotification.ts"
import { sqlErrorOf } from "./sqlErrors.ts"
import type { SqlPgClient, SqlPgNotification } from "./sqlPg.ts"

const QUEUE_SIZE = 16

/** Makes the `listen` of `PgSqlClient`, whose queues have a `Gap` where notifications may be missing. */
export const eventQueues =
  (pg: PgClient.PgClient) =>
  (channel: string): Effect.Effect<Queue.Dequeue<PgNotification.Event, SqlError | Cause.Done>, SqlError, Scope.Scope> =>
    Effect.flatMap(eventsOf(pg, channel), (events) => Stream.toQueue(events, { capacity: QUEUE_SIZE }))

/** Makes the `listen` of `@effect/sql-pg`, whose queues know no gap: they fail where notifications may be missing. */
export const notificationQueues = (pg: PgClient.PgClient): SqlPgClient["listen"] =>
  Effect.fnUntraced(function* (channel) {
    const events = yield* eventsOf(pg, channel)
    const queue = yield* Queue.bounded<SqlPgNotification, SqlError>(QUEUE_SIZE)
    yield* Effect.addFinalizer(() => Queue.shutdown(queue))
    const received = Stream.runForEach(events, (event) =>
      event._tag === "Gap" ? Effect.fail(lost(event)) : Queue.offer(queue, plain(event))
    )
    yield* Effect.forkScoped(Effect.onError(received, (cause) => Queue.failCause(queue, cause)))
    return queue
  })

const eventsOf = (pg: PgClient.PgClient, channel: string) =>
  Effect.mapBoth(pg.listen(channel), {
    onSuccess: (events) => Stream.mapError(events, listening),
    onFailure: listening
  })

const listening = (error: PgError.PgError): SqlError => sqlErrorOf(error, "listen")

const plain = ({ channel, payload, processId }: PgNotification.Notification): SqlPgNotification => ({
  processId,
  channel,
  payload
})

const lost = (cause: PgNotification.Gap): SqlError => {
  const why = cause.reason === "overflow" ? "the reader is too slow" : "the connection was replaced"
  const message = `notifications of channel "${cause.channel}" may have been lost: ${why}`
  return new SqlError({ reason: new ConnectionError({ cause, message, operation: "listen" }) })
}
