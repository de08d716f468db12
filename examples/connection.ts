/** Uses one connection without a pool, for a script, a migration, or a session with its own settings. */
import "./support/databaseUrl.ts"
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect, Fiber, Stream } from "effect"
import { PgConnection } from "../src/index.ts"

const program = Effect.gen(function* () {
  const url = yield* Config.Redacted("DATABASE_URL")
  const connection = yield* PgConnection.make({ url, settings: { TimeZone: "Asia/Tokyo" } })

  const { major, minor } = connection.serverVersion
  const parameters = yield* connection.parameters
  yield* Console.log(`PostgreSQL ${major}.${minor}, time zone ${parameters.get("TimeZone")}`)

  // The messages that the server sends besides its answers are a stream.
  const notices = connection.notices.pipe(
    Stream.take(1),
    Stream.runForEach(({ severity, message }) => Console.log(`${severity}: ${message}`))
  )
  const listener = yield* Effect.forkChild(notices, { startImmediately: true })

  const results = yield* connection.executeScript(`
    CREATE TABLE readings (at timestamptz, celsius real);
    CREATE TABLE IF NOT EXISTS readings (at timestamptz, celsius real);
    INSERT INTO readings VALUES (now(), 21.5), (now(), 22)
  `)
  yield* Fiber.join(listener)
  yield* Console.log(results)
})

program.pipe(Effect.scoped, NodeRuntime.runMain)
