/** Makes a client in the form of the one of `@effect/sql-pg` from a client of effectpg. */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as SqlClient from "effect/sql/SqlClient"
import { ConnectionError, SqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import { routerOf } from "../connection/baseQueryable.ts"
import type * as PgClient from "../PgClient.ts"
import type * as PgNotification from "../PgNotification.ts"
import { sqlErrorOf } from "./sqlErrors.ts"
import type { SqlPgClient, SqlPgConfig, SqlPgNotification } from "./sqlPg.ts"

interface Client extends SqlClient.SqlClient, Pick<SqlPgClient, "json" | "notify"> {
  readonly pg: PgClient.PgClient
}

/** A client of its own, so that `client` itself keeps its `listen`. It runs its calls where those of `client` run. */
export const sqlPgClientOf = (client: Client): SqlPgClient => {
  const made = Object.assign(client.bind(undefined), client, {
    "~@effect/sql-pg/PgClient": "~@effect/sql-pg/PgClient",
    config: configOf(client.pg),
    listen: listening(client.pg)
  } as const)
  return Object.assign(made, { safe: made })
}

const configOf = (pg: PgClient.PgClient): SqlPgConfig => {
  const target = routerOf(pg)?.observer.target
  if (target === undefined) return {}
  const { address, database, port, user } = target
  return { ...(port === undefined ? { path: address } : { host: address, port }), database, username: user }
}

/** Notifications wait in the client, which counts them, and not in the queue. */
const QUEUE_SIZE = 16

const listening = (pg: PgClient.PgClient): SqlPgClient["listen"] =>
  Effect.fnUntraced(function* (channel) {
    const events = yield* Effect.mapError(pg.listen(channel), (error) => sqlErrorOf(error, "listen"))
    const queue = yield* Queue.bounded<SqlPgNotification, SqlError>(QUEUE_SIZE)
    yield* Effect.addFinalizer(() => Queue.shutdown(queue))
    const received = Stream.runForEach(
      Stream.mapError(events, (error) => sqlErrorOf(error, "listen")),
      (event) => (event._tag === "Gap" ? Effect.fail(lost(event)) : Queue.offer(queue, plain(event)))
    )
    yield* Effect.forkScoped(Effect.onError(received, (cause) => Queue.failCause(queue, cause)))
    return queue
  })

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
