/**
 * Shows whether a row or a query costs more if there are more rows, cached statements or connections: `node
 * bench/slopes.ts [rounds]` prints the client's CPU time for each number. The cases take turns, and the medians are
 * shown.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as PgConnection from "../src/PgConnection.ts"
import type * as PgError from "../src/PgError.ts"
import { start } from "../test/support/postgres.ts"
import { median } from "./statistics.ts"

type Answer<A, R = never> = Effect.Effect<A, PgError.PgError, R>

/** One measurement: what it does, and how many units of work that is. */
interface Case {
  readonly size: number
  readonly units: number
  readonly run: Answer<unknown>
}

interface Slope {
  readonly title: string
  readonly unit: string
  readonly cases: ReadonlyArray<Case>
}

const ROUNDS = Number(process.argv[2] ?? 15)
const NANOS_PER_MICRO = 1_000

const ROWS_PER_CASE = 200_000
const ROW_COUNTS = [10, 100, 1_000, 10_000, 100_000]
const QUERIES_PER_CASE = 4_000
const STATEMENT_COUNTS = [1, 10, 100, 1_000]
const CONNECTION_COUNTS = [1, 4, 16, 64]

const repeated = (times: number, effect: Answer<unknown>): Answer<void> =>
  Effect.forEach(Array.from({ length: times }), () => effect, { discard: true })

/** Measures the cost of a row in results of different sizes. */
const rows = (connection: PgConnection.PgConnection): Slope => ({
  title: "rows of a result",
  unit: "row",
  cases: ROW_COUNTS.map((size) => ({
    size,
    units: ROWS_PER_CASE,
    run: repeated(
      ROWS_PER_CASE / size,
      connection.fetch("SELECT i, 'row ' || i AS label, now() AS at FROM generate_series(1, $1::int4) AS i", [size])
    )
  }))
})

/** Measures the cost of a query with different numbers of statements, which are used in turn. */
const statements = (connection: PgConnection.PgConnection): Slope => ({
  title: "statements that are alive",
  unit: "query",
  cases: STATEMENT_COUNTS.map((size) => ({
    size,
    units: QUERIES_PER_CASE,
    run: Effect.forEach(
      Array.from({ length: QUERIES_PER_CASE }, (_, index) => index % size),
      (index) => connection.fetch(`SELECT $1::int4 AS n /* one of ${size}: ${index} */`, [index]),
      { discard: true }
    )
  }))
})

/** Measures the cost of a query with different numbers of connections, each with a concurrent loop. */
const connections = (all: ReadonlyArray<PgConnection.PgConnection>): Slope => ({
  title: "connections",
  unit: "query",
  cases: CONNECTION_COUNTS.map((size) => ({
    size,
    units: QUERIES_PER_CASE,
    run: Effect.forEach(
      all.slice(0, size),
      (connection) => repeated(QUERIES_PER_CASE / size, connection.fetch("SELECT $1::int4 AS n", [1])),
      { concurrency: "unbounded", discard: true }
    )
  }))
})

const cpuNanos = (effect: Answer<unknown>): Answer<number> =>
  Effect.suspend(() => {
    const before = process.cpuUsage()
    return Effect.map(effect, () => {
      const { system, user } = process.cpuUsage(before)
      return (user + system) * NANOS_PER_MICRO
    })
  })

const measure = ({ cases, title, unit }: Slope): Answer<void> =>
  Effect.gen(function* () {
    for (const { run } of cases) yield* run
    const samples = cases.map((): Array<number> => [])
    for (let round = 0; round < ROUNDS; round++) {
      for (let turn = 0; turn < cases.length; turn++) {
        const index = (round + turn) % cases.length
        const { run, units } = cases[index]!
        samples[index]!.push((yield* cpuNanos(run)) / units)
      }
    }
    yield* Console.log(`ns of CPU for a ${unit}, by the number of ${title}`)
    for (const [index, { size }] of cases.entries()) {
      yield* Console.log(`${String(size).padStart(9)} ${median(samples[index]!).toFixed(0).padStart(9)}`)
    }
  })

const { host, port, user, password, database, stop } = await start()
const settings = {
  host,
  port,
  user,
  database,
  password: Redacted.make(password),
  sslMode: "disable",
  // The cache is large enough that no statement is evicted.
  statementCacheSize: 2 * Math.max(...STATEMENT_COUNTS)
} as const

const program: Answer<void, Scope.Scope> = Effect.gen(function* () {
  const all = yield* Effect.forEach(Array.from({ length: Math.max(...CONNECTION_COUNTS) }), () =>
    PgConnection.make(settings)
  )
  const [first] = all
  if (first === undefined) return
  for (const slope of [rows(first), statements(first), connections(all)]) yield* measure(slope)
})

await Effect.runPromise(Effect.scoped(program))
await stop()
