/** Applies one migration: in a transaction of the client, or, for an SQL file that asks for it, without one. */
import * as Effect from "effect/Effect"
import type { ResolvedMigration } from "effect/sql/Migrator"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { quoteText } from "../wire/sqlText.ts"
import { type Applied, type HistoryTable, type Query, queryOf, readApplied, record } from "./history.ts"
import { type Implementation, implementationOf } from "./implementation.ts"
import { ConflictError, EffectFailedError, InsideTransactionError, PgMigrationError } from "./migrationError.ts"
import { fileOf, labelOf, planOf } from "./plan.ts"
import { type BUSY, lockKeyOf, underSessionLock, underTransactionLock } from "./runnerLock.ts"
import { isSqlMigration, type SqlFile } from "./sqlFile.ts"
import { sqlStateOf, statementFailure } from "./statementFailure.ts"

/** What every step of a run needs to know. */
export interface Surroundings {
  readonly sql: SqlClient.SqlClient
  readonly table: HistoryTable
  /** All that the loader has found. */
  readonly migrations: ReadonlyArray<ResolvedMigration>
}

export interface Step {
  readonly migration: ResolvedMigration
  /** What is recorded when it is done. */
  readonly row: Omit<Applied, "appliedAt">
  readonly label: string
  readonly work: SqlFile | Implementation
}

export const stepOf = (migration: ResolvedMigration): Effect.Effect<Step, PgMigrationError, SqlClient.SqlClient> => {
  const [id, name] = migration
  const label = fileOf(migration) ?? labelOf(migration)
  if (isSqlMigration(migration)) {
    const { sqlFile } = migration
    return Effect.succeed({ migration, row: { id, name, checksum: sqlFile.checksum }, label, work: sqlFile })
  }
  return Effect.map(implementationOf(migration), (work) => ({
    migration,
    row: { id, name, checksum: null },
    label,
    work
  }))
}

/** `gone` if another runner has done it. */
type Outcome = "done" | "gone" | typeof BUSY

export const perform = (
  surroundings: Surroundings,
  step: Step
): Effect.Effect<Outcome, PgMigrationError | SqlError, SqlClient.SqlClient> => {
  const { id, name } = step.row
  const { work } = step
  const performed =
    Effect.isEffect(work) || work.isTransactional
      ? inTransaction(surroundings, step)
      : withoutTransaction(surroundings, step, work)
  return performed.pipe(
    Effect.annotateLogs({ migration_id: String(id), migration_name: name }),
    Effect.withSpan(`Migrator ${id}_${name}`)
  )
}

/** What another runner has committed before it gave up the lock must be seen, also if sessions have other defaults. */
const BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"

/** The statement is for this transaction alone, and not for those that its body may begin with another client. */
export const transactionOf = <A, E, R>(
  sql: SqlClient.SqlClient,
  body: Effect.Effect<A, E, R>
): Effect.Effect<A, E | SqlError, R> =>
  Effect.flatMap(SqlClient.BeginTransaction, (outer) => {
    const whole = sql.withTransaction(Effect.provideService(body, SqlClient.BeginTransaction, outer))
    return Effect.provideService(whole, SqlClient.BeginTransaction, BEGIN)
  })

const inTransaction = (
  surroundings: Surroundings,
  step: Step
): Effect.Effect<Outcome, PgMigrationError | SqlError, SqlClient.SqlClient> => {
  const { sql, table } = surroundings
  const query = queryOf(sql)
  const body = Effect.gen(function* () {
    yield* Effect.logDebug("Running migration")
    const before = yield* stateOf(query)
    yield* workOf((statement) => sql.unsafe(statement).unprepared, step)
    // This fails if the transaction was aborted, so that COMMIT is never answered by ROLLBACK.
    const after = yield* Effect.mapError(restored(query, before), (cause) => hidden(step, cause))
    if (after !== before.transaction) return yield* Effect.fail(endedItself(step))
  })
  return transactionOf(
    sql,
    underTransactionLock(
      query,
      lockKeyOf(table),
      ifPending(query, surroundings, step, (done) => Effect.andThen(done, body))
    )
  )
}

/** The session is reserved, because the lock belongs to it. */
const withoutTransaction = (
  surroundings: Surroundings,
  step: Step,
  { file }: SqlFile
): Effect.Effect<Outcome, PgMigrationError | SqlError, SqlClient.SqlClient> =>
  Effect.gen(function* () {
    const { sql, table } = surroundings
    const around = yield* Effect.serviceOption(sql.transactionService)
    if (around._tag === "Some") {
      const message = `${file} cannot run inside of a transaction, as its first line says`
      return yield* Effect.fail(new PgMigrationError({ reason: new InsideTransactionError({ file, message }) }))
    }
    const connection = yield* sql.reserve
    const query: Query = (statement, params = []) => connection.executeUnprepared(statement, params, undefined)
    const body = Effect.gen(function* () {
      yield* Effect.logDebug("Running migration")
      const before = yield* stateOf(query)
      yield* Effect.ensuring(workOf(query, step), Effect.ignore(restored(query, before)))
    })
    return yield* underSessionLock(
      query,
      lockKeyOf(table),
      ifPending(query, surroundings, step, (done) => Effect.andThen(body, done))
    )
  }).pipe(Effect.scoped)

/** Performs the step if that is still right to do. `order` says when the recording comes. */
const ifPending = <R>(
  query: Query,
  { migrations, table }: Surroundings,
  { label, migration, row }: Step,
  order: (
    recording: Effect.Effect<void, PgMigrationError | SqlError>
  ) => Effect.Effect<void, PgMigrationError | SqlError, R>
): Effect.Effect<Exclude<Outcome, typeof BUSY>, PgMigrationError | SqlError, R> =>
  Effect.gen(function* () {
    const { pending } = yield* planOf(yield* readApplied(query, table), migrations)
    if (!pending.includes(migration)) return "gone"
    yield* order(Effect.mapError(record(query, table, row), conflictOf(label)))
    return "done"
  })

interface State {
  readonly transaction: unknown
  readonly searchPath: string
}

const TRANSACTION = "pg_catalog.txid_current_if_assigned()::pg_catalog.text AS transaction"

const stateOf = (query: Query): Effect.Effect<State, SqlError> =>
  Effect.map(query(`SELECT ${TRANSACTION}, pg_catalog.current_setting('search_path') AS path`), ([row]) => ({
    transaction: row?.["transaction"],
    searchPath: String(row?.["path"])
  }))

/**
 * Undoes a change of the `search_path` that would outlive the migration, as a dump makes it that became a migration.
 * Gives the transaction in which it has run.
 */
const restored = (query: Query, { searchPath }: State): Effect.Effect<unknown, SqlError> =>
  Effect.map(
    query(`SELECT ${TRANSACTION}, pg_catalog.set_config('search_path', ${quoteText(searchPath)}, false) AS path`),
    ([row]) => row?.["transaction"]
  )

const workOf = (
  run: (statement: string) => Effect.Effect<unknown, SqlError>,
  { label, work }: Step
): Effect.Effect<void, PgMigrationError, SqlClient.SqlClient> =>
  Effect.isEffect(work)
    ? Effect.asVoid(Effect.mapError(work, (cause) => effectFailure(label, cause, "it failed")))
    : Effect.forEach(
        work.statements,
        ({ sql }, index) => Effect.mapError(run(sql), (cause) => statementFailure(work, index, cause)),
        { discard: true }
      )

const effectFailure = (migration: string, cause: unknown, problem: string): PgMigrationError => {
  const said = cause instanceof Error ? `: ${cause.message}` : ""
  const message = `migration ${migration}: ${problem}${said}`
  return new PgMigrationError({ reason: new EffectFailedError({ migration, cause, message }) })
}

const FAILED_TRANSACTION = "25P02"

const hidden = ({ label }: Step, cause: SqlError): PgMigrationError | SqlError =>
  sqlStateOf(cause) === FAILED_TRANSACTION
    ? effectFailure(label, cause, "a statement failed, the migration has not passed that on, and all was rolled back")
    : cause

const endedItself = ({ label }: Step): PgMigrationError => {
  const problem = "it ended its transaction by itself. Look what it has done, and whether it is recorded as applied"
  return effectFailure(label, undefined, problem)
}

const conflictOf =
  (migration: string) =>
  (cause: SqlError): PgMigrationError | SqlError => {
    if (cause.reason._tag !== "UniqueViolation" && cause.reason._tag !== "ConstraintError") return cause
    const message = `migration ${migration} was meanwhile applied by another migrator, which does not take the same lock`
    return new PgMigrationError({ reason: new ConflictError({ migration, cause, message }) })
  }
