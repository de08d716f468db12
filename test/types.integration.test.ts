/**
 * Tests every type that a column can have, as the server's own catalogue lists them: read from a literal, taken as a
 * parameter, in arrays, in a composite type and in an anonymous record. The value that we read must be a parameter that
 * the server prints as it prints the literal. This holds us to the server's own text form without knowledge of the
 * type.
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { inspect } from "node:util"
import type * as PgConnection from "../src/PgConnection.ts"
import type * as PgError from "../src/PgError.ts"
import * as PgTypes from "../src/PgTypes.ts"
import { type Samples, statisticsScript, typeSamples } from "./fixtures/typeSamples.ts"
import { TestDatabase } from "./support/database.ts"
import { assertHealthy, liveConnection, valueOf } from "./support/live.ts"

interface ListedType {
  readonly name: string
  /** The name, qualified and quoted for use in any statement. */
  readonly sql: string
  readonly hasArray: boolean
}

/**
 * Leaves out arrays, which are tested with their elements, the row types of the tables below, and pseudo-types that no
 * column can have.
 */
const LISTED_TYPES = `SELECT t.typname::text AS name, format('%I.%I', n.nspname, t.typname) AS sql, t.typarray <> 0 AS "hasArray"
  FROM pg_catalog.pg_type AS t JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
  WHERE t.typtype NOT IN ('p', 'c') AND t.typinput <> 'array_in'::regproc AND t.oid < 16384 ORDER BY t.typname`

const listedTypes = (
  connection: PgConnection.PgConnection
): Effect.Effect<ReadonlyArray<ListedType>, PgError.PgError> =>
  Effect.map(connection.fetch(LISTED_TYPES), (rows) =>
    rows.map(({ hasArray, name, sql }) => ({ name: String(name), sql: String(sql), hasArray: hasArray === true }))
  )

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`

/** The values as SQL expressions and, if the type takes text, as the texts of which they were made. */
const samplesOf = (type: ListedType): ReadonlyArray<readonly [expression: string, text: string | undefined]> => {
  const samples: Samples = typeSamples[type.name] ?? assert.fail(`${type.name} has no samples`)
  if (samples.texts.length === 0) return [[samples.expression ?? `NULL::${type.sql}`, undefined]]
  return samples.texts.map((text) => [`${literal(text)}::${type.sql}`, text])
}

/** Shows that a value that was read is a parameter that the server prints as it prints the original. */
const assertTaken = (connection: PgConnection.PgConnection, type: string, value: unknown, expression: string) =>
  Effect.gen(function* () {
    const text = yield* valueOf(connection, `SELECT (${expression})::text`)
    assert.deepStrictEqual(yield* valueOf(connection, `SELECT $1::${type}::text`, [value]), text, type)
  })

/** If a JavaScript string is itself a value of the type, text of the type is sent as a literal. */
const isDocument = ({ name }: ListedType): boolean => name === "json" || name === "jsonb"
const asParameter = (type: ListedType, text: string): unknown => (isDocument(type) ? PgTypes.literal(text) : text)

layer(TestDatabase.layer, { excludeTestServices: true })("every type that a column can have", (it) => {
  const prepared = Effect.gen(function* () {
    const connection = yield* liveConnection({ settings: { TimeZone: "UTC" } })
    yield* connection.executeScript(
      `DROP TABLE IF EXISTS counted, "Odd name"; CREATE TABLE "Odd name" (); ${statisticsScript}`
    )
    return { connection, types: yield* listedTypes(connection) }
  })

  it.effect("has samples, and no other type has", () =>
    Effect.gen(function* () {
      const { types } = yield* prepared
      assert.isAbove(types.length, 70)
      const listed = new Set(types.map(({ name }) => name))
      assert.deepStrictEqual(
        types.filter(({ name }) => typeSamples[name] === undefined),
        []
      )
      assert.deepStrictEqual(
        Object.keys(typeSamples).filter((name) => !listed.has(name)),
        []
      )
    })
  )

  it.effect("is read equally from the text of a first run and from later runs", () =>
    Effect.gen(function* () {
      const { connection, types } = yield* prepared
      for (const type of types) {
        for (const [expression] of samplesOf(type)) {
          const expressions = type.hasArray ? `${expression}, ARRAY[${expression}, NULL]` : expression
          const sql = `SELECT $1, ${expressions}`
          const [first] = yield* connection.fetchTuples(sql, [PgTypes.int4(1)])
          const [second] = yield* connection.fetchTuples(sql, [PgTypes.int4(1)])
          assert.deepStrictEqual(first, second, expression)
        }
      }
    })
  )

  it.effect("is read from a literal, and taken as a parameter: as the value that was read, and as text", () =>
    Effect.gen(function* () {
      const { connection, types } = yield* prepared
      for (const type of types) {
        for (const [expression, text] of samplesOf(type)) {
          const value = yield* valueOf(connection, `SELECT ${expression}`)
          if (text === undefined) continue
          assert.isNotNull(value, expression)
          yield* assertTaken(connection, type.sql, value, expression)
          yield* assertTaken(connection, type.sql, asParameter(type, text), expression)
          yield* assertTaken(connection, type.sql, PgTypes.literal(text), expression)
        }
      }
    })
  )

  it.effect("is read and taken in arrays", () =>
    Effect.gen(function* () {
      const { connection, types } = yield* prepared
      for (const type of types.filter(({ hasArray }) => hasArray)) {
        for (const [expression, text] of samplesOf(type)) {
          const value = yield* valueOf(connection, `SELECT ${expression}`)
          const array = `ARRAY[[${expression}, NULL], [NULL, ${expression}]]`
          const values = yield* valueOf(connection, `SELECT ${array}`)
          const square = [
            [value, null],
            [null, value]
          ]
          assert.deepStrictEqual(values, isDocument(type) ? new PgTypes.PgArray(square, [1, 1]) : square, type.name)
          if (text === undefined) continue
          yield* assertTaken(connection, `${type.sql}[]`, values, array)
          yield* assertTaken(connection, `${type.sql}[]`, [asParameter(type, text)], `ARRAY[${expression}]`)
        }
      }
    })
  )

  it.effect("is read and taken in a composite type", () =>
    Effect.gen(function* () {
      const { connection, types } = yield* prepared
      for (const [index, type] of types.entries()) {
        const { isNamed = false } = typeSamples[type.name] ?? {}
        const composite = `composite_${index}`
        yield* connection.executeScript(`CREATE TYPE ${composite} AS (n int4, value ${type.sql}, label text)`)
        for (const [expression, text] of samplesOf(type)) {
          const value = yield* valueOf(connection, `SELECT ${expression}`)
          const row = `ROW(1, ${expression}, 'a "b"')::${composite}`
          const read = yield* valueOf(connection, `SELECT ${row}`)
          if (!isNamed) assert.deepStrictEqual(read, { n: 1, value, label: 'a "b"' }, type.name)
          if (text === undefined) continue
          yield* assertTaken(connection, composite, read, row)
          yield* assertTaken(connection, composite, [1, asParameter(type, text), 'a "b"'], row)
        }
      }
    })
  )

  it.effect("is read from text in a composite type that has only a text form", () =>
    Effect.gen(function* () {
      const { connection, types } = yield* prepared
      for (const [index, type] of types.entries()) {
        const composite = `text_only_${index}`
        yield* connection.executeScript(`CREATE TYPE ${composite} AS (value ${type.sql}, grant_item aclitem)`)
        for (const [expression, text] of samplesOf(type)) {
          const value = yield* valueOf(connection, `SELECT ${expression}`)
          const row = `ROW(${expression}, '=r/postgres')::${composite}`
          const read = yield* valueOf(connection, `SELECT ${row}`)
          assert.deepStrictEqual(read, { value, grant_item: "=r/postgres" }, type.name)
          if (text !== undefined) yield* assertTaken(connection, composite, read, row)
        }
      }
    })
  )

  it.effect("is read in an anonymous record, if PostgreSQL can send it there", () =>
    Effect.gen(function* () {
      const { connection, types } = yield* prepared
      for (const type of types) {
        const { inRecord, isNamed = false } = typeSamples[type.name] ?? {}
        for (const [expression] of samplesOf(type)) {
          const record = valueOf(connection, `SELECT ROW(1, ${expression})`)
          if (inRecord !== undefined) {
            const error = yield* Effect.flip(record)
            assert.strictEqual(error._tag, inRecord, type.name)
            assert.match(inspect(error), /[Cc]ast/, type.name)
          } else if (isNamed) {
            assert.lengthOf(Object.keys(Object(yield* record)), 2, type.name)
          } else {
            assert.deepStrictEqual(yield* record, [1, yield* valueOf(connection, `SELECT ${expression}`)], type.name)
          }
        }
      }
      yield* assertHealthy(connection)
    })
  )

  it.effect("is in the rows of the catalogue, each of which is read as a whole", () =>
    Effect.gen(function* () {
      const { connection } = yield* prepared
      const tables = yield* connection.fetch(
        "SELECT relname::text AS name FROM pg_catalog.pg_class WHERE relkind = 'r' AND relnamespace = 'pg_catalog'::regnamespace"
      )
      assert.isAbove(tables.length, 50)
      for (const { name } of tables) {
        const [columns = {}] = yield* connection.fetch(`SELECT * FROM pg_catalog.${name} LIMIT 1`)
        const [{ t: row = {} } = {}] = yield* connection.fetch(`SELECT t FROM pg_catalog.${name} AS t LIMIT 1`)
        assert.deepStrictEqual(Object.keys(Object(row)), Object.keys(columns), String(name))
      }
    })
  )
})
