/** Compares a codec with the extension of PostgreSQL whose type it reads and writes. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type * as PgConnection from "../../../src/PgConnection.ts"
import type * as PgError from "../../../src/PgError.ts"
import { valueOf } from "../../support/live.ts"

/** Shows that a value which was read from its text is written as the extension writes it, in every place. */
export const assertSame = (
  connection: PgConnection.PgConnection,
  type: string,
  texts: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<unknown>, PgError.PgError> =>
  Effect.gen(function* () {
    const values: Array<unknown> = []
    for (const text of texts) {
      const value = yield* valueOf(connection, `SELECT $1::text::${type}`, [text])
      const send = `${type}_send`
      const same = `SELECT ${send}($1::${type}) = ${send}($2::text::${type})`
      assert.strictEqual(yield* valueOf(connection, same, [value, text]), true, text)
      assert.deepStrictEqual(yield* valueOf(connection, `SELECT $1::${type}`, [value]), value, text)
      assert.deepStrictEqual(yield* valueOf(connection, `SELECT ROW($1::${type}, 1)`, [value]), [value, 1], text)
      values.push(value)
    }
    const many = [...values, null]
    assert.deepStrictEqual(yield* valueOf(connection, `SELECT $1::${type}[]`, [many]), many)
    const table = `${type}_values`
    yield* connection.execute(`CREATE TABLE ${table} (at int4, value ${type})`)
    yield* connection.copyInRows(
      { table },
      many.map((value, at) => [at, value])
    )
    const stored = { query: `SELECT value FROM ${table} ORDER BY at` }
    assert.deepStrictEqual(
      yield* Stream.runCollect(connection.copyOutRows(stored)),
      many.map((value) => ({ value }))
    )
    return values
  })
