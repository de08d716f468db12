/**
 * A cluster under fire: two runners in processes of their own handle messages on one database. Again and again one of
 * them, by chance, is killed without warning and a moment later replaced.
 */
import { NodeServices } from "@effect/platform-node"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import { ChildProcess } from "effect/process"
import { SqlClient } from "effect/sql"
import { fileURLToPath } from "node:url"
import { freePort } from "../../src/testServer/freePort.ts"
import { Account, cluster, RUNNER_NAME } from "./account.ts"

const RUNNER = fileURLToPath(new URL("runner.ts", import.meta.url))
const RUNNERS = 2
export const SENDERS = 32
const ACCOUNTS = 200
/** How long the place of a killed runner stays empty. */
const VACANCY = "2 seconds"
/** How long a reply may take before it counts as lost. */
const PATIENCE = "60 seconds"
const COMPLAINTS_SHOWN = 20

export interface Options {
  /** The URL of an empty database, which is also in DATABASE_URL. */
  readonly url: string
  readonly seconds: number
  readonly killEverySeconds: number
}

export interface Report {
  readonly kills: number
  /** Messages that were answered. */
  readonly answered: number
  /** Messages that were never answered, or with a failure. */
  readonly unanswered: ReadonlyArray<string>
  /** Answered messages that have left no row. */
  readonly lost: number
  /** Messages with more rows than one, where the cluster promises one. */
  readonly repeatedOnce: number
  /** Messages with more rows than one, where the cluster promises at least one. */
  readonly repeatedAtLeastOnce: number
  /** Messages of which one process has written more rows than one. */
  readonly repeatedByOneProcess: number
  /** Stored messages that the cluster does not count as processed. */
  readonly unprocessed: number
  /** How many processes have handled messages. */
  readonly processes: number
  /** How long replies took: half of them, all but a hundredth, and all took no longer. */
  readonly latencyMillis: { readonly median: number; readonly p99: number; readonly max: number }
  /** Connections of runners that are left once the last runner has been killed. */
  readonly connectionsLeft: number
  /** What the runners have written, the beginning of it. They are silent if nothing is wrong. */
  readonly complaints: ReadonlyArray<string>
}

/** Runs the cluster for that time, waits for what is under way, and looks at what has become of each message. */
export const longRun = ({ killEverySeconds, seconds, url }: Options): Effect.Effect<Report> =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`CREATE TABLE effects (kind text, message text, runner int)`
    const complaints: Array<string> = []
    const runnerAt = (port: number) => startRunner(url, port, complaints)

    const ports = yield* Effect.replicateEffect(Effect.promise(freePort), RUNNERS)
    const places = yield* Effect.forEach(ports, (port) => Effect.map(runnerAt(port), (runner) => ({ port, runner })))
    let kills = 0
    const killing = Effect.gen(function* () {
      const wait = yield* Random.nextBetween(0.5, 1.5)
      yield* Effect.sleep(Duration.seconds(wait * killEverySeconds))
      const place = yield* Random.choice(places)
      yield* place.runner.kill
      kills++
      yield* Effect.sleep(VACANCY)
      place.runner = yield* runnerAt(place.port)
    })
    const { answered, latencies, sending, unanswered } = yield* senders(Duration.seconds(seconds))
    yield* Effect.raceFirst(Effect.forever(killing), sending)

    const traces = yield* tracesOf(answered)
    yield* Effect.forEach(places, ({ runner }) => runner.kill, { discard: true })
    return {
      kills,
      answered: answered.size,
      unanswered,
      ...traces,
      latencyMillis: distribution(latencies),
      connectionsLeft: yield* connectionsOfRunners,
      complaints: complaints.slice(0, COMPLAINTS_SHOWN)
    }
  }).pipe(Effect.scoped, Effect.provide([cluster(true, 0), NodeServices.layer]), Effect.orDie)

/** Starts a runner, and notes whatever it writes, and its end unless we have killed it. */
const startRunner = Effect.fnUntraced(function* (url: string, port: number, complaints: Array<string>) {
  const child = yield* ChildProcess.make(process.execPath, [RUNNER, `${port}`], {
    env: { DATABASE_URL: url },
    extendEnv: true
  })
  let isKilled = false
  const note = (line: string) => Effect.sync(() => complaints.push(`${port}: ${line}`))
  yield* Effect.forkScoped(Stream.runForEach(Stream.splitLines(Stream.decodeText(child.all)), note))
  yield* Effect.forkScoped(
    Effect.flatMap(Effect.exit(child.exitCode), () => (isKilled ? Effect.void : note("ended by itself")))
  )
  const kill = Effect.suspend(() => {
    isKilled = true
    // It may be dead already, if the time was over before a killed runner was replaced.
    return Effect.ignore(child.kill({ killSignal: "SIGKILL" }))
  })
  return { kill }
})

/** Each sender sends messages of both kinds, one after the other, to accounts by chance until the time is over. */
const senders = Effect.fnUntraced(function* (time: Duration.Duration) {
  const account = yield* Account.client
  const end = (yield* Clock.currentTimeMillis) + Duration.toMillis(time)
  const answered = new Set<string>()
  const latencies: Array<number> = []
  const unanswered: Array<string> = []
  let sent = 0
  const send = Effect.gen(function* () {
    const id = `message ${sent++}`
    const { AtLeastOnce, Once } = account(`account ${yield* Random.nextIntBetween(1, ACCOUNTS)}`)
    const start = yield* Clock.currentTimeMillis
    const message = (yield* Random.nextBoolean) ? Once({ id }) : AtLeastOnce({ id })
    const exit = yield* Effect.exit(Effect.timeout(message, PATIENCE))
    const now = yield* Clock.currentTimeMillis
    if (Exit.isSuccess(exit)) {
      answered.add(id)
      latencies.push(now - start)
    } else unanswered.push(`${id}, sent ${new Date(start).toISOString()}: ${Cause.pretty(exit.cause)}`)
    return now < end
  })
  const sender = Effect.repeat(send, { while: (isEarly) => isEarly })
  const sending = Effect.all(
    Array.from({ length: SENDERS }, () => sender),
    { concurrency: "unbounded", discard: true }
  )
  return { answered, latencies, unanswered, sending }
})

/** What the database says of the messages. */
const tracesOf = Effect.fnUntraced(function* (answered: ReadonlySet<string>) {
  const sql = yield* SqlClient.SqlClient
  const messages = yield* sql<{ kind: string; message: string; rows: number; runners: number }>`
    SELECT kind, message, count(*)::int AS rows, count(DISTINCT runner)::int AS runners
    FROM effects GROUP BY kind, message
  `
  const [state] = yield* sql<{ unprocessed: number; processes: number }>`
    SELECT (SELECT count(*) FROM cluster_messages WHERE NOT processed)::int AS unprocessed,
      (SELECT count(DISTINCT runner) FROM effects)::int AS processes
  `
  const repeated = messages.filter(({ rows }) => rows > 1)
  const traced = new Set(messages.map(({ message }) => message))
  return {
    lost: Array.from(answered).filter((id) => !traced.has(id)).length,
    repeatedOnce: repeated.filter(({ kind }) => kind === "once").length,
    repeatedAtLeastOnce: repeated.filter(({ kind }) => kind === "at least once").length,
    repeatedByOneProcess: repeated.filter(({ rows, runners }) => rows > runners).length,
    unprocessed: state?.unprocessed ?? 0,
    processes: state?.processes ?? 0
  }
})

const distribution = (latencies: Array<number>): Report["latencyMillis"] => {
  const sorted = latencies.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? 0
  return { median: at(0.5), p99: at(0.99), max: at(1) }
}

/** The server notices a killed client only at the end of what it does, so this waits a little. */
const connectionsOfRunners = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* Effect.sleep("1 second")
  const [row] = yield* sql<{ connections: number }>`
    SELECT count(*)::int AS connections FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = ${RUNNER_NAME}
  `
  return row?.connections ?? 0
})
