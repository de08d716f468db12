/**
 * Makes what transactions are tested on: a table of numbers, as other connections see it, and everything that has
 * transactions.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as PgConnection from "../../src/PgConnection.ts"
import type * as PgError from "../../src/PgError.ts"
import type { TestDatabase } from "../support/database.ts"
import { liveConnection, livePool, valueOf } from "../support/live.ts"

type Made = Effect.Effect<PgConnection.Queryable, PgError.PgError, TestDatabase | Scope.Scope>

export const makers: ReadonlyArray<readonly [string, Made]> = [
  ["a connection", liveConnection()],
  ["a pool", livePool({ maxConnections: 3 })]
]

export const table = Effect.gen(function* () {
  const observer = yield* liveConnection()
  const name = `t_${crypto.randomUUID().replaceAll("-", "")}`
  yield* observer.execute(`CREATE TABLE ${name} (n int4)`)
  const numbers = valueOf(observer, `SELECT coalesce(array_agg(n ORDER BY n), '{}') FROM ${name}`)
  const insert = (queryable: PgConnection.Queryable, n: number) =>
    queryable.execute(`INSERT INTO ${name} VALUES ($1)`, [n])
  return { insert, name, numbers, observer }
})
