/** A pool at work: what it counts, what it resets, what it refuses, and how it says that it is full. */
import "../../examples/support/databaseUrl.ts"
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect, Option } from "effect"
import { PgClient } from "../../src/index.ts"

// #region settings
const Database = PgClient.layerConfig({
  url: Config.Redacted("DATABASE_URL"),
  maxConnections: 2,
  acquireTimeout: "200 millis",
  // Runs on each new connection, and again after each reset.
  init: (connection) => connection.execute("SET statement_timeout = '10s'")
})
// #endregion settings

const program = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  const timeout = pg.fetchValue("SELECT current_setting('statement_timeout')")

  // #region held
  // All statements of the effect run on one connection, which is reset when it comes back.
  const within = yield* pg.withConnection((connection) =>
    Effect.gen(function* () {
      yield* connection.execute("SET statement_timeout = '1min'")
      return yield* connection.fetchValue("SELECT current_setting('statement_timeout')")
    })
  )
  yield* Console.log(Option.getOrNull(within), "and then", Option.getOrNull(yield* timeout))
  // #endregion held

  // #region refused
  // A single call cannot keep what it sets, so the pool refuses it instead of losing it in silence.
  yield* Effect.catchTag(pg.execute("SET work_mem = '64MB'"), "UnsupportedError", (error) => Console.log(error.instead))
  // #endregion refused

  // #region full
  const busy = pg.withConnection(() => Effect.sleep("1 second"))
  const full = Effect.gen(function* () {
    const { idle, inUse, waiting } = yield* pg.stats
    yield* Console.log({ idle, inUse, waiting })
    yield* Effect.catchTag(timeout, "AcquireTimeoutError", (error) => Console.log(error.message))
  })
  yield* Effect.all([busy, busy, Effect.delay(full, "100 millis")], { concurrency: "unbounded" })
  // #endregion full
})

program.pipe(Effect.provide(Database), NodeRuntime.runMain)
