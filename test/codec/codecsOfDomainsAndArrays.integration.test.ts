/**
 * Tests that a codec for an array type serves, and that one for a domain is refused when it is given: neither is
 * ignored.
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as PgConnection from "../../src/PgConnection.ts"
import * as PgPool from "../../src/PgPool.ts"
import * as PgTypes from "../../src/PgTypes.ts"
import { TestDatabase } from "../support/database.ts"
import {
  assertHealthy,
  backendsOf,
  eventually,
  liveConnection,
  liveSettings,
  refusalOf,
  valueOf
} from "../support/live.ts"

/** A list that only a codec of this test can have made or can write. */
class Joined {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

const joined = (name: string, schema?: string): PgTypes.Codec =>
  PgTypes.codec({
    name,
    schema,
    format: "text",
    decode: (text) => new Joined(text),
    encode: (value) => {
      if (value instanceof Joined) return value.text
      throw new TypeError("a Joined, please")
    }
  })

layer(TestDatabase.layer, { excludeTestServices: true })("a codec for an array type", (it) => {
  for (const name of ["int4[]", "_int4", "integer[]"]) {
    it.effect(`serves columns, parameters, domains and composites if the type is built in: ${name}`, () =>
      Effect.gen(function* () {
        const connection = yield* liveConnection({ types: [joined(name)] })
        yield* connection.executeScript(
          "CREATE DOMAIN pg_temp.list AS int4[]; CREATE TYPE pg_temp.held AS (numbers int4[], others int8[])"
        )
        const value = new Joined("{1,NULL}")
        assert.deepStrictEqual(yield* valueOf(connection, "SELECT '{1,NULL}'::int4[]"), value)
        for (const type of ["int4[]", "pg_temp.list"]) {
          assert.deepStrictEqual(yield* valueOf(connection, `SELECT $1::${type}`, [value]), value, type)
        }
        const held = { numbers: value, others: [5n] }
        assert.deepStrictEqual(yield* valueOf(connection, "SELECT $1::pg_temp.held", [held]), held)
        assert.strictEqual(yield* valueOf(connection, "SELECT 7::int4"), 7)
        yield* connection.resetTypeCodec({ name: "integer[]" })
        assert.deepStrictEqual(yield* valueOf(connection, "SELECT '{1,NULL}'::int4[]"), [1, null])
      })
    )
  }

  it.effect("serves by the name of its elements and by that of the catalogue if the type is the user's", () =>
    Effect.gen(function* () {
      const admin = yield* liveConnection()
      yield* admin.executeScript(
        "DROP SCHEMA IF EXISTS listed CASCADE; CREATE SCHEMA listed; CREATE TYPE listed.tint AS ENUM ('red', 'blue')"
      )
      for (const name of ["tint[]", "_tint"]) {
        const connection = yield* liveConnection({ types: [joined(name, "listed")] })
        const value = new Joined("{red,blue}")
        assert.deepStrictEqual(yield* valueOf(connection, "SELECT '{red,blue}'::listed.tint[]"), value)
        assert.deepStrictEqual(yield* valueOf(connection, "SELECT $1::listed.tint[]", [value]), value)
        assert.strictEqual(yield* valueOf(connection, "SELECT 'red'::listed.tint"), "red")
      }
    })
  )

  it.effect("serves arrays of anonymous records, and losslessArrayOf takes the name of the elements", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection({ types: [PgTypes.losslessArrayOf({ name: "int4[]" })] })
      assert.deepStrictEqual(yield* valueOf(connection, "SELECT '[0:0]={1}'::int4[]"), new PgTypes.PgArray([1], [0]))
      yield* connection.setTypeCodec(
        PgTypes.codec({
          name: "record[]",
          format: "binary",
          decode: (bytes) => bytes.length,
          encode: () => new Uint8Array()
        })
      )
      assert.isNumber(yield* valueOf(connection, "SELECT ARRAY[ROW(1, 2)]"))
    })
  )
})

layer(TestDatabase.layer, { excludeTestServices: true })("a codec for a domain", (it) => {
  const created = Effect.gen(function* () {
    const admin = yield* liveConnection()
    yield* admin.executeScript(
      `DROP SCHEMA IF EXISTS restricted CASCADE; CREATE SCHEMA restricted;
       CREATE DOMAIN restricted."e'm\\ail" AS text; CREATE DOMAIN public.zip AS text`
    )
    yield* Effect.addFinalizer(() => Effect.orDie(admin.execute("DROP DOMAIN zip")))
    return admin
  })

  for (const [name, schema] of [
    ["zip", undefined],
    ["e'm\\ail", "restricted"]
  ] as const) {
    it.effect(`is refused by a connection, a pool and setTypeCodec: ${name}`, () =>
      Effect.gen(function* () {
        const admin = yield* created
        const types = [PgTypes.hstore, joined(name, schema)]
        const applicationName = `refused ${schema ?? "public"}`
        const settings = { ...(yield* liveSettings()), types, applicationName }
        const refused = yield* refusalOf(Effect.scoped(PgConnection.make(settings)))
        assert.strictEqual(refused._tag, "InvalidConfigError")
        assert.include(refused.message, `types: ${schema ?? "public"}.${name} is a domain`)
        assert.include(refused.message, "make a codec for the base type instead")

        const pool = yield* PgPool.make({ ...settings, minConnections: 0, maxConnections: 1 })
        for (let call = 0; call < 2; call++) {
          assert.strictEqual((yield* refusalOf(pool.fetch("SELECT 1")))._tag, "InvalidConfigError")
        }
        assert.strictEqual((yield* pool.stats).inUse, 0)
        yield* eventually(backendsOf(admin, applicationName), 0)

        const connection = yield* liveConnection()
        const late = yield* refusalOf(connection.setTypeCodec(joined(name, schema)))
        assert.strictEqual(late._tag, "InvalidConfigError")
        assert.strictEqual(yield* valueOf(connection, "SELECT 'x'::text"), "x")
        yield* assertHealthy(connection)
      })
    )
  }

  it.effect("is ignored if its schema is another one or no such type exists, also in a failed transaction", () =>
    Effect.gen(function* () {
      yield* created
      const connection = yield* liveConnection({ types: [joined("zip", "restricted"), joined("not there")] })
      yield* connection.executeScript("BEGIN")
      yield* refusalOf(connection.fetch("SELECT 1/0"))
      yield* connection.setTypeCodec(joined("zip", "elsewhere"))
      yield* connection.executeScript("ROLLBACK")
      yield* assertHealthy(connection)
    })
  )
})
