/** Compares how each kind of value is written into a column of each type, and that strings are taken for every type. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import { type Answers, answerOf, named, parity } from "./support/participants.ts"

const MOMENT = new Date("2024-03-10T20:45:01.250Z")

/** Types, and the text of a value of them. */
const texts: ReadonlyArray<readonly [type: string, text: string]> = [
  ["boolean", "true"],
  ["int2", "-7"],
  ["int4", "70000"],
  ["int8", "9007199254740993"],
  ["oid", "4294967295"],
  ["float4", "0.5"],
  ["float8", "-1.25e-07"],
  ["numeric", "12345678901234567890.000100"],
  ["money", "$1,234.50"],
  ["text", "naïve 🐘 \\ ' \""],
  ["varchar(20)", "varchar"],
  ["char(5)", "abc"],
  ['"char"', "c"],
  ["name", "a_name"],
  ["bytea", "\\x00017f80ff"],
  ["date", "2024-02-29"],
  ["time", "20:45:01.25"],
  ["timetz", "20:45:01.25+05:30"],
  ["timestamp", "2024-03-10 20:45:01.250001"],
  ["timestamptz", "2024-03-10 20:45:01.250001+00"],
  ["timestamptz", "infinity"],
  ["interval", "1 year 2 mons 3 days 04:05:06.789"],
  ["uuid", "8f14e45f-ceea-467f-a9d5-5d0b9f6a1c11"],
  ["json", '{"a" :  [1, "b"]}'],
  ["jsonb", '{"a": [1, "b", null]}'],
  ["jsonb", '"a string"'],
  ["jsonb", "null"],
  ["xml", "<a>b</a>"],
  ["inet", "10.0.0.1/8"],
  ["cidr", "10.0.0.0/8"],
  ["macaddr", "08:00:2b:01:02:03"],
  ["macaddr8", "08:00:2b:01:02:03:04:05"],
  ["bit(3)", "101"],
  ["varbit", "10101"],
  ["point", "(1.5,-2)"],
  ["box", "(3,4),(1,2)"],
  ["path", "((0,0),(1,1))"],
  ["circle", "<(1,2),3>"],
  ["tsvector", "'cat':1 'rat':2"],
  ["tsquery", "'cat' & 'rat'"],
  ["int4range", "[1,5)"],
  ["tstzrange", '["2024-01-01 00:00:00+00","2024-02-01 00:00:00+00")'],
  ["int4multirange", "{[1,5),[7,9)}"],
  ["pg_lsn", "16/B374D848"],
  ["regclass", "pg_class"],
  ["jsonpath", '$."a"[*]'],
  ["int4[]", "{1,NULL,3}"],
  ["int8[]", "{{1,2},{3,4}}"],
  ["text[]", '{a,"b c",NULL,"NULL",""}'],
  ["mood", "happy"],
  ["mood[]", "{sad,happy}"],
  ["positive", "7"],
  ["pair", '(1,"a b")'],
  ["pair[]", '{"(1,a)","(2,b)"}']
]

interface Written {
  readonly type: string
  readonly value: unknown
  readonly text: Answers<string>
}

/** Values of JavaScript that belong to a type, and the text that the server makes of them. */
const written: ReadonlyArray<Written> = [
  { type: "boolean", value: true, text: { right: "true" } },
  { type: "int2", value: 7, text: { right: "7" } },
  { type: "int4", value: -7, text: { right: "-7" } },
  { type: "int4", value: 7n, text: { right: "7" } },
  { type: "int8", value: 7, text: { right: "7" } },
  { type: "int8", value: 2 ** 53 - 1, text: { right: "9007199254740991" } },
  { type: "int8", value: -(2n ** 63n), text: { right: "-9223372036854775808" } },
  { type: "numeric", value: 0.1, text: { right: "0.1" } },
  { type: "numeric", value: 10n ** 18n, text: { right: "1000000000000000000" } },
  { type: "float4", value: 0.25, text: { right: "0.25" } },
  { type: "float8", value: 1, text: { right: "1" } },
  { type: "float8", value: Number.NaN, text: { right: "NaN" } },
  { type: "bytea", value: Uint8Array.of(0, 255), text: { right: "\\x00ff" } },
  { type: "bytea", value: new Uint8Array(0), text: { right: "\\x" } },
  { type: "bytea", value: Uint8Array.of(9, 1, 2, 9).subarray(1, 3), text: { right: "\\x0102" } },
  { type: "timestamptz", value: MOMENT, text: { right: "2024-03-11 02:15:01.25+05:30" } },
  {
    type: "timestamp",
    value: MOMENT,
    text: { right: "2024-03-10 20:45:01.25", "@effect/sql-pg": "2024-03-11 02:15:01.25" }
  },
  { type: "date", value: MOMENT, text: { right: "2024-03-10", "@effect/sql-pg": "2024-03-11" } },
  { type: "text", value: MOMENT, text: { right: "2024-03-11 02:15:01.25+05:30" } },
  { type: "varchar", value: MOMENT, text: { right: "2024-03-11 02:15:01.25+05:30" } },
  { type: "time", value: MOMENT, text: { right: "20:45:01.25", "@effect/sql-pg": "02:15:01.25" } },
  { type: "text", value: 7, text: { right: "7" } },
  { type: "varchar", value: true, text: { right: "true" } },
  { type: "text", value: 7n, text: { right: "7" } },
  { type: "int4", value: 1.5, text: { right: "2" } },
  { type: "int8", value: 2 ** 60, text: { right: "1152921504606846976" } },
  { type: "numeric", value: 1e21, text: { right: "1000000000000000000000" } },
  { type: "money", value: 7, text: { right: "$7.00" } },
  { type: "oid", value: 7, text: { right: "7" } },
  { type: "bytea", value: Int8Array.of(1, -1), text: { right: "\\x01ff" } },
  { type: "numeric[]", value: ["1.50", "2"], text: { right: "{1.50,2}", "@effect/sql-pg": "SqlSyntaxError" } },
  { type: "numeric[]", value: [1, 2], text: { right: "{1,2}" } },
  { type: "int2[]", value: [1, 2], text: { right: "{1,2}" } },
  { type: "int8[]", value: [1, 2], text: { right: "{1,2}" } },
  {
    type: "uuid[]",
    value: ["8f14e45f-ceea-467f-a9d5-5d0b9f6a1c11"],
    text: { right: "{8f14e45f-ceea-467f-a9d5-5d0b9f6a1c11}", "@effect/sql-pg": "SqlSyntaxError" }
  },
  {
    type: "timestamp[]",
    value: [MOMENT],
    text: { right: '{"2024-03-10 20:45:01.25"}', "@effect/sql-pg": '{"2024-03-11 02:15:01.25"}' }
  },
  { type: "date[]", value: [MOMENT], text: { right: "{2024-03-10}", "@effect/sql-pg": "{2024-03-11}" } },
  { type: "mood[]", value: ["sad", null], text: { right: "{sad,NULL}", "@effect/sql-pg": "SqlSyntaxError" } },
  { type: "int4[]", value: [1, null, 3], text: { right: "{1,NULL,3}" } },
  { type: "int8[]", value: [1n, 2n], text: { right: "{1,2}" } },
  { type: "int4[]", value: [], text: { right: "{}" } },
  { type: "text[]", value: ["a b", "", "NULL", null], text: { right: '{"a b","","NULL",NULL}' } },
  { type: "boolean[]", value: [true, false], text: { right: "{t,f}" } },
  { type: "timestamptz[]", value: [MOMENT], text: { right: '{"2024-03-11 02:15:01.25+05:30"}' } },
  { type: "bytea[]", value: [Uint8Array.of(1)], text: { right: '{"\\\\x01"}' } },
  { type: "mood", value: "sad", text: { right: "sad" } },
  { type: "positive", value: 7, text: { right: "7" } }
]

const TYPES = `CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN positive AS int4 CHECK (VALUE > 0);
CREATE TYPE pair AS (a int4, b text)`

const createTypes = Effect.flatMap(SqlClient.SqlClient, (sql) =>
  Effect.forEach(TYPES.split(";"), (statement) => sql.unsafe(statement), { discard: true })
)

parity(
  "columns of every type",
  (it, participant) => {
    it.effect("the types of these tests can be created", () =>
      Effect.gen(function* () {
        yield* createTypes
        const sql = yield* SqlClient.SqlClient
        assert.deepStrictEqual(yield* sql`SELECT 'sad'::mood AS mood`, [{ mood: "sad" }])
      })
    )

    for (const [index, [type, text]] of texts.entries()) {
      it.effect(`a column of type ${type} takes the string ${text}`, () =>
        Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          const table = `strings_${index}`
          yield* sql.unsafe(`CREATE TABLE ${table} (id int4, value ${type})`)
          yield* sql`INSERT INTO ${sql(table)} ${sql.insert({ id: 1, value: text })}`
          yield* sql`INSERT INTO ${sql(table)} (id, value) VALUES (${2}, ${text})`
          yield* sql`INSERT INTO ${sql(table)} ${sql.insert([
            { id: 3, value: text },
            { id: 4, value: null },
            { id: 5, value: undefined }
          ])}`
          yield* sql`UPDATE ${sql(table)} SET ${sql.update({ value: text })} WHERE id = 1`
          const literal = `'${text.replaceAll("'", "''")}'::${type}::text`
          assert.deepStrictEqual(
            yield* sql.unsafe(`SELECT id, value::text, value IS NOT NULL AND value::text = ${literal} AS same
              FROM ${table} ORDER BY id`),
            yield* sql.unsafe(`SELECT id, CASE WHEN id < 4 THEN ${literal} END AS value, id < 4 AS same
              FROM ${table} ORDER BY id`)
          )
        })
      )
    }

    for (const [index, { text, type, value }] of written.entries()) {
      const wrong = text[participant.name]
      const shown = value instanceof Uint8Array ? `bytes of length ${value.length}` : String(value)
      const behavior = `a column of type ${type} takes ${Array.isArray(value) ? `the array [${shown}]` : shown}`
      it.effect(named(participant, behavior, { [participant.name]: wrong && `writes ${wrong}` }), () =>
        Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          const table = `written_${index}`
          yield* sql.unsafe(`CREATE TABLE ${table} (id int4, value ${type})`)
          const write = Effect.all([
            sql`INSERT INTO ${sql(table)} ${sql.insert({ id: 1, value })}`,
            sql`INSERT INTO ${sql(table)} (id, value) VALUES (${2}, ${value})`,
            sql`INSERT INTO ${sql(table)} ${sql.insert([
              { id: 3, value },
              { id: 4, value }
            ])}`,
            sql`INSERT INTO ${sql(table)} (id) VALUES (${5})`,
            sql`UPDATE ${sql(table)} SET ${sql.update({ value })} WHERE id = ${5}`,
            sql.withTransaction(sql`INSERT INTO ${sql(table)} ${sql.insert({ id: 6, value })}`)
          ])
          const read = sql`SELECT DISTINCT value::text AS text, count(*) FROM ${sql(table)} GROUP BY 1`
          const outcome = yield* Effect.match(Effect.andThen(write, read), {
            onSuccess: (rows): unknown => rows,
            onFailure: ({ reason }) => reason._tag
          })
          const expected = answerOf(participant, text)
          assert.deepStrictEqual(outcome, expected === "SqlSyntaxError" ? expected : [{ text: expected, count: 6n }])
        })
      )
    }

    it.effect("updateValues writes Dates, bytes, booleans and strings of many rows", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* sql`CREATE TABLE many (id int4, at timestamptz, raw bytea, ok boolean, mood mood, total int8)`
        yield* sql`INSERT INTO many (id) VALUES (1), (2)`
        const rows = [1, 2].map((id) => ({
          id,
          at: new Date(MOMENT.getTime() + id),
          raw: Uint8Array.of(id),
          ok: id === 1,
          mood: "sad",
          total: BigInt(id)
        }))
        const [first, ...rest] = rows
        if (first === undefined) throw new Error("there are two")
        const update = sql`UPDATE many SET at = v.at, raw = v.raw, ok = v.ok, mood = v.mood::mood, total = v.total
          FROM ${sql.updateValues([first, ...rest], "v")} WHERE many.id = v.id`
        yield* update
        yield* sql.withTransaction(update)
        assert.deepStrictEqual(yield* sql`SELECT * FROM many ORDER BY id`, rows)
      })
    )

    it.effect("a value of type void can be read", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const rows = yield* sql`SELECT pg_advisory_unlock_all() AS nothing, 1 AS one`
        assert.deepStrictEqual(rows, [{ nothing: participant.name === "effectpg" ? null : "", one: 1 }])
      })
    )
  },
  { timeZone: "Asia/Kolkata" }
)
