/**
 * Migrations as SQL files and as Effects. Three instances of the program start at once, and each migration is applied
 * once. Then one that fails shows what it says, and that the next run goes on with it.
 */
import "./support/databaseUrl.ts"
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect } from "effect"
import { SqlClient } from "effect/sql"
import { PgMigrator, PgSqlClient } from "../src/index.ts"

// In an application these are files: `loader: PgMigrator.fromDirectory("migrations")`.
const files = {
  "0001_albums.sql": `CREATE TABLE albums (id int4 PRIMARY KEY, title text NOT NULL, released date);
INSERT INTO albums VALUES (1, 'Kind of Blue', '1959-08-17'), (2, 'A Love Supreme', '1965-01-01');`,
  "0003_titles.sql": `-- no transaction
CREATE UNIQUE INDEX CONCURRENTLY titles ON albums (lower(title));`
}

// An Effect can do what SQL cannot. It runs in a transaction, as SQL files do that do not say otherwise.
const slugs = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`ALTER TABLE albums ADD COLUMN slug text`
  for (const { id, title } of yield* sql<{ id: number; title: string }>`SELECT id, title FROM albums`) {
    yield* sql`UPDATE albums SET slug = ${title.toLowerCase().replaceAll(" ", "-")} WHERE id = ${id}`
  }
})

const loaderOf = (sqlFiles: Readonly<Record<string, string>>): PgMigrator.Loader =>
  Effect.map(
    Effect.all([PgMigrator.fromSqlRecord(sqlFiles), PgMigrator.fromRecord({ "0002_slugs": slugs })]),
    (migrations) => migrations.flat()
  )

const program = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const loader = loaderOf(files)

  for (const { file, id, isTransactional, name } of yield* PgMigrator.dryRun({ loader })) {
    yield* Console.log(`to do: ${file ?? `${id}_${name}`}${isTransactional ? "" : ", without a transaction"}`)
  }

  const instance = Effect.provide(PgMigrator.run({ loader }), Database)
  const applied = yield* Effect.all([instance, instance, instance], { concurrency: "unbounded" })
  yield* Console.log(
    `applied by three instances: ${applied
      .flat()
      .map(([id]) => id)
      .sort()
      .join(", ")}`
  )
  yield* Console.log(yield* sql`SELECT title, slug FROM albums ORDER BY id`)

  const mistaken = loaderOf({
    ...files,
    "0004_years.sql": "ALTER TABLE albums ADD COLUMN year int4;\nUPDATE albums SET year = extract(year FROM relesed);"
  })
  yield* Effect.catchTag(PgMigrator.run({ loader: mistaken }), "MigrationError", ({ message }) => Console.log(message))

  const corrected = loaderOf({
    ...files,
    "0004_years.sql": "ALTER TABLE albums ADD COLUMN year int4;\nUPDATE albums SET year = extract(year FROM released);"
  })
  yield* PgMigrator.run({ loader: corrected })
  for (const { id, name, state } of yield* PgMigrator.status({ loader: corrected })) {
    yield* Console.log(`${id}_${name}: ${state}`)
  }

  // Whoever changes a file that was applied hears of it.
  const changed = loaderOf({ ...files, "0001_albums.sql": "CREATE TABLE albums ()" })
  yield* PgMigrator.run({ loader: changed }).pipe(
    Effect.catchReason("MigrationError", "FileChangedError", ({ message }) => Console.log(message))
  )
})

const Database = PgSqlClient.layerConfig({ url: Config.Redacted("DATABASE_URL") })

program.pipe(Effect.provide(Database), NodeRuntime.runMain)
