/** Compares what an interruption does: to the statement on the server, to the caller, and to everybody else. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as SqlClient from "effect/sql/SqlClient"
import * as Stream from "effect/Stream"
import { eventually } from "../support/live.ts"
import { named, parity } from "./support/participants.ts"

const immediately = { startImmediately: true } as const

/** Fails if it does not end in time. */
const inTime = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.timeoutOrElse(effect, { duration: "3 seconds", orElse: () => Effect.die(new Error("it does not end")) })

/** How many statements of this database run with that word in them, without the one that asks. */
const running = (word: string) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) =>
    Effect.map(
      sql<{ n: number }>`SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database()
        AND state = 'active' AND pid <> pg_backend_pid() AND query LIKE ${`%${word}%`}`,
      ([row]) => row?.n
    )
  )

parity(
  "interruption, on a pool of four",
  (it, participant) => {
    it.effect("a running statement is canceled on the server, and its fiber does not wait for long", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const fiber = yield* Effect.forkChild(sql`SELECT pg_sleep(60) /* lone */`, immediately)
        yield* eventually(running("lone"), 1)
        const before = Date.now()
        yield* inTime(Fiber.interrupt(fiber))
        assert.isBelow(Date.now() - before, 1000)
        assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
        yield* eventually(running("lone"), 0)
        assert.deepStrictEqual(yield* sql`SELECT 1 AS healthy`, [{ healthy: 1 }])
      })
    )

    it.effect("a timeout ends with the timeout, and never with an error of SQL", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const error = yield* Effect.flip(Effect.timeout(sql`SELECT pg_sleep(60) /* late */`, "50 millis"))
        assert.strictEqual(error._tag, "TimeoutError")
        yield* eventually(running("late"), 0)
      })
    )

    const leaves = { "@effect/sql-pg": "sometimes leaves one of the interrupted statements running" } as const
    const beside = "a cancel hits nobody else: statements beside many interrupted ones all answer"
    it.effect(named(participant, beside, leaves), () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const interrupted = Effect.forEach(
          Array.from({ length: 40 }, (_, n) => n),
          (n) => Effect.timeoutOption(sql`SELECT pg_sleep(60) /* many */`, 1 + (n % 7)),
          { concurrency: 2 }
        )
        const steady = Effect.forEach(
          Array.from({ length: 200 }, (_, n) => n),
          (n) => sql`SELECT ${n}::int4 AS n FROM pg_sleep(0.002)`,
          { concurrency: 2 }
        )
        const [, answers] = yield* Effect.timeoutOrElse(Effect.all([interrupted, steady], { concurrency: 2 }), {
          duration: "20 seconds",
          orElse: () => Effect.die(new Error("it does not end"))
        })
        assert.deepStrictEqual(
          answers,
          Array.from({ length: 200 }, (_, n) => [{ n }])
        )
        if (!(participant.name in leaves)) yield* eventually(running("many"), 0)
      })
    )

    it.effect("a transaction whose statement is interrupted from within goes on to its end, and is rolled back", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const exit = yield* Effect.exit(
          inTime(
            sql.withTransaction(
              Effect.gen(function* () {
                yield* Effect.timeoutOption(sql`SELECT pg_sleep(60)`, "30 millis")
                yield* sql`SELECT 1`
              })
            )
          )
        )
        assert.isTrue(Exit.isFailure(exit))
        assert.deepStrictEqual(yield* sql`SELECT 1 AS healthy`, [{ healthy: 1 }])
      })
    )

    it.effect("a stream that is interrupted ends its statement", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const { stream } = sql`SELECT pg_sleep(0.1) /* flow */, n FROM generate_series(1, 1000) AS n`
        const fiber = yield* Effect.forkChild(Stream.runDrain(stream), immediately)
        yield* eventually(running("flow"), 1)
        yield* inTime(Fiber.interrupt(fiber))
        yield* eventually(running("flow"), 0)
        assert.deepStrictEqual(yield* sql`SELECT 1 AS healthy`, [{ healthy: 1 }])
      })
    )

    it.effect("what is uninterruptible runs to its end", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* sql`CREATE TABLE finished (n int4)`
        const fiber = yield* Effect.forkChild(
          Effect.uninterruptible(sql`INSERT INTO finished SELECT 1 FROM pg_sleep(0.1)`),
          immediately
        )
        yield* Effect.sleep("30 millis")
        yield* inTime(Fiber.interrupt(fiber))
        assert.deepStrictEqual(yield* sql`SELECT n FROM finished`, [{ n: 1 }])
      })
    )
  },
  { maxConnections: 4 }
)

parity(
  "interruption, on a pool of one",
  (it) => {
    it.effect("a wait for a connection can be interrupted, and leaves the pool whole", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const waits: ReadonlyArray<Effect.Effect<unknown, unknown, SqlClient.SqlClient>> = [
          sql`SELECT 1`,
          sql.withTransaction(sql`SELECT 1`),
          Stream.runDrain(sql`SELECT 1`.stream),
          Effect.scoped(sql.reserve)
        ]
        yield* Effect.scoped(
          Effect.gen(function* () {
            const mine = yield* sql.reserve
            for (const wait of waits) {
              const fiber = yield* Effect.forkChild(wait, immediately)
              yield* Effect.sleep("20 millis")
              yield* inTime(Fiber.interrupt(fiber))
            }
            assert.deepStrictEqual(yield* mine.executeValues("SELECT 1", []), [[1]])
          })
        )
        assert.deepStrictEqual(yield* inTime(sql.withTransaction(sql`SELECT 1 AS healthy`)), [{ healthy: 1 }])
      })
    )

    it.effect("the next statement after an interrupted one has its own answer, each time", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        for (let n = 0; n < 30; n++) {
          yield* Effect.timeoutOption(sql`SELECT pg_sleep(60)`, n % 5)
          assert.deepStrictEqual(yield* inTime(sql`SELECT ${n}::int4 AS n`), [{ n }])
        }
      })
    )

    it.effect("a reserved session answers again after an interrupted statement", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* Effect.scoped(
          Effect.gen(function* () {
            const mine = yield* sql.reserve
            yield* Effect.timeoutOption(mine.execute("SELECT pg_sleep(60)", [], undefined), "30 millis")
            assert.deepStrictEqual(yield* inTime(mine.executeValues("SELECT 1", [])), [[1]])
          })
        )
      })
    )
  },
  { maxConnections: 1 }
)
