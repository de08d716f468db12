/** Compares what becomes of each kind of parameter, in statements that say its type and in statements that do not. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import type * as SqlError from "effect/sql/SqlError"
import type * as Statement from "effect/sql/Statement"
import * as Stream from "effect/Stream"
import { type Answers, answerOf, type Extras, named, parity } from "./support/participants.ts"

const MOMENT = new Date("2024-03-10T20:45:01.250Z")
const BYTES = Uint8Array.of(0, 1, 127, 128, 255)

type Ask = (sql: SqlClient.SqlClient, extras: Extras) => Statement.Statement<object>
type Row = readonly [behavior: string, ask: Ask, answers: Answers<unknown>]

/** The innermost message of an error. */
const messageOf = (error: unknown): string =>
  error instanceof Error ? (error.cause === undefined ? error.message : messageOf(error.cause)) : String(error)

/** The value of the first column, or why there is none. */
const outcomeOf = (
  rows: Effect.Effect<ReadonlyArray<object>, SqlError.SqlError, SqlClient.SqlClient>
): Effect.Effect<unknown, never, SqlClient.SqlClient> =>
  Effect.match(rows, {
    onSuccess: ([row]) => Object.values(row ?? {})[0],
    onFailure: (error) => `${error.reason._tag}: ${messageOf(error)}`
  })

/** All ways to run a statement. They give the same value, each time. */
const ways: ReadonlyArray<
  readonly [
    way: string,
    run: (
      statement: Statement.Statement<object>,
      sql: SqlClient.SqlClient
    ) => Effect.Effect<ReadonlyArray<object>, SqlError.SqlError, SqlClient.SqlClient>
  ]
> = [
  ["the first run", (statement) => statement],
  ["the second run", (statement) => statement],
  ["values", (statement) => statement.values],
  ["unprepared", (statement) => statement.unprepared],
  ["a stream", (statement) => Stream.runCollect(statement.stream)],
  ["a transaction", (statement, sql) => sql.withTransaction(statement)],
  ["a stream in a transaction", (statement, sql) => sql.withTransaction(Stream.runCollect(statement.stream))]
]

const rows: ReadonlyArray<Row> = [
  ["an integer is an int4", (sql) => sql`SELECT ${1}`, { right: 1 }],
  ["a negative integer is an int4", (sql) => sql`SELECT ${-2147483648}`, { right: -2147483648 }],
  ["an integer beyond int4 is an int8", (sql) => sql`SELECT ${2 ** 40}`, { right: 2n ** 40n }],
  ["a fraction is a float8", (sql) => sql`SELECT ${1.5}`, { right: 1.5 }],
  ["NaN is a float8", (sql) => sql`SELECT ${Number.NaN}`, { right: Number.NaN }],
  ["infinity is a float8", (sql) => sql`SELECT ${-Infinity}`, { right: -Infinity }],
  ["a number beyond int8 is a float8", (sql) => sql`SELECT ${1e300}`, { right: 1e300 }],
  ["a bigint is an int8", (sql) => sql`SELECT ${9_223_372_036_854_775_807n}`, { right: 9_223_372_036_854_775_807n }],
  [
    "a bigint beyond int8 is a numeric",
    (sql) => sql`SELECT ${2n ** 64n}`,
    { right: "18446744073709551616", "@effect/sql-pg": "UnknownError: int8 out of range: 18446744073709551616" }
  ],
  ["a boolean is a boolean", (sql) => sql`SELECT ${true}`, { right: true }],
  ["a string is a text", (sql) => sql`SELECT ${"naïve 🐘"}`, { right: "naïve 🐘" }],
  ["an empty string is a text", (sql) => sql`SELECT ${""}`, { right: "" }],
  ["null is NULL", (sql) => sql`SELECT ${null}`, { right: null }],
  ["undefined is NULL", (sql) => sql`SELECT ${undefined}`, { right: null }],
  ["a Date is a moment", (sql) => sql`SELECT ${MOMENT}`, { right: MOMENT }],
  ["bytes are a bytea", (sql) => sql`SELECT ${BYTES}`, { right: BYTES }],
  ["a Buffer is a bytea", (sql) => sql`SELECT ${Buffer.from(BYTES)}`, { right: BYTES }],

  ["numbers can be added", (sql) => sql`SELECT ${1} + ${2}`, { right: 3 }],
  ["bigints can be added", (sql) => sql`SELECT ${1n} + ${2n}`, { right: 3n }],
  ["a number adds to a bigint", (sql) => sql`SELECT ${1} + ${2n}`, { right: 3n }],
  ["COALESCE takes NULL and a number", (sql) => sql`SELECT COALESCE(${null}, ${7})`, { right: 7 }],
  ["COALESCE takes numbers", (sql) => sql`SELECT COALESCE(${3}, ${7})`, { right: 3 }],
  ["CASE takes booleans and numbers", (sql) => sql`SELECT CASE WHEN ${true} THEN ${1} ELSE ${2} END`, { right: 1 }],
  ["VALUES takes numbers", (sql) => sql`SELECT sum(x) FROM (VALUES (${1}), (${2})) AS v (x)`, { right: 3n }],
  ["a number is found among numbers", (sql) => sql`SELECT ${2} IN ${sql.in([1, 2, 3])}`, { right: true }],
  ["nothing is found among nothing", (sql) => sql`SELECT ${2} IN ${sql.in([])}`, { right: false }],
  ["jsonb_build_object takes a number", (sql) => sql`SELECT jsonb_build_object('a', ${1})`, { right: { a: 1 } }],
  ["jsonb_build_object takes a boolean", (sql) => sql`SELECT jsonb_build_object('a', ${true})`, { right: { a: true } }],
  ["pg_typeof sees an integer", (sql) => sql`SELECT pg_typeof(${1})::text`, { right: "integer" }],
  ["pg_typeof sees a bigint", (sql) => sql`SELECT pg_typeof(${1n})::text`, { right: "bigint" }],
  ["pg_typeof sees a fraction", (sql) => sql`SELECT pg_typeof(${0.5})::text`, { right: "double precision" }],
  ["pg_typeof sees a boolean", (sql) => sql`SELECT pg_typeof(${false})::text`, { right: "boolean" }],
  ["pg_typeof sees bytes", (sql) => sql`SELECT pg_typeof(${BYTES})::text`, { right: "bytea" }],
  ["a number is concatenated", (sql) => sql`SELECT 'n' || ${1}`, { right: "n1" }],
  ["LIMIT takes a number", (sql) => sql`SELECT 1 LIMIT ${1}`, { right: 1 }],
  ["a record has parameters", (sql) => sql`SELECT row_to_json(row(${1}, 'a'))`, { right: { f1: 1, f2: "a" } }],

  ["a number becomes an int2", (sql) => sql`SELECT ${7}::int2`, { right: 7 }],
  ["a number becomes an int8", (sql) => sql`SELECT ${7}::int8`, { right: 7n }],
  ["a number becomes a numeric", (sql) => sql`SELECT ${7}::numeric`, { right: "7" }],
  ["a fraction becomes a numeric", (sql) => sql`SELECT ${7.25}::numeric`, { right: "7.25" }],
  ["a number becomes a float8", (sql) => sql`SELECT ${7}::float8`, { right: 7 }],
  ["a bigint becomes an int4", (sql) => sql`SELECT ${7n}::int4`, { right: 7 }],
  ["a string becomes an int8", (sql) => sql`SELECT ${"9007199254740993"}::int8`, { right: 9_007_199_254_740_993n }],
  ["a string becomes a boolean", (sql) => sql`SELECT ${"yes"}::boolean`, { right: true }],
  ["a string becomes a moment", (sql) => sql`SELECT ${MOMENT.toISOString()}::timestamptz`, { right: MOMENT }],
  ["a string becomes a jsonb", (sql) => sql`SELECT ${'{"a":[1]}'}::jsonb`, { right: { a: [1] } }],
  ["a string becomes a json", (sql) => sql`SELECT ${'{"a":[1]}'}::json`, { right: { a: [1] } }],
  ["a string becomes an array", (sql) => sql`SELECT ${"{1,2,NULL}"}::int4[]`, { right: [1, 2, null] }],
  ["a string becomes bytes", (sql) => sql`SELECT ${"\\x00ff"}::bytea`, { right: Uint8Array.of(0, 255) }],
  ["a Date becomes a timestamptz", (sql) => sql`SELECT ${MOMENT}::timestamptz`, { right: MOMENT }],
  [
    "a Date becomes a timestamp in UTC",
    (sql) => sql`SELECT ${MOMENT}::timestamp`,
    {
      right: MOMENT,
      "@effect/sql-pg": new Date("2024-03-11T02:15:01.250Z")
    }
  ],
  [
    "a Date becomes a date in UTC",
    (sql) => sql`SELECT ${MOMENT}::date`,
    { right: "2024-03-10", "@effect/sql-pg": "2024-03-11" }
  ],
  ["a Date is compared with now()", (sql) => sql`SELECT ${MOMENT} < now()`, { right: true }],
  [
    "a Date counts on from a moment",
    (sql) => sql`SELECT ${MOMENT} - ${"2024-03-10T20:45:00Z"}::timestamptz = interval '1.25 s'`,
    { right: true }
  ],

  ["numbers become an int4[]", (sql) => sql`SELECT ${[1, 2, 3]}::int4[]`, { right: [1, 2, 3] }],
  ["bigints become an int8[]", (sql) => sql`SELECT ${[1n, 2n]}::int8[]`, { right: [1n, 2n] }],
  ["strings become a text[]", (sql) => sql`SELECT ${['a,"b', "", "NULL"]}::text[]`, { right: ['a,"b', "", "NULL"] }],
  ["nulls stay in an array", (sql) => sql`SELECT ${["a", null]}::text[]`, { right: ["a", null] }],
  ["nothing becomes an empty array", (sql) => sql`SELECT ${[]}::int4[]`, { right: [] }],
  [
    "arrays nest",
    (sql) => sql`SELECT ${[[1], [2]]}::int4[]`,
    {
      right: [[1], [2]],
      "@effect/sql-pg": "UnknownError: Nested array parameters are not supported"
    }
  ],
  ["Dates become a timestamptz[]", (sql) => sql`SELECT ${[MOMENT]}::timestamptz[]`, { right: [MOMENT] }],
  ["bytes become a bytea[]", (sql) => sql`SELECT ${[BYTES]}::bytea[]`, { right: [BYTES] }],
  ["ANY takes an array", (sql) => sql`SELECT 2 = ANY(${[1, 2]})`, { right: true }],
  ["ANY takes an array of strings", (sql) => sql`SELECT 'b'::text = ANY(${["a", "b"]})`, { right: true }],
  ["unnest takes a cast array", (sql) => sql`SELECT sum(x) FROM unnest(${[1, 2]}::int4[]) AS x`, { right: 3n }],

  ["json is a jsonb", (sql, { json }) => sql`SELECT pg_typeof(${json({ a: 1 })})::text`, { right: "jsonb" }],
  [
    "json is read back",
    (sql, { json }) => sql`SELECT ${json({ a: [1, "b", null] })}`,
    { right: { a: [1, "b", null] } }
  ],
  ["a member of json is read", (sql, { json }) => sql`SELECT ${json({ a: { b: 1 } })} -> 'a'`, { right: { b: 1 } }],
  ["json of an array is an array", (sql, { json }) => sql`SELECT ${json([1, 2])}`, { right: [1, 2] }],
  ["json of a string is a string", (sql, { json }) => sql`SELECT ${json("a")}`, { right: "a" }],
  ["json of a number is a number", (sql, { json }) => sql`SELECT ${json(1.5)}`, { right: 1.5 }],
  ["json of false is false", (sql, { json }) => sql`SELECT ${json(false)}`, { right: false }],
  ["json of null reads as null", (sql, { json }) => sql`SELECT ${json(null)}`, { right: null }],
  [
    "an object becomes a jsonb",
    (sql) => sql`SELECT ${{ a: [1] }}::jsonb`,
    {
      right: { a: [1] },
      "@effect/sql-pg": "UnknownError: Cannot infer a PostgreSQL type for [object Object]"
    }
  ],

  ["numbers are an int4[]", (sql) => sql`SELECT ${[1, 2]}`, { right: [1, 2] }],
  [
    "fractions are a float8[]",
    (sql) => sql`SELECT ${[0.5, 2]}`,
    { right: [0.5, 2], "@effect/sql-pg": "UnknownError: Array parameter elements must have the same inferred OID" }
  ],
  ["bigints are an int8[]", (sql) => sql`SELECT ${[1n, 2n]}`, { right: [1n, 2n] }],
  ["booleans are a boolean[]", (sql) => sql`SELECT ${[true, null]}`, { right: [true, null] }],
  ["strings are a text[]", (sql) => sql`SELECT ${["a", null]}`, { right: ["a", null] }],
  ["Dates are a timestamptz[]", (sql) => sql`SELECT ${[MOMENT, null]}`, { right: [MOMENT, null] }],
  ["bytes are a bytea[]", (sql) => sql`SELECT ${[BYTES]}`, { right: [BYTES] }],
  ["unnest takes numbers", (sql) => sql`SELECT sum(x) FROM unnest(${[1, 2]}) AS x`, { right: 3n }],
  ["unnest takes strings", (sql) => sql`SELECT max(x) FROM unnest(${["a", "b"]}) AS x`, { right: "b" }],
  ["unnest takes Dates", (sql) => sql`SELECT max(x) FROM unnest(${[MOMENT]}) AS x`, { right: MOMENT }],
  ["unnest takes bytes", (sql) => sql`SELECT x FROM unnest(${[BYTES]}) AS x`, { right: BYTES }],
  ["array_length takes strings", (sql) => sql`SELECT array_length(${["a", "b"]}, 1)`, { right: 2 }],
  ["to_jsonb takes a Date", (sql) => sql`SELECT to_jsonb(${MOMENT}) IS NOT NULL`, { right: true }],
  ["to_jsonb takes a string array", (sql) => sql`SELECT to_jsonb(${["a"]})`, { right: ["a"] }],
  [
    "jsonb_build_object takes a Date",
    (sql) => sql`SELECT jsonb_build_object('at', ${MOMENT}) ->> 'at'`,
    { right: "2024-03-11T02:15:01.25+05:30" }
  ],
  ["Dates are subtracted", (sql) => sql`SELECT ${MOMENT} - ${new Date(0)} > interval '50 years'`, { right: true }],
  ["extract takes a Date", (sql) => sql`SELECT extract(epoch FROM ${MOMENT})::int8`, { right: 1_710_103_501n }],
  [
    "date_trunc takes a Date",
    (sql) => sql`SELECT date_trunc('second', ${MOMENT})`,
    { right: new Date("2024-03-10T20:45:01Z") }
  ],
  ["to_char takes a Date", (sql) => sql`SELECT to_char(${MOMENT}, 'YYYY-MM-DD HH24')`, { right: "2024-03-11 02" }],
  ["GREATEST takes Dates", (sql) => sql`SELECT GREATEST(${MOMENT}, ${new Date(0)})`, { right: MOMENT }],
  ["COALESCE takes NULL and a Date", (sql) => sql`SELECT COALESCE(${null}, ${MOMENT})`, { right: MOMENT }],
  [
    "a Date becomes a text as a timestamptz does",
    (sql) => sql`SELECT ${MOMENT}::text`,
    { right: "2024-03-11 02:15:01.25+05:30" }
  ],
  [
    "VALUES takes Dates",
    (sql) => sql`SELECT max(at) FROM (VALUES (${MOMENT}), (${new Date(0)})) AS v (at)`,
    { right: MOMENT }
  ],
  ["a Date is found among Dates", (sql) => sql`SELECT ${MOMENT} IN ${sql.in([MOMENT, new Date(0)])}`, { right: true }],
  [
    "a Date is between Dates",
    (sql) => sql`SELECT now() BETWEEN ${MOMENT} AND ${new Date("2100-01-01")}`,
    { right: true }
  ],
  [
    "a Date and an interval are added",
    (sql) => sql`SELECT ${MOMENT} + interval '1 day'`,
    { right: new Date("2024-03-11T20:45:01.250Z") }
  ],
  ["concat takes values of many types", (sql) => sql`SELECT concat(${1}, ${true}, ${1.5}, ${2n})`, { right: "1t1.52" }],
  ["format takes a number", (sql) => sql`SELECT format('%s', ${1})`, { right: "1" }],
  ["strings are concatenated", (sql) => sql`SELECT ${"a"} || ${"b"}`, { right: "ab" }],
  ["ARRAY takes numbers", (sql) => sql`SELECT ARRAY[${1}, ${2}]`, { right: [1, 2] }],
  ["ARRAY takes strings", (sql) => sql`SELECT ARRAY[${"a"}, ${"b"}]`, { right: ["a", "b"] }],
  ["a member of a JSON array is read by its number", (sql) => sql`SELECT '["a", "b"]'::jsonb ->> ${1}`, { right: "b" }],
  [
    "a member of a JSON object is read by its name",
    (sql) => sql`SELECT '{"1": "b"}'::jsonb ->> ${"1"}`,
    { right: "b" }
  ],
  ["an interval is multiplied", (sql) => sql`SELECT interval '1 day' * ${2} = interval '2 days'`, { right: true }],
  ["functions of numbers take them", (sql) => sql`SELECT repeat(substring('abc', ${2}, ${1}), ${3})`, { right: "bbb" }],
  ["to_timestamp takes an integer", (sql) => sql`SELECT to_timestamp(${0})`, { right: new Date(0) }],
  [
    "json of a Date is a string",
    (sql, { json }) => sql`SELECT ${json({ at: MOMENT })}`,
    { right: { at: MOMENT.toISOString() } }
  ],
  ["zero keeps its sign", (sql) => sql`SELECT ${-0}::float8`, { right: -0, "@effect/sql-pg": 0 }],

  ["int8 is a bigint", (sql) => sql`SELECT count(*) FROM generate_series(1, 3)`, { right: 3n }],
  ["int8 is exact", (sql) => sql`SELECT -9223372036854775808`, { right: -9_223_372_036_854_775_808n }],
  ["count cast to int is a number", (sql) => sql`SELECT count(*)::int FROM generate_series(1, 3)`, { right: 3 }],
  ["an oid is a number", (sql) => sql`SELECT 4294967295::oid`, { right: 4_294_967_295 }],
  [
    "numeric is a string",
    (sql) => sql`SELECT 1234567890.12345678901234567890`,
    { right: "1234567890.12345678901234567890" }
  ],
  ["float4 is a number", (sql) => sql`SELECT 0.5::float4`, { right: 0.5 }],
  ["timestamptz is a Date", (sql) => sql`SELECT '2024-03-10 20:45:01.25+00'::timestamptz`, { right: MOMENT }],
  ["timestamp is a Date, read as UTC", (sql) => sql`SELECT '2024-03-10 20:45:01.25'::timestamp`, { right: MOMENT }],
  ["date is a string", (sql) => sql`SELECT date '2024-03-10'`, { right: "2024-03-10" }],
  ["time is the microseconds since midnight", (sql) => sql`SELECT time '20:45:01.25'`, { right: 74_701_250_000n }],
  ["bytea is bytes", (sql) => sql`SELECT '\\x00017f80ff'::bytea`, { right: BYTES }],
  ["json is parsed", (sql) => sql`SELECT '{"a": 1}'::json`, { right: { a: 1 } }],
  [
    "uuid is a string",
    (sql) => sql`SELECT '8F14E45F-CEEA-467F-A9D5-5D0B9F6A1C11'::uuid`,
    { right: "8f14e45f-ceea-467f-a9d5-5d0b9f6a1c11" }
  ],
  ["inet is a string", (sql) => sql`SELECT '10.0.0.1/8'::inet`, { right: "10.0.0.1/8" }],
  ["an array is an array", (sql) => sql`SELECT ARRAY[1, NULL, 3]`, { right: [1, null, 3] }],
  ["name is a string", (sql) => sql`SELECT 'n'::name`, { right: "n" }],
  ["the char type is a string", (sql) => sql`SELECT 'c'::"char"`, { right: "c" }],
  ["the text of a range is a string", (sql) => sql`SELECT '[1.5,5)'::numrange::text`, { right: "[1.5,5)" }]
]

parity(
  "parameters and results, in a session whose time zone is not UTC",
  (it, participant) => {
    it.effect("the session has that time zone", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        assert.deepStrictEqual(yield* sql`SHOW timezone`, [{ TimeZone: "Asia/Kolkata" }])
      })
    )

    for (const [behavior, ask, answers] of rows) {
      const wrong = answers[participant.name]
      for (const [way, run] of ways) {
        const title = `${behavior}, in ${way}`
        it.effect(named(participant, title, { [participant.name]: wrong && `answers ${String(wrong)}` }), () =>
          Effect.gen(function* () {
            const sql = yield* SqlClient.SqlClient
            const statement = ask(sql, participant.extrasOf(sql))
            assert.deepStrictEqual(yield* outcomeOf(run(statement, sql)), answerOf(participant, answers))
            assert.deepStrictEqual(yield* sql`SELECT 1 AS healthy`, [{ healthy: 1 }])
          })
        )
      }
    }
  },
  { timeZone: "Asia/Kolkata", maxConnections: 1 }
)
