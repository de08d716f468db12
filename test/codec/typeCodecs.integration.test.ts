/** Tests codecs that a program chooses, on a real server: in the settings, on one connection, in a pool. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as PgConnection from "../../src/PgConnection.ts"
import type * as PgError from "../../src/PgError.ts"
import * as PgPool from "../../src/PgPool.ts"
import * as PgTypes from "../../src/PgTypes.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, liveConnection, livePool, liveSettings, refusalOf, valueOf } from "../support/live.ts"

/** A value that only a codec of this test can have made or can write. */
class Boxed {
  readonly inner: string
  constructor(inner: string) {
    this.inner = inner
  }
}

const boxedText = (name: string, schema?: string): PgTypes.Codec =>
  PgTypes.codec({
    name,
    schema,
    format: "text",
    decode: (text) => new Boxed(text),
    encode: (value) => {
      if (value instanceof Boxed) return value.inner
      throw new TypeError("secret in the message")
    }
  })

const boxedBytes = (name: string): PgTypes.Codec =>
  PgTypes.codec({
    name,
    format: "binary",
    decode: (bytes) => new Boxed(Buffer.from(bytes).toString("hex")),
    encode: (value) => {
      if (value instanceof Boxed) return Uint8Array.from(Buffer.from(value.inner, "hex"))
      throw new TypeError("secret in the message")
    }
  })

const poolWith = (settings: PgPool.Settings) =>
  Effect.flatMap(liveSettings(), (server) => PgPool.make({ ...server, ...settings }))

const echoed = (queryable: PgConnection.Queryable, type: string, value: unknown) =>
  valueOf(queryable, `SELECT $1::${type}`, [value])

const script = (queryable: PgConnection.Queryable, sql: string): Effect.Effect<void, PgError.PgError> =>
  Effect.asVoid(queryable.executeScript(sql))

layer(TestDatabase.layer, { excludeTestServices: true })("a user's codec", (it) => {
  it.effect("serves the type, its arrays, domains over it, composites and ranges of it if it is one of the bytes", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection({ types: [boxedBytes("bigint"), boxedBytes("float8")] })
      yield* script(
        connection,
        `CREATE DOMAIN count AS int8; CREATE TYPE counted AS (name text, counts count[], one int8);
         CREATE TYPE floats AS RANGE (subtype = float8)`
      )
      const one = new Boxed("0000000000000001")
      const two = new Boxed("0000000000000002")
      assert.deepStrictEqual(yield* echoed(connection, "int8", one), one)
      assert.deepStrictEqual(yield* echoed(connection, "int8[]", [[one, null]]), [[one, null]])
      assert.deepStrictEqual(yield* echoed(connection, "count", one), one)
      assert.deepStrictEqual(yield* echoed(connection, "count[]", [two]), [two])
      const counted = { name: "a", counts: [one, two], one: null }
      assert.deepStrictEqual(yield* echoed(connection, "counted[]", [counted]), [counted])
      const range = new PgTypes.PgRange({ lower: one, upper: two })
      assert.deepStrictEqual(yield* echoed(connection, "int8range", range), range)
      assert.deepStrictEqual(yield* echoed(connection, "int8multirange", [range]), [range])
      assert.deepStrictEqual(yield* echoed(connection, "int8range[]", [range]), [range])
      const float = new Boxed("3ff0000000000000")
      const floats = new PgTypes.PgRange({ lower: float, upper: null })
      assert.deepStrictEqual(yield* echoed(connection, "floats", floats), floats)
      assert.deepStrictEqual(yield* valueOf(connection, "SELECT ROW(1::int8, 'a'::text)"), [one, "a"])
      assert.deepStrictEqual(yield* valueOf(connection, "SELECT 1::int4"), 1)
    })
  )

  it.effect("serves the same places if it is one of the text, and these travel as text then", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection({ types: [boxedText("numeric"), boxedText("spot")] })
      yield* script(
        connection,
        `CREATE DOMAIN cents AS numeric; CREATE TYPE spot AS (x int4, y int4);
         CREATE TYPE priced AS (spot spot, prices cents[], at timestamptz)`
      )
      const price = new Boxed("1.50")
      assert.deepStrictEqual(yield* echoed(connection, "numeric", price), price)
      assert.deepStrictEqual(yield* echoed(connection, "cents", price), price)
      assert.deepStrictEqual(yield* echoed(connection, "numeric[]", [price, null]), [price, null])
      const range = new PgTypes.PgRange({ lower: price, upper: null })
      assert.deepStrictEqual(yield* echoed(connection, "numrange", range), range)
      const priced = { spot: new Boxed("(1,2)"), prices: [price], at: new Date("2024-02-29T12:00:00.123Z") }
      assert.deepStrictEqual(yield* echoed(connection, "priced", priced), priced)
      assert.deepStrictEqual(yield* echoed(connection, "priced[]", [priced]), [priced])
    })
  )

  it.effect("serves places that only take bytes if it is one of the text and the bytes are the text", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection({ types: [boxedText("json"), boxedText("mood"), boxedText("text")] })
      yield* script(connection, "CREATE TYPE mood AS ENUM ('sad', 'glad')")
      assert.deepStrictEqual(yield* valueOf(connection, `SELECT ROW('"a"'::json, 'sad'::mood, 'b'::text, 1)`), [
        new Boxed('"a"'),
        new Boxed("sad"),
        new Boxed("b"),
        1
      ])
      assert.deepStrictEqual(yield* echoed(connection, "mood[]", [new Boxed("glad")]), [new Boxed("glad")])
      assert.deepStrictEqual(yield* echoed(connection, "json", new Boxed("{}")), new Boxed("{}"))
    })
  )

  it.effect("is given strings like any other value, and never null", () =>
    Effect.gen(function* () {
      const upper = PgTypes.codec({
        name: "int4",
        format: "text",
        decode: (text) => `number ${text}`,
        encode: (value) => String(value).replace("number ", "")
      })
      const connection = yield* liveConnection({ types: [upper] })
      assert.strictEqual(yield* echoed(connection, "int4", "number 7"), "number 7")
      assert.deepStrictEqual(yield* echoed(connection, "int4[]", ["number 7", null]), ["number 7", null])
      assert.strictEqual(yield* echoed(connection, "int4", null), null)
    })
  )

  it.effect("fails only its statement if it throws, and its message about the value is not shown", () =>
    Effect.gen(function* () {
      const types = [
        boxedBytes("int8"),
        PgTypes.codec({
          name: "float8",
          format: "binary",
          decode: () => {
            throw new RangeError("secret in the message")
          },
          // As a JavaScript program may do it.
          encode: () => Reflect.get({}, "missing")
        })
      ]
      const connection = yield* liveConnection({ types })
      const encoding = yield* refusalOf(echoed(connection, "int8", 1))
      assert.strictEqual(encoding._tag, "EncodeError")
      assert.include(encoding.message, "TypeError")
      const within = yield* refusalOf(echoed(connection, "int8[]", [1]))
      assert.strictEqual(within._tag, "EncodeError")
      const decoding = yield* refusalOf(valueOf(connection, "SELECT 1::float8, ARRAY[1::float8]"))
      assert.strictEqual(decoding._tag, "DecodeError")
      assert.include(decoding.message, "RangeError")
      const nothing = yield* refusalOf(echoed(connection, "float8", 1))
      assert.include(nothing.message, "must return a Uint8Array")
      for (const { message } of [encoding, within, decoding, nothing]) assert.notInclude(message, "secret")
      yield* assertHealthy(connection)
    })
  )

  it.effect("is found only in the schema that it names", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection({ types: [boxedText("status", "here"), boxedText("state")] })
      yield* script(
        connection,
        `CREATE SCHEMA here; CREATE SCHEMA there; CREATE TYPE here.status AS ENUM ('a'); CREATE TYPE there.status AS ENUM ('a');
         CREATE TYPE public.state AS ENUM ('a'); CREATE TYPE there.state AS ENUM ('a')`
      )
      assert.deepStrictEqual(
        yield* connection.fetchTuples("SELECT 'a'::here.status, 'a'::there.status, 'a'::state, 'a'::there.state"),
        [[new Boxed("a"), "a", new Boxed("a"), "a"]]
      )
    })
  )

  it.effect("says what to do instead if it is for a domain and a value would have to go through it", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection({ types: [boxedText("limited")] })
      yield* script(connection, "CREATE DOMAIN limited AS int4")
      const refusal = yield* refusalOf(echoed(connection, "limited", new Boxed("1")))
      assert.strictEqual(refusal._tag, "EncodeError")
      assert.include(refusal.message, "make a codec for its base type instead")
      yield* assertHealthy(connection)
    })
  )

  it.effect("is given the attributes of a composite type in their order, whatever they are called", () =>
    Effect.gen(function* () {
      const spot = PgTypes.composite({
        name: "named",
        decode: ([first, second]) => new Boxed(`${first} ${second}`),
        encode: (value) => (value instanceof Boxed ? value.inner.split(" ") : [])
      })
      const connection = yield* liveConnection({ types: [spot, PgTypes.composite({ name: "pair" })] })
      yield* script(
        connection,
        `CREATE TYPE named AS ("9" int4, "1" text); CREATE TYPE pair AS (a int4, b named);
         CREATE TABLE pairs (p pair, gone int4, q named); ALTER TABLE pairs DROP COLUMN gone`
      )
      const named = new Boxed("1 one")
      assert.deepStrictEqual(yield* echoed(connection, "named", named), named)
      assert.deepStrictEqual(yield* echoed(connection, "named[]", [named]), [named])
      assert.deepStrictEqual(yield* echoed(connection, "pair", [7, named]), [7, named])
      assert.deepStrictEqual(
        yield* echoed(connection, "pair[]", [
          [7, named],
          [8, null]
        ]),
        [
          [7, named],
          [8, null]
        ]
      )
      assert.deepStrictEqual(yield* echoed(connection, "pairs", { p: [1, null], q: named }), { p: [1, null], q: named })
      assert.strictEqual((yield* refusalOf(echoed(connection, "pair", 1)))._tag, "EncodeError")
      yield* assertHealthy(connection)
    })
  )

  it.effect("reads arrays with their bounds, also those of a type with a codec of its own", () =>
    Effect.gen(function* () {
      const types = [
        PgTypes.int8AsNumber,
        PgTypes.losslessArrayOf({ name: "int8" }),
        PgTypes.losslessArrayOf({ name: "int4" })
      ]
      const connection = yield* liveConnection({ types })
      const array = yield* valueOf(connection, "SELECT '[0:1]={1,2}'::int8[]")
      assert.deepStrictEqual(array, new PgTypes.PgArray([1, 2], [0]))
      assert.deepStrictEqual(yield* echoed(connection, "int8[]", array), array)
      assert.deepStrictEqual(yield* valueOf(connection, "SELECT '{1}'::int4[]"), new PgTypes.PgArray([1], [1]))
      assert.deepStrictEqual(yield* valueOf(connection, "SELECT '{1}'::int2[]"), [1])
    })
  )

  it.effect("does not affect our own questions to the catalogue", () =>
    Effect.gen(function* () {
      const names = ["oid", "text", "bool", "name", "char"]
      const types = [...names.map((name) => boxedText(name)), ...names.map((name) => PgTypes.losslessArrayOf({ name }))]
      const pool = yield* poolWith({
        types,
        minConnections: 1,
        init: (connection) => connection.execute("SET work_mem = '5MB'")
      })
      yield* script(pool, "CREATE TYPE tinted AS (hue int4, names text[])")
      assert.deepStrictEqual(yield* valueOf(pool, "SELECT ROW(1, ARRAY['a'])::tinted"), {
        hue: 1,
        names: new PgTypes.PgArray([new Boxed("a")], [1])
      })
      yield* pool.withTransaction(pool.execute("CREATE TABLE tints (tint tinted)"), { trackOutcome: true })
      yield* pool.withConnection((connection) => connection.execute("SET work_mem = '6MB'"))
      assert.deepStrictEqual(yield* valueOf(pool, "SELECT current_setting('work_mem')"), new Boxed("5MB"))
    })
  )
})

layer(TestDatabase.layer, { excludeTestServices: true })("setTypeCodec", (it) => {
  it.effect("takes effect for statements that have run before, and resetTypeCodec undoes it", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* script(connection, "CREATE TYPE hue AS ENUM ('red'); CREATE TYPE paint AS (hue hue, amount int8)")
      const sql = "SELECT 5::int8 AS amount, 'red'::hue AS hue, ROW('red', 6)::paint AS paint"
      assert.strictEqual(yield* valueOf(connection, "SELECT 5::int8"), 5n)
      const usual = { amount: 5n, hue: "red", paint: { hue: "red", amount: 6n } }
      assert.deepStrictEqual(yield* connection.fetchOne(sql), usual)
      yield* connection.setTypeCodec(PgTypes.int8AsNumber)
      assert.strictEqual(yield* valueOf(connection, "SELECT 5::int8"), 5)
      yield* connection.setTypeCodec(boxedText("hue"))
      const red = new Boxed("red")
      assert.deepStrictEqual(yield* connection.fetchOne(sql), { amount: 5, hue: red, paint: { hue: red, amount: 6 } })
      yield* connection.resetTypeCodec({ name: "bigint" })
      assert.deepStrictEqual(yield* connection.fetchOne(sql), { amount: 5n, hue: red, paint: { hue: red, amount: 6n } })
      yield* connection.resetTypeCodec({ name: "hue" })
      assert.deepStrictEqual(yield* connection.fetchOne(sql), usual)
    })
  )

  it.effect("overrides a codec of the settings too, in any schema", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection({ types: [PgTypes.hstore, PgTypes.int8AsNumber] })
      yield* script(connection, "CREATE SCHEMA shelf; CREATE EXTENSION hstore SCHEMA shelf")
      assert.deepStrictEqual(yield* valueOf(connection, "SELECT 'a=>1'::shelf.hstore"), { a: "1" })
      yield* connection.resetTypeCodec({ name: "hstore", schema: "shelf" })
      yield* connection.resetTypeCodec({ name: "int8" })
      assert.deepStrictEqual(yield* valueOf(connection, "SELECT 'a=>1'::shelf.hstore"), '"a"=>"1"')
      assert.strictEqual(yield* valueOf(connection, "SELECT 1::int8"), 1n)
    })
  )

  it.effect("stays with its connection: others of the pool, and the next borrower, have the usual codec", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ minConnections: 1, maxConnections: 2 })
      const sql = "SELECT 7::int8, pg_backend_pid()"
      yield* pool.withConnection((one) =>
        Effect.gen(function* () {
          yield* one.setTypeCodec(PgTypes.int8AsNumber)
          assert.deepStrictEqual((yield* one.fetchTuples(sql))[0]?.[0], 7)
          assert.deepStrictEqual((yield* pool.fetchTuples(sql))[0]?.[0], 7n)
          assert.deepStrictEqual((yield* one.fetchTuples(sql))[0]?.[0], 7)
        })
      )
      for (let call = 0; call < 4; call++) assert.strictEqual(yield* valueOf(pool, "SELECT 7::int8"), 7n)
    })
  )

  it.effect("holds for as long as the connection lives if the pool's init sets it", () =>
    Effect.gen(function* () {
      const pool = yield* poolWith({
        maxConnections: 1,
        init: (connection) => connection.setTypeCodec(PgTypes.int8AsNumber)
      })
      yield* pool.withConnection((connection) => connection.resetTypeCodec({ name: "int8" }))
      assert.strictEqual(yield* valueOf(pool, "SELECT 7::int8"), 7)
    })
  )

  it.effect("continues with types that the pool reloads", () =>
    Effect.gen(function* () {
      const pool = yield* poolWith({
        maxConnections: 1,
        init: (connection) => connection.setTypeCodec(boxedText("shade"))
      })
      yield* script(
        pool,
        "CREATE TYPE tone AS ENUM ('dark'); CREATE TABLE tones (tone tone); INSERT INTO tones VALUES ('dark')"
      )
      assert.strictEqual(yield* valueOf(pool, "SELECT tone FROM tones"), "dark")
      yield* script(pool, "ALTER TYPE tone RENAME TO shade")
      yield* pool.reloadSchemaState
      assert.deepStrictEqual(yield* valueOf(pool, "SELECT tone FROM tones"), new Boxed("dark"))
    })
  )
})
