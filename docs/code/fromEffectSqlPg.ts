/** Runs one program with the layer of @effect/sql-pg and with that of effectpg, and compares the results. */
import "../../examples/support/databaseUrl.ts"
import * as SqlPg from "@effect/sql-pg/PgClient"
import { Config, Effect } from "effect"
import { SqlClient } from "effect/sql"
import assert from "node:assert/strict"
import { PgClient, PgSqlClient } from "../../src/index.ts"

// #region theirs
const Theirs = SqlPg.layerConfig({ url: Config.Redacted("DATABASE_URL") })
// #endregion theirs

// #region ours
const Ours = PgSqlClient.layerConfig({ url: Config.Redacted("DATABASE_URL") })
// #endregion ours

// #region program
const program = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE TABLE users (id int PRIMARY KEY, name text)`
  yield* sql`INSERT INTO users ${sql.insert([
    { id: 1, name: "Ada" },
    { id: 2, name: "Grace" }
  ])}`
  yield* sql.withTransaction(sql`UPDATE users SET name = 'Ada Lovelace' WHERE id = ${1}`)
  const rows = yield* sql`SELECT * FROM users WHERE ${sql.in("id", [1, 2])} ORDER BY id`
  yield* sql`DROP TABLE users`
  return rows
})
// #endregion program

// #region both
// The client of the same pool, for what SqlClient has not: COPY, cursors, savepoints that are typed, codecs.
const copied = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const pg = yield* PgClient.PgClient
  yield* sql`CREATE TABLE readings (n int)`
  const { rowCount } = yield* pg.copyInRows({ table: "readings" }, [[1], [2], [3]])
  yield* sql`DROP TABLE readings`
  return rowCount
})
// #endregion both

assert.deepEqual(
  await Effect.runPromise(Effect.provide(program, Ours)),
  await Effect.runPromise(Effect.provide(program, Theirs))
)
assert.equal(await Effect.runPromise(Effect.provide(copied, Ours)), 3)
process.stdout.write("both have done the same\n")
