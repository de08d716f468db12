/**
 * Tests what becomes of a newcomer's mistakes on a real server: which error each becomes, and that the printed error says
 * what to do.
 */
import { assert, layer } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Option } from "effect"
import { inspect } from "node:util"
import { fileURLToPath } from "node:url"
import { describe } from "vitest"
import * as PgClient from "../src/PgClient.ts"
import { calls, values, wrappedValues } from "./mistakes/arguments.ts"
import { copies, pools, settings, transactions } from "./mistakes/connections.ts"
import { type Mistake, SECRET } from "./mistakes/mistake.ts"
import { counts, schemas } from "./mistakes/rows.ts"
import { silence } from "./mistakes/silence.ts"
import { habits, names, placeholders, templates } from "./mistakes/sql.ts"
import { TestDatabase } from "./support/database.ts"
import { assertHealthy, livePool } from "./support/live.ts"

const topics: Readonly<Record<string, ReadonlyArray<Mistake>>> = {
  "a value in a wrapper": wrappedValues,
  "a value": values,
  "the arguments of a call": calls,
  "a placeholder": placeholders,
  "a name": names,
  "a habit from elsewhere": habits,
  "a template": templates,
  "the number of rows": counts,
  "a schema": schemas,
  "a transaction": transactions,
  "a pool": pools,
  "a COPY, a channel or a cursor": copies,
  "a setting": settings,
  "what would be accepted in silence": silence
}

const TABLES = `
  CREATE TABLE books (
    id int4 PRIMARY KEY, title text NOT NULL, price numeric, pages int8, published timestamptz, day date, doc jsonb
  );
  INSERT INTO books VALUES (1, 'Sketch', 12.50, 66, '1843-09-01 00:00+00', '1843-09-01', '{}');
  CREATE TABLE "Users" (id int4);
  CREATE TABLE notes (note text)`

const Client = Layer.effect(
  PgClient.PgClient,
  Effect.tap(livePool({ maxConnections: 2 }), (pg) => pg.executeScript(TABLES))
).pipe(Layer.provideMerge(TestDatabase.layer))

const src = fileURLToPath(new URL("../src/", import.meta.url))

/** Values that the rows of the table send, and that no error may repeat. */
const SENT = [SECRET, "4711", "47.11", "9876543210"]

const check = ({ says, tag }: Mistake, cause: Cause.Cause<unknown>): void => {
  const error = Option.getOrThrow(Cause.findErrorOption(cause))
  assert.isTrue(typeof error === "object" && error !== null && "_tag" in error, Cause.pretty(cause))
  assert.propertyVal(error, "_tag", tag, Cause.pretty(cause))
  const printed = Cause.pretty(cause)
  for (const words of says) assert.include(printed, words)
  for (const text of [printed, String(error), inspect(error, { depth: 9 }), JSON.stringify(error)]) {
    for (const sent of SENT) assert.notInclude(text, sent)
    if (tag === "ConfigError") continue
    assert.notInclude(text, src)
    assert.notMatch(text, /node_modules[/\\]effect/)
  }
}

layer(Client, { excludeTestServices: true })("the mistake of a newcomer", (it) => {
  for (const [topic, mistakes] of Object.entries(topics)) {
    describe(`in ${topic}`, () => {
      it.effect.each(mistakes)("$mistake: $tag", (mistake) =>
        Effect.gen(function* () {
          const pg = yield* PgClient.PgClient
          const exit = yield* Effect.exit(Effect.scoped(mistake.call(pg)))
          if (Exit.isSuccess(exit)) assert.fail("it is accepted")
          check(mistake, exit.cause)
        })
      )
    })
  }

  it.effect("is one of about a hundred, and none has harmed the client", () =>
    Effect.gen(function* () {
      const mistakes = Object.values(topics).flat()
      assert.isAtLeast(mistakes.length, 96)
      assert.strictEqual(new Set(mistakes.map(({ mistake }) => mistake)).size, mistakes.length)
      yield* assertHealthy(yield* PgClient.PgClient)
    })
  )
})
