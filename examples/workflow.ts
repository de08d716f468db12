/** A workflow survives the death of its process: another process goes on where the first one was killed. */
import "./support/databaseUrl.ts"
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Config, Console, Effect, Layer, Stream } from "effect"
import { ChildProcess } from "effect/process"
import { SqlClient } from "effect/sql"
import { fileURLToPath } from "node:url"
import { PgSqlClient } from "../src/index.ts"

const SHOP = fileURLToPath(new URL("workflow/shop.ts", import.meta.url))

/** Starts the shop for order 1. Its lines are printed as they are read. */
const startShop = Effect.gen(function* () {
  const shop = yield* ChildProcess.make(process.execPath, [SHOP, "1"])
  yield* Console.log(`process ${shop.pid} starts`)
  const lines = shop.all.pipe(
    Stream.decodeText,
    Stream.splitLines,
    Stream.tap((line) => Console.log(`process ${shop.pid}: ${line}`))
  )
  return { shop, lines }
})

const program = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE TABLE steps ("order" text, step text, process int)`

  const first = yield* startShop
  yield* Stream.runDrain(Stream.takeUntil(first.lines, (line) => line === "pack: begun"))
  yield* first.shop.kill({ killSignal: "SIGKILL" })
  yield* Console.log(`process ${first.shop.pid} was killed`)

  const second = yield* startShop
  yield* Stream.runDrain(second.lines)
  yield* Console.log(`process ${second.shop.pid} ends: exit code ${yield* second.shop.exitCode}`)

  const steps = yield* sql`SELECT step, process FROM steps ORDER BY ctid`
  for (const { process, step } of steps) yield* Console.log(`in the database: ${step} by process ${process}`)
}).pipe(Effect.scoped)

const Database = PgSqlClient.layerConfig({ url: Config.Redacted("DATABASE_URL") })

program.pipe(Effect.provide(Layer.merge(Database, NodeServices.layer)), NodeRuntime.runMain)
