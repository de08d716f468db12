/** Tests which failures make a transaction run again, from which level, and how often. */
import { assert, layer } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as PgConnection from "../../src/PgConnection.ts"
import type * as PgError from "../../src/PgError.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, valueOf } from "../support/live.ts"
import { makers, table } from "./table.ts"

const SERIALIZATION_FAILURE = "40001"
const DEADLOCK_DETECTED = "40P01"

/** A statement that the server refuses with that code. */
const raise = (sqlState: string) => `DO $$ BEGIN RAISE EXCEPTION 'on purpose' USING ERRCODE = '${sqlState}'; END $$`

/** A body that receives the number of its run, counted from 1. */
const counted = (run: (attempt: number) => Effect.Effect<unknown, PgError.PgError>) => {
  let runs = 0
  return { body: Effect.suspend(() => run(++runs)), runs: () => runs }
}

for (const [what, make] of makers) {
  layer(TestDatabase.layer, { excludeTestServices: true })(`a transaction of ${what} that may be retried`, (it) => {
    it.effect("runs again as a whole after a serialization failure and after a deadlock, each time anew", () =>
      Effect.gen(function* () {
        for (const sqlState of [SERIALIZATION_FAILURE, DEADLOCK_DETECTED]) {
          const { insert, numbers } = yield* table
          const pg = yield* make
          const ids = new Set<unknown>()
          const attempts = counted((attempt) =>
            Effect.gen(function* () {
              yield* insert(pg, attempt)
              ids.add(yield* valueOf(pg, "SELECT pg_current_xact_id()::text"))
              if (attempt <= 2) yield* pg.execute(raise(sqlState))
            })
          )
          yield* pg.withTransaction(attempts.body, { retry: Schedule.recurs(5) })
          assert.strictEqual(attempts.runs(), 3)
          assert.strictEqual(ids.size, 3)
          assert.deepStrictEqual(yield* numbers, [3])
          yield* assertHealthy(pg)
        }
      })
    )

    it.effect("runs again from the outermost body if one of its savepoints has met the failure", () =>
      Effect.gen(function* () {
        const { insert, numbers } = yield* table
        const pg = yield* make
        let inner = 0
        const attempts = counted((attempt) =>
          Effect.gen(function* () {
            yield* insert(pg, attempt * 10)
            const nested = Effect.gen(function* () {
              inner++
              yield* insert(pg, attempt * 10 + 1)
              if (attempt === 1) yield* pg.execute(raise(SERIALIZATION_FAILURE))
            })
            yield* pg.withTransaction(nested)
          })
        )
        yield* pg.withTransaction(attempts.body, { retry: Schedule.recurs(5) })
        assert.deepStrictEqual([attempts.runs(), inner], [2, 2])
        assert.deepStrictEqual(yield* numbers, [20, 21])
        yield* assertHealthy(pg)
      })
    )

    it.effect("runs again if COMMIT meets the failure", () =>
      Effect.gen(function* () {
        for (const sqlState of [SERIALIZATION_FAILURE, DEADLOCK_DETECTED]) {
          const { insert, name, numbers, observer } = yield* table
          yield* observer.executeScript(`
            CREATE FUNCTION refuse_${name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
              IF NEW.n <= 2 THEN RAISE EXCEPTION 'on purpose' USING ERRCODE = '${sqlState}'; END IF;
              RETURN NULL;
            END $$;
            CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON ${name} DEFERRABLE INITIALLY DEFERRED
              FOR EACH ROW EXECUTE FUNCTION refuse_${name}()`)
          const pg = yield* make
          const attempts = counted((attempt) => insert(pg, attempt))
          yield* pg.withTransaction(attempts.body, { retry: Schedule.recurs(5) })
          assert.strictEqual(attempts.runs(), 3)
          assert.deepStrictEqual(yield* numbers, [3])
          yield* assertHealthy(pg)
        }
      })
    )

    it.effect("does not run again after any other failure, or without the option", () =>
      Effect.gen(function* () {
        const { insert, numbers } = yield* table
        const pg = yield* make
        const unrelated = ["23505", "22012", "40000", "40002", "40003", "55P03", "57014"]
        for (const sqlState of unrelated) {
          const attempts = counted((attempt) => Effect.andThen(insert(pg, attempt), pg.execute(raise(sqlState))))
          const error = yield* Effect.flip(pg.withTransaction(attempts.body, { retry: Schedule.recurs(5) }))
          assert.strictEqual("code" in error ? error.code : error._tag, sqlState)
          assert.strictEqual(attempts.runs(), 1, sqlState)
        }
        const own = counted(() => Effect.void)
        const failing = Effect.andThen(own.body, Effect.fail("the body's own failure"))
        yield* Effect.flip(pg.withTransaction(failing, { retry: Schedule.recurs(5) }))
        assert.strictEqual(own.runs(), 1)

        const once = counted(() => pg.execute(raise(SERIALIZATION_FAILURE)))
        assert.strictEqual((yield* Effect.flip(pg.withTransaction(once.body)))._tag, "SerializationError")
        assert.strictEqual(once.runs(), 1)
        assert.deepStrictEqual(yield* numbers, [])
        yield* assertHealthy(pg)
      })
    )

    it.effect("fails with the last failure after its schedule and its pauses", () =>
      Effect.gen(function* () {
        const PAUSE_MILLIS = 30
        const { insert, numbers } = yield* table
        const pg = yield* make
        const attempts = counted((attempt) =>
          Effect.andThen(
            insert(pg, attempt),
            pg.execute(raise(attempt === 3 ? DEADLOCK_DETECTED : SERIALIZATION_FAILURE))
          )
        )
        const retry = Schedule.max([Schedule.spaced(PAUSE_MILLIS), Schedule.recurs(2)])
        const startedAt = performance.now()
        const error = yield* Effect.flip(pg.withTransaction(attempts.body, { retry }))
        assert.isAtLeast(performance.now() - startedAt, 2 * PAUSE_MILLIS - 2)
        assert.strictEqual(error._tag, "DeadlockDetectedError")
        assert.strictEqual(attempts.runs(), 3)
        assert.deepStrictEqual(yield* numbers, [])
        yield* assertHealthy(pg)
      })
    )

    it.effect("succeeds after a conflict with another transaction, and sees the work of that", () =>
      Effect.gen(function* () {
        const { insert, name, numbers } = yield* table
        const both = [yield* make, yield* make]
        const bothHaveRead = yield* Deferred.make<void>()
        let runs = 0
        const total = (pg: PgConnection.Queryable) =>
          Effect.map(valueOf(pg, `SELECT coalesce(sum(n), 0)::int4 FROM ${name}`), Number)
        // Each adds one more than the current maximum: two that do not see each other could not have run in any order.
        const addOneMore = (pg: PgConnection.Queryable) =>
          pg.withTransaction(
            Effect.gen(function* () {
              const found = yield* total(pg)
              if (++runs === both.length) yield* Deferred.succeed(bothHaveRead, undefined)
              yield* Deferred.await(bothHaveRead)
              yield* insert(pg, found + 1)
            }),
            { isolation: "serializable", retry: Schedule.recurs(10) }
          )
        yield* Effect.all(both.map(addOneMore), { concurrency: "unbounded" })
        assert.isAbove(runs, both.length, "there was no conflict")
        assert.deepStrictEqual(yield* numbers, [1, 2])
        for (const pg of both) yield* assertHealthy(pg)
      })
    )

    it.effect("succeeds after a deadlock with another transaction", () =>
      Effect.gen(function* () {
        const { insert, name, numbers, observer } = yield* table
        yield* insert(observer, 0)
        yield* insert(observer, 100)
        const both = [yield* make, yield* make]
        const bothHaveOne = yield* Deferred.make<void>()
        let runs = 0
        const raiseBoth = (pg: PgConnection.Queryable, first: string, second: string) => {
          const add = (which: string) => pg.execute(`UPDATE ${name} SET n = n + 1 WHERE n ${which}`)
          return pg.withTransaction(
            Effect.gen(function* () {
              yield* pg.execute("SET LOCAL deadlock_timeout = '20ms'")
              yield* add(first)
              if (++runs === both.length) yield* Deferred.succeed(bothHaveOne, undefined)
              yield* Deferred.await(bothHaveOne)
              yield* add(second)
            }),
            { retry: Schedule.recurs(10) }
          )
        }
        yield* Effect.all([raiseBoth(both[0]!, "< 50", "> 50"), raiseBoth(both[1]!, "> 50", "< 50")], {
          concurrency: "unbounded"
        })
        assert.isAtLeast(runs, both.length + 1)
        assert.deepStrictEqual(yield* numbers, [2, 102])
        for (const pg of both) yield* assertHealthy(pg)
      })
    )
  })
}
