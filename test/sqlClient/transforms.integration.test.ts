/** Compares how a client changes names on their way to the server and back, and how a program does without that. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import * as Stream from "effect/Stream"
import * as String from "effect/String"
import { named, parity } from "./support/participants.ts"

const people = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`DROP TABLE IF EXISTS some_people`
  yield* sql`CREATE TABLE some_people (first_name text, home_address jsonb)`
  return sql
})

const ADA = { firstName: "Ada", homeAddress: { street_name: "St James", house_parts: [{ part_no: 1 }] } }
const TRANSFORMED = { firstName: "Ada", homeAddress: { streetName: "St James", houseParts: [{ partNo: 1 }] } }
const PLAIN = { first_name: "Ada", home_address: { street_name: "St James", house_parts: [{ part_no: 1 }] } }

parity(
  "a client that writes snake_case and reads camelCase",
  (it, participant) => {
    const filled = Effect.tap(
      people,
      (sql) =>
        sql`INSERT INTO ${sql("somePeople")} ${sql.insert({ ...ADA, homeAddress: JSON.stringify(ADA.homeAddress) })}`
    )

    it.effect("names are changed in identifiers, in records and in rows, within JSON too", () =>
      Effect.gen(function* () {
        const sql = yield* filled
        assert.deepStrictEqual(yield* sql`SELECT ${sql("firstName")}, home_address FROM ${sql("somePeople")}`, [
          TRANSFORMED
        ])
        yield* sql`UPDATE ${sql("somePeople")} SET ${sql.update({ firstName: "A" })}`
        assert.deepStrictEqual(yield* sql`SELECT first_name FROM some_people WHERE ${sql.in("firstName", ["A"])}`, [
          { firstName: "A" }
        ])
        assert.deepStrictEqual(
          yield* sql`INSERT INTO some_people ${sql.insert({ firstName: "G" }).returning("first_name")}`,
          [{ firstName: "G" }]
        )
      })
    )

    it.effect("names are changed in unprepared rows and in streams, and not in values", () =>
      Effect.gen(function* () {
        const sql = yield* filled
        const statement = sql`SELECT first_name FROM some_people`
        assert.deepStrictEqual(yield* statement.unprepared, [{ firstName: "Ada" }])
        assert.deepStrictEqual(yield* Stream.runCollect(statement.stream), [{ firstName: "Ada" }])
        assert.deepStrictEqual(yield* statement.values, [["Ada"]])
      })
    )

    it.effect("withoutTransform leaves one statement as it is, in both directions", () =>
      Effect.gen(function* () {
        const sql = yield* filled
        assert.deepStrictEqual(
          yield* sql`SELECT ${sql("first_name")}, home_address FROM some_people`.withoutTransform,
          [PLAIN]
        )
        const failure = yield* Effect.flip(sql`SELECT ${sql("firstName")} FROM some_people`.withoutTransform)
        assert.strictEqual(failure.reason._tag, "SqlSyntaxError")
        assert.deepStrictEqual(yield* sql`SELECT first_name FROM some_people`, [{ firstName: "Ada" }])
      })
    )

    it.effect("raw rows are as the server names them", () =>
      Effect.gen(function* () {
        const sql = yield* filled
        assert.containsSubset(yield* sql`SELECT * FROM some_people`.raw, { rows: [PLAIN] })
      })
    )

    it.effect("withoutTransforms gives one client without changes, which shares the transaction", () =>
      Effect.gen(function* () {
        const sql = yield* filled
        const plain = sql.withoutTransforms()
        assert.strictEqual(plain, sql.withoutTransforms().withoutTransforms())
        assert.deepStrictEqual(yield* plain`SELECT * FROM ${plain("some_people")}`, [PLAIN])
        yield* Effect.ignore(
          sql.withTransaction(
            Effect.gen(function* () {
              yield* sql`INSERT INTO some_people ${sql.insert({ firstName: "uncommitted" })}`
              assert.deepStrictEqual(
                yield* plain`SELECT first_name FROM some_people WHERE first_name = 'uncommitted'`,
                [{ first_name: "uncommitted" }]
              )
              yield* plain.withTransaction(plain`DELETE FROM some_people`)
              return yield* Effect.fail("rolled back")
            })
          )
        )
        assert.deepStrictEqual(yield* plain`SELECT count(*)::int AS row_count FROM some_people`, [{ row_count: 1 }])
      })
    )

    it.effect("the names within a json parameter are changed on their way", () =>
      Effect.gen(function* () {
        const sql = yield* people
        const { json } = participant.extrasOf(sql)
        yield* sql`INSERT INTO some_people ${sql.insert({ homeAddress: json({ streetName: "S", parts: [{ partNo: 2 }] }) })}`
        assert.deepStrictEqual(yield* sql`SELECT home_address::text AS t FROM some_people`, [
          { t: '{"parts": [{"part_no": 2}], "street_name": "S"}' }
        ])
        assert.deepStrictEqual(yield* sql`SELECT ${json({ aB: 1 })}::text AS t`.withoutTransform, [{ t: '{"aB": 1}' }])
      })
    )
  },
  { transformResultNames: String.snakeToCamel, transformQueryNames: String.camelToSnake }
)

parity(
  "a client that changes names but not those within JSON",
  (it, participant) => {
    it.effect("leaves JSON as it is, in both directions", () =>
      Effect.gen(function* () {
        const sql = yield* people
        const { json } = participant.extrasOf(sql)
        yield* sql`INSERT INTO some_people ${sql.insert({ homeAddress: json({ streetName: "S", a_b: 1 }) })}`
        assert.deepStrictEqual(yield* sql`SELECT home_address FROM some_people`, [
          { homeAddress: { streetName: "S", a_b: 1 } }
        ])
      })
    )
  },
  { transformResultNames: String.snakeToCamel, transformQueryNames: String.camelToSnake, transformJson: false }
)

parity(
  "a client that changes the names of queries alone",
  (it, participant) => {
    const changes = { "@effect/sql-pg": "gives back the client itself, which goes on changing names" } as const
    it.effect(named(participant, "has a client without changes too", changes), () =>
      Effect.gen(function* () {
        const sql = yield* people
        yield* sql`CREATE TABLE "camelCase" ("someColumn" int4)`
        yield* sql`INSERT INTO ${sql("somePeople")} ${sql.insert({ firstName: "Ada" })}`
        assert.deepStrictEqual(yield* sql`SELECT first_name FROM some_people`, [{ first_name: "Ada" }])
        const plain = sql.withoutTransforms()
        const [text] = plain`SELECT ${plain("someColumn")}`.compile()
        assert.strictEqual(text, participant.name in changes ? 'SELECT "some_column"' : 'SELECT "someColumn"')
        const read = yield* Effect.exit(plain`SELECT ${plain("someColumn")} FROM ${plain("camelCase")}`)
        assert.strictEqual(read._tag, participant.name in changes ? "Failure" : "Success")
      })
    )
  },
  { transformQueryNames: String.camelToSnake }
)

parity(
  "a client that changes the names of results alone",
  (it) => {
    it.effect("leaves identifiers as they are", () =>
      Effect.gen(function* () {
        const sql = yield* people
        yield* sql`INSERT INTO some_people ${sql.insert({ first_name: "Ada" })}`
        assert.deepStrictEqual(yield* sql`SELECT ${sql("first_name")} FROM some_people`, [{ firstName: "Ada" }])
        const plain = sql.withoutTransforms()
        assert.deepStrictEqual(yield* plain`SELECT first_name FROM some_people`, [{ first_name: "Ada" }])
      })
    )
  },
  { transformResultNames: String.snakeToCamel }
)
