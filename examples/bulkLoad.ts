/** Copies half a million typed rows with COPY. In a terminal it shows a progress bar, otherwise lines. */
import "./support/databaseUrl.ts"
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect, Stream } from "effect"
import { PgClient, type PgCopy } from "../src/index.ts"

const READINGS = 500_000
const SENSORS = 10

// #region rows
/** A year of temperatures, generated on demand: never more of them than the socket accepts. */
const readings = Stream.range(0, READINGS - 1).pipe(
  Stream.map((n) => ({
    sensor: n % SENSORS,
    at: new Date(Date.UTC(2026, 0, 1) + n * 60_000),
    celsius: 15 + 10 * Math.sin(n / 5_000),
    note: n % 100_000 === 0 ? "calibrated" : null
  }))
)
// #endregion rows

const BAR_CELLS = 40

const bar = ({ bytes, rows = 0 }: PgCopy.Progress): string => {
  const cells = Math.round((rows / READINGS) * BAR_CELLS)
  const megabytes = (bytes / 1_048_576).toFixed(1)
  return `${"█".repeat(cells)}${"░".repeat(BAR_CELLS - cells)} ${rows.toLocaleString("en")} rows, ${megabytes} MB`
}

/** Rewrites one line in a terminal; in a log, prints a line for every fifth of the rows. */
const showProgress = (): ((progress: PgCopy.Progress) => Effect.Effect<void>) => {
  if (process.stdout.isTTY) return (progress) => Effect.sync(() => void process.stdout.write(`\r${bar(progress)}`))
  let next = 0
  return (progress) =>
    Effect.suspend(() => {
      if ((progress.rows ?? 0) < next) return Effect.void
      next = Math.floor(((progress.rows ?? 0) / READINGS) * 5 + 1) * (READINGS / 5)
      return Console.log(bar(progress))
    })
}

const program = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  yield* pg.execute("CREATE TABLE readings (id bigserial, sensor int, at timestamptz, celsius real, note text)")

  // #region copy
  const { rowCount } = yield* pg.copyInRows({ table: "readings" }, readings, { onProgress: showProgress() })
  yield* Console.log(`\n${rowCount} rows are in`)
  // #endregion copy

  // If the table rejects a row, the error names its number and column, and nothing of the COPY is kept.
  const flawed = Stream.concat(
    Stream.take(readings, 1_000),
    Stream.make({ sensor: "eleven", at: null, celsius: 0, note: "" })
  )
  yield* Effect.catchTag(pg.copyInRows({ table: "readings" }, flawed), "EncodeError", (error) =>
    Console.log(error.message)
  )
  yield* Console.log(yield* pg.fetchOne("SELECT count(*), min(celsius), max(celsius) FROM readings"))
})

const Database = PgClient.layerConfig({ url: Config.Redacted("DATABASE_URL") })

program.pipe(Effect.provide(Database), NodeRuntime.runMain)
