/**
 * Tests every built-in type through the whole client: as a literal that is read, as a parameter, and in an array of
 * both.
 */
import { assert, describe, layer } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { inject } from "vitest"
import * as PgConnection from "../../src/PgConnection.ts"
import { asOf } from "../fixtures/olderServers.ts"
import { printText, subjects } from "../fixtures/subjects.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, liveSettings } from "../support/live.ts"

const MAX_PARAMETERS = 65_535

const Connected = Layer.unwrap(
  Effect.map(liveSettings({ settings: { TimeZone: "UTC", intervalstyle: "iso_8601" } }), PgConnection.layer)
).pipe(Layer.provide(TestDatabase.layer))

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`

const major = inject("serverMajor")

layer(Connected, { excludeTestServices: true })("through a connection", (it) => {
  for (const { codec, isSame, print = printText, samples, values } of subjects.map((subject) => asOf(major, subject))) {
    describe(`the type ${codec.name}`, () => {
      it.effect("is read from a literal of the statement", () =>
        Effect.gen(function* () {
          const connection = yield* PgConnection.PgConnection
          for (const sample of samples) {
            const literal = `${quoted(sample)}::${codec.name}`
            const { printed, value } = yield* connection.fetchOne(
              `SELECT ${literal} AS value, ${print(literal)} AS printed`
            )
            assert.isTrue(isSame(value, String(printed)), `${String(printed).slice(0, 100)} was read differently`)
          }
        })
      )

      it.effect.prop(
        "is read back as it was sent",
        [values],
        ([sent]) =>
          Effect.gen(function* () {
            const connection = yield* PgConnection.PgConnection
            const parameter = `$1::${codec.name}`
            const sql = `SELECT ${parameter} AS value, ${print(parameter)} AS printed`
            const first = yield* connection.fetchOne(sql, [sent])
            assert.isTrue(isSame(first["value"], String(first["printed"])))
            assert.deepStrictEqual(yield* connection.fetchOne(sql, [first["value"]]), first)
          }),
        { arbitrary: { runs: 30 } }
      )

      if (codec.name.endsWith("[]")) return
      it.effect.prop(
        "is read back in an array as it was sent",
        [Arbitrary.array(values, { maxLength: 4 })],
        ([elements]) =>
          Effect.gen(function* () {
            const connection = yield* PgConnection.PgConnection
            const sent = [...elements, null]
            const array = `$1::${codec.name}[]`
            const sql = `SELECT ${array} AS value, ARRAY(SELECT ${print("x")} FROM unnest(${array}) AS x) AS printed`
            const first = yield* connection.fetchOne(sql, [sent])
            const { printed, value } = first
            if (!Array.isArray(value) || !Array.isArray(printed)) return assert.fail("an array is no array")
            assert.strictEqual(value.length, sent.length)
            for (const [index, element] of value.entries()) {
              if (index < elements.length) assert.isTrue(isSame(element, String(printed[index])))
              else assert.isNull(element)
            }
            assert.deepStrictEqual(yield* connection.fetchOne(sql, [value]), first)
          }),
        { arbitrary: { runs: 15 } }
      )
    })
  }

  for (const arity of [0, 1, MAX_PARAMETERS]) {
    it.effect(`a statement may have ${arity} parameters`, () =>
      Effect.gen(function* () {
        const connection = yield* PgConnection.PgConnection
        const numbers = Array.from({ length: arity }, (_, index) => index)
        const sql = `SELECT ARRAY[${numbers.map((index) => `$${index + 1}`).join(",")}]::int4[] AS numbers`
        assert.deepStrictEqual(yield* connection.fetch(sql, numbers), [{ numbers }])
        yield* assertHealthy(connection)
      })
    )
  }

  it.effect("a statement with one parameter more is refused before anything is sent", () =>
    Effect.gen(function* () {
      const connection = yield* PgConnection.PgConnection
      const numbers = Array.from({ length: MAX_PARAMETERS + 1 }, (_, index) => index)
      const sql = `SELECT ARRAY[${numbers.map((index) => `$${index + 1}`).join(",")}]::int4[] AS numbers`
      const error = yield* Effect.flip(connection.fetch(sql, numbers))
      assert.strictEqual(error._tag, "EncodeError")
      assert.strictEqual(error.outcome, "none")
      assert.include(error.message, String(MAX_PARAMETERS))
      yield* assertHealthy(connection)
    })
  )
})
