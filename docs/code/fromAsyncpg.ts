/** The work of from_asyncpg.py, by effectpg. Both print the same lines. */
import "../../examples/support/databaseUrl.ts"
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect, Option, Stream } from "effect"
import { PgClient } from "../../src/index.ts"

// #region pool
const Database = PgClient.layerConfig({
  url: Config.Redacted("DATABASE_URL"),
  minConnections: 1,
  maxConnections: 10
})
// #endregion pool

const program = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  yield* pg.execute("CREATE TABLE users (id int PRIMARY KEY, name text UNIQUE, born date)")

  // #region execute
  const { rowCount } = yield* pg.execute("INSERT INTO users (id, name) VALUES ($1, $2)", [1, "Ada"])
  yield* pg.executeMany("INSERT INTO users (id, name) VALUES ($1, $2)", [
    [2, "Grace"],
    [3, "Barbara"]
  ])
  // #endregion execute
  yield* Console.log(rowCount)

  // #region fetch
  const rows = yield* pg.fetch("SELECT id, name FROM users WHERE id > $1 ORDER BY id", [1])
  const row = yield* pg.fetchOne("SELECT name FROM users WHERE id = $1", [1])
  const count = yield* pg.fetchValue("SELECT count(*) FROM users")
  // #endregion fetch
  yield* Console.log(`${rows.map(({ name }) => name).join(" ")} ${row["name"]} ${Option.getOrThrow(count)}`)

  // #region transaction
  yield* pg.withTransaction(
    Effect.gen(function* () {
      yield* pg.execute("UPDATE users SET name = 'Ada Lovelace' WHERE id = 1")
      // A savepoint.
      yield* pg
        .withTransaction(pg.execute("INSERT INTO users VALUES (1, 'Ada')"))
        .pipe(Effect.catchTag("UniqueViolationError", (error) => Console.log(error.constraintName)))
    }),
    { isolation: "serializable" }
  )
  // #endregion transaction

  // #region cursor
  const records = pg.stream("SELECT n FROM generate_series(1, 10000) AS n")
  const total = yield* Stream.runSum(Stream.map(records, ({ n }) => Number(n)))
  // #endregion cursor
  yield* Console.log(total)

  // #region copy
  const copied = yield* pg.copyInRows({ table: "users", columns: ["id", "name"] }, [
    [4, "Frances"],
    [5, "Radia"]
  ])
  // #endregion copy
  yield* Console.log(copied.rowCount)

  // #region prepare
  const named = Effect.gen(function* () {
    const statement = yield* pg.prepare("SELECT name FROM users WHERE id = $1")
    const value = yield* statement.fetchValue([4])
    const types = statement.parameters.map(({ name }) => name)
    yield* Console.log(`${Option.getOrThrow(value)} ${types.join(" ")}`)
  })
  yield* Effect.scoped(named)
  // #endregion prepare
})

program.pipe(Effect.provide(Database), NodeRuntime.runMain)
