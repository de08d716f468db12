/** The smallest program: a pool, some queries, and a transaction with a savepoint. */
import "./support/databaseUrl.ts"
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect } from "effect"
import { PgClient } from "../src/index.ts"

const program = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  yield* pg.execute("CREATE TABLE IF NOT EXISTS users (email text PRIMARY KEY, visits int NOT NULL DEFAULT 0)")

  const visit = Effect.fn("visit")(function* (email: string) {
    // An inner transaction is a savepoint: if it fails, only its own work is undone, and the outer one continues.
    const added = pg.withTransaction(pg.execute("INSERT INTO users (email) VALUES ($1)", [email]))
    yield* Effect.catchTag(added, "UniqueViolationError", () => Console.log(`${email} was here before`))
    yield* pg.execute("UPDATE users SET visits = visits + 1 WHERE email = $1", [email])
  })

  const both = Effect.all([visit("ada@example.com"), visit("grace@example.com"), visit("ada@example.com")])
  yield* pg.withTransaction(both, { isolation: "serializable" })

  yield* Console.log(yield* pg.fetch("SELECT email, visits FROM users WHERE visits > $1", [0]))
})

const Database = PgClient.layerConfig({ url: Config.Redacted("DATABASE_URL") })

program.pipe(Effect.provide(Database), NodeRuntime.runMain)
