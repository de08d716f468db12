/** Compares queries whose parameters and rows have schemas. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import * as SqlSchema from "effect/sql/SqlSchema"
import { parity } from "./support/participants.ts"

const Measurement = Schema.Struct({
  id: Schema.Number,
  at: Schema.Date,
  label: Schema.NullOr(Schema.String),
  total: Schema.BigInt,
  amount: Schema.FiniteFromString,
  raw: Schema.Uint8Array,
  body: Schema.Struct({ tags: Schema.Array(Schema.String) })
})

const FIRST = {
  id: 1,
  at: new Date("2024-01-01T00:00:00.123Z"),
  label: null,
  total: 2n ** 60n,
  amount: 1.5,
  raw: Uint8Array.of(1, 2),
  body: { tags: ["a"] }
}

const measurements = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`DROP TABLE IF EXISTS measurements`
  yield* sql`CREATE TABLE measurements (id int4, at timestamptz, label text, total int8, amount numeric, raw bytea, body jsonb)`
  yield* sql`INSERT INTO measurements ${sql.insert({ ...FIRST, amount: "1.5", body: JSON.stringify(FIRST.body) })}`
  yield* sql`INSERT INTO measurements ${sql.insert({ ...FIRST, id: 2, label: "two", amount: "2", body: '{"tags":[]}' })}`
  return sql
})

parity("SqlSchema", (it) => {
  it.effect("findAll decodes each row", () =>
    Effect.gen(function* () {
      const sql = yield* measurements
      const find = SqlSchema.findAll({
        Request: Schema.Struct({ from: Schema.Number, since: Schema.Date }),
        Result: Measurement,
        execute: ({ from, since }) => sql`SELECT * FROM measurements WHERE id >= ${from} AND at >= ${since} ORDER BY id`
      })
      assert.deepStrictEqual(yield* find({ from: 1, since: FIRST.at }), [
        FIRST,
        { ...FIRST, id: 2, label: "two", amount: 2, body: { tags: [] } }
      ])
      assert.deepStrictEqual(yield* find({ from: 3, since: FIRST.at }), [])
    })
  )

  it.effect("findOne, findOneOption and findNonEmpty tell one row from none", () =>
    Effect.gen(function* () {
      const sql = yield* measurements
      const options = {
        Request: Schema.NumberFromString,
        Result: Schema.Struct({ id: Schema.Number, label: Schema.NullOr(Schema.String) }),
        execute: (id: string) => sql`SELECT id, label FROM measurements WHERE id = ${id}`
      }
      assert.deepStrictEqual(yield* SqlSchema.findOne(options)(2), { id: 2, label: "two" })
      assert.strictEqual((yield* Effect.flip(SqlSchema.findOne(options)(9)))._tag, "NoSuchElementError")
      assert.deepStrictEqual(yield* SqlSchema.findOneOption(options)(2), Option.some({ id: 2, label: "two" }))
      assert.deepStrictEqual(yield* SqlSchema.findOneOption(options)(9), Option.none())
      assert.deepStrictEqual(yield* SqlSchema.findNonEmpty(options)(1), [{ id: 1, label: null }])
      assert.strictEqual((yield* Effect.flip(SqlSchema.findNonEmpty(options)(9)))._tag, "NoSuchElementError")
    })
  )

  it.effect("void runs a statement of an encoded request", () =>
    Effect.gen(function* () {
      const sql = yield* measurements
      const insert = SqlSchema.void({
        Request: Schema.Struct({
          id: Schema.Number,
          at: Schema.DateFromString,
          label: Schema.UndefinedOr(Schema.String)
        }),
        execute: (row) => sql`INSERT INTO measurements ${sql.insert(row)}`
      })
      yield* insert({ id: 7, at: FIRST.at, label: undefined })
      assert.deepStrictEqual(yield* sql`SELECT at, label FROM measurements WHERE id = 7`, [
        { at: FIRST.at, label: null }
      ])
    })
  )

  it.effect("a row that does not fit is a SchemaError, and a statement that fails is a SqlError", () =>
    Effect.gen(function* () {
      const sql = yield* measurements
      const wrong = SqlSchema.findAll({
        Request: Schema.Void,
        Result: Schema.Struct({ label: Schema.String }),
        execute: () => sql`SELECT label FROM measurements`
      })
      assert.strictEqual((yield* Effect.flip(wrong(undefined)))._tag, "SchemaError")
      const failing = SqlSchema.findAll({
        Request: Schema.Void,
        Result: Schema.Unknown,
        execute: () => sql`SELECT missing`
      })
      assert.strictEqual((yield* Effect.flip(failing(undefined)))._tag, "SqlError")
    })
  )
})
