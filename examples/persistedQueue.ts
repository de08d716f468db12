/** Effect's persisted queue on PostgreSQL: four workers take jobs, each job once, and a job that fails is tried again. */
import "./support/databaseUrl.ts"
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Data, Effect, Layer, Schedule, Schema } from "effect"
import { PersistedQueue } from "effect/persistence"
import { SqlClient } from "effect/sql"
import { PgSqlClient } from "../src/index.ts"

const PICTURES = 40
const WORKERS = ["worker 1", "worker 2", "worker 3", "worker 4"]

class Unreadable extends Data.TaggedError("Unreadable")<{ readonly picture: number }> {}

const thumbnails = PersistedQueue.make({
  name: "thumbnails",
  schema: Schema.Struct({ picture: Schema.Int }),
  maxAttempts: 3,
  retrySchedule: Schedule.spaced("1 second")
})

/** Stores a picture and its job in one transaction: the workers see the job if, and only if, the picture is there. */
const upload = Effect.fn("upload")(function* (picture: number) {
  const sql = yield* SqlClient.SqlClient
  const queue = yield* thumbnails
  yield* sql.withTransaction(
    Effect.gen(function* () {
      yield* queue.offer({ picture }, { id: `picture ${picture}` })
      yield* sql`INSERT INTO pictures ${sql.insert({ id: picture })}`
    })
  )
})

/** The work itself: one picture cannot be read the first time. */
const shrink = Effect.fn("shrink")(function* (picture: number, attempt: number, worker: string) {
  const sql = yield* SqlClient.SqlClient
  yield* Effect.sleep("20 millis")
  if (picture === 7 && attempt === 1) return yield* new Unreadable({ picture })
  yield* sql`INSERT INTO thumbnails ${sql.insert({ picture, attempt, worker })}`
})

const work = Effect.fn("work")(function* (worker: string) {
  const queue = yield* thumbnails
  const takeOne = queue.take(({ picture }, { attempts }) => shrink(picture, attempts, worker))
  return yield* Effect.forever(
    Effect.catchTag(takeOne, "Unreadable", ({ picture }) => Console.log(`picture ${picture} goes back to the queue`))
  )
})

const workers = Effect.all(WORKERS.map(work), { concurrency: "unbounded" })

const countThumbnails = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ count: number }>`SELECT count(*)::int AS count FROM thumbnails`
  return row?.count ?? 0
})

const allDone = Effect.repeat(countThumbnails, {
  schedule: Schedule.spaced("100 millis"),
  until: (count) => count >= PICTURES
})

const program = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE TABLE pictures (id int PRIMARY KEY)`
  yield* sql`CREATE TABLE thumbnails (picture int REFERENCES pictures, attempt int, worker text)`

  yield* Effect.forEach(
    Array.from({ length: PICTURES }, (_, index) => index + 1),
    upload
  )
  yield* Effect.catchTag(upload(1), "SqlError", ({ reason }) => Console.log(`not uploaded again: ${reason._tag}`))
  yield* Effect.raceFirst(workers, allDone)

  const made = yield* sql`
    SELECT worker, count(*)::int AS thumbnails FROM thumbnails GROUP BY worker ORDER BY worker
  `
  for (const { thumbnails, worker } of made) yield* Console.log(`${worker} has made ${thumbnails} thumbnails`)
  const repeated = yield* sql`SELECT picture, attempt FROM thumbnails WHERE attempt > 1`
  for (const { attempt, picture } of repeated) yield* Console.log(`picture ${picture} took ${attempt} attempts`)
  const [total] = yield* sql`SELECT count(*)::int AS made, count(DISTINCT picture)::int AS pictures FROM thumbnails`
  yield* Console.log(`${total?.["made"]} thumbnails of ${total?.["pictures"]} pictures`)
})

const Database = PgSqlClient.layerConfig({ url: Config.Redacted("DATABASE_URL") })

const Queues = PersistedQueue.layer.pipe(
  Layer.provide(PersistedQueue.layerStoreSql({ pollInterval: "100 millis" })),
  Layer.provideMerge(Database)
)

program.pipe(Effect.provide(Queues), NodeRuntime.runMain)
