/** Makes a client in the form of the one of `@effect/sql-pg` from a client of effectpg. */
import type * as SqlClient from "effect/sql/SqlClient"
import { routerOf } from "../connection/baseQueryable.ts"
import type * as PgClient from "../PgClient.ts"
import { notificationQueues } from "./listening.ts"
import type { SqlPgClient, SqlPgConfig } from "./sqlPg.ts"

interface Client extends SqlClient.SqlClient, Pick<SqlPgClient, "json" | "notify"> {
  readonly pg: PgClient.PgClient
}

/** A client of its own, so that `client` itself keeps its `listen`. It runs its calls where those of `client` run. */
export const sqlPgClientOf = (client: Client): SqlPgClient => {
  const made = Object.assign(client.bind(undefined), client, {
    "~@effect/sql-pg/PgClient": "~@effect/sql-pg/PgClient",
    config: configOf(client.pg),
    listen: notificationQueues(client.pg)
  } as const)
  return Object.assign(made, { safe: made })
}

const configOf = (pg: PgClient.PgClient): SqlPgConfig => {
  const target = routerOf(pg)?.observer.target
  if (target === undefined) return {}
  const { address, database, port, user } = target
  return { ...(port === undefined ? { path: address } : { host: address, port }), database, username: user }
}
