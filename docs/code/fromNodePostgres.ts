/** Does each thing with node-postgres and with effectpg on one database, and compares the results. */
import "../../examples/support/databaseUrl.ts"
import { Config, Effect, ManagedRuntime, Option, Stream } from "effect"
import assert from "node:assert/strict"
import pg from "pg"
import { PgClient } from "../../src/index.ts"
import { sql } from "../../src/PgSql.ts"

const url = String(process.env["DATABASE_URL"])

// #region poolTheirs
const pool = new pg.Pool({ connectionString: url, max: 10 })
// #endregion poolTheirs

// #region poolOurs
const Database = PgClient.layerConfig({ url: Config.Redacted("DATABASE_URL"), maxConnections: 10 })
// #endregion poolOurs

const runtime = ManagedRuntime.make(Database)
const ours = <A, E>(effect: Effect.Effect<A, E, PgClient.PgClient>): Promise<A> => runtime.runPromise(effect)

await pool.query("CREATE TABLE users (id int PRIMARY KEY, email text UNIQUE, age int)")

const theirFetch = async () => {
  // #region fetchTheirs
  const { rows } = await pool.query("SELECT n, n::text AS word FROM generate_series(1, $1::int) AS n", [2])
  // #endregion fetchTheirs
  return rows
}
const ourFetch = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  // #region fetchOurs
  const rows = yield* pg.fetch("SELECT n, n::text AS word FROM generate_series(1, $1::int) AS n", [2])
  // #endregion fetchOurs
  return rows
})
assert.deepEqual(await ours(ourFetch), await theirFetch())

const theirInsert = async () => {
  // #region insertTheirs
  const { rowCount } = await pool.query("INSERT INTO users VALUES ($1, $2, $3)", [1, "ada@example.com", 36])
  // #endregion insertTheirs
  return rowCount
}
const ourInsert = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  // #region insertOurs
  const user = { id: 2, email: "grace@example.com", age: 85 }
  const { rowCount } = yield* pg.execute(sql`INSERT INTO users ${sql.insert(user)}`)
  // #endregion insertOurs
  return rowCount
})
assert.equal(await ours(ourInsert), await theirInsert())

const theirTransaction = async () => {
  // #region transactionTheirs
  const client = await pool.connect()
  try {
    await client.query("BEGIN")
    await client.query("UPDATE users SET age = age + 1 WHERE id = $1", [1])
    await client.query("UPDATE users SET age = age - 1 WHERE id = $1", [2])
    await client.query("COMMIT")
  } catch (error) {
    await client.query("ROLLBACK")
    throw error
  } finally {
    client.release()
  }
  // #endregion transactionTheirs
}
const ourTransaction = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  // #region transactionOurs
  yield* pg.withTransaction(
    Effect.gen(function* () {
      yield* pg.execute("UPDATE users SET age = age + 1 WHERE id = $1", [1])
      yield* pg.execute("UPDATE users SET age = age - 1 WHERE id = $1", [2])
    })
  )
  // #endregion transactionOurs
})
await theirTransaction()
await ours(ourTransaction)

const theirError = async () => {
  // #region errorTheirs
  try {
    await pool.query("INSERT INTO users VALUES (3, 'ada@example.com', 1)")
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code === "23505") return `taken: ${error.constraint}`
    throw error
  }
  // #endregion errorTheirs
  return "added"
}
const ourError = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  // #region errorOurs
  return yield* pg.execute("INSERT INTO users VALUES (3, 'ada@example.com', 1)").pipe(
    Effect.as("added"),
    Effect.catchTag("UniqueViolationError", (error) => Effect.succeed(`taken: ${error.constraintName}`))
  )
  // #endregion errorOurs
})
assert.equal(await ours(ourError), await theirError())

const theirMany = async () => {
  // #region manyTheirs
  const { rows } = await pool.query("SELECT n::float8 FROM generate_series(1, 10000) AS n")
  const total = rows.reduce((sum, { n }) => sum + n, 0)
  // #endregion manyTheirs
  return total
}
const ourMany = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  // #region manyOurs
  const rows = pg.stream("SELECT n::float8 FROM generate_series(1, 10000) AS n")
  const total = yield* Stream.runSum(Stream.map(rows, ({ n }) => Number(n)))
  // #endregion manyOurs
  return total
})
assert.equal(await ours(ourMany), await theirMany())

const theirValue = async () => {
  // #region valueTheirs
  const { rows } = await pool.query("SELECT count(*) FROM users")
  const count = BigInt(rows[0].count)
  // #endregion valueTheirs
  return count
}
const ourValue = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  // #region valueOurs
  const count = Option.getOrThrow(yield* pg.fetchValue("SELECT count(*) FROM users"))
  // #endregion valueOurs
  return count
})
assert.equal(await ours(ourValue), await theirValue())

await pool.end()
await runtime.dispose()
process.stdout.write("both have done the same\n")
