/**
 * Tests that JSON documents which are read and written back are unchanged: the server prints both equally. The
 * exception is a lone `null`, which is read as SQL's NULL is; a program that needs the difference reads the text.
 */
import { assert, layer } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as PgConnection from "../../src/PgConnection.ts"
import * as PgTypes from "../../src/PgTypes.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, liveConnection, liveSettings, refusalOf, valueOf } from "../support/live.ts"

/** Leaves out the characters that PostgreSQL's text cannot hold, but not after an escaped backslash. */
const held = (json: string): string =>
  json.replaceAll(/\\\\|\\u0000|\\ud[89a-f][0-9a-f]{2}/gi, (found) => (found === "\\\\" ? found : ""))

const awkward: ReadonlyArray<unknown> = [
  "5",
  "-1e3",
  "true",
  "null",
  "NULL",
  "",
  " ",
  "{}",
  '{"a":1}',
  "[1,2]",
  "{1,2}",
  '"quoted"',
  "back\\slash",
  "(1,2)",
  [],
  [[]],
  [null],
  [null, [null]],
  [1, 2],
  ["a", "b"],
  [
    [1, 2],
    [3, 4]
  ],
  {},
  { a: null, "": [{}] },
  false,
  0
]

/** Documents as their text; NULL is null. */
const texts = Arbitrary.array(
  Arbitrary.map(
    Arbitrary.schema(Schema.Struct({ json: Schema.Json, pick: Schema.Int })),
    ({ json, pick }): string | null => {
      const value = pick % 2 === 0 ? json : awkward[Math.abs(pick) % awkward.length]
      // A lone null is NULL here.
      return value === null ? null : JSON.stringify(JSON.parse(held(JSON.stringify(value))))
    }
  ),
  { minLength: 1, maxLength: 6 }
)

const arbitrary = { arbitrary: { runs: 80 } }

/** Reads what the server makes of texts in every shape, writes it back, and has the server print both. */
const assertUnchanged = (connection: PgConnection.PgConnection, given: ReadonlyArray<string | null>) =>
  Effect.gen(function* () {
    const columns = shapes.map(([type, expression]) => `(${expression})::${type}`)
    const read = `SELECT ${columns.join(", ")} FROM (SELECT $1::text[] AS texts) AS _`
    const printed = `SELECT ${columns.map((column) => `${column}::text`).join(", ")} FROM (SELECT $1::text[] AS texts) AS _`
    const [values = []] = yield* connection.fetchTuples(read, [given])
    const echo = `SELECT ${shapes.map(([type], index) => `$${index + 1}::${type}::text`).join(", ")}`
    assert.deepStrictEqual(yield* connection.fetchTuples(echo, values), yield* connection.fetchTuples(printed, [given]))
  })

const SETUP = `
  DROP SCHEMA IF EXISTS kept CASCADE;
  CREATE SCHEMA kept;
  CREATE DOMAIN kept.doc AS jsonb;
  CREATE DOMAIN kept.docs AS json[];
  CREATE TYPE kept.shelf AS (label text, doc jsonb, docs json[], one kept.doc, many kept.docs);
  CREATE TYPE kept.named AS (owner aclitem, doc jsonb, docs json[]);
  CREATE TABLE kept.read (n int4, a json, b jsonb, c jsonb[], d json[], e kept.shelf);
  CREATE TABLE kept.written (LIKE kept.read);
`

const elements = (type: string) => `ARRAY(SELECT text::${type} FROM unnest(texts) AS text)`

const shapes: ReadonlyArray<readonly [type: string, expression: string]> = [
  ["json", "texts[1]"],
  ["jsonb", "texts[1]"],
  ["kept.doc", "texts[1]"],
  ["json[]", elements("json")],
  ["jsonb[]", elements("jsonb")],
  ["kept.doc[]", elements("jsonb")],
  ["kept.docs", elements("json")],
  ["json[]", `ARRAY[${elements("json")}, ${elements("json")}]`],
  ["jsonb[]", `ARRAY[[${elements("jsonb")}], [${elements("jsonb")}]]`],
  ["kept.docs[]", `ARRAY[${elements("json")}::kept.docs]`],
  ["kept.shelf", `ROW('5', texts[1]::jsonb, ${elements("json")}, texts[1]::jsonb, ${elements("json")})::kept.shelf`],
  // Travels as text, because its first attribute has no other form.
  ["kept.named", `ROW('=r/postgres', texts[1]::jsonb, ${elements("json")})::kept.named`]
]

const Connected = Layer.effectDiscard(
  Effect.flatMap(PgConnection.PgConnection, (connection) => connection.executeScript(SETUP))
).pipe(
  Layer.provideMerge(Layer.unwrap(Effect.map(liveSettings(), PgConnection.layer))),
  Layer.provideMerge(TestDatabase.layer)
)

layer(Connected, { excludeTestServices: true })("a JSON document that was read and is written back", (it) => {
  it.effect.prop(
    "is unchanged alone, in arrays of any dimensions, in domains and in composite types",
    [texts],
    ([given]) =>
      Effect.gen(function* () {
        yield* assertUnchanged(yield* PgConnection.PgConnection, given)
      }),
    arbitrary
  )

  it.effect.prop(
    "is unchanged in the rows of COPY",
    [texts],
    ([given]) =>
      Effect.gen(function* () {
        const connection = yield* PgConnection.PgConnection
        yield* connection.execute("TRUNCATE kept.read")
        yield* connection.execute(
          `INSERT INTO kept.read SELECT n, doc::json, doc::jsonb, ${elements("jsonb")}, ARRAY[${elements("json")}],
             ROW('x', doc::jsonb, ${elements("json")}, doc::jsonb, NULL)::kept.shelf
           FROM (SELECT $1::text[] AS texts) AS _, unnest(texts) WITH ORDINALITY AS __(doc, n)`,
          [given]
        )
        const rows = yield* Stream.runCollect(connection.copyOutRows({ table: "read", schema: "kept" }))
        for (const format of ["binary", "csv"] as const) {
          yield* connection.copyInRows(
            { table: "written", schema: "kept" },
            rows.map((row) => Object.values(row)),
            { format }
          )
          const print = (table: string) =>
            valueOf(connection, `SELECT array_agg(t::text ORDER BY n) FROM kept.${table} AS t`)
          assert.deepStrictEqual(yield* print("written"), yield* print("read"), format)
          yield* connection.execute("TRUNCATE kept.written")
        }
      }),
    { arbitrary: { runs: 40 } }
  )

  it.effect.prop(
    "is the same value whatever it looks like, also for a parameter with a named type",
    [texts],
    ([given]) =>
      Effect.gen(function* () {
        const connection = yield* PgConnection.PgConnection
        for (const text of given) {
          const value: unknown = text === null ? null : JSON.parse(text)
          assert.deepStrictEqual(yield* valueOf(connection, "SELECT $1", [PgTypes.jsonb(value)]), value)
          assert.deepStrictEqual(yield* valueOf(connection, "SELECT $1::json", [value]), value)
        }
      }),
    { arbitrary: { runs: 40 } }
  )

  it.effect("is a string if a string was given, and a document if a literal was", () =>
    Effect.gen(function* () {
      const connection = yield* PgConnection.PgConnection
      const kinds = "SELECT jsonb_typeof($1::jsonb), jsonb_typeof($2::jsonb), ($3::json[])::text"
      assert.deepStrictEqual(
        yield* connection.fetchTuples(kinds, ["5", PgTypes.literal("5"), ["{}", PgTypes.literal("{ }")]]),
        [["string", "number", String.raw`{"\"{}\"","{ }"}`]]
      )
      const error = yield* refusalOf(connection.fetch("SELECT $1::jsonb", [PgTypes.literal("{not JSON")]))
      assert.strictEqual(error._tag, "InvalidTextRepresentationError")
      const nested = yield* refusalOf(connection.fetch("SELECT $1::jsonb", [{ a: PgTypes.literal("{}") }]))
      assert.strictEqual(nested._tag, "EncodeError")
      assert.include(nested.message, "cannot be part of a JSON document")
      yield* assertHealthy(connection)
    })
  )

  it.effect("is unchanged to the last digit and space as text, and its null is not NULL", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection({ types: [PgTypes.jsonAsText, PgTypes.jsonbAsText] })
      const exact = ["null", "12345678901234567890.10", '"5"', '{"b": 1e400, "a": [1.50]}', "[[1,2],[3,4]]", null]
      for (const text of exact) yield* assertUnchanged(connection, [text, ...exact])
      const spaced = '{ "a" :  1.50, "a": 2 }'
      assert.strictEqual(yield* valueOf(connection, "SELECT $1::json", [spaced]), spaced)
      const given = ["null", null, { a: [1] }]
      assert.deepStrictEqual(yield* valueOf(connection, "SELECT $1::jsonb[]", [given]), ["null", null, '{"a": [1]}'])
    })
  )
})

layer(TestDatabase.layer, { excludeTestServices: true })("a literal", (it) => {
  it.effect("is what the server reads as the text of any type, with or without a codec, also of a user's type", () =>
    Effect.gen(function* () {
      const refusing = PgTypes.codec({
        name: "uuid",
        format: "binary",
        decode: (bytes) => bytes.length,
        encode: () => {
          throw new TypeError("not asked for")
        }
      })
      const connection = yield* liveConnection({ types: [refusing, PgTypes.hstore] })
      yield* connection.executeScript(
        "CREATE EXTENSION IF NOT EXISTS hstore; CREATE TEMPORARY TABLE taken (a uuid, b hstore)"
      )
      const id = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
      for (const [type, text] of [
        ["uuid", id],
        ["int4", " 7 "],
        ["text", "7"],
        ["int4[]", "{1,2}"],
        ["hstore", "a=>1"],
        ["aclitem", "=r/postgres"]
      ] as const) {
        const sql = `SELECT ($1::${type})::text = ($2::text::${type})::text`
        assert.isTrue(yield* valueOf(connection, sql, [PgTypes.literal(text), text]), type)
      }
      assert.strictEqual(
        yield* valueOf(connection, "SELECT $1::uuid[]::text", [[PgTypes.literal(id), null]]),
        `{${id},NULL}`
      )
      const rows = [[PgTypes.literal(id), PgTypes.literal("a=>1")]]
      yield* connection.copyInRows({ table: "taken" }, rows)
      assert.deepStrictEqual(yield* valueOf(connection, "SELECT b FROM taken"), { a: "1" })
      const late = [[null, { a: "1" }], ...rows]
      const error = yield* refusalOf(connection.copyInRows({ table: "taken" }, late))
      assert.strictEqual(error._tag, "EncodeError")
      assert.include(error.message, "a literal can be sent only as text, but this request needs the binary format")
      yield* assertHealthy(connection)
    })
  )
})
