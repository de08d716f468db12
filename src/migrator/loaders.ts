/** Loaders of migrations that are written in SQL. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as Result from "effect/Result"
import { type Loader, MigrationError, type ResolvedMigration } from "effect/sql/Migrator"
import { fromFileSystem } from "effect/sql/MigratorFileSystem"
import { PgMigrationError } from "./migrationError.ts"
import { isSqlFileName, sqlMigration, type SqlMigration } from "./sqlFile.ts"

/**
 * Loads migrations from the texts of SQL files, by their names: `<id>_<name>.sql`. What has another name is left out.
 * Use it where the texts are part of the program, as a bundler makes them of
 * `import.meta.glob("./migrations/*.sql", { query: "?raw", import: "default", eager: true })`.
 *
 * @example
 * ```ts
 * import { PgMigrator } from "effectpg"
 *
 * export const migrations = PgMigrator.layer({
 *   loader: PgMigrator.fromSqlRecord({
 *     "0001_users.sql": "CREATE TABLE users (id int8 PRIMARY KEY, email text NOT NULL)",
 *     "0002_emails.sql": "-- no transaction\nCREATE UNIQUE INDEX CONCURRENTLY emails ON users (lower(email))"
 *   })
 * })
 * ```
 *
 * @category loaders
 * @since 0.1.0
 */
export const fromSqlRecord = (files: Readonly<Record<string, string>>): Loader =>
  Effect.suspend(() => inOrder(Object.entries(files).filter(([file]) => isSqlFileName(file))))

/**
 * Loads the migrations of a directory: SQL files (`<id>_<name>.sql`) and modules whose default export is an Effect
 * (`<id>_<name>` with `.js`, `.ts`, `.mjs` or `.mts`). What has another name is left out.
 *
 * @example
 * ```ts
 * import { NodeServices } from "@effect/platform-node"
 * import { Layer } from "effect"
 * import { PgMigrator } from "effectpg"
 *
 * export const migrations = PgMigrator.layer({ loader: PgMigrator.fromDirectory("migrations") }).pipe(
 *   Layer.provide(NodeServices.layer)
 * )
 * ```
 *
 * @category loaders
 * @since 0.1.0
 */
export const fromDirectory = (directory: string): Loader<FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fileSystem = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const files = yield* Effect.mapError(fileSystem.readDirectory(directory), unreadable(directory))
    const texts = yield* Effect.forEach(files.filter(isSqlFileName), (file) =>
      fileSystem.readFileString(path.join(directory, file)).pipe(
        Effect.map((text): [string, string] => [file, text]),
        Effect.mapError(unreadable(file))
      )
    )
    const inSql = yield* inOrder(texts)
    const modules = yield* fromFileSystem(directory)
    return [...inSql, ...modules].toSorted(byId)
  })

const inOrder = (
  files: ReadonlyArray<readonly [file: string, text: string]>
): Effect.Effect<ReadonlyArray<SqlMigration>, PgMigrationError> =>
  Effect.map(
    Effect.forEach(files, ([file, text]) =>
      Effect.fromResult(Result.mapError(sqlMigration(file, text), (reason) => new PgMigrationError({ reason })))
    ),
    (migrations) => migrations.toSorted(byId)
  )

const byId = ([a]: ResolvedMigration, [b]: ResolvedMigration): number => a - b

const unreadable =
  (what: string) =>
  (cause: unknown): MigrationError =>
    new MigrationError({ kind: "ImportError", message: `cannot read the migrations in ${what}: ${cause}`, cause })
