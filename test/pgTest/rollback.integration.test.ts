/** Tests that `PgTest.rollback` undoes a test, whatever that does. */
import { assert, layer } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { SqlClient } from "effect/sql"
import { passed } from "../../src/call/realTime.ts"
import * as PgClient from "../../src/PgClient.ts"
import * as PgTest from "../../src/PgTest.ts"
import { assertHealthy } from "../support/live.ts"

const Database = PgTest.layer({
  setup: Effect.flatMap(PgClient.PgClient, (pg) =>
    pg.executeScript("CREATE TABLE marks (n int4 PRIMARY KEY); INSERT INTO marks VALUES (0)")
  )
})

const mark = (n: number) => Effect.flatMap(PgClient.PgClient, (pg) => pg.execute("INSERT INTO marks VALUES ($1)", [n]))
const marks = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  return (yield* pg.fetch("SELECT n FROM marks ORDER BY n")).map(({ n }) => n)
})
const inTransaction = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.flatMap(PgClient.PgClient, (pg) => pg.withTransaction(effect))

/** Shows that nothing of a test has stayed, and that the client is healthy. */
const assertUndone = Effect.gen(function* () {
  assert.deepStrictEqual(yield* marks, [0])
  yield* assertHealthy(yield* PgClient.PgClient)
})

layer(Database)("a test that is rolled back", (it) => {
  it.effect("has its result, and sees what it has done", () =>
    Effect.gen(function* () {
      const seen = yield* PgTest.rollback(Effect.andThen(mark(1), marks))
      assert.deepStrictEqual(seen, [0, 1])
      yield* assertUndone
    })
  )

  it.effect("fails or dies as it would", () =>
    Effect.gen(function* () {
      const failed = yield* Effect.flip(PgTest.rollback(Effect.andThen(mark(1), Effect.fail("failed"))))
      assert.strictEqual(failed, "failed")
      yield* assertUndone
      const died = yield* Effect.exit(PgTest.rollback(Effect.andThen(mark(1), Effect.die("died"))))
      assert.isTrue(Exit.isFailure(died) && Cause.hasDies(died.cause))
      yield* assertUndone
      const refused = yield* Effect.flip(PgTest.rollback(mark(0)))
      assert.strictEqual(refused._tag, "UniqueViolationError")
      yield* assertUndone
    })
  )

  it.effect("is undone if it is interrupted", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(PgTest.rollback(Effect.andThen(mark(1), Effect.never)), {
        startImmediately: true
      })
      yield* passed(50)
      yield* Fiber.interrupt(fiber)
      yield* assertUndone
    })
  )

  it.effect("has savepoints for its transactions, of both APIs, also in fibers that it starts", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const seen = yield* PgTest.rollback(
        Effect.gen(function* () {
          yield* inTransaction(mark(1))
          yield* Effect.ignore(inTransaction(Effect.andThen(mark(2), mark(0))))
          yield* sql.withTransaction(sql`INSERT INTO marks VALUES (3)`)
          yield* Effect.ignore(sql.withTransaction(Effect.andThen(sql`INSERT INTO marks VALUES (4)`, Effect.fail(0))))
          yield* Fiber.join(yield* Effect.forkChild(mark(5)))
          yield* Effect.all([inTransaction(mark(6)), inTransaction(mark(7))], { concurrency: "unbounded" })
          return yield* marks
        })
      )
      assert.deepStrictEqual(seen, [0, 1, 3, 5, 6, 7])
      yield* assertUndone
    })
  )

  it.effect("runs no callback for after the commit", () =>
    Effect.gen(function* () {
      const pg = yield* PgClient.PgClient
      const called: Array<string> = []
      const note = (what: string) => Effect.sync(() => void called.push(what))
      yield* PgTest.rollback(
        inTransaction(Effect.andThen(pg.afterCommit(note("commit")), pg.afterRollback(note("rollback"))))
      )
      assert.notInclude(called, "commit")
      yield* assertUndone
    })
  )
})
