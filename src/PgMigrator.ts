/**
 * Migrations of a database: Effects and SQL files that run once each, in the order of their numbers.
 *
 * It has the names, the loaders and the table of Effect's `Migrator`, so that a project can go on with it. It adds SQL
 * files with checksums, statements that cannot run in a transaction, a lock for runners that start at the same time, a
 * preview (`dryRun`) and a report (`status`). `run` and `layer` need a `SqlClient` and nothing else.
 *
 * Each migration has a transaction of its own. If one fails, those before it stay applied, and the next run goes on with
 * it. All migrations run on one connection: a pool of one suffices.
 *
 * @example
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { SqlClient } from "effect/sql"
 * import { PgMigrator } from "effectpg"
 *
 * const users = Effect.gen(function* () {
 *   const sql = yield* SqlClient.SqlClient
 *   yield* sql`CREATE TABLE users (id int8 PRIMARY KEY, email text NOT NULL)`
 * })
 *
 * declare const Database: Layer.Layer<SqlClient.SqlClient>
 *
 * export const Migrated = PgMigrator.layer({ loader: PgMigrator.fromRecord({ "1_users": users }) }).pipe(
 *   Layer.provideMerge(Database)
 * )
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Loader } from "effect/sql/Migrator"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { DEFAULT_TABLE, findTable, queryOf, readApplied } from "./migrator/history.ts"
import type { PgMigrationError } from "./migrator/migrationError.ts"
import { fileOf, type MigrationStatus, planOf, statusOf } from "./migrator/plan.ts"
import { load, runMigrations } from "./migrator/runner.ts"
import type { SchemaDump } from "./migrator/schemaDump.ts"
import { isSqlMigration } from "./migrator/sqlFile.ts"

export * from "effect/sql/Migrator"
export { fromFileSystem } from "effect/sql/MigratorFileSystem"
export { fromDirectory, fromSqlRecord } from "./migrator/loaders.ts"
export * from "./migrator/migrationError.ts"
export type { MigrationState, MigrationStatus } from "./migrator/plan.ts"
export { pgDump, type SchemaDump, type SchemaDumpOptions } from "./migrator/schemaDump.ts"
export type { SqlFile, SqlMigration } from "./migrator/sqlFile.ts"

/**
 * Which migrations there are, and the table that says which of them were applied.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options<R = never> {
  readonly loader: Loader<R>
  /**
   * The table, with its schema if a dot is in it. The default is that of Effect's migrator.
   *
   * @default "effect_sql_migrations"
   */
  readonly table?: string | undefined
}

/**
 * The options of `run` and `layer`.
 *
 * @category options
 * @since 0.1.0
 */
export interface RunOptions<R = never, RD = never> extends Options<R> {
  /**
   * Writes the schema after migrations were applied, such as `PgMigrator.pgDump(...)`. If it fails, what was applied
   * stays applied, and a warning in the log says why the schema was not written. By default nothing is written.
   */
  readonly schemaDump?: SchemaDump<RD> | undefined
  /** The option of Effect's migrator. Use `schemaDump` in its place, because it needs to know the server. */
  readonly schemaDirectory?: never
}

/**
 * Applies all pending migrations, and returns their ids and names. Nothing is run if a migration cannot be read, or if
 * the SQL files are not those that were applied.
 *
 * However many processes start, one at a time applies a migration. The others log for which server process they wait, and
 * then go on with what is still pending, if anything is. Interrupt them, or use `Effect.timeout`, if it takes too long.
 *
 * An SQL file whose first line is `-- no transaction` runs without one, as `CREATE INDEX CONCURRENTLY` requires. If one of
 * its statements fails, those before it stay done, so give each such statement a file of its own.
 *
 * @category running
 * @since 0.1.0
 */
export const run = <R = never, RD = never>(
  options: RunOptions<R, RD>
): Effect.Effect<
  ReadonlyArray<readonly [id: number, name: string]>,
  PgMigrationError | SqlError,
  SqlClient.SqlClient | R | RD
> =>
  Effect.gen(function* () {
    const { done, table } = yield* runMigrations(options.loader, options.table ?? DEFAULT_TABLE)
    if (options.schemaDump !== undefined && done.length > 0) {
      yield* Effect.catch(options.schemaDump(table.sql), ({ message }) => Effect.logWarning(message))
    }
    return done
  })

/**
 * A layer that applies all pending migrations when it is built. It does what `run` does.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <R = never, RD = never>(
  options: RunOptions<R, RD>
): Layer.Layer<never, PgMigrationError | SqlError, SqlClient.SqlClient | R | RD> => Layer.effectDiscard(run(options))

/**
 * What `dryRun` says of a migration that would be run.
 *
 * @category models
 * @since 0.1.0
 */
export interface PendingMigration {
  readonly id: number
  readonly name: string
  /** The name of the SQL file; undefined for an Effect. */
  readonly file: string | undefined
  readonly isTransactional: boolean
  /** The statements of the SQL file; undefined for an Effect. */
  readonly statements: ReadonlyArray<string> | undefined
}

/**
 * Tells what `run` would apply, and fails as `run` would before it applies anything. It changes nothing and waits for no
 * other runner.
 *
 * @category running
 * @since 0.1.0
 */
export const dryRun = <R = never>(
  options: Options<R>
): Effect.Effect<ReadonlyArray<PendingMigration>, PgMigrationError | SqlError, SqlClient.SqlClient | R> =>
  Effect.gen(function* () {
    const migrations = yield* load(options.loader)
    const { pending } = yield* planOf(yield* applied(options.table), migrations)
    return pending.map((migration) => {
      const [id, name] = migration
      const file = fileOf(migration)
      if (!isSqlMigration(migration)) return { id, name, file, isTransactional: true, statements: undefined }
      const { isTransactional, statements } = migration.sqlFile
      return { id, name, file, isTransactional, statements: statements.map(({ sql }) => sql) }
    })
  })

/**
 * Tells the state of every migration, in the order of their numbers: which were applied, which are pending, and which SQL
 * files were changed since. It changes nothing and waits for no runner.
 *
 * @category running
 * @since 0.1.0
 */
export const status = <R = never>(
  options: Options<R>
): Effect.Effect<ReadonlyArray<MigrationStatus>, PgMigrationError | SqlError, SqlClient.SqlClient | R> =>
  Effect.gen(function* () {
    const migrations = yield* load(options.loader)
    return statusOf(yield* applied(options.table), migrations)
  })

const applied = (table = DEFAULT_TABLE) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const query = queryOf(sql)
    return yield* readApplied(query, yield* findTable(query, table))
  })
