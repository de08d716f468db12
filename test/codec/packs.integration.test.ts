/** Tests the types of the extensions that come with every PostgreSQL, on a real server. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as PgTypes from "../../src/PgTypes.ts"
import { TestDatabase } from "../support/database.ts"
import { liveConnection, valueOf } from "../support/live.ts"

interface Sample {
  readonly type: string
  readonly values: ReadonlyArray<unknown>
  /** What the server prints of each value. */
  readonly texts: ReadonlyArray<string>
}

const samples: ReadonlyArray<Sample> = [
  {
    type: "hstore",
    values: [{}, { a: "1" }, { b: null, 'quote "': "back\\slash, => é" }],
    texts: ["", '"a"=>"1"', '"b"=>NULL, "quote \\""=>"back\\\\slash, => é"']
  },
  { type: "citext", values: ["", "Straße"], texts: ["", "Straße"] },
  { type: "ltree", values: ["", "Top.Science"], texts: ["", "Top.Science"] },
  { type: "lquery", values: ["*.Science.*{1,2}"], texts: ["*.Science.*{1,2}"] },
  { type: "ltxtquery", values: ["Europe & Russia@*"], texts: ["Europe & Russia@*"] },
  {
    type: "cube",
    values: [
      { from: [], to: [] },
      { from: [1, -2.5], to: [1, -2.5] },
      { from: [3, 0], to: [1, 1e300] }
    ],
    texts: ["()", "(1, -2.5)", "(3, 0),(1, 1e+300)"]
  }
]

const types = [PgTypes.hstore, PgTypes.citext, PgTypes.ltree, PgTypes.lquery, PgTypes.ltxtquery, PgTypes.cube]

const CREATE = `
  CREATE SCHEMA extensions;
  CREATE EXTENSION hstore SCHEMA extensions; CREATE EXTENSION citext SCHEMA extensions;
  CREATE EXTENSION ltree SCHEMA extensions; CREATE EXTENSION cube SCHEMA extensions`

layer(TestDatabase.layer, { excludeTestServices: true })("the types of extensions", (it) => {
  it.effect("are read as they were sent, and the server prints the expected text, in any schema", () =>
    Effect.gen(function* () {
      yield* Effect.flatMap(liveConnection(), (connection) => connection.executeScript(CREATE))
      const connection = yield* liveConnection({ types })
      for (const { texts, type, values } of samples) {
        const name = `extensions.${type}`
        yield* connection.executeScript(
          `CREATE DOMAIN ${type}_domain AS ${name};
           CREATE TYPE ${type}_holder AS (one ${type}_domain, many ${name}[], aclitem aclitem)`
        )
        for (const [index, value] of values.entries()) {
          assert.deepStrictEqual(yield* valueOf(connection, `SELECT $1::${name}`, [value]), value)
          assert.strictEqual(yield* valueOf(connection, `SELECT $1::${name}::text`, [value]), texts[index])
          assert.deepStrictEqual(yield* valueOf(connection, `SELECT $1::text::${name}`, [texts[index]]), value)
          assert.deepStrictEqual(yield* valueOf(connection, `SELECT ROW($1::${name}, 1)`, [value]), [value, 1])
        }
        const many = [...values, null]
        assert.deepStrictEqual(yield* valueOf(connection, `SELECT $1::${name}[]`, [many]), many)
        // An aclitem has only a text form, so the values beside it travel as text too.
        const holder = { one: values[0], many, aclitem: null }
        assert.deepStrictEqual(yield* valueOf(connection, `SELECT $1::${type}_holder`, [holder]), holder)
      }
    })
  )

  it.effect("are their texts without a codec, also inside other types", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      for (const { texts, type } of samples) {
        const name = `extensions.${type}`
        assert.deepStrictEqual(yield* valueOf(connection, `SELECT $1::${name}[]`, [texts]), texts)
        assert.strictEqual(yield* valueOf(connection, `SELECT $1::${name}`, [texts[0]]), texts[0])
      }
    })
  )
})
