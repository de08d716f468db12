/** Tests when the callbacks of a transaction run, in which order, and which are discarded. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import type * as PgConnection from "../../src/PgConnection.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy } from "../support/live.ts"
import { makers, table } from "./table.ts"

const FAILURE = "the body's own failure"

/** The callbacks that have run so far, and how to register more. */
const log = (pg: PgConnection.Queryable) => {
  const entries: Array<string> = []
  const note = (what: string) => Effect.sync(() => void entries.push(what))
  return {
    entries,
    note,
    /** Registers one callback for each end, of which only one may run. */
    after: (what: string) =>
      Effect.andThen(pg.afterCommit(note(`${what} committed`)), pg.afterRollback(note(`${what} rolled back`)))
  }
}

for (const [what, make] of makers) {
  layer(TestDatabase.layer, { excludeTestServices: true })(`a callback after a transaction of ${what}`, (it) => {
    it.effect("runs after its COMMIT, in the order of registration, when others see the work", () =>
      Effect.gen(function* () {
        const { insert, numbers } = yield* table
        const pg = yield* make
        const { after, entries } = log(pg)
        const seen: Array<unknown> = []
        yield* pg.withTransaction(
          Effect.gen(function* () {
            yield* after("first")
            yield* pg.afterCommit(Effect.map(Effect.orDie(numbers), (found) => void seen.push(found)))
            yield* insert(pg, 1)
            yield* after("second")
            assert.deepStrictEqual(entries, [])
          })
        )
        assert.deepStrictEqual(entries, ["first committed", "second committed"])
        assert.deepStrictEqual(seen, [[1]])
        yield* assertHealthy(pg)
      })
    )

    it.effect("runs after its ROLLBACK, in the order of registration, whatever caused it", () =>
      Effect.gen(function* () {
        const { insert, numbers } = yield* table
        const pg = yield* make
        const failedInside = Effect.ignore(pg.execute("SELECT 1 / 0"))
        for (const ending of [Effect.fail(FAILURE), Effect.die(FAILURE), Effect.interrupt, failedInside]) {
          const { after, entries } = log(pg)
          const body = Effect.gen(function* () {
            yield* after("first")
            yield* insert(pg, 1)
            yield* after("second")
            yield* ending
          })
          yield* Effect.exit(pg.withTransaction(body))
          assert.deepStrictEqual(entries, ["first rolled back", "second rolled back"])
        }
        const { after, entries } = log(pg)
        const sleeping = pg.withTransaction(Effect.andThen(after("only"), pg.execute("SELECT pg_sleep(60)")))
        const fiber = yield* Effect.forkChild(sleeping, { startImmediately: true })
        yield* Effect.sleep("30 millis")
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(entries, ["only rolled back"])
        assert.deepStrictEqual(yield* numbers, [])
        yield* assertHealthy(pg)
      })
    )

    it.effect("runs or is discarded at once if its savepoint is rolled back", () =>
      Effect.gen(function* () {
        const { insert, numbers } = yield* table
        const pg = yield* make
        const { after, entries, note } = log(pg)
        yield* pg.withTransaction(
          Effect.gen(function* () {
            yield* after("outer")
            const released = pg.withTransaction(Effect.andThen(insert(pg, 2), after("inner of the undone")))
            const undone = Effect.andThen(after("undone"), Effect.andThen(released, Effect.fail(FAILURE)))
            yield* Effect.ignore(pg.withTransaction(undone))
            yield* note("after the undone")
            yield* insert(pg, 1)
          })
        )
        assert.deepStrictEqual(entries, [
          "undone rolled back",
          "inner of the undone rolled back",
          "after the undone",
          "outer committed"
        ])
        assert.deepStrictEqual(yield* numbers, [1])
        yield* assertHealthy(pg)
      })
    )

    it.effect("belongs to the transaction after its savepoint is released", () =>
      Effect.gen(function* () {
        const pg = yield* make
        const run = (ending: Effect.Effect<void, string>) =>
          Effect.gen(function* () {
            const { after, entries } = log(pg)
            const body = Effect.gen(function* () {
              yield* after("outer")
              yield* pg.withTransaction(after("inner"))
              assert.deepStrictEqual(entries, [])
              yield* after("outer again")
              yield* ending
            })
            yield* Effect.ignore(pg.withTransaction(body))
            return entries
          })
        assert.deepStrictEqual(yield* run(Effect.void), ["outer committed", "inner committed", "outer again committed"])
        assert.deepStrictEqual(yield* run(Effect.fail(FAILURE)), [
          "outer rolled back",
          "inner rolled back",
          "outer again rolled back"
        ])
        yield* assertHealthy(pg)
      })
    )

    it.effect("runs at once outside a transaction if it waits for a commit, and never for a rollback", () =>
      Effect.gen(function* () {
        const pg = yield* make
        const { after, entries } = log(pg)
        yield* after("outside")
        assert.deepStrictEqual(entries, ["outside committed"])
        yield* Effect.ignore(pg.withTransaction(Effect.fail(FAILURE)))
        assert.deepStrictEqual(entries, ["outside committed"])
        yield* assertHealthy(pg)
      })
    )

    it.effect("is discarded with the attempt that registered it if the transaction is retried", () =>
      Effect.gen(function* () {
        const pg = yield* make
        const { after, entries } = log(pg)
        let attempts = 0
        const body = Effect.gen(function* () {
          const isFirst = ++attempts === 1
          yield* after(isFirst ? "first" : "second")
          if (isFirst) yield* pg.execute("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$")
        })
        yield* pg.withTransaction(body, { retry: Schedule.recurs(1) })
        assert.deepStrictEqual(entries, ["first rolled back", "second committed"])
        yield* assertHealthy(pg)
      })
    )
  })
}
