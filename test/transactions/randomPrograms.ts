/**
 * Runs random programs of nested transactions on PostgreSQL against a model: the stored numbers and the end of the
 * program are equal, and the connection is idle, with no transaction and no lock.
 *
 *   EFFECTPG_PROGRAMS=50000   so many programs, and a fourth of that of interrupted ones
 */
import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type * as PgPool from "../../src/PgPool.ts"
import { TestDatabase } from "../support/database.ts"
import { eventually, liveConnection, livePool, uniqueName, valueOf } from "../support/live.ts"
import { int } from "../wire/frames.ts"
import { CHANGE, expectedOf, type Program, programs as programsOf } from "../../src/pgTest/program.ts"
import { endingOf, runProgram, type Subject } from "../../src/pgTest/runProgram.ts"

const MILLIS_PER_PROGRAM = 100
const MAX_DELAY_MILLIS = 12

/** So many programs run at the same time, because a program mostly waits. Each lane keeps a connection to itself. */
const LANES = 4

/** Makes what a program with a number runs on. The numbers that were committed are noted by callbacks. */
export type MakeSubject = (program: number, committed: Array<number>) => Subject

interface Lane {
  readonly pg: PgPool.PgPool
  readonly applicationName: string
  readonly subject: MakeSubject
}

const lane = (subjectOn: (pg: PgPool.PgPool) => Effect.Effect<MakeSubject>) =>
  Effect.gen(function* () {
    const applicationName = uniqueName()
    const pg = yield* livePool({ applicationName, maxConnections: 1, statementCacheLifetime: "1 hour" })
    const made: Lane = { applicationName, pg, subject: yield* subjectOn(pg) }
    return made
  })

/** The pool's reset may still be running when the program has ended. */
const RESET = "DISCARD SEQUENCES"

/** What the server still has to do for a lane. */
const AFTERWARDS = `
  SELECT (SELECT count(*)::int4 FROM pg_locks JOIN pg_stat_activity USING (pid)
           WHERE application_name = $1 AND pg_locks.locktype <> 'virtualxid' AND query !~ '${RESET}') AS locks,
         (SELECT array_agg(CASE WHEN query ~ '${RESET}' THEN 'idle' ELSE state END)
           FROM pg_stat_activity WHERE application_name = $1) AS states`

/** The connections and the table of all programs: the residue of one meets the next. */
class Lanes extends Context.Service<Lanes>()("effectpg/test/Lanes", {
  make: (subjectOn: (pg: PgPool.PgPool) => Effect.Effect<MakeSubject>) =>
    Effect.gen(function* () {
      const observer = yield* liveConnection()
      yield* observer.execute("CREATE TABLE numbers (program int4, n int4)")
      const free = yield* Queue.unbounded<Lane>()
      yield* Queue.offerAll(free, yield* Effect.all(Array.from({ length: LANES }, () => lane(subjectOn))))
      const withLane = <A, E, R>(use: (lane: Lane) => Effect.Effect<A, E, R>) =>
        Effect.acquireUseRelease(Queue.take(free), use, (lane) => Queue.offer(free, lane))
      return { observer, withLane }
    })
}) {
  static readonly layer = (subjectOn: (pg: PgPool.PgPool) => Effect.Effect<MakeSubject>) =>
    Layer.effect(this, this.make(subjectOn)).pipe(Layer.provide(TestDatabase.layer))
}

/** The numbers that a program has stored. */
const STORED = "SELECT n FROM numbers WHERE program = $1 ORDER BY n"

export const INSERT = "INSERT INTO numbers VALUES ($1, $2)"
export const UPDATE = "UPDATE numbers SET n = n + $2 WHERE program = $1"

let begun = 0

/** Runs a program in one of the ways, and returns how it ended, what it stored, and what it did after its commit. */
const observe = (
  steps: Program,
  way: (program: Effect.Effect<unknown, unknown>) => Effect.Effect<Exit.Exit<unknown, unknown>>
) =>
  Effect.flatMap(Lanes, ({ observer, withLane }) =>
    withLane(({ applicationName, pg, subject }) =>
      Effect.gen(function* () {
        const program = begun++
        const committed: Array<number> = []
        const exit = yield* way(runProgram(subject(program, committed), steps))
        const afterwards = observer.fetchOne(AFTERWARDS, [applicationName])
        // A session may still be ending what an interrupted fiber has left to it.
        const rest = Effect.map(afterwards, ({ locks, states }) => JSON.stringify({ locks, states }))
        yield* eventually(rest, JSON.stringify({ locks: 0, states: ["idle"] }))
        const numbers = yield* Effect.map(observer.fetch(STORED, [program]), (rows) => rows.map(({ n }) => Number(n)))
        assert.strictEqual(yield* valueOf(pg, "SELECT $1::int4", [program]), program)
        return { exit, numbers, committed: committed.toSorted((a, b) => a - b) }
      })
    )
  )

/** The numbers as they were inserted, before the updates. */
const inserted = (numbers: ReadonlyArray<number>): ReadonlyArray<number> =>
  numbers.map((n) => n % CHANGE).toSorted((a, b) => a - b)

const optionsFor = (runs: number) => ({
  arbitrary: { runs, concurrency: LANES },
  timeout: 30_000 + runs * MILLIS_PER_PROGRAM
})

export interface Programs {
  readonly of: string
  /** How many programs run if no number is given. */
  readonly runs: number
  readonly subjectOn: (pg: PgPool.PgPool) => Effect.Effect<MakeSubject>
}

/** Adds the tests of the random programs of one kind. */
export const testPrograms = ({ of, runs: usual, subjectOn }: Programs): void =>
  layer(Lanes.layer(subjectOn), { excludeTestServices: true })(`a random program of ${of}`, (it) => {
    const programs = Number(process.env["EFFECTPG_PROGRAMS"] ?? usual)

    it.effect.prop(
      "ends and stores as the model says, on a connection that stays healthy",
      [programsOf()],
      ([steps]) =>
        Effect.gen(function* () {
          const expected = expectedOf(steps)
          const actual = yield* observe(steps, Effect.exit)
          assert.include(expected.endings, endingOf(actual.exit))
          assert.deepStrictEqual(actual.numbers, expected.numbers)
          assert.deepStrictEqual(actual.committed, inserted(expected.numbers))
        }),
      optionsFor(programs)
    )

    it.effect.prop(
      "stores all or nothing if it is interrupted at any time, and its callbacks tell which",
      [programsOf(), int(0, MAX_DELAY_MILLIS)],
      ([steps, delay]) =>
        Effect.gen(function* () {
          const expected = expectedOf(steps)
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
          if (actual.numbers.length > 0) assert.deepStrictEqual(actual.numbers, expected.numbers)
          assert.deepStrictEqual(actual.committed, inserted(actual.numbers))
        }),
      optionsFor(Math.ceil(programs / 4))
    )
  })
