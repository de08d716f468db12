/** A job queue. Jobs are rows, each worker takes a job that no other worker has, and no worker polls all the time. */
import "./support/databaseUrl.ts"
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Data, Effect, Option, Schema, Stream } from "effect"
import { PgClient } from "../src/index.ts"

const WORKERS = ["worker 1", "worker 2", "worker 3"]
const MAX_ATTEMPTS = 3
/** If a wake-up is ever lost, no job waits longer than this. */
const FALLBACK_POLL = "1 minute"

class Job extends Schema.Class<Job>("Job")({
  id: Schema.Int,
  recipient: Schema.String,
  attempts: Schema.Int
}) {}

class Undeliverable extends Data.TaggedError("Undeliverable")<{ readonly reason: string }> {}

const enqueue = Effect.fn("enqueue")(function* (recipients: ReadonlyArray<string>) {
  const pg = yield* PgClient.PgClient
  const jobs = recipients.map((recipient) => [recipient])
  const insert = pg.executeMany("INSERT INTO jobs (recipient) VALUES ($1)", jobs)
  // The workers are woken when this is committed; if it is rolled back, they are not.
  yield* pg.withTransaction(Effect.andThen(insert, pg.notify("jobs")))
})

/** The work itself: one letter fails at first, and one always fails. */
const sendLetter = Effect.fn("sendLetter")(function* ({ attempts, recipient }: Job, worker: string) {
  const pg = yield* PgClient.PgClient
  yield* pg.execute("INSERT INTO letters VALUES ($1, $2)", [recipient, worker])
  yield* Effect.sleep("20 millis")
  if (recipient === "Grace" && attempts === 0) return yield* new Undeliverable({ reason: "the postman is ill" })
  if (recipient === "nobody") return yield* new Undeliverable({ reason: "the address is empty" })
})

/** Takes a job, if there is one. Its row is locked until the commit: if a worker dies, another takes the job. */
const runJob = Effect.fn("runJob")(function* (worker: string) {
  const pg = yield* PgClient.PgClient
  const taken = yield* pg.fetchRow(
    `SELECT id, recipient, attempts FROM jobs
     WHERE state = 'waiting' ORDER BY attempts, id
     LIMIT 1 FOR UPDATE SKIP LOCKED`,
    [],
    { row: Job }
  )
  if (Option.isNone(taken)) return false
  const job = taken.value
  const attempts = job.attempts + 1

  // This transaction is nested in the job's: if the work fails, it is undone, and the job is kept.
  const state = yield* pg.withTransaction(sendLetter(job, worker)).pipe(
    Effect.as("done"),
    Effect.catchTag("Undeliverable", ({ reason }) =>
      Effect.as(
        Console.log(`${worker}: ${job.recipient}, attempt ${attempts}: ${reason}`),
        attempts < MAX_ATTEMPTS ? "waiting" : "given up"
      )
    )
  )
  yield* pg.execute("UPDATE jobs SET state = $1, attempts = $2 WHERE id = $3", [state, attempts, job.id])
  yield* pg.notify("jobs finished")
  return true
})

const work = Effect.fn("work")(function* (worker: string) {
  const pg = yield* PgClient.PgClient
  const runJobs = Effect.repeat(pg.withTransaction(runJob(worker)), { while: (hadJob) => hadJob }).pipe(
    // The database may be unreachable for a while; the job has been rolled back, and the next wake-up finds it.
    Effect.catch((error) => Console.log(`${worker}: ${error.message}`))
  )
  // Every event means "look again". So a gap is as good as a notification, and one waiting event is as good as many.
  const events = yield* pg.listen("jobs", { bufferSize: 1 })
  yield* Stream.merge(events, Stream.tick(FALLBACK_POLL)).pipe(Stream.runForEach(() => runJobs))
}, Effect.scoped)

/** Runs until it is interrupted, which interrupts every worker too. An unfinished job then waits for the next start. */
const workers = Effect.forEach(WORKERS, (worker) => Effect.ensuring(work(worker), Console.log(`${worker} goes home`)), {
  concurrency: "unbounded",
  discard: true
})

const writeLetters = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  const finished = yield* pg.listen("jobs finished")
  yield* enqueue(["Ada", "Grace", "Charles", "nobody", "Mary"])
  yield* enqueue(["Alan", "Emmy", "Sofia", "Barbara", "Edsger"])

  yield* finished.pipe(
    Stream.mapEffect(() => pg.fetchOne("SELECT count(*)::int AS waiting FROM jobs WHERE state = 'waiting'")),
    Stream.takeUntil(({ waiting }) => waiting === 0),
    Stream.runDrain
  )
}).pipe(Effect.scoped)

const program = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  yield* pg.executeScript(`
    CREATE TABLE jobs (
      id        int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      recipient text NOT NULL,
      state     text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done', 'given up')),
      attempts  int NOT NULL DEFAULT 0
    );
    CREATE INDEX waiting_jobs ON jobs (attempts, id) WHERE state = 'waiting';
    CREATE TABLE letters (recipient text NOT NULL, worker text NOT NULL)
  `)
  yield* Effect.raceFirst(workers, writeLetters)

  const report = yield* pg.fetch(`
    SELECT recipient, state, attempts, array(SELECT worker FROM letters l WHERE l.recipient = j.recipient) AS senders
    FROM jobs j ORDER BY id
  `)
  for (const { attempts, recipient, senders, state } of report) {
    yield* Console.log(`${recipient}: ${state}, attempts: ${attempts}, sent by: ${senders}`)
  }
})

const Database = PgClient.layerConfig({ url: Config.Redacted("DATABASE_URL") })

program.pipe(Effect.provide(Database), NodeRuntime.runMain)
