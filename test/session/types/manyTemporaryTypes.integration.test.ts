/** Tests more types than are kept: statements that were described before and later read equally, also in a pool. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { TestDatabase } from "../../support/database.ts"
import { assertHealthy, liveConnection, valueOf } from "../../support/live.ts"

/** A few more than the catalogue keeps, in statements of not too many columns. */
const [STATEMENTS, COLUMNS] = [3, 700]

layer(TestDatabase.layer, { excludeTestServices: true })("a session that meets more types than are kept", (it) => {
  it.effect("reads those of temporary tables, those from before, and those that are being read meanwhile", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.executeScript(
        `CREATE TEMPORARY TABLE first (n int4, label text); INSERT INTO first VALUES (1, 'a');
         DO $$ BEGIN
           FOR i IN 1..${STATEMENTS * COLUMNS} LOOP EXECUTE format('CREATE TYPE pg_temp.type_%s AS (n int4)', i); END LOOP;
         END $$`
      )
      const first = connection.fetch("SELECT first FROM first")
      const rows = [{ first: { n: 1, label: "a" } }]
      assert.deepStrictEqual(yield* first, rows)
      const statement = yield* connection.prepare("SELECT first FROM first WHERE n = $1")
      assert.deepStrictEqual(yield* statement.fetch([1]), rows)

      const others = Effect.gen(function* () {
        for (let part = 0; part < STATEMENTS; part++) {
          const numbers = Array.from({ length: COLUMNS }, (_, index) => part * COLUMNS + index + 1)
          const columns = numbers.map((number) => `ROW(${number})::pg_temp.type_${number} AS t${number}`)
          const row = yield* connection.fetchOne(`SELECT ${columns.join(", ")}`)
          for (const number of numbers) assert.deepStrictEqual(row[`t${number}`], { n: number })
          assert.deepStrictEqual(yield* first, rows)
          assert.deepStrictEqual(yield* statement.fetch([1]), rows)
        }
      })
      const read = yield* connection.withTransaction(
        connection.stream("SELECT first, step FROM first, generate_series(1, 3) AS step", [], { fetchSize: 1 }).pipe(
          Stream.mapEffect((row) => Effect.as(row["step"] === 2 ? others : Effect.void, row)),
          Stream.runCollect
        )
      )
      assert.deepStrictEqual(
        read.map(({ first }) => first),
        [1, 2, 3].map(() => ({ n: 1, label: "a" }))
      )
      assert.strictEqual(yield* valueOf(connection, "SELECT (first).label FROM first"), "a")
      yield* assertHealthy(connection)
    })
  )
})
