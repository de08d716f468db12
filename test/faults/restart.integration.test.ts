/** Tests a pool while its PostgreSQL is shut down and started again, on a server of its own. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import type * as PgError from "../../src/PgError.ts"
import * as PgPool from "../../src/PgPool.ts"
import { assertHealthy, eventually, valueOf } from "../support/live.ts"
import { startEmbedded } from "../support/server/embedded.ts"

const CALLERS = 8
const BUSY_MILLIS = 100
const DOWN_MILLIS = 300
/** A little more than the pool's longest pause between two attempts. */
const MAX_RECOVERY_MILLIS = 6_000
const TEST_TIMEOUT_MILLIS = 60_000

const server = Effect.acquireRelease(
  Effect.promise(() => startEmbedded({})),
  ({ stop }) => Effect.promise(stop)
)

/** The server's code, or the place at which connecting failed. */
const nameOf = (error: PgError.PgError): string => {
  if ("code" in error) return `${error._tag} ${error.code}`
  if (error._tag === "ConnectError") return `${error._tag} ${error.stage}`
  if (error._tag !== "ConnectionLostError") return error._tag
  // The connection was not accepted yet, so no message was sent and the work was not done.
  return error.safeToRetry && error.server === undefined ? NOT_TAKEN_ON : `${error._tag} ${error.server?.code}`
}

const NOT_TAKEN_ON = "ConnectionLostError during startup"

/** The errors that a caller may get while the server stops, is down and starts. */
const EXPECTED: ReadonlySet<string> = new Set([
  "AdminShutdownError 57P01",
  "ConnectionLostError 57P01",
  "CannotConnectNowError 57P03",
  "ConnectionLostError 57P03",
  "ConnectError tcp",
  // The server has stopped before it answered the request for TLS. The call had waited for as long as it may.
  "ConnectError tls",
  NOT_TAKEN_ON,
  // These callers waited while the server was still stopping.
  "AcquireTimeoutError"
])

describe("a pool whose server is restarted", () => {
  it.live.each(["fast", "immediate"] as const)(
    "serves the first query afterwards, and reports the trouble by SQLSTATE meanwhile: a shutdown that is %s",
    (mode) =>
      Effect.gen(function* () {
        const { database, host, password, port, shutDown, startAgain, user } = yield* server
        const settings = { host, port, user, database, password: Redacted.make(password), maxConnections: 4 }
        const impatient = yield* PgPool.make({ ...settings, acquireTimeout: "150 millis" })
        const patient = yield* PgPool.make({ ...settings, acquireTimeout: "20 seconds" })
        const told = new Map<string, number>()
        const caller = impatient.execute("SELECT pg_sleep(0.05)").pipe(
          Effect.catch((error) => Effect.sync(() => void told.set(nameOf(error), (told.get(nameOf(error)) ?? 0) + 1))),
          Effect.andThen(Effect.sleep(1)),
          Effect.forever
        )
        yield* Effect.all([assertHealthy(impatient), assertHealthy(patient)])
        const callers = yield* Effect.forkChild(
          Effect.all(
            Array.from({ length: CALLERS }, () => caller),
            { concurrency: "unbounded" }
          )
        )
        yield* Effect.sleep(BUSY_MILLIS)
        yield* Effect.promise(() => shutDown(mode))
        // The process has ended, and its last words may still be on their way. A call would be sent before they come.
        yield* eventually(
          Effect.map(patient.stats, ({ size }) => size),
          0
        )
        const waiting = yield* Effect.forkChild(
          Effect.all(
            Array.from({ length: CALLERS }, () => valueOf(patient, "SELECT 'waited'")),
            { concurrency: "unbounded" }
          )
        )
        yield* Effect.sleep(DOWN_MILLIS)
        yield* Effect.promise(startAgain)
        const startedAt = performance.now()
        assert.strictEqual(yield* valueOf(patient, "SELECT 'served'"), "served")
        const recovery = performance.now() - startedAt
        assert.deepStrictEqual(
          yield* Fiber.join(waiting),
          Array.from({ length: CALLERS }, () => "waited")
        )
        yield* Fiber.interrupt(callers)
        console.log(
          `${mode}: served ${recovery.toFixed(0)} ms after the server was ready; told`,
          Object.fromEntries(told)
        )
        assert.isBelow(recovery, MAX_RECOVERY_MILLIS)
        for (const name of told.keys()) assert.include(EXPECTED, name)
        assert.isTrue([...told.keys()].some((name) => name.endsWith("57P01")))
        assert.isAbove(told.get("ConnectError tcp") ?? 0, 0)
        for (const pool of [impatient, patient]) {
          // A caller that waits for a shorter time than the pool pauses is told why the last attempt failed.
          const isServed = Effect.map(Effect.exit(valueOf(pool, "SELECT 'served'")), Exit.isSuccess)
          yield* eventually(isServed, true, MAX_RECOVERY_MILLIS)
          yield* eventually(
            Effect.map(pool.stats, ({ connecting, waiting }) => connecting + waiting),
            0
          )
          yield* assertHealthy(pool)
        }
      }),
    TEST_TIMEOUT_MILLIS
  )
})
