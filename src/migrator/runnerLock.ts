/**
 * Lets one runner at a time do its work, by an advisory lock of its session.
 *
 * A runner that waits asks again and again. It does not ask the server to wait, because a statement that waits holds a
 * snapshot, and `CREATE INDEX CONCURRENTLY` of the runner that has the lock would wait for the end of that snapshot: a
 * deadlock.
 */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import { createHash } from "node:crypto"
import type { HistoryTable, Query } from "./history.ts"

const POLL_MILLIS = 200
/** After that long, the lock is left to the end of the session. */
const RELEASE_MILLIS = 5_000

/** The key of the lock, from the name of the table: migrations of different tables do not wait for each other. */
export const lockKeyOf = ({ name, schema }: HistoryTable): bigint =>
  createHash("sha256").update(`effectpg migrations\0${schema}\0${name}`).digest().readBigInt64BE()

/** Runs an effect while the session of `query` has the lock. */
export const withRunnerLock = <A, E, R>(
  query: Query,
  key: bigint,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E | SqlError, R> => {
  // While the server is being asked, it may have granted the lock to somebody who will never hear of it.
  let mayHold = false
  const attempt = Effect.suspend(() => {
    mayHold = true
    return Effect.map(query(`SELECT pg_catalog.pg_try_advisory_lock(${literal(key)}) AS granted`), ([row]) => {
      mayHold = row?.["granted"] === true
      return mayHold
    })
  })
  const release = Effect.suspend(() =>
    mayHold
      ? query(`SELECT pg_catalog.pg_advisory_unlock(${literal(key)})`).pipe(
          Effect.timeoutOption(RELEASE_MILLIS),
          Effect.ignore
        )
      : Effect.void
  )
  return Effect.onExit(Effect.andThen(acquire(query, key, attempt), effect), () => release)
}

const acquire = (query: Query, key: bigint, attempt: Effect.Effect<boolean, SqlError>): Effect.Effect<void, SqlError> =>
  Effect.gen(function* () {
    if (yield* attempt) return
    yield* Effect.logInfo(`Another process runs the migrations. Waiting for ${yield* holderOf(query, key)}`)
    do yield* Effect.sleep(POLL_MILLIS)
    while (!(yield* attempt))
    yield* Effect.logInfo("The other process has ended its migrations")
  })

/** Names who has the lock, as far as the server tells. */
const holderOf = (query: Query, key: bigint): Effect.Effect<string, SqlError> =>
  Effect.map(query(holder(key)), ([row]) => {
    const name = row?.["name"]
    if (row === undefined) return "the lock"
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
