/** A cluster of two runners on one database: when one is killed, the other takes its shards and handles its messages. */
import "./support/databaseUrl.ts"
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect, Layer, Option, References, Schedule } from "effect"
import { ChildProcess } from "effect/process"
import { SqlClient } from "effect/sql"
import { fileURLToPath } from "node:url"
import { Account, cluster, SHARDS } from "./cluster/accounts.ts"
import { freePort } from "./support/freePort.ts"

const RUNNER = fileURLToPath(new URL("cluster/runner.ts", import.meta.url))
const ACCOUNTS = ["Ada", "Charles", "Grace", "Alan", "Emmy", "Sofia", "Barbara", "Edsger"]
const DEPOSITS = 80

const startRunner = Effect.fn("startRunner")(function* (name: string) {
  return yield* ChildProcess.make(process.execPath, [RUNNER, name, `${yield* freePort}`], {
    stdout: "inherit",
    stderr: "inherit"
  })
})

/** The shards of each runner. A runner locks the shards that it serves, and the server shows the locks. */
const shards = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  return yield* sql<{ runner: string; shards: number }>`
    SELECT application_name AS runner, count(*)::int AS shards
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND datname = current_database()
    GROUP BY runner ORDER BY runner
  `
})

/** Waits until so many runners have all shards, and prints them. */
const shardsOf = Effect.fn("shardsOf")(function* (runners: number) {
  const spread = yield* Effect.repeat(shards, {
    schedule: Schedule.spaced("100 millis"),
    until: (rows) => rows.length === runners && rows.reduce((sum, row) => sum + row.shards, 0) === SHARDS
  })
  for (const { runner, shards } of spread) yield* Console.log(`${runner} has ${shards} shards`)
})

const deposits = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<{ id: number; runner: string }>`SELECT id, runner FROM deposits`
  const by = (name: string): number => rows.filter(({ runner }) => runner === name).length
  return {
    made: rows.length,
    different: new Set(rows.map(({ id }) => id)).size,
    north: by("north"),
    south: by("south")
  }
})

const program = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE TABLE deposits (id int, amount int, runner text)`

  const north = yield* startRunner("north")
  yield* startRunner("south")
  yield* shardsOf(2)

  // The messages are stored, so nobody waits for their replies.
  const account = yield* Account.client
  const send = (id: number) =>
    account(ACCOUNTS[id % ACCOUNTS.length] ?? "").Deposit({ id, amount: 10 }, { discard: true })
  yield* Effect.forEach(Array.from({ length: DEPOSITS }).keys(), send, { concurrency: "unbounded" })
  yield* Console.log(`${DEPOSITS} deposits are sent`)
  yield* Effect.repeat(deposits, { schedule: Schedule.spaced("20 millis"), until: ({ north }) => north > 3 })

  yield* north.kill({ killSignal: "SIGKILL" })
  yield* Console.log(`north is killed; ${DEPOSITS - (yield* deposits).made} deposits are not yet made`)
  yield* shardsOf(1)

  const made = yield* Effect.repeat(deposits, {
    schedule: Schedule.spaced("100 millis"),
    until: ({ different }) => different === DEPOSITS
  })
  yield* Console.log(`north has made ${made.north} deposits, and south ${made.south}`)
  yield* Console.log(`${made.made} deposits are made, ${made.different} of them different`)
}).pipe(Effect.scoped)

program.pipe(
  Effect.provide(Layer.merge(cluster("client", Option.none()), NodeServices.layer)),
  Effect.provideService(References.MinimumLogLevel, "Error"),
  NodeRuntime.runMain
)
