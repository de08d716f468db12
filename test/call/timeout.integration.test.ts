/** Tests the `timeout` of calls that take longer than one statement: what it bounds, and what is left afterwards. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as PgError from "../../src/PgError.ts"
import type * as PgPool from "../../src/PgPool.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, livePool, refusalOf, valueOf } from "../support/live.ts"

const timeout = "50 millis"
/** Far above the timeout and below the duration of the statements, so that a call without its bound fails the test. */
const PATIENCE = "5 seconds"
const SLOW = "SELECT pg_sleep(60)"
const SLOW_INSERT = "INSERT INTO timed SELECT $1::int4 FROM pg_sleep(60)"

type Call = (pool: PgPool.PgPool) => Effect.Effect<unknown, PgError.PgError, Scope.Scope>

/** Calls that take too long by themselves. */
const slow: ReadonlyArray<readonly [string, Call]> = [
  ["stream", (pool) => Stream.runDrain(pool.stream(SLOW, [], { timeout }))],
  ["cursor", (pool) => Effect.flatMap(pool.cursor(SLOW, [], { timeout }), (cursor) => cursor.fetch(1))],
  ["a scroll cursor", (pool) => Effect.flatMap(pool.cursor(SLOW, [], { timeout, scroll: true }), (c) => c.fetch(1))],
  ["executeMany", (pool) => pool.executeMany(SLOW_INSERT, [[1]], { timeout })],
  ["fetchMany", (pool) => pool.fetchMany(`${SLOW_INSERT} RETURNING n`, [[1]], { timeout })],
  ["batch", (pool) => pool.batch([{ sql: "INSERT INTO timed VALUES (1)" }, { sql: SLOW }], { timeout })],
  ["copyIn", (pool) => pool.copyIn({ table: "timed" }, Stream.never, { timeout })],
  [
    "copyInRows",
    (pool) => pool.copyInRows({ table: "timed" }, Stream.concat(Stream.make([1]), Stream.never), { timeout })
  ],
  ["copyOut", (pool) => Stream.runDrain(pool.copyOut({ query: SLOW }, { timeout }))],
  ["copyOutRows", (pool) => Stream.runDrain(pool.copyOutRows({ query: SLOW }, { timeout }))],
  [
    "withTransaction",
    (pool) =>
      pool.withTransaction(Effect.andThen(pool.execute("INSERT INTO timed VALUES (1)"), Effect.never), { timeout })
  ],
  [
    "a nested withTransaction",
    (pool) =>
      pool.withTransaction(
        pool.withTransaction(Effect.andThen(pool.execute("INSERT INTO timed VALUES (1)"), Effect.never), { timeout })
      )
  ]
]

/** Calls that have to wait for the pool's only connection, which another fiber has. */
const waiting: ReadonlyArray<readonly [string, Call]> = [
  ...slow,
  ["prepare", (pool) => pool.prepare("SELECT 1", { timeout })],
  ["notify", (pool) => pool.notify("timed", "", { timeout })],
  ["begin", (pool) => pool.begin({ timeout })]
]

layer(TestDatabase.layer, { excludeTestServices: true })("a timeout", (it) => {
  const pool = Effect.tap(livePool({ maxConnections: 1 }), (made) =>
    made.executeScript("DROP TABLE IF EXISTS timed; CREATE TABLE timed (n int4)")
  )
  for (const [what, call] of slow) {
    it.effect(`ends ${what} after its duration, leaves nothing of it, and the connection serves again`, () =>
      Effect.gen(function* () {
        const made = yield* pool
        assert.strictEqual(yield* tagOf(call, made), "QueryTimeoutError")
        assert.strictEqual(yield* valueOf(made, "SELECT count(*)::int4 FROM timed"), 0)
        assert.strictEqual((yield* made.stats).inUse, 0)
        yield* assertHealthy(made)
      }).pipe(Effect.scoped)
    )
  }

  for (const [what, call] of waiting.filter(([what]) => what !== "a nested withTransaction")) {
    it.effect(`also bounds the wait of ${what} for a connection`, () =>
      Effect.gen(function* () {
        const made = yield* pool
        yield* made.withConnection(() =>
          Effect.gen(function* () {
            assert.strictEqual(yield* tagOf(call, made), "QueryTimeoutError")
            assert.strictEqual((yield* made.stats).waiting, 0)
          })
        )
        yield* assertHealthy(made)
      }).pipe(Effect.scoped)
    )
  }

  it.effect("does not count, for a stream, the time that its reader takes", () =>
    Effect.gen(function* () {
      const made = yield* pool
      const rows = made.stream("SELECT generate_series(1, 4)", [], { timeout: "300 millis", fetchSize: 1 })
      const read = yield* Effect.forkChild(Stream.runCount(Stream.tap(rows, () => Effect.sleep("150 millis"))))
      assert.strictEqual(yield* Fiber.join(read), 4)
      yield* assertHealthy(made)
    }).pipe(Effect.scoped)
  )
})

const tagOf = (call: Call, made: PgPool.PgPool) =>
  Effect.map(
    refusalOf(Effect.scoped(Effect.timeoutOrElse(call(made), { duration: PATIENCE, orElse: lateDefect }))),
    ({ _tag }) => _tag
  )

const lateDefect = () => Effect.die(new Error("it was not bounded"))
