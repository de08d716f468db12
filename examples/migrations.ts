/**
 * Migrations as SQL files and as Effects. Three instances of the program start at once, and each migration is applied
 * once. Then one that fails shows what it says, and that the next run goes on with it.
 */
import "./support/databaseUrl.ts"
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Config, Console, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import * as path from "node:path"
import { PgMigrator, PgSqlClient } from "../src/index.ts"

// #region migrate
const Database = PgSqlClient.layerConfig({ url: Config.Redacted("DATABASE_URL") })

const loader = PgMigrator.fromDirectory(path.join(import.meta.dirname, "migrations"))

// What is built on this layer begins when the database is up to date.
const Migrated = PgMigrator.layer({ loader }).pipe(Layer.provideMerge(Database))
// #endregion migrate

const albums = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  return yield* sql`SELECT title, slug FROM albums ORDER BY id`
})

/** The same migrations and one more. */
const withYears = (text: string) =>
  Effect.map(Effect.all([loader, PgMigrator.fromSqlRecord({ "0004_years.sql": text })]), (loaded) => loaded.flat())

const program = Effect.gen(function* () {
  for (const { file, id, isTransactional, name } of yield* PgMigrator.dryRun({ loader })) {
    yield* Console.log(`to do: ${file ?? `${id}_${name}`}${isTransactional ? "" : ", without a transaction"}`)
  }

  const instance = Effect.provide(albums, Layer.fresh(Migrated))
  const [first] = yield* Effect.all([instance, instance, instance], { concurrency: "unbounded" })
  yield* Console.log(first)

  const mistaken = withYears(
    "ALTER TABLE albums ADD COLUMN year int4;\nUPDATE albums SET year = extract(year FROM relesed);"
  )
  yield* Effect.catchTag(PgMigrator.run({ loader: mistaken }), "MigrationError", ({ message }) => Console.log(message))

  const corrected = withYears(
    "ALTER TABLE albums ADD COLUMN year int4;\nUPDATE albums SET year = extract(year FROM released);"
  )
  yield* PgMigrator.run({ loader: corrected })
  for (const { id, name, state } of yield* PgMigrator.status({ loader: corrected })) {
    yield* Console.log(`${id}_${name}: ${state}`)
  }

  // Whoever changes a file that was applied hears of it.
  yield* PgMigrator.run({ loader: withYears("ALTER TABLE albums ADD COLUMN year int8") }).pipe(
    Effect.catchReason("MigrationError", "FileChangedError", ({ message }) => Console.log(message))
  )
})

program.pipe(Effect.provide([Database, NodeServices.layer]), NodeRuntime.runMain)
