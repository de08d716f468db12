/** Runs effectpg through its connection, and through its pool, as it is and without sharing of connections. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as PgConnection from "../../src/PgConnection.ts"
import type * as PgError from "../../src/PgError.ts"
import * as PgPool from "../../src/PgPool.ts"
import type { Address, Plan } from "../protocol.ts"
import { type Driver, statementsOf } from "./driver.ts"
import { effectDriver, type Source } from "./effects.ts"

const settings = ({ password, ...address }: Address, plan: Plan) => ({
  ...address,
  password: Redacted.make(password),
  sslMode: "disable" as const,
  statementCacheSize: statementsOf(plan)
})

const connection: Source<PgConnection.PgConnection, PgError.PgError> = {
  open: (address, plan) => PgConnection.make(settings(address, plan)),
  skills: {
    fetch: (connection, { sql, parameters }) => connection.fetch(sql, parameters),
    stream: (connection, { sql, parameters }, see) =>
      Stream.runForEachArray(connection.stream(sql, parameters), (rows) => Effect.sync(() => rows.forEach(see))),
    executeMany: (connection, sql, records) => connection.executeMany(sql, records),
    copyIn: (connection, table, columns, records) => connection.copyInRows({ table, columns }, records)
  }
}

const pool = (multiplex?: boolean): Source<PgPool.PgPool, PgError.PgError> => ({
  open: (address, plan) =>
    PgPool.make({
      ...settings(address, plan),
      minConnections: plan.connections,
      maxConnections: plan.connections,
      multiplex
    }),
  skills: {
    fetch: (pool, { sql, parameters }) => pool.fetch(sql, parameters),
    stream: (pool, { sql, parameters }, see) =>
      Stream.runForEachArray(pool.stream(sql, parameters), (rows) => Effect.sync(() => rows.forEach(see))),
    acquire: (pool) => pool.withConnection(() => Effect.void),
    lease: (pool, { sql, parameters }) => pool.withConnection((connection) => connection.fetch(sql, parameters)),
    transaction: (pool, { sql, parameters }) => pool.withTransaction(pool.execute(sql, parameters))
  }
})

export const driver: Driver = effectDriver({ connection, pool: pool() })

const withoutSharing = effectDriver({ connection, pool: pool(false) })

export const exclusive: Driver = {
  open: async (address, plan) =>
    plan.through === "pool" ? withoutSharing.open(address, plan) : { refused: "only its pool is any different" }
}
