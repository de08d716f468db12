/** Tests through the whole client that each built-in type has a codec that works. */
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { inject } from "vitest"
import { ofText } from "../../src/codec/codec.ts"
import { builtinTypes } from "../../src/codec/registry.ts"
import { tsquery } from "../../src/codec/textSearch.ts"
import * as PgConnection from "../../src/PgConnection.ts"
import { jsonNull, PgArray } from "../../src/PgTypes.ts"
import { asOf } from "../fixtures/olderServers.ts"
import { otherSubjects } from "../fixtures/otherSubjects.ts"
import { list } from "../fixtures/subjects.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, liveSettings, refusalOf, valueOf } from "../support/live.ts"

const Connected = Layer.unwrap(Effect.map(liveSettings(), PgConnection.layer)).pipe(Layer.provide(TestDatabase.layer))

/** How a type is spelled in a cast: "bit" and "char" mean other types without the quotes. */
const spelled = (name: string): string => (["bit", "char"].includes(name) ? `"${name}"` : name)

const names: Readonly<Record<string, string>> = {
  regclass: "pg_class",
  regcollation: '"C"',
  regconfig: "simple",
  regdictionary: "simple",
  regnamespace: "pg_catalog",
  regoper: "||/",
  regoperator: "+(integer,integer)",
  regproc: "now",
  regprocedure: "lower(text)",
  regrole: "pg_monitor",
  regtype: "timestamp with time zone[]"
}

const major = inject("serverMajor")

const subjects = [
  ...otherSubjects.map((subject) => {
    const { codec, samples } = asOf(major, subject)
    const name = names[codec.name]
    return { codec, samples: name === undefined ? samples : [name, "4294967295"] }
  }),
  { codec: tsquery, samples: list("a, !a & b, (a|b) <-> c:*A") }
]

layer(Connected, { excludeTestServices: true })("among the types of every server,", (it) => {
  it.effect("each type that a column can have is served, and so is its array", () =>
    Effect.gen(function* () {
      const connection = yield* PgConnection.PgConnection
      const types = yield* connection.fetchTuples(
        `SELECT type.oid::int8, type.oid::regtype::text
         FROM pg_type AS type LEFT JOIN pg_type AS element ON element.oid = type.typelem
         WHERE type.oid < 10000 AND type.typtype IN ('b', 'r', 'm') AND element.typtype IS DISTINCT FROM 'c'
         ORDER BY type.oid`
      )
      assert.isAbove(types.length, 120)
      for (const [oid, name] of types) {
        assert.isDefined(builtinTypes.codec(Number(oid)), String(name))
        // The server looks for the type's output function even if there is no value to print.
        assert.deepStrictEqual(yield* connection.fetchOne(`SELECT NULL::${String(name)} AS value`), { value: null })
      }
    })
  )

  for (const { codec, samples } of subjects) {
    const type = spelled(codec.name)

    describe(`the type ${codec.name}`, () => {
      it.effect("is read as the server prints it, and written as it was read", () =>
        Effect.gen(function* () {
          const connection = yield* PgConnection.PgConnection
          const sql = `SELECT $1::${type} AS value, format('%s', $1::${type}) AS printed`
          for (const sample of samples) {
            const row = yield* connection.fetchOne(sql, [sample])
            assert.deepStrictEqual(row["value"], ofText(codec, String(row["printed"])))
            assert.deepStrictEqual(yield* connection.fetchOne(sql, [row["value"]]), row)
          }
        })
      )

      it.effect("is an element of arrays", () =>
        Effect.gen(function* () {
          const connection = yield* PgConnection.PgConnection
          for (const sample of samples) {
            const value = yield* valueOf(connection, `SELECT $1::${type}`, [sample])
            for (const array of [[], [null], [value, null, value]]) {
              assert.deepStrictEqual(yield* valueOf(connection, `SELECT $1::${type}[]`, [array]), array)
            }
            const square = [[value], [value]]
            assert.deepStrictEqual(yield* valueOf(connection, `SELECT $1::${type}[]`, [square]), square)
          }
        })
      )
    })
  }

  it.effect("those that name rows of the catalogue also take OIDs", () =>
    Effect.gen(function* () {
      const connection = yield* PgConnection.PgConnection
      for (const oid of [1259, 1259n, "1259", "pg_class", "pg_catalog.pg_class"]) {
        assert.strictEqual(yield* valueOf(connection, "SELECT $1::regclass", [oid]), "pg_class")
      }
      assert.deepStrictEqual(yield* valueOf(connection, "SELECT $1::regclass[]", [[1259, "pg_type"]]), [
        "pg_class",
        "pg_type"
      ])
      assert.strictEqual(yield* valueOf(connection, "SELECT $1::regtype::oid", ["int4"]), 23)
    })
  )

  it.effect("money is the server's text, which is not a number", () =>
    Effect.gen(function* () {
      const connection = yield* PgConnection.PgConnection
      assert.strictEqual(yield* valueOf(connection, "SELECT $1::money * 2", ["$1,234.50"]), "$2,469.00")
      const refused = yield* refusalOf(connection.fetch("SELECT $1::money", [12.34]))
      assert.strictEqual(refused._tag, "EncodeError")
      assert.include(refused.message, 'money takes a string such as "12.34", not a number')
      yield* assertHealthy(connection)
    })
  )

  it.effect("aclitem has no binary form, and is read in arrays all the same", () =>
    Effect.gen(function* () {
      const connection = yield* PgConnection.PgConnection
      yield* connection.executeScript(
        `CREATE ROLE "a,b{c}\\d'""e"; CREATE TABLE guarded (); GRANT SELECT ON guarded TO "a,b{c}\\d'""e"`
      )
      const { items, texts } = yield* connection.fetchOne(
        "SELECT relacl AS items, relacl::text[] AS texts FROM pg_class WHERE relname = 'guarded'"
      )
      assert.deepStrictEqual(items, texts)
      assert.deepStrictEqual(yield* valueOf(connection, "SELECT $1::aclitem[]", [items]), texts)
      yield* connection.executeScript(`DROP TABLE guarded; DROP ROLE "a,b{c}\\d'""e"`)
    })
  )

  it.effect("money counts its smallest unit in an anonymous record, and names of the catalogue are OIDs there", () =>
    Effect.gen(function* () {
      const connection = yield* PgConnection.PgConnection
      const record = "ROW('12.34'::money, 'pg_class'::regclass, '(1,2)'::point, 'b a:1'::tsvector, B'01', NULL::box)"
      assert.deepStrictEqual(yield* valueOf(connection, `SELECT ${record}`), [
        1234n,
        "1259",
        { x: 1, y: 2 },
        "'a':1 'b'",
        "01",
        null
      ])
    })
  )

  it.effect("void is read as null", () =>
    Effect.gen(function* () {
      const connection = yield* PgConnection.PgConnection
      assert.deepStrictEqual(yield* connection.fetch("SELECT pg_sleep(0) AS nothing"), [{ nothing: null }])
    })
  )

  it.effect("the statistics of a column are arrays of texts", () =>
    Effect.gen(function* () {
      const connection = yield* PgConnection.PgConnection
      yield* connection.executeScript(
        "CREATE TABLE counted AS SELECT n FROM generate_series(1, 3) AS n, generate_series(1, 2); ANALYZE counted"
      )
      const bounds = yield* valueOf(
        connection,
        "SELECT most_common_vals FROM pg_stats WHERE tablename = 'counted' AND attname = 'n'"
      )
      assert.deepStrictEqual(bounds, ["1", "2", "3"])
      yield* connection.executeScript("DROP TABLE counted")
    })
  )

  it.effect("vectors may be empty, and arrays of them hold vectors of any length", () =>
    Effect.gen(function* () {
      const connection = yield* PgConnection.PgConnection
      for (const vector of [[], [1], [1, 2, 3]]) {
        assert.deepStrictEqual(yield* valueOf(connection, "SELECT $1::int2vector", [vector]), vector)
      }
      for (const vectors of [
        [[1, 2], [3]],
        [[], [1]]
      ]) {
        assert.deepStrictEqual(yield* valueOf(connection, "SELECT $1::oidvector[]", [vectors]), vectors)
      }
    })
  )

  it.effect("JSON's null differs from SQL's NULL", () =>
    Effect.gen(function* () {
      const connection = yield* PgConnection.PgConnection
      const sql = "SELECT $1::jsonb IS NULL AS sql, jsonb_typeof($1::jsonb) AS json"
      assert.deepStrictEqual(yield* connection.fetchOne(sql, [jsonNull]), { sql: false, json: "null" })
      assert.deepStrictEqual(yield* connection.fetchOne(sql, [null]), { sql: true, json: null })
    })
  )

  it.effect("an array begins at the index that a PgArray says", () =>
    Effect.gen(function* () {
      const connection = yield* PgConnection.PgConnection
      const value = new PgArray(
        [
          [1, 2],
          [3, 4]
        ],
        [0, -5]
      )
      assert.strictEqual(yield* valueOf(connection, "SELECT ($1::int4[])::text", [value]), "[0:1][-5:-4]={{1,2},{3,4}}")
      assert.strictEqual(
        yield* valueOf(connection, "SELECT ($1::int4[])::text", [new PgArray(["7", null], [3])]),
        "[3:4]={7,NULL}"
      )
      assert.deepStrictEqual(yield* valueOf(connection, "SELECT '[2:3]={int4,text}'::regtype[]"), ["integer", "text"])
    })
  )
})
