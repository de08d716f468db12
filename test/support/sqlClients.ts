/** The clients with which the tests of adapters to effect/sql are run, and databases for those tests. */
import { PgClient } from "@effect/sql-pg"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as PgSqlClient from "../../src/PgSqlClient.ts"
import { type Database, scopedDatabase } from "./database.ts"

export interface ClientOptions {
  readonly url: string
  readonly maxConnections?: number
  readonly applicationName?: string
}

type ClientLayer = (options: ClientOptions) => Layer.Layer<SqlClient.SqlClient, SqlError>

const sqlPg: ClientLayer = ({ applicationName, maxConnections = 10, url }) =>
  PgClient.layer({ url: Redacted.make(url), maxConnections, applicationName })

const effectpg: ClientLayer = ({ applicationName, maxConnections = 10, url }) =>
  PgSqlClient.layer({ url: Redacted.make(url), maxConnections, applicationName })

/** Every client that must pass the same tests. */
export const sqlClients: ReadonlyArray<readonly [name: string, layer: ClientLayer]> = [
  ["effectpg", effectpg],
  ["@effect/sql-pg", sqlPg]
]

/** Runs an effect with a client of a database of its own. */
export const inDatabase =
  (client: ClientLayer, options: Omit<ClientOptions, "url"> = {}) =>
  <A, E, R>(use: (database: Database) => Effect.Effect<A, E, R>) =>
    Effect.scoped(
      Effect.flatMap(scopedDatabase, (database) =>
        Effect.provide(use(database), client({ ...options, url: database.url }))
      )
    )

/** The rows of a statement as they come. */
export const rowsOf = (sql: string): Effect.Effect<ReadonlyArray<unknown>, SqlError, SqlClient.SqlClient> =>
  Effect.flatMap(SqlClient.SqlClient, (client) => client.unsafe(sql))

/** How many advisory locks there are in the database. */
export const advisoryLocks: Effect.Effect<number, SqlError, SqlClient.SqlClient> = Effect.map(
  rowsOf(
    "SELECT FROM pg_locks WHERE locktype = 'advisory' " +
      "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
  ),
  ({ length }) => length
)
