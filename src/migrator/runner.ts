/** Runs what is pending: each migration in a transaction, all of them on one session, which also has the lock. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Loader, ResolvedMigration } from "effect/sql/Migrator"
import * as SqlClient from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import { quoteText } from "../wire/sqlText.ts"
import {
  type Applied,
  DEFAULT_TABLE,
  ensureTable,
  findTable,
  type HistoryTable,
  type Query,
  readApplied,
  record
} from "./history.ts"
import { type Implementation, implementationOf } from "./implementation.ts"
import { lockKeyOf, withRunnerLock } from "./runnerLock.ts"
import {
  ConflictError,
  EffectFailedError,
  InsideTransactionError,
  LoaderFailedError,
  PgMigrationError
} from "./migrationError.ts"
import { checked, fileOf, labelOf, type Plan, planOf } from "./plan.ts"
import { isSqlMigration, type SqlFile } from "./sqlFile.ts"
import { statementFailure } from "./statementFailure.ts"

/** The id and the name of a migration that was applied. */
type Done = readonly [id: number, name: string]

export const runMigrations = <R>(
  loader: Loader<R>,
  tableName = DEFAULT_TABLE
): Effect.Effect<RunResult, PgMigrationError | SqlError, SqlClient.SqlClient | R> =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* refuseInside(sql)
    const migrations = yield* load(loader)
    return yield* Effect.scoped(
      Effect.gen(function* () {
        const connection = yield* sql.reserve
        const query = queryOn(connection)
        const table = yield* findTable(query, tableName)
        const runner = { query, transaction: transactionsOn(sql, connection) }
        return yield* withRunnerLock(query, lockKeyOf(table), runPending(runner, tableName, migrations))
      })
    )
  })

export interface RunResult {
  readonly done: ReadonlyArray<Done>
  readonly table: HistoryTable
}

/** The session would not be that of the transaction, and would wait for it, or the pool could have no other. */
const refuseInside = (sql: SqlClient.SqlClient): Effect.Effect<void, PgMigrationError> =>
  Effect.flatMap(Effect.serviceOption(sql.transactionService), ({ _tag }) => {
    if (_tag === "None") return Effect.void
    const message = "migrations cannot run inside of a transaction: each of them has a transaction of its own"
    return Effect.fail(new PgMigrationError({ reason: new InsideTransactionError({ message }) }))
  })

export const load = <R>(loader: Loader<R>): Effect.Effect<ReadonlyArray<ResolvedMigration>, PgMigrationError, R> =>
  Effect.flatMap(
    Effect.mapError(loader, (cause) =>
      cause instanceof PgMigrationError
        ? cause
        : new PgMigrationError({ reason: new LoaderFailedError({ cause, message: cause.message }) })
    ),
    checked
  )

const queryOn =
  (connection: Connection): Query =>
  (sql, params = []) =>
    connection.executeUnprepared(sql, params, undefined)

interface Runner {
  readonly query: Query
  readonly transaction: <A, E, R>(body: Effect.Effect<A, E, R>) => Effect.Effect<A, E | SqlError, R>
}

/** Transactions on one session, in which every statement of the client takes part. */
const transactionsOn = (sql: SqlClient.SqlClient, connection: Connection): Runner["transaction"] => {
  const query = queryOn(connection)
  const run = (statement: string): Effect.Effect<void, SqlError> => Effect.asVoid(query(statement))
  return SqlClient.makeWithTransaction({
    transactionService: sql.transactionService,
    spanAttributes: [],
    acquireConnection: (): Effect.Effect<Connection, SqlError, Scope.Scope> => Effect.succeed(connection),
    begin: (_, statement) => run(statement ?? "BEGIN"),
    commit: () => run("COMMIT"),
    // It fails only if the session is lost, and then the server rolls back.
    rollback: () => Effect.ignore(run("ROLLBACK")),
    savepoint: (_, id) => run(`SAVEPOINT ${savepoint(id)}`),
    releaseSavepoint: (_, id) => Effect.ignore(run(`RELEASE SAVEPOINT ${savepoint(id)}`)),
    rollbackSavepoint: (_, id) => Effect.ignore(run(`ROLLBACK TO SAVEPOINT ${savepoint(id)}`))
  })
}

const savepoint = (id: number): string => `effect_sql_${id}`

const runPending = (
  runner: Runner,
  tableName: string,
  migrations: ReadonlyArray<ResolvedMigration>
): Effect.Effect<RunResult, PgMigrationError | SqlError, SqlClient.SqlClient> =>
  Effect.gen(function* () {
    const { query } = runner
    const found = yield* findTable(query, tableName)
    const { pending, skipped } = yield* planOf(yield* readApplied(query, found), migrations)
    yield* warnOf(skipped)
    const steps = yield* Effect.forEach(pending, stepOf)
    yield* ensureTable(query, found, pending.some(isSqlMigration))
    const table = { ...found, exists: true }
    yield* Effect.forEach(steps, (step) => perform(runner, table, step), { discard: true })
    yield* Effect.logDebug("Migrations complete")
    return { done: pending.map(([id, name]): Done => [id, name]), table }
  })

const warnOf = (skipped: Plan["skipped"]): Effect.Effect<void> =>
  skipped.length === 0
    ? Effect.void
    : Effect.logWarning(
        `Migrations that are never run, because one with a higher number was applied: ${skipped.map(labelOf).join(", ")}`
      )

interface Step {
  readonly migration: ResolvedMigration
  /** What is recorded when it is done. */
  readonly row: Omit<Applied, "appliedAt">
  readonly label: string
  readonly work: SqlFile | Implementation
}

/** All modules are imported before anything is run. */
const stepOf = (migration: ResolvedMigration): Effect.Effect<Step, PgMigrationError, SqlClient.SqlClient> => {
  const [id, name] = migration
  const label = fileOf(migration) ?? labelOf(migration)
  if (isSqlMigration(migration)) {
    const { sqlFile } = migration
    return Effect.succeed({ migration, row: { id, name, checksum: sqlFile.checksum }, label, work: sqlFile })
  }
  const row = { id, name, checksum: null }
  return Effect.map(implementationOf(migration), (work) => ({ migration, row, label, work }))
}

const perform = (
  runner: Runner,
  table: HistoryTable,
  step: Step
): Effect.Effect<void, PgMigrationError | SqlError, SqlClient.SqlClient> => {
  const { id, name } = step.row
  const isBare = !Effect.isEffect(step.work) && !step.work.isTransactional
  const performed = isBare ? withoutTransaction(runner, table, step) : inTransaction(runner, table, step)
  return Effect.andThen(Effect.logDebug("Running migration"), performed).pipe(
    Effect.annotateLogs({ migration_id: String(id), migration_name: name }),
    Effect.withSpan(`Migrator ${id}_${name}`)
  )
}

/**
 * The row comes first: if another migrator does the same migration, one of the two waits here. The last statement fails
 * if the transaction was aborted, so that COMMIT is never answered by ROLLBACK.
 */
const inTransaction = (
  { query, transaction }: Runner,
  table: HistoryTable,
  step: Step
): Effect.Effect<void, PgMigrationError | SqlError, SqlClient.SqlClient> =>
  transaction(
    Effect.gen(function* () {
      yield* Effect.mapError(record(query, table, step.row), conflictOf(step.label))
      const before = yield* transactionOf(query)
      yield* workOf(query, step)
      const after = yield* Effect.mapError(restored(query, before), (cause) => abortedBy(step, cause))
      if (after !== before.transaction) return yield* endedItself(step)
    })
  )

/** Every statement is committed by itself. The row is written when all of them have run. */
const withoutTransaction = (
  { query }: Runner,
  table: HistoryTable,
  step: Step
): Effect.Effect<void, PgMigrationError | SqlError, SqlClient.SqlClient> =>
  Effect.gen(function* () {
    const before = yield* transactionOf(query)
    yield* Effect.ensuring(workOf(query, step), Effect.ignore(restored(query, before)))
    yield* Effect.mapError(record(query, table, step.row), conflictOf(step.label))
  })

interface Before {
  readonly transaction: unknown
  readonly searchPath: string
}

/** A dump that became a migration empties the `search_path` of its session. The next migration gets it back. */
const transactionOf = (query: Query): Effect.Effect<Before, SqlError> =>
  Effect.map(
    query(
      `SELECT pg_catalog.txid_current_if_assigned()::pg_catalog.text AS id, ` +
        `pg_catalog.current_setting('search_path') AS path`
    ),
    ([row]) => ({ transaction: row?.["id"], searchPath: String(row?.["path"]) })
  )

/** Gives the transaction in which it has run. */
const restored = (query: Query, { searchPath }: Before): Effect.Effect<unknown, SqlError> =>
  Effect.map(
    query(
      `SELECT pg_catalog.txid_current_if_assigned()::pg_catalog.text AS id, ` +
        `pg_catalog.set_config('search_path', ${quoteText(searchPath)}, false) AS path`
    ),
    ([row]) => row?.["id"]
  )

const workOf = (query: Query, { label, work }: Step): Effect.Effect<void, PgMigrationError, SqlClient.SqlClient> =>
  Effect.isEffect(work)
    ? Effect.asVoid(Effect.mapError(work, (cause) => effectFailure(label, cause, "it failed")))
    : Effect.forEach(
        work.statements,
        ({ sql }, index) => Effect.mapError(query(sql), (cause) => statementFailure(work, index, cause)),
        { discard: true }
      )

const effectFailure = (migration: string, cause: unknown, problem: string): PgMigrationError => {
  const said = cause instanceof Error ? `: ${cause.message}` : ""
  const message = `migration ${migration}: ${problem}${said}`
  return new PgMigrationError({ reason: new EffectFailedError({ migration, cause, message }) })
}

const abortedBy = ({ label }: Step, cause: SqlError): PgMigrationError =>
  effectFailure(label, cause, "a statement failed, which the migration has not passed on, and it was rolled back")

const endedItself = ({ label }: Step): Effect.Effect<never, PgMigrationError> => {
  const problem = "it ended its transaction by itself. Look what it has done: it may be recorded as applied or not"
  return Effect.fail(effectFailure(label, undefined, problem))
}

const conflictOf =
  (migration: string) =>
  (cause: SqlError): PgMigrationError | SqlError => {
    if (cause.reason._tag !== "UniqueViolation" && cause.reason._tag !== "ConstraintError") return cause
    const message = `migration ${migration} was meanwhile applied by another migrator, which does not take the same lock`
    return new PgMigrationError({ reason: new ConflictError({ migration, cause, message }) })
  }
