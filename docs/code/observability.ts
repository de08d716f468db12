/** What a hook, the log of slow operations and the metrics tell of a few calls. */
import "../../examples/support/databaseUrl.ts"
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect, Logger, Metric } from "effect"
import { PgClient } from "../../src/index.ts"

// #region hook
const Database = PgClient.layerConfig({
  url: Config.Redacted("DATABASE_URL"),
  maxConnections: 1,
  metrics: true,
  slowQueryThreshold: "200 millis",
  onQuery: ({ error, operation, outcome, sql }) => Console.log(operation, outcome, error?._tag ?? "-", sql)
})
// #endregion hook

/** Prints messages without the time, so that the output is always the same. */
const Log = Logger.layer([
  Logger.make(({ logLevel, message }) => process.stdout.write(`${logLevel}: ${String(message).split(":")[0]}\n`))
])

const program = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient

  // #region calls
  yield* pg.fetch("SELECT $1::text AS word", ["a value"])
  yield* Effect.ignore(pg.fetch("SELECT 1 / $1::int", [0]))
  yield* Effect.ignore(pg.fetch("SELECT pg_sleep($1)", [60], { timeout: "300 millis" }))
  // #endregion calls

  // #region metrics
  const metrics = yield* Metric.snapshot
  const durations = metrics.filter(({ id }) => id === "db.client.operation.duration")
  // #endregion metrics
  for (const { attributes } of durations)
    yield* Console.log(attributes?.["db.query.summary"], attributes?.["error.type"] ?? "")
})

program.pipe(Effect.provide(Database), Effect.provide(Log), NodeRuntime.runMain)
