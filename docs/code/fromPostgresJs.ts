/** Does each thing with postgres.js and with effectpg on one database, and compares the results. */
import "../../examples/support/databaseUrl.ts"
import { Config, Effect, ManagedRuntime, Stream } from "effect"
import assert from "node:assert/strict"
import postgres from "postgres"
import { PgClient } from "../../src/index.ts"
import { sql as ourSql } from "../../src/PgSql.ts"

const url = String(process.env["DATABASE_URL"])

// #region poolTheirs
const sql = postgres(url, { max: 10 })
// #endregion poolTheirs

// #region poolOurs
const Database = PgClient.layerConfig({ url: Config.Redacted("DATABASE_URL"), maxConnections: 10 })
// #endregion poolOurs

const runtime = ManagedRuntime.make(Database)
const ours = <A, E>(effect: Effect.Effect<A, E, PgClient.PgClient>): Promise<A> => runtime.runPromise(effect)

await sql`CREATE TABLE users (id int PRIMARY KEY, name text UNIQUE, age int)`

const theirInsert = async () => {
  // #region insertTheirs
  const users = [
    { id: 1, name: "Ada", age: 36 },
    { id: 2, name: "Grace", age: 85 }
  ]
  const result = await sql`INSERT INTO users ${sql(users)}`
  // #endregion insertTheirs
  return result.count
}
const ourInsert = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  const sql = ourSql
  // #region insertOurs
  const users = [
    { id: 3, name: "Barbara", age: 50 },
    { id: 4, name: "Frances", age: 88 }
  ]
  const result = yield* pg.execute(sql`INSERT INTO users ${sql.insert(users)}`)
  // #endregion insertOurs
  return result.rowCount
})
assert.equal(await ours(ourInsert), await theirInsert())

const theirFetch = async (age: number, names: ReadonlyArray<string>) => {
  // #region fetchTheirs
  const rows = await sql`
    SELECT name FROM users WHERE age > ${age} AND name IN ${sql(names)} ORDER BY ${sql("name")}`
  // #endregion fetchTheirs
  return Array.from(rows)
}
const ourFetch = (age: number, names: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const pg = yield* PgClient.PgClient
    const sql = ourSql
    // #region fetchOurs
    const rows = yield* pg.fetch(sql`
      SELECT name FROM users WHERE age > ${age} AND name ${sql.in(names)} ORDER BY ${sql.id("name")}`)
    // #endregion fetchOurs
    return rows
  })
assert.deepEqual(await ours(ourFetch(40, ["Ada", "Grace"])), await theirFetch(40, ["Ada", "Grace"]))

const theirTransaction = async () => {
  // #region transactionTheirs
  await sql.begin(async (sql) => {
    await sql`UPDATE users SET age = age + 1 WHERE id = 1`
    await sql.savepoint((sql) => sql`INSERT INTO users VALUES (1, 'Ada', 1)`).catch(() => undefined)
  })
  // #endregion transactionTheirs
}
const ourTransaction = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  // #region transactionOurs
  yield* pg.withTransaction(
    Effect.gen(function* () {
      yield* pg.execute("UPDATE users SET age = age + 1 WHERE id = 1")
      yield* Effect.ignore(pg.withTransaction(pg.execute("INSERT INTO users VALUES (1, 'Ada', 1)")))
    })
  )
  // #endregion transactionOurs
})
await theirTransaction()
await ours(ourTransaction)

const theirStream = async () => {
  // #region streamTheirs
  let total = 0
  for await (const rows of sql`SELECT n::float8 FROM generate_series(1, 10000) AS n`.cursor(1000)) {
    for (const { n } of rows) total += n
  }
  // #endregion streamTheirs
  return total
}
const ourStream = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  // #region streamOurs
  const rows = pg.stream("SELECT n::float8 FROM generate_series(1, 10000) AS n", { fetchSize: 1000 })
  const total = yield* Stream.runSum(Stream.map(rows, ({ n }) => Number(n)))
  // #endregion streamOurs
  return total
})
assert.equal(await ours(ourStream), await theirStream())

const theirNotification = async () => {
  // #region listenTheirs
  let hear = (_payload: string): void => {}
  const heard = new Promise<string>((resolve) => (hear = resolve))
  await sql.listen("news", (payload) => hear(payload))
  await sql.notify("news", "hello")
  // #endregion listenTheirs
  return heard
}
const ourNotification = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  // #region listenOurs
  const events = yield* pg.listen("news")
  yield* pg.notify("news", "hello")
  // #endregion listenOurs
  const [event] = yield* Stream.runCollect(Stream.take(events, 1))
  return event?._tag === "Notification" ? event.payload : undefined
}).pipe(Effect.scoped)
assert.equal(await ours(ourNotification), await theirNotification())

await sql.end()
await runtime.dispose()
process.stdout.write("both have done the same\n")
