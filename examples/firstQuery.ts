/** The smallest program: a pool, some queries, and a transaction with a savepoint. */
import "./support/databaseUrl.ts"
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect } from "effect"
import { PgClient } from "../src/index.ts"

const program = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient

  yield* pg.execute("CREATE TABLE users (id int GENERATED ALWAYS AS IDENTITY, email text UNIQUE, active bool)")
  const add = (email: string) => pg.execute("INSERT INTO users (email, active) VALUES ($1, $2)", [email, true])

  yield* pg.withTransaction(
    Effect.gen(function* () {
      yield* add("ada@example.com")
      // An inner transaction is a savepoint: if it fails, only its own work is undone, and the outer one continues.
      yield* Effect.catchTag(pg.withTransaction(add("ada@example.com")), "UniqueViolationError", (error) =>
        Console.log(`caught: ${error.message}`)
      )
      yield* add("grace@example.com")
    }),
    { isolation: "serializable" }
  )

  yield* Console.log(yield* pg.fetch("SELECT id, email FROM users WHERE active = $1", [true]))
})

const Database = PgClient.layerConfig({ url: Config.Redacted("DATABASE_URL") })

program.pipe(Effect.provide(Database), NodeRuntime.runMain)
