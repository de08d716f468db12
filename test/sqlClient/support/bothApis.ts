/** Makes what transactions of both APIs are tested on: a pool, its `SqlClient`, and a table that others observe. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Reactivity from "effect/reactivity/Reactivity"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import type * as PgConfig from "../../../src/PgConfig.ts"
import * as PgError from "../../../src/PgError.ts"
import type * as PgPool from "../../../src/PgPool.ts"
import * as PgSqlClient from "../../../src/PgSqlClient.ts"
import { assertHealthy, livePool, valueOf } from "../../support/live.ts"
import { table } from "../../transactions/table.ts"

export type Failure = PgError.PgError | SqlError

/** One of the two APIs, in words that both have. */
export interface Api {
  readonly name: "sql" | "pg"
  readonly transaction: <A, E, R>(body: Effect.Effect<A, E, R>) => Effect.Effect<A, E | Failure, R>
  readonly insert: (n: number) => Effect.Effect<unknown, Failure>
  /** Is refused by the server. */
  readonly refused: Effect.Effect<unknown, Failure>
  readonly execute: (statement: string) => Effect.Effect<unknown, Failure>
  /** The numbers that the API itself sees. */
  readonly seen: Effect.Effect<ReadonlyArray<number>, Failure>
  readonly afterCommit: (effect: Effect.Effect<void>) => Effect.Effect<void, Failure>
}

export interface Both {
  readonly pg: PgPool.PgPool
  readonly sql: PgSqlClient.PgSqlClient
  readonly apis: { readonly sql: Api; readonly pg: Api }
  readonly name: string
  /** The numbers that others see. */
  readonly numbers: Effect.Effect<unknown, PgError.PgError>
  /** Shows that both APIs work, also in transactions, and that nothing is left on loan. */
  readonly healthy: Effect.Effect<void, Failure>
}

const isNumbers = (value: unknown): value is ReadonlyArray<number> =>
  Array.isArray(value) && value.every((each) => typeof each === "number")

const numbersIn = (value: unknown): ReadonlyArray<number> => (isNumbers(value) ? value : [])

/** The client of effect/sql on a pool. */
export const sqlOf = (pg: PgPool.PgPool, options?: PgSqlClient.Options) =>
  Effect.provide(PgSqlClient.fromClient(pg, options), Reactivity.layer)

/** By default the pool has one connection, so a call that runs in no transaction waits for ever beside one that does. */
export const both = (settings?: PgConfig.PoolSettings) =>
  Effect.gen(function* () {
    const pg = yield* livePool({ maxConnections: 1, acquireTimeout: "3 seconds", ...settings })
    const sql = yield* sqlOf(pg)
    const { insert, name, numbers } = yield* table
    const array = `SELECT coalesce(array_agg(n ORDER BY n), '{}') AS n FROM ${name}`
    const bySql: Api = {
      name: "sql",
      transaction: (body) => sql.withTransaction(body),
      insert: (n) => sql`INSERT INTO ${sql(name)} VALUES (${n})`,
      refused: sql`SELECT 1 / 0`,
      execute: (statement) => sql.unsafe(statement),
      seen: Effect.map(sql.unsafe<{ n: unknown }>(array), ([row]) => numbersIn(row?.n)),
      afterCommit: (effect) => sql.afterCommit(effect)
    }
    const byPg: Api = {
      name: "pg",
      transaction: (body) => pg.withTransaction(body),
      insert: (n) => insert(pg, n),
      refused: pg.execute("SELECT 1 / 0"),
      execute: (statement) => pg.execute(statement),
      seen: Effect.map(valueOf(pg, array), numbersIn),
      afterCommit: (effect) => pg.afterCommit(effect)
    }
    const healthy = Effect.gen(function* () {
      yield* assertHealthy(pg)
      yield* sql.withTransaction(pg.withTransaction(sql`SELECT 1`))
      const { inUse, waiting } = yield* pg.stats
      if (inUse + waiting > 0) yield* Effect.die(new Error("a connection is still on loan"))
    })
    const made: Both = { pg, sql, apis: { sql: bySql, pg: byPg }, name, numbers, healthy }
    return made
  })

/** The error of effectpg, also if it is the cause of a `SqlError`. */
export const nativeOf = (error: unknown): PgError.PgError | undefined => {
  const found = isSqlError(error) ? error.reason.cause : error
  return PgError.isPgError(found) ? found : undefined
}

/** How an effect ended: `success`, `defect`, `interruption`, or the tag of effectpg's error or of the body's own. */
export const endOf = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return "success"
  if (Cause.hasDies(exit.cause)) return "defect"
  if (Cause.hasInterruptsOnly(exit.cause)) return "interruption"
  const error = Cause.squash(exit.cause)
  return nativeOf(error)?._tag ?? String(error)
}
