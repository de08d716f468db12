/**
 * Tests the types of pgvector. Our bytes are those that the extension makes of the same text, and a value that was read is
 * equal after it is written. vitest.config.ts says how to run it.
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as PgTypes from "../../../src/PgTypes.ts"
import { TestDatabase } from "../../support/database.ts"
import { assertHealthy, liveConnection, refusalOf, valueOf } from "../../support/live.ts"
import { assertSame } from "./sameAsExtension.ts"

layer(TestDatabase.layer, { excludeTestServices: true })("pgvector", (it) => {
  it.effect("receives vectors as it writes them, which are read as numbers", () =>
    Effect.gen(function* () {
      yield* Effect.flatMap(liveConnection(), (connection) => connection.execute("CREATE EXTENSION vector"))
      const connection = yield* liveConnection({ types: [PgTypes.vector, PgTypes.halfvec, PgTypes.sparsevec] })
      assert.deepStrictEqual(yield* assertSame(connection, "vector", ["[1,2.5,-3]", "[3.4e38]", "[0]"]), [
        [1, 2.5, -3],
        [Math.fround(3.4e38)],
        [0]
      ])
      yield* assertSame(connection, "halfvec", ["[1,2.5,-3]", "[65504]", "[6e-8]"])
      yield* assertSame(connection, "sparsevec", ["{1:1.5,3:-2}/5", "{}/3"])
      const distance = "SELECT $1::vector <-> $2::vector"
      assert.strictEqual(yield* valueOf(connection, distance, [[0, 3], Float32Array.of(4, 0)]), 5)
      const refusal = yield* refusalOf(connection.fetch("SELECT $1::vector", [[NaN]]))
      assert.strictEqual(refusal._tag, "EncodeError")
      yield* assertHealthy(connection)
    })
  )
})
