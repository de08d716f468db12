/**
 * Shows how to keep background work going while requests saturate the pool: it gets a client of its own. In the pool of
 * the requests, each job would wait behind all of them.
 */
import "./support/databaseUrl.ts"
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect, Layer, Option } from "effect"
import { PgClient } from "../src/index.ts"

const REQUESTS = 500
const CONCURRENT_REQUESTS = 100
const WORKERS = 2

const request = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  yield* pg.execute("SELECT pg_sleep(0.02)")
})

const requests = Effect.forEach(Array.from({ length: REQUESTS }), () => request, {
  concurrency: CONCURRENT_REQUESTS,
  discard: true
})

const runJob = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  const job = yield* pg.fetchRow("SELECT id FROM jobs WHERE NOT done ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED")
  if (Option.isNone(job)) return yield* Effect.sleep("100 millis")
  yield* pg.execute("UPDATE jobs SET done = true WHERE id = $1", [job.value["id"]])
})

const worker = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  return yield* Effect.forever(pg.withTransaction(runJob))
})

const workers = Effect.all(
  Array.from({ length: WORKERS }, () => worker),
  { concurrency: "unbounded" }
)

// #region service
// A second client for the same database, with connections that no request can take.
class Background extends PgClient.Service<Background>()("app/Background") {}

const url = Config.Redacted("DATABASE_URL")
const Database = Layer.mergeAll(
  PgClient.layerConfig({ url, maxConnections: 4 }),
  Background.layerConfig({ url, maxConnections: WORKERS, applicationName: "background" })
)

// The workers ask for `PgClient`. This gives them the other client, and changes nothing in them.
const backgroundWorkers = Effect.provideServiceEffect(workers, PgClient.PgClient, Background)
// #endregion service

/** Runs the requests and the workers at once, until the requests are answered, and counts the jobs that were done. */
const jobsDone = Effect.fn("jobsDone")(function* <E>(work: Effect.Effect<unknown, E, PgClient.PgClient | Background>) {
  const pg = yield* PgClient.PgClient
  yield* pg.executeScript(`
    DROP TABLE IF EXISTS jobs;
    CREATE TABLE jobs (id int PRIMARY KEY, done bool NOT NULL DEFAULT false);
    INSERT INTO jobs SELECT generate_series(1, 20000);
    CREATE INDEX ON jobs (id) WHERE NOT done;
  `)
  yield* Effect.raceFirst(requests, work)
  const { jobs } = yield* pg.fetchOne("SELECT count(*)::int AS jobs FROM jobs WHERE done")
  return jobs
})

const program = Effect.gen(function* () {
  yield* Console.log(`jobs done during ${REQUESTS} requests:`)
  yield* Console.log(`  in the pool of the requests: ${yield* jobsDone(workers)}`)
  yield* Console.log(`  in a pool of their own: ${yield* jobsDone(backgroundWorkers)}`)
})

program.pipe(Effect.provide(Database), NodeRuntime.runMain)
