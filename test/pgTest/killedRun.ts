/**
 * A program that makes databases with PgTest on the server of its argument, says their names, and ends when it is told to,
 * or is killed. `template` stops in the middle of making a template.
 */
import * as Effect from "effect/Effect"
import * as PgClient from "../../src/PgClient.ts"
import * as PgTest from "../../src/PgTest.ts"

const [url = "", where = "test"] = process.argv.slice(2)

const say = (name: unknown) => Effect.sync(() => process.stdout.write(`${String(name)}\n`))
const untilTold = Effect.promise(() => new Promise<void>((resolve) => process.stdin.once("end", resolve).resume()))

const setup = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  yield* pg.execute("CREATE TABLE things (id int8)")
  if (where !== "template") return
  const { current } = yield* pg.fetchOne("SELECT current_database() AS current")
  yield* say(current)
  yield* untilTold
})

const program = Effect.gen(function* () {
  const { name } = yield* PgTest.make({ setup, server: { url } })
  yield* say(name)
  yield* untilTold
})

await Effect.runPromise(Effect.scoped(program))
