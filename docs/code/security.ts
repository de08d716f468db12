/** What a hostile value does, and what a log has of a secret. */
import "../../examples/support/databaseUrl.ts"
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect, Logger, Redacted } from "effect"
import { PgClient, PgConnection } from "../../src/index.ts"
import { sql } from "../../src/PgSql.ts"

/** Prints messages and causes without the time. */
const Log = Logger.layer([
  Logger.make(({ cause, message }) => process.stdout.write(`${String(message)} ${cause.reasons.map(String).join()}\n`))
])

const program = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  yield* pg.execute("CREATE TABLE users (email text PRIMARY KEY, card text CHECK (card ~ '^[0-9]+$'))")

  // #region value
  // The value travels beside the text of the statement, so it stays a value.
  const name = "x'; DROP TABLE users; --"
  yield* Console.log(yield* pg.fetch(sql`SELECT ${name} AS name, count(*)::int AS users FROM users`))

  // A name becomes a quoted identifier.
  const column = 'email"; DROP TABLE users; --'
  const wrong = pg.fetch(sql`SELECT ${sql.id(column)} FROM users`)
  yield* Effect.catchTag(wrong, "UndefinedColumnError", (error) => Console.log(error.message))
  // #endregion value

  // #region logged
  const refused = pg.execute("INSERT INTO users VALUES ($1, $2)", ["ada@example.com", "secret"])
  // The server's detail quotes the row. You can read it, and the log does not have it.
  yield* Effect.catchTag(refused, "CheckViolationError", (error) => Console.log(error.detail))
  yield* Effect.ignore(Effect.tapCause(refused, (cause) => Effect.logError("refused", cause)))
  // #endregion logged

  // #region strict
  const url = yield* Config.Redacted("DATABASE_URL")
  const strict = PgConnection.make({
    url,
    sslMode: "verify-full",
    sslRootCert: "system",
    channelBinding: "require",
    requireAuth: ["scram-sha-256"]
  })
  // #endregion strict
  yield* Effect.catchTag(Effect.scoped(strict), "ConnectError", (error) => Console.log(error.stage))
  yield* Console.log(String(url), Redacted.isRedacted(url))
})

const Database = PgClient.layerConfig({ url: Config.Redacted("DATABASE_URL") })

program.pipe(Effect.provide(Database), Effect.provide(Log), NodeRuntime.runMain)
