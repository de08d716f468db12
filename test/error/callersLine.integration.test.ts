/** Which line of the program the printed error of a call names, by how the program is written. */
import { assert, layer } from "@effect/vitest"
import { Cause, Effect, Logger } from "effect"
import { inspect } from "node:util"
import type { PgConnection } from "../../src/PgConnection.ts"
import { TestDatabase } from "../support/database.ts"
import { liveConnection } from "../support/live.ts"

/** The frames of a printed error, without the places. */
const framesOf = (printed: string): ReadonlyArray<string> => printed.split("\n").filter((line) => /^\s+at /.test(line))

const printed = (call: Effect.Effect<unknown, unknown>): Effect.Effect<string> =>
  Effect.map(Effect.flip(Effect.sandbox(call)), (cause) => Cause.pretty(cause)).pipe(Effect.orDie)

const late = (pg: PgConnection) => pg.fetchOne("SELECT 1 WHERE false")
const atOnce = (pg: PgConnection): Effect.Effect<unknown, unknown> => Reflect.apply(pg.fetch, pg, ["SELECT 1", 5])

const inFn = Effect.fn("findBook")(function* (pg: PgConnection) {
  return yield* late(pg)
})

const HERE = "callersLine.integration.test.ts"

layer(TestDatabase.layer, { excludeTestServices: true })("the printed error of a call", (it) => {
  it.effect("names the call and the definition of an Effect.fn around it", () =>
    Effect.gen(function* () {
      const pg = yield* liveConnection()
      const frames = framesOf(yield* printed(inFn(pg)))
      assert.lengthOf(frames, 2)
      assert.match(frames[0] ?? "", /at findBook \(/)
      assert.match(frames[1] ?? "", /at findBook \(definition\) \(/)
      for (const frame of frames) assert.include(frame, HERE)
    })
  )

  it.effect("names the place of a span around it", () =>
    Effect.gen(function* () {
      const pg = yield* liveConnection()
      const frames = framesOf(yield* printed(Effect.withSpan(late(pg), "find a book")))
      assert.lengthOf(frames, 1)
      assert.match(frames[0] ?? "", /at find a book \(/)
      assert.include(frames[0], HERE)
    })
  )

  it.effect("names the line of a call that is wrong in itself, in a plain Effect.gen too", () =>
    Effect.gen(function* () {
      const pg = yield* liveConnection()
      const frames = framesOf(
        yield* printed(
          Effect.gen(function* () {
            return yield* atOnce(pg)
          })
        )
      )
      assert.isNotEmpty(frames)
      for (const frame of frames) assert.include(frame, HERE)
    })
  )

  it.effect("has no line, rather than one of the client, of a statement that fails in a plain Effect.gen", () =>
    Effect.gen(function* () {
      const pg = yield* liveConnection()
      const text = yield* printed(
        Effect.gen(function* () {
          return yield* late(pg)
        })
      )
      assert.deepStrictEqual(framesOf(text), [])
      assert.include(text, "1 | SELECT 1 WHERE false")
    })
  )

  it.effect("is the same report in a log, in a string and in inspect", () =>
    Effect.gen(function* () {
      const pg = yield* liveConnection()
      const logged: Array<string> = []
      const logger = Logger.map(Logger.formatSimple, (line) => void logged.push(line))
      const error = yield* Effect.flip(late(pg))
      yield* Effect.logError("no book", Cause.fail(error)).pipe(Effect.provide(Logger.layer([logger])))
      const report = String(error)
      assert.include(report, "HINT: If there may be no row, use fetchRow")
      assert.strictEqual(error.stack, report)
      assert.strictEqual(inspect(error), report)
      assert.include(logged.join("\n").replaceAll("\\n", "\n"), report)
    })
  )
})
