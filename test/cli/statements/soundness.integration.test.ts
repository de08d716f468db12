/**
 * Whatever a query is, no column of which `effectpg types` says that it is never NULL is ever NULL. Random queries are
 * described, and then run on random rows.
 *
 *   EFFECTPG_GENERATED_QUERIES=200 npx vitest run test/cli/statements/soundness.integration.test.ts
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { makeAsker } from "../../../src/cli/statements/asking/asker.ts"
import * as PgConnection from "../../../src/PgConnection.ts"
import * as PgError from "../../../src/PgError.ts"
import { scopedDatabase, TestDatabase } from "../../support/database.ts"
import { assertHealthy } from "../../support/live.ts"
import { int } from "../../wire/frames.ts"
import { describe } from "./description.ts"
import { QueryFactory } from "./generatedQueries.ts"

/** How many schemas are made, each with its own data. */
const SCHEMAS = Number(process.env["EFFECTPG_GENERATED_QUERIES"] ?? 12)
const QUERIES_OF_EACH = 60
const VIEWS = 3
/** For each schema, on a busy machine. */
const PATIENCE_MILLIS = 20_000

const seen = { queries: 0, refused: 0, columns: 0, neverNull: 0, values: 0, nulls: 0 }

layer(TestDatabase.layer, { excludeTestServices: true })("generated queries", (it) => {
  it.effect.prop(
    "have no NULL in a column that is said to be never NULL",
    { seed: int(0, 2 ** 31 - 1) },
    ({ seed }) =>
      Effect.scoped(
        Effect.gen(function* () {
          const { url } = yield* scopedDatabase
          const settings = { url: Redacted.make(url), statementCacheSize: 0 }
          const connection = yield* PgConnection.make(settings)
          const factory = new QueryFactory(seed)
          for (const statement of factory.tables()) yield* connection.execute(statement)
          for (let view = 0; view < VIEWS; view++) {
            const { accept, sql } = factory.view()
            if ((yield* ifRight(connection.execute(sql))) !== undefined) accept()
          }
          const asker = yield* makeAsker(settings)
          for (let count = 0; count < QUERIES_OF_EACH; count++) {
            const sql = factory.query()
            const told = `seed ${seed}, query ${count}: ${sql}`
            seen.queries++
            const described = yield* ifRight(describe(asker, sql))
            const rows = yield* ifRight(rowsOf(connection, sql))
            if (described === undefined || rows === undefined) {
              seen.refused++
              continue
            }
            for (const [index, { name, presence }] of described.columns.entries()) {
              seen.columns++
              if (presence.value) seen.neverNull++
              for (const row of rows) {
                seen.values++
                if (row[index] === null) seen.nulls++
                if (presence.value) assert.isNotNull(row[index], `${name} of ${told}`)
              }
            }
          }
          yield* assertHealthy(connection)
        })
      ),
    { arbitrary: { runs: SCHEMAS }, timeout: SCHEMAS * PATIENCE_MILLIS }
  )

  it.effect("are varied: most of them run, and many columns are never NULL, and many values are", () =>
    Effect.sync(() => {
      console.log(JSON.stringify(seen))
      assert.isBelow(seen.refused / seen.queries, 0.2)
      assert.isAbove(seen.neverNull / seen.columns, 0.25)
      assert.isBelow(seen.neverNull / seen.columns, 0.75)
      assert.isAbove(seen.nulls / seen.values, 0.1)
    })
  )
})

/** Undefined if the server refuses a query, which the generator cannot always foresee. */
const ifRight = <A>(effect: Effect.Effect<A, PgError.PgError>) =>
  Effect.catchIf(effect, PgError.isPostgresError, () => Effect.succeed(undefined))

/** The rows of a query, which is rolled back. */
const rowsOf = (connection: PgConnection.PgConnection, sql: string) =>
  Effect.gen(function* () {
    const transaction = yield* connection.begin()
    const rows = yield* transaction.fetchTuples(sql)
    yield* transaction.rollback
    return rows
  }).pipe(Effect.scoped)
