/**
 * Tests random new types, nested four deep, with values that SQL expresses by itself. The value that we read from such
 * an expression comes back equal as a parameter, and the server prints both alike.
 *
 *   EFFECTPG_GENERATED_TYPES=1000 npx vitest run test/generatedTypes.integration.test.ts
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TypeFactory } from "./fixtures/generatedTypes.ts"
import { TestDatabase } from "./support/database.ts"
import { assertHealthy, liveConnection, valueOf } from "./support/live.ts"
import { int } from "./wire/frames.ts"

/** How many schemas of types are made. */
const SCHEMAS = Number(process.env["EFFECTPG_GENERATED_TYPES"] ?? 25)
/** For each of them, on a busy machine. */
const PATIENCE_MILLIS = 2_000
const DEPTH = 4
const TYPES = 3
const VALUES_OF_EACH = 4

layer(TestDatabase.layer, { excludeTestServices: true })("generated types", (it) => {
  it.effect.prop(
    "are read as the values that they are, and taken as the values that were read",
    { seed: int(0, 2 ** 31 - 1) },
    ({ seed }) =>
      Effect.gen(function* () {
        const connection = yield* liveConnection({ settings: { TimeZone: "UTC" } })
        const schema = `generated_${crypto.randomUUID().replaceAll("-", "")}`
        const factory = new TypeFactory(seed, schema)
        const types = Array.from({ length: TYPES }, () => factory.any(DEPTH))
        yield* connection.executeScript(`CREATE SCHEMA ${schema}; ${factory.definitions.join("; ")}`)
        for (const type of types) {
          for (let count = 0; count < VALUES_OF_EACH; count++) {
            const { sql, value } = type.generate()
            const told = `${type.sql} with seed ${seed}`
            const [text, read, inRecord] = yield* Effect.map(
              connection.fetchTuples(`SELECT v::text, v, ROW(v) FROM (SELECT ${sql} AS v) AS given`),
              ([row = []]) => row
            )
            assert.deepStrictEqual(read, value, told)
            assert.deepStrictEqual(inRecord, [value], told)
            assert.deepStrictEqual(
              yield* connection.fetchTuples(`SELECT $1::${type.sql}, $1::${type.sql}::text`, [value]),
              [[value, text]],
              told
            )
            assert.deepStrictEqual(yield* valueOf(connection, `SELECT $1::${type.sql}`, [text]), value, told)
          }
        }
        yield* assertHealthy(connection)
        yield* connection.executeScript(`DROP SCHEMA ${schema} CASCADE`)
      }),
    { arbitrary: { runs: SCHEMAS }, timeout: SCHEMAS * PATIENCE_MILLIS }
  )
})
