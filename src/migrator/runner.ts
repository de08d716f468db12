/**
 * Runs what is pending, one migration after the other. Each is done under the lock, and only if it is still pending
 * then: another runner may have done it.
 */
import * as Effect from "effect/Effect"
import type { Loader, ResolvedMigration } from "effect/sql/Migrator"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { passed } from "../call/realTime.ts"
import { ensureTable, findTable, type HistoryTable, isReady, type Query, queryOf, readApplied } from "./history.ts"
import { LoaderFailedError, PgMigrationError } from "./migrationError.ts"
import { checked, labelOf, type Plan, planOf } from "./plan.ts"
import { BUSY, holderOf, lockKeyOf, underTransactionLock } from "./runnerLock.ts"
import { isSqlMigration } from "./sqlFile.ts"
import { perform, stepOf, transactionOf } from "./step.ts"

const POLL_MILLIS = 200

/** The id and the name of a migration that was applied. */
type Done = readonly [id: number, name: string]

export interface RunResult {
  readonly done: ReadonlyArray<Done>
  readonly table: HistoryTable
}

export const runMigrations = <R>(
  loader: Loader<R>,
  tableName: string
): Effect.Effect<RunResult, PgMigrationError | SqlError, SqlClient.SqlClient | R> =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const query = queryOf(sql)
    const migrations = yield* load(loader)
    const found = yield* findTable(query, tableName)
    const { pending, skipped } = yield* planOf(yield* readApplied(query, found), migrations)
    yield* warnOf(skipped)
    // All modules are imported before anything is run.
    const steps = yield* Effect.forEach(pending, stepOf)
    if (steps.length === 0) return { done: [], table: found }

    const key = lockKeyOf(found)
    const patiently = makePatient(query, key)
    const needsChecksums = pending.some(isSqlMigration)
    const table = isReady(found, needsChecksums)
      ? found
      : yield* patiently(preparation(sql, tableName, key, needsChecksums))
    const done: Array<Done> = []
    for (const step of steps) {
      const outcome = yield* patiently(perform({ sql, table, migrations }, step))
      if (outcome === "done") done.push([step.row.id, step.row.name])
    }
    yield* Effect.logDebug("Migrations complete")
    return { done, table }
  })

/**
 * Creates the table, or adds the columns that it lacks. It has a transaction of its own, so that other sessions can read
 * the table while the first migration runs. The transaction takes the lock before it looks for the table. If it looked
 * earlier and found none, the server could answer the second look from its cache, although another runner has created the
 * table since.
 */
const preparation = (
  sql: SqlClient.SqlClient,
  tableName: string,
  key: bigint,
  needsChecksums: boolean
): Effect.Effect<HistoryTable | typeof BUSY, SqlError> => {
  const query = queryOf(sql)
  const prepared = Effect.flatMap(findTable(query, tableName), (table) => ensureTable(query, table, needsChecksums))
  return transactionOf(sql, underTransactionLock(query, key, prepared))
}

/** Gives a way to try until another runner leaves the lock. The first time that it waits, the log says so. */
const makePatient = (query: Query, key: bigint) => {
  let hasSaidSo = false
  return <A, E, R>(attempt: Effect.Effect<A | typeof BUSY, E, R>): Effect.Effect<A, E | SqlError, R> =>
    Effect.gen(function* () {
      for (;;) {
        const outcome = yield* attempt
        if (outcome !== BUSY) return outcome
        if (!hasSaidSo) {
          hasSaidSo = true
          const holder = yield* holderOf(query, key)
          yield* Effect.logInfo(`Another process runs the migrations: waiting for ${holder}`)
        }
        yield* passed(POLL_MILLIS)
      }
    })
}

export const load = <R>(loader: Loader<R>): Effect.Effect<ReadonlyArray<ResolvedMigration>, PgMigrationError, R> =>
  Effect.flatMap(
    Effect.mapError(loader, (cause) =>
      cause instanceof PgMigrationError
        ? cause
        : new PgMigrationError({ reason: new LoaderFailedError({ cause, message: cause.message }) })
    ),
    checked
  )

const warnOf = (skipped: Plan["skipped"]): Effect.Effect<void> =>
  skipped.length === 0
    ? Effect.void
    : Effect.logWarning(
        `Migrations that are never run, because one with a higher number was applied: ${skipped.map(labelOf).join(", ")}`
      )
