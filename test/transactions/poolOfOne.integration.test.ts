/**
 * Tests a model of what may wait for what: fibers share a pool of one connection, and some are interrupted. They have
 * transactions with callbacks, locks, streams, COPY and LISTEN. In any order, each ends in time, with the answer of the
 * model or by its interruption, and then the connection is free.
 */
import { assert, layer } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type * as PgPool from "../../src/PgPool.ts"
import { TestDatabase } from "../support/database.ts"
import { int } from "../wire/frames.ts"
import {
  assertHealthy,
  backendsOf,
  eventually,
  liveConnection,
  livePool,
  uniqueName,
  valueOf
} from "../support/live.ts"

const PROGRAMS = 150
const PATIENCE_MILLIS = 4_000
const MAX_FIBERS = 5
const MAX_DELAY_MILLIS = 12

/** What a fiber notes of the callbacks of its transactions. */
interface Notes {
  readonly program: number
  readonly ran: Array<string>
}

/** What a fiber does, and its result if nothing interrupts it. */
type Act = (pool: PgPool.PgPool, n: number, notes: Notes) => Effect.Effect<unknown, unknown>

const value = (pool: PgPool.PgPool, n: number) =>
  Effect.map(pool.fetchValue("SELECT $1::int4", [n]), Option.getOrUndefined)

const insert = (pool: PgPool.PgPool, n: number, { program }: Notes) =>
  pool.execute("INSERT INTO done VALUES ($1, $2)", [program, n])

const note = (pool: PgPool.PgPool, n: number, { ran }: Notes, what: string) =>
  Effect.map(Effect.orDie(value(pool, n)), () => void ran.push(`${what} ${n}`))

const after = (pool: PgPool.PgPool, n: number, notes: Notes) =>
  Effect.andThen(
    pool.afterCommit(note(pool, n, notes, "committed")),
    pool.afterRollback(note(pool, n, notes, "rolled back"))
  )

const acts: ReadonlyArray<Act> = [
  value,
  (pool, n, notes) => pool.withTransaction(Effect.andThen(after(pool, n, notes), Effect.as(insert(pool, n, notes), n))),
  (pool, n, notes) =>
    pool
      .withTransaction(Effect.andThen(after(pool, n, notes), Effect.andThen(insert(pool, n, notes), Effect.fail(n))))
      .pipe(Effect.catch(() => Effect.succeed(n))),
  (pool, n, notes) =>
    pool.withTransaction(
      Effect.gen(function* () {
        yield* pool.withTransaction(after(pool, n, notes))
        const children = [insert(pool, n, notes), pool.withTransaction(value(pool, n)), value(pool, n)]
        yield* Effect.all(children, { concurrency: "unbounded" })
        return n
      })
    ),
  (pool, n, notes) =>
    Effect.scoped(
      Effect.gen(function* () {
        const transaction = yield* pool.begin()
        yield* transaction.withTransaction(transaction.afterCommit(note(pool, n, notes, "by hand")))
        yield* transaction.commit
        return yield* value(pool, n)
      })
    ),
  (pool, n) => Effect.as(Stream.runDrain(Stream.take(pool.stream("SELECT generate_series(1, 9)"), 3)), n),
  (pool, n) =>
    pool.withTransaction(Effect.as(Stream.runDrain(pool.copyOut({ query: "SELECT generate_series(1, 9)" })), n)),
  (pool, n) => pool.withAdvisoryLock(n, value(pool, n)),
  (pool, n) =>
    pool.withConnection((connection) =>
      Effect.scoped(
        Effect.gen(function* () {
          const heard = yield* connection.withTransaction(connection.listen("one"))
          yield* connection.notify("one", String(n))
          yield* Stream.runDrain(Stream.take(heard, 1))
          return n
        })
      )
    ),
  (pool, n) => Effect.scoped(Effect.andThen(pool.cursor("SELECT generate_series(1, 9)"), Effect.succeed(n)))
]

/** Which act each fiber does, and whether and when it is interrupted: two numbers for a fiber. */
const numbers = Arbitrary.array(int(0, 999), { minLength: 2, maxLength: 2 * MAX_FIBERS })

const fibersOf = (numbers: ReadonlyArray<number>) =>
  numbers.flatMap((number, index) => {
    const delay = numbers[index + 1]
    if (index % 2 === 1 || delay === undefined) return []
    return [{ act: number % acts.length, delay: delay % 2 === 0 ? delay % MAX_DELAY_MILLIS : undefined }]
  })

/** Reads what is stored, on a connection of its own. */
class Stored extends Context.Service<Stored>()("effectpg/test/Stored", {
  make: Effect.gen(function* () {
    const observer = yield* liveConnection()
    yield* observer.execute("CREATE TABLE done (program int4, n int4)")
    return observer
  })
}) {
  static readonly layer = Layer.effect(this, this.make).pipe(Layer.provideMerge(TestDatabase.layer))
}

let programs = 0

layer(Stored.layer, { excludeTestServices: true })("fibers that share a pool of one", (it) => {
  it.effect.prop(
    "each end in time, with the result of the model, and leave the connection free",
    [numbers],
    ([numbers]) =>
      Effect.gen(function* () {
        const fibers = fibersOf(numbers)
        const applicationName = uniqueName()
        const observer = yield* Stored
        const pool = yield* livePool({ maxConnections: 1, acquireTimeout: PATIENCE_MILLIS, applicationName })
        yield* assertHealthy(pool)
        const notes: Notes = { program: programs++, ran: [] }
        const run = ({ act, delay }: (typeof fibers)[number], n: number) =>
          Effect.gen(function* () {
            const work = acts[act]?.(pool, n, notes) ?? Effect.void
            const fiber = yield* Effect.forkChild(work, { startImmediately: true })
            if (delay !== undefined) {
              yield* Effect.sleep(delay)
              yield* Fiber.interrupt(fiber)
            }
            return yield* Fiber.await(fiber)
          })
        const exits = yield* Effect.timeoutOption(
          Effect.all(fibers.map(run), { concurrency: "unbounded" }),
          PATIENCE_MILLIS
        )
        if (Option.isNone(exits)) return assert.fail("some did not end")
        const { ran } = notes
        exits.value.forEach((exit, n) => {
          const isInterrupted = Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
          assert.isTrue(Exit.isSuccess(exit) || isInterrupted, String(exit))
          if (Exit.isSuccess(exit)) assert.strictEqual(exit.value, n)
          const act = fibers[n]?.act
          if (Exit.isSuccess(exit) && (act === 1 || act === 3)) assert.include(ran, `committed ${n}`)
          if (Exit.isSuccess(exit) && act === 2) assert.include(ran, `rolled back ${n}`)
        })
        const stored = yield* valueOf(
          observer,
          "SELECT coalesce(array_agg(n ORDER BY n), '{}') FROM done WHERE program = $1",
          [notes.program]
        )
        const committed = ran.filter((what) => what.startsWith("committed")).map((what) => Number(what.split(" ")[1]))
        // A fiber that was interrupted just after its COMMIT may have stored its rows all the same.
        for (const n of committed) assert.include(stored, n)
        yield* assertHealthy(pool)
        yield* eventually(
          Effect.map(pool.stats, ({ inUse, waiting }) => inUse + waiting),
          0
        )
        // No connection was closed to get rid of what it did.
        yield* eventually(backendsOf(observer, applicationName), 1)
      }).pipe(Effect.scoped),
    { arbitrary: { runs: PROGRAMS, concurrency: 4 }, timeout: 120_000 }
  )
})
