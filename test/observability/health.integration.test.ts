/** What a pool logs of its connections. */
import { assert, layer } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/testing/TestClock"
import * as PgError from "../../src/PgError.ts"
import * as Health from "../../src/pool/observing/health.ts"
import { clockTimers } from "../pool/clockTimers.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, eventually, killBackend, liveConnection, livePool, valueOf } from "../support/live.ts"

interface Line {
  readonly level: string
  readonly text: string
}

/** Collects what the effect logs. */
const logging = (lines: Array<Line>) =>
  Logger.layer([Logger.make(({ logLevel, message }) => void lines.push({ level: logLevel, text: String(message) }))])

const lost = (reason: string) =>
  new PgError.ConnectionLostError({ reason, server: undefined, safeToRetry: true, outcome: "none" })

layer(TestDatabase.layer, { excludeTestServices: true })("a pool", (it) => {
  it.effect("logs that it lost a connection, and that it is healthy again", () =>
    Effect.gen(function* () {
      const lines: Array<Line> = []
      const { database } = yield* TestDatabase
      const killer = yield* liveConnection()
      yield* Effect.gen(function* () {
        const pool = yield* livePool({ minConnections: 1 })
        yield* killBackend(killer, Number(yield* valueOf(pool, "SELECT pg_backend_pid()")))
        yield* eventually(
          Effect.sync(() => lines.length),
          2
        )
        yield* assertHealthy(pool)
      }).pipe(Effect.scoped, Effect.provide(logging(lines)))
      const [warning, info] = lines
      assert.deepStrictEqual(
        lines.map(({ level }) => level),
        ["Warn", "Info"]
      )
      assert.match(warning?.text ?? "", new RegExp(`^the pool lost a connection to ${database}: \\w+Error: `))
      assert.match(info?.text ?? "", new RegExp(`^the pool to ${database} is healthy again after \\d+ ms; .*: 1$`))
    }).pipe(Effect.scoped)
  )

  it.effect("logs nothing of connections that it closes itself", () =>
    Effect.gen(function* () {
      const lines: Array<Line> = []
      yield* Effect.gen(function* () {
        const pool = yield* livePool({ minConnections: 2, maxUses: 1 })
        for (let round = 0; round < 5; round++) yield* pool.fetch("SELECT 1")
        yield* pool.expire
        yield* assertHealthy(pool)
      }).pipe(Effect.scoped, Effect.provide(logging(lines)))
      assert.deepStrictEqual(lines, [])
    })
  )

  it.effect("logs no more than one warning in ten seconds, and says how many it left out", () =>
    Effect.gen(function* () {
      const lines: Array<Line> = []
      yield* Effect.gen(function* () {
        const health = yield* Health.make("app", yield* clockTimers)
        for (let connection = 0; connection < 5; connection++) health.lost(lost("the server restarts"), true)
        health.notOpened(Cause.fail(lost("the server is away")))
        yield* TestClock.adjust("9 seconds")
        health.notOpened(Cause.fail(lost("the server is away")))
        yield* TestClock.adjust("2 seconds")
        health.notOpened(Cause.fail(lost("the server is away")))
        health.opened()
        health.opened()
        // What follows at once is left out, and so is its end.
        health.lost(lost("again"), true)
        health.opened()
        // A connection that needs no successor leaves the pool healthy.
        yield* TestClock.adjust("20 seconds")
        health.lost(lost("one of many"), false)
        health.opened()
        yield* TestClock.adjust("1 second")
      }).pipe(Effect.provide(logging(lines)), Effect.provide(TestClock.layer()))
      assert.deepStrictEqual(
        lines.map(({ level, text }) => `${level} ${text.replace(/ConnectionLostError: .*?(?=( \(and|$))/, "…")}`),
        [
          "Warn the pool lost a connection to app: …",
          "Warn the pool cannot open a connection to app: … (and 6 more such events since the last message)",
          "Info the pool to app is healthy again after 11000 ms; connections lost since it was last healthy: 5",
          "Warn the pool lost a connection to app: … (and 1 more such events since the last message)"
        ]
      )
    })
  )
})
