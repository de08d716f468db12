/**
 * Lets one runner at a time apply a migration, by an advisory lock.
 *
 * Nothing here lets the server wait for the lock. A statement that waits holds a snapshot, and `CREATE INDEX
 * CONCURRENTLY` of the runner that has the lock would wait for the end of that snapshot: a deadlock.
 */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import { createHash } from "node:crypto"
import { timeoutOption } from "../call/realTime.ts"
import type { HistoryTable, Query } from "./history.ts"

/** What a runner gets that does not get the lock. */
export const BUSY = "busy"

/** After that long, the lock is left to the end of its session. */
const RELEASE_MILLIS = 5_000

/** The key of the lock, from the name of the table: migrations of different tables do not wait for each other. */
export const lockKeyOf = ({ name, schema }: HistoryTable): bigint =>
  createHash("sha256").update(`effectpg migrations\0${schema}\0${name}`).digest().readBigInt64BE()

/** Runs an effect in a transaction that has the lock, and holds it until the transaction ends. */
export const underTransactionLock = <A, E, R>(
  query: Query,
  key: bigint,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A | typeof BUSY, E | SqlError, R> =>
  Effect.flatMap(
    query(`SELECT pg_catalog.pg_try_advisory_xact_lock(${literal(key)}) AS granted`),
    ([row]): Effect.Effect<A | typeof BUSY, E, R> => (row?.["granted"] === true ? effect : Effect.succeed(BUSY))
  )

/** Runs an effect while the session of `query` has the lock. */
export const underSessionLock = <A, E, R>(
  query: Query,
  key: bigint,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A | typeof BUSY, E | SqlError, R> => {
  // While the server is being asked, it may grant the lock to a fiber that is interrupted and never hears of it.
  let mayHold = true
  const attempt = Effect.map(
    query(`SELECT pg_catalog.pg_try_advisory_lock(${literal(key)}) AS granted`),
    ([row]) => (mayHold = row?.["granted"] === true)
  )
  const release = Effect.suspend(() =>
    mayHold
      ? query(`SELECT pg_catalog.pg_advisory_unlock(${literal(key)})`).pipe(
          (released) => timeoutOption(released, RELEASE_MILLIS),
          Effect.ignore
        )
      : Effect.void
  )
  const performed = Effect.flatMap(attempt, (isGranted): Effect.Effect<A | typeof BUSY, E, R> =>
    isGranted ? effect : Effect.succeed(BUSY)
  )
  return Effect.onExit(performed, () => release)
}

/** Names who has the lock, as far as the server tells. */
export const holderOf = (query: Query, key: bigint): Effect.Effect<string, SqlError> =>
  Effect.map(query(holder(key)), ([row]) => {
    const name = row?.["name"]
    if (row === undefined) return "it"
    return `server process ${String(row["pid"])}${typeof name === "string" && name !== "" ? ` (${name})` : ""}`
  })

/** A lock with one key shows as two halves, and with 1 as `objsubid`. */
const holder = (key: bigint): string => {
  const high = BigInt.asUintN(32, key >> 32n)
  const low = BigInt.asUintN(32, key)
  return `SELECT l.pid::pg_catalog.int4 AS pid, a.application_name::pg_catalog.text AS name
FROM pg_catalog.pg_locks AS l LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid OPERATOR(pg_catalog.=) l.pid
JOIN pg_catalog.pg_database AS d ON d.oid OPERATOR(pg_catalog.=) l.database
WHERE l.locktype OPERATOR(pg_catalog.=) 'advisory' AND l.granted
  AND d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
  AND l.classid OPERATOR(pg_catalog.=) '${high}'::pg_catalog.oid
  AND l.objid OPERATOR(pg_catalog.=) '${low}'::pg_catalog.oid
  AND l.objsubid OPERATOR(pg_catalog.=) 1::pg_catalog.int2`
}

const literal = (key: bigint): string => `'${key}'::pg_catalog.int8`
