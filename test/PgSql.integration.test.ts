/**
 * Tests templates on a real server: each value and each name arrives unchanged, and a faulty template fails before
 * anything is sent.
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as PgConnection from "../src/PgConnection.ts"
import { sql } from "../src/PgSql.ts"
import { TestDatabase } from "./support/database.ts"
import { assertHealthy, liveConnection, livePool, refusalOf } from "./support/live.ts"

/** Text that PostgreSQL can hold. */
const Text = Schema.String.check(Schema.makeFilter((text: string) => text.isWellFormed() && !text.includes("\0")))

const Values = Schema.Struct({
  text: Text,
  integer: Schema.Int.check(Schema.isInt32()),
  boolean: Schema.Boolean,
  texts: Schema.Array(Text),
  nothing: Schema.Null
})

const Row = Schema.Array(Schema.Struct({ n: Schema.Int.check(Schema.isInt32()), name: Schema.NullOr(Text) }))

layer(TestDatabase.layer, { excludeTestServices: true })("a template", (it) => {
  it.effect.prop(
    "gives the server the values that were interpolated, nested or not",
    { values: Values },
    ({ values }) =>
      Effect.gen(function* () {
        const pg = yield* liveConnection()
        const { boolean, integer, nothing, text, texts } = values
        const head = sql`${text}::text AS text, ${integer}::int4 AS integer`
        const tail = sql`${boolean}::bool AS boolean, ${sql`${texts}::text[] AS texts, ${nothing}::text AS nothing`}`
        assert.deepStrictEqual(yield* pg.fetchOne(sql`SELECT ${head}, ${tail}`), values)
      }),
    { arbitrary: { runs: 30 } }
  )

  it.effect.prop(
    "inserts the rows of sql.values and finds them by sql.in",
    { rows: Row },
    ({ rows }) =>
      Effect.gen(function* () {
        const pg = yield* liveConnection()
        yield* pg.execute(sql`CREATE TEMPORARY TABLE named (n int4, name text)`)
        if (rows.length > 0) {
          const tuples = rows.map(({ n, name }) => [n, name])
          const { rowCount } = yield* pg.execute(sql`INSERT INTO named (n, name) ${sql.values(tuples)}`)
          assert.strictEqual(rowCount, rows.length)
        }
        assert.deepStrictEqual(yield* pg.fetch(sql`SELECT n, name FROM named ORDER BY ctid`), rows)
        const found = sql`SELECT count(*)::int4 FROM named WHERE n ${sql.in(rows.map(({ n }) => n))}`
        assert.deepStrictEqual(yield* pg.fetchValue(found), Option.some(rows.length))
      }),
    { arbitrary: { runs: 20 } }
  )

  it.effect("finds nothing by sql.in without values, and everything by its negation", () =>
    Effect.gen(function* () {
      const pg = yield* liveConnection()
      const count = (condition: ReturnType<typeof sql>) =>
        pg.fetchValue(sql`SELECT count(*)::int4 FROM generate_series(1, 5) AS n WHERE ${condition}`)
      assert.deepStrictEqual(yield* count(sql`n ${sql.in([])}`), Option.some(0))
      assert.deepStrictEqual(yield* count(sql`NOT (n ${sql.in([])})`), Option.some(5))
      assert.deepStrictEqual(yield* count(sql`NOT (n ${sql.in([2, 3])})`), Option.some(3))
    })
  )

  it.effect("names exactly what sql.id says", () =>
    Effect.gen(function* () {
      const pg = yield* liveConnection()
      const names = ['a"b', "a.b", "Upper Case", "名前", "$1", "; DROP TABLE users --", "é".repeat(31) + "x"]
      for (const name of names) {
        const table = sql.id("pg_temp", name)
        yield* pg.execute(sql`CREATE TEMPORARY TABLE ${sql.id(name)} (${sql.id(name)} int4, other int4)`)
        yield* pg.execute(sql`INSERT INTO ${table} VALUES (${1}, ${1})`)
        yield* pg.execute(sql`UPDATE ${table} SET ${sql.update({ [name]: 2, other: sql`other + ${4}` })}`)
        assert.deepStrictEqual(yield* pg.fetch(sql`SELECT * FROM ${table}`), [{ [name]: 2, other: 5 }])
        const listed = sql`SELECT count(*)::int4 FROM pg_class WHERE relname = ${name}`
        assert.deepStrictEqual(yield* pg.fetchValue(listed), Option.some(1))
      }
    })
  )

  it.effect("is accepted by every call that takes SQL and parameters, on everything that has calls", () =>
    Effect.gen(function* () {
      const statement = sql`SELECT ${7}::int4 AS n, ${"x"}::text AS n`
      const timeout = { timeout: "5 seconds" } as const
      const asked = (pg: PgConnection.Queryable) =>
        Effect.all([
          pg.fetch(statement, timeout),
          pg.fetchTuples(statement),
          pg.fetchRow(statement),
          pg.fetchOne(statement),
          pg.fetchValue(statement, { column: 0 }),
          pg.execute(statement, timeout)
        ])
      const expected = [
        [{ n: "x" }],
        [[7, "x"]],
        Option.some({ n: "x" }),
        { n: "x" },
        Option.some(7),
        { command: "SELECT", rowCount: 1 }
      ]
      const connection = yield* liveConnection()
      const pool = yield* livePool()
      assert.deepStrictEqual<unknown>(yield* asked(connection), expected)
      assert.deepStrictEqual<unknown>(yield* asked(pool), expected)
      assert.deepStrictEqual<unknown>(yield* pool.withTransaction(asked(pool)), expected)
    })
  )

  it.effect("is refused before anything is sent if it has a fault", () =>
    Effect.gen(function* () {
      const pg = yield* liveConnection()
      for (const statement of [sql`SELECT * FROM ${sql.id("a\0b")}`, sql`INSERT INTO t ${sql.values([])}`]) {
        const refusal = yield* refusalOf(pg.fetch(statement))
        assert.strictEqual(refusal._tag, "EncodeError")
        assert.strictEqual(refusal.outcome, "none")
        assert.match(
          refusal.message,
          /cannot send the statement: (an identifier contains a NUL|sql\.values takes at least)/
        )
      }
      yield* assertHealthy(pg)
    })
  )

  it.effect("holds 65,535 values, and is refused with one more", () =>
    Effect.gen(function* () {
      const pg = yield* liveConnection()
      const sum = (count: number) => {
        const rows = Array.from({ length: count }, () => [sql`${1}::int4`])
        return pg.fetchValue(sql`SELECT sum(n)::int4 FROM (${sql.values(rows)}) AS v (n)`)
      }
      assert.deepStrictEqual(yield* sum(65_535), Option.some(65_535))
      const refusal = yield* refusalOf(sum(65_536))
      assert.strictEqual(refusal._tag, "EncodeError")
      assert.match(refusal.message, /65536 values, but a statement can have at most 65535/)
      yield* assertHealthy(pg)
    })
  )
})
