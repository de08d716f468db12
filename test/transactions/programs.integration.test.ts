/**
 * Tests random programs of nested transactions on PostgreSQL against a model: the stored numbers and the end of the
 * program are equal, and the connection is idle, with no transaction and no lock.
 *
 *   EFFECTPG_PROGRAMS=50000   so many programs (2,000 otherwise), and a fourth of that of interrupted ones
 */
import { assert, layer } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type * as PgConnection from "../../src/PgConnection.ts"
import { TestDatabase } from "../support/database.ts"
import { liveConnection, livePool, uniqueName, valueOf } from "../support/live.ts"
import { int } from "../wire/frames.ts"
import { endingOf, MAX_CODE, model, programOf, run, type Step, type Subject, warmUp } from "./program.ts"

const PROGRAMS = Number(process.env["EFFECTPG_PROGRAMS"] ?? 2_000)
const MILLIS_PER_PROGRAM = 100
const MAX_STEPS = 20
const MAX_DELAY_MILLIS = 12

/** So many programs run at the same time, because a program mostly waits. Each lane keeps a connection to itself. */
const LANES = 4

interface Lane {
  readonly pg: PgConnection.Queryable
  readonly applicationName: string
}

const lane = Effect.gen(function* () {
  const applicationName = uniqueName()
  return {
    applicationName,
    pg: yield* livePool({ applicationName, maxConnections: 1, statementCacheLifetime: "1 hour" })
  }
})

/** The pool's reset may still be running when the program has ended. */
const RESET = "DISCARD SEQUENCES"

/** The rows that a program has stored, and what the server still has to do for its lane. */
const AFTERWARDS = `
  SELECT (SELECT coalesce(array_agg(n ORDER BY n), '{}') FROM numbers WHERE program = $1) AS numbers,
         (SELECT count(*)::int4 FROM pg_locks JOIN pg_stat_activity USING (pid)
           WHERE application_name = $2 AND pg_locks.locktype <> 'virtualxid' AND query !~ '${RESET}') AS locks,
         (SELECT array_agg(CASE WHEN query ~ '${RESET}' THEN 'idle' ELSE state END)
           FROM pg_stat_activity WHERE application_name = $2) AS states`

/** The connections and the table of all programs: the residue of one meets the next. */
class Lanes extends Context.Service<Lanes>()("effectpg/test/Lanes", {
  make: Effect.gen(function* () {
    const observer = yield* liveConnection()
    yield* observer.execute("CREATE TABLE numbers (program int4, n int4)")
    const free = yield* Queue.unbounded<Lane>()
    yield* Queue.offerAll(free, yield* Effect.all(Array.from({ length: LANES }, () => lane)))
    const withLane = <A, E, R>(use: (lane: Lane) => Effect.Effect<A, E, R>) =>
      Effect.acquireUseRelease(Queue.take(free), use, (lane) => Queue.offer(free, lane))
    return { observer, withLane }
  })
}) {
  static readonly layer = Layer.effect(this, this.make).pipe(Layer.provide(TestDatabase.layer))
}

let programs = 0

/** Runs a program in one of the ways, and returns how it ended, what it stored, and what it did after its commit. */
const observe = (
  steps: ReadonlyArray<Step>,
  way: (program: Effect.Effect<void, unknown>) => Effect.Effect<Exit.Exit<void, unknown>>
) =>
  Effect.flatMap(Lanes, ({ observer, withLane }) =>
    withLane(({ applicationName, pg }) =>
      Effect.gen(function* () {
        const program = programs++
        const committed: Array<number> = []
        const subject: Subject = {
          pg,
          insert: (n) =>
            Effect.andThen(
              pg.execute("INSERT INTO numbers VALUES ($1, $2)", [program, n]),
              pg.afterCommit(Effect.sync(() => void committed.push(n)))
            )
        }
        yield* warmUp(pg)
        const exit = yield* way(run(subject, steps))
        const { locks, numbers, states } = yield* observer.fetchOne(AFTERWARDS, [program, applicationName])
        assert.deepStrictEqual({ locks, states }, { locks: 0, states: ["idle"] })
        assert.strictEqual(yield* valueOf(pg, "SELECT $1::int4", [program]), program)
        return { exit, numbers, committed: committed.toSorted((a, b) => a - b) }
      })
    )
  )

const numbers = Arbitrary.array(int(0, MAX_CODE), { maxLength: MAX_STEPS })

const optionsFor = (runs: number) => ({
  arbitrary: { runs, concurrency: LANES },
  timeout: 30_000 + runs * MILLIS_PER_PROGRAM
})

layer(Lanes.layer, { excludeTestServices: true })("a random program of transactions", (it) => {
  it.effect.prop(
    "ends and stores as the model says, on a connection that stays healthy",
    [numbers],
    ([numbers]) =>
      Effect.gen(function* () {
        const steps = programOf(numbers)
        const expected = model(steps)
        const actual = yield* observe(steps, Effect.exit)
        assert.include(expected.endings, endingOf(actual.exit))
        assert.deepStrictEqual(actual.numbers, expected.numbers)
        assert.deepStrictEqual(actual.committed, expected.numbers)
      }),
    optionsFor(PROGRAMS)
  )

  it.effect.prop(
    "stores all or nothing if it is interrupted at any time, and its callbacks tell which",
    [numbers, int(0, MAX_DELAY_MILLIS)],
    ([numbers, delay]) =>
      Effect.gen(function* () {
        const steps = programOf(numbers)
        const expected = model(steps)
        const actual = yield* observe(steps, (program) =>
          Effect.gen(function* () {
            const fiber = yield* Effect.forkChild(program, { startImmediately: true })
            if (delay > 0) yield* Effect.sleep(delay)
            yield* Fiber.interrupt(fiber)
            return yield* Fiber.await(fiber)
          })
        )
        // After an interruption, Effect skips the handlers that would have caught a failure: it stands beside the
        // interruption.
        if (!Exit.hasInterrupts(actual.exit)) assert.include(expected.endings, endingOf(actual.exit))
        if (Exit.isSuccess(actual.exit)) assert.deepStrictEqual(actual.numbers, expected.numbers)
        if (String(actual.numbers) !== "") assert.deepStrictEqual(actual.numbers, expected.numbers)
        assert.deepStrictEqual(actual.committed, actual.numbers)
      }),
    optionsFor(Math.ceil(PROGRAMS / 4))
  )
})
