/**
 * Runs @effect/sql-pg through its native `PgConnection` and `PgPool`. They are its cheapest interface, without the
 * spans and the statement compiler of its `SqlClient`. Only transactions need the `SqlClient`.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as PgPool from "@effect/sql-pg/PgPool"
import * as Effect from "effect/Effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Redacted from "effect/Redacted"
import type { SqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import type { Address, Plan } from "../protocol.ts"
import { type Driver, statementsOf } from "./driver.ts"
import { effectDriver, type Source } from "./effects.ts"

interface Pools {
  readonly native: PgPool.PgPool
  readonly client: PgClient.PgClient
}

const settings = ({ host, port, user, password, database }: Address, plan: Plan, multiplex: boolean) => ({
  host,
  port,
  username: user,
  password: Redacted.make(password),
  database,
  ssl: false,
  multiplex,
  preparedStatementCacheSize: statementsOf(plan)
})

const connectionWith = (multiplex: boolean): Source<PgConnection.PgConnection, SqlError> => ({
  open: (address, plan) => PgConnection.make(settings(address, plan, multiplex)),
  skills: {
    fetch: (connection, { sql, parameters }) => Effect.map(connection.query(sql, parameters), (result) => result.rows),
    stream: (connection, { sql, parameters }, see) =>
      Stream.runForEachArray(connection.stream(sql, parameters), (rows) => Effect.sync(() => rows.forEach(see)))
  }
})

const poolWith = (multiplex: boolean): Source<Pools, SqlError> => ({
  open: (address, plan) => {
    const options = { ...settings(address, plan, multiplex), maxConnections: plan.connections }
    return Effect.all({ native: PgPool.make(options), client: PgClient.make(options) }).pipe(
      Effect.provide(Reactivity.layer)
    )
  },
  skills: {
    fetch: ({ native }, { sql, parameters }) =>
      native.use((connection) => Effect.map(connection.query(sql, parameters), (result) => result.rows)),
    stream: ({ client }, { sql, parameters }, see) =>
      Stream.runForEach(client.unsafe(sql, parameters).stream, (row) => Effect.sync(() => see(Object(row)))),
    acquire: ({ native }) => native.use(() => Effect.void),
    lease: ({ native }, { sql, parameters }) =>
      native.use((connection) => Effect.map(connection.query(sql, parameters), (result) => result.rows)),
    transaction: ({ client }, { sql, parameters }) => client.withTransaction(client.unsafe(sql, parameters))
  }
})

export const multiplexed: Driver = effectDriver({ connection: connectionWith(true), pool: poolWith(true) })

const plain = effectDriver({ connection: connectionWith(false), pool: poolWith(false) })

export const driver: Driver = {
  open: async (address, plan) => (plan.isPipelined ? { refused: "it cannot pipeline" } : plain.open(address, plan))
}
