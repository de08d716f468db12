/** Tests rows through a schema: a fitting row is typed and decoded, and an error does not show the value. */
import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as Stream from "effect/Stream"
import { inspect } from "node:util"
import { sql } from "../../src/PgSql.ts"
import * as PgTypes from "../../src/PgTypes.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, liveConnection, refusalOf } from "../support/live.ts"

class User extends Schema.Class<User>("User")({
  id: Schema.Int,
  name: Schema.NonEmptyString,
  balance: Schema.NullOr(Schema.BigDecimalFromString)
}) {
  get greeting(): string {
    return `I am ${this.name}`
  }
}

const USERS = "SELECT * FROM (VALUES (1, 'ada', 1.5), (2, 'grace', NULL)) AS u (id, name, balance) WHERE id <= $1"

layer(TestDatabase.layer, { excludeTestServices: true })("a row schema", (it) => {
  it.effect("decodes the rows of every form of fetch, and types them", () =>
    Effect.gen(function* () {
      const pg = yield* liveConnection()
      const users: ReadonlyArray<User> = yield* pg.fetch(USERS, [2], { row: User })
      assert.deepStrictEqual(
        users.map(({ greeting }) => greeting),
        ["I am ada", "I am grace"]
      )
      assert.instanceOf(users[0], User)
      const first: Option.Option<User> = yield* pg.fetchRow(USERS, [2], { row: User })
      assert.strictEqual(Option.getOrThrow(first).name, "ada")
      assert.isTrue(Option.isNone(yield* pg.fetchRow(USERS, [0], { row: User })))
      const only: User = yield* pg.fetchOne(USERS, [1], { row: User })
      assert.strictEqual(only.balance?.scale, 1)
      const Pair = Schema.Tuple([Schema.Int, Schema.String])
      const pairs: ReadonlyArray<readonly [number, string]> = yield* pg.fetchTuples(sql`SELECT 1, 'x'`, { row: Pair })
      assert.deepStrictEqual(pairs, [[1, "x"]])
      const total: Option.Option<number> = yield* pg.fetchValue(sql`SELECT ${"7"}::text`, {
        value: Schema.NumberFromString
      })
      assert.deepStrictEqual(total, Option.some(7))
      assert.isTrue(Option.isNone(yield* pg.fetchValue("SELECT 1 WHERE false", [], { value: Schema.Int })))
    })
  )

  it.effect("decodes the rows of every run of fetchMany, of values from an Iterable and from a Stream", () =>
    Effect.gen(function* () {
      const pg = yield* liveConnection()
      const limits = [[2], [0], [1]]
      for (const source of [limits, Stream.fromIterable(limits)]) {
        const runs: ReadonlyArray<ReadonlyArray<User>> = yield* pg.fetchMany(USERS, source, { row: User })
        assert.deepStrictEqual(
          runs.map((users) => users.map(({ greeting }) => greeting)),
          [["I am ada", "I am grace"], [], ["I am ada"]]
        )
        const refusal = yield* refusalOf(pg.fetchMany(USERS, source, { row: Schema.Struct({ name: Schema.Int }) }))
        if (refusal._tag !== "DecodeError") return assert.fail(refusal.message)
        assert.deepStrictEqual([refusal.column, refusal.type, refusal.sql], ["name", "text", USERS])
        assert.match(refusal.reason, /^the schema rejects the value: Expected number, in row 1$/)
      }
      yield* assertHealthy(pg)
    })
  )

  it.effect(
    "fails if a row does not fit, and reports the column, its type, the statement and the row, but not the value",
    () =>
      Effect.gen(function* () {
        const pg = yield* liveConnection()
        const secret = "hunter2"
        const Row = Schema.Struct({ n: Schema.Int, tags: Schema.Array(Schema.Int) })
        const cases = [
          {
            call: pg.fetch(sql`SELECT n, '{1}'::int4[] AS tags FROM (VALUES (${"1"}), (${secret})) AS t (n)`, {
              row: Row
            }),
            expected: { column: "n", type: "text", reason: /^the schema rejects the value: Expected number, in row 1$/ }
          },
          {
            call: pg.fetchRow(sql`SELECT 1 AS n, ARRAY[${secret}] AS tags`, { row: Row }),
            expected: { column: "tags", type: "text[]", reason: /^the schema rejects the value: Expected number at 0$/ }
          },
          {
            call: pg.fetchOne(sql`SELECT 1 AS n`, { row: Row }),
            expected: { column: "tags", type: "unknown", reason: /no such column; its columns are: n$/ }
          },
          {
            call: pg.fetchTuples(sql`SELECT 1, ${secret}::varchar`, { row: Schema.Tuple([Schema.Int, Schema.Int]) }),
            expected: {
              column: "varchar",
              type: "varchar",
              reason: /^the schema rejects the value: Expected number, in row 1$/
            }
          },
          {
            call: pg.fetchValue(sql`SELECT 1, ${secret}::text AS s`, { column: "s", value: Schema.NullOr(Schema.Int) }),
            expected: { column: "s", type: "text", reason: /^the schema rejects the value: Expected number \| null$/ }
          },
          {
            call: pg.fetchOne(sql`SELECT ${secret}::text AS s`, { row: Schema.fromJsonString(Schema.Unknown) }),
            expected: { column: "*", type: "record", reason: /^the schema rejects the value: Expected string$/ }
          },
          {
            call: pg.fetchOne(sql`SELECT ${secret}::text AS s`, {
              row: Schema.Struct({ s: Schema.fromJsonString(Schema.Unknown) })
            }),
            expected: { column: "s", type: "text", reason: /^the schema rejects the value: / }
          }
        ]
        for (const { call, expected } of cases) {
          const refusal = yield* refusalOf(call)
          if (refusal._tag !== "DecodeError") return assert.fail(refusal.message)
          assert.strictEqual(refusal.column, expected.column)
          assert.strictEqual(refusal.type, expected.type)
          assert.match(refusal.reason, expected.reason)
          assert.include(refusal.sql, "SELECT")
          assert.notInclude(inspect(refusal, { depth: 10, showHidden: true }) + JSON.stringify(refusal), secret)
        }
        yield* assertHealthy(pg)
      })
  )

  it.effect("decodes arrays with lower bounds, if they are read in that form", () =>
    Effect.gen(function* () {
      const pg = yield* liveConnection({ types: [PgTypes.losslessArrayOf({ name: "text" })] })
      const Counts = Schema.Struct({ counts: PgTypes.ArrayOf(Schema.NullOr(Schema.NumberFromString)) })
      const literal = "SELECT $1::text[] AS counts"
      const row = yield* pg.fetchOne(literal, ["[0:1]={1,NULL}"], { row: Counts })
      assert.deepStrictEqual(row, { counts: new PgTypes.PgArray([1, null], [0]) })
      const { counts } = yield* Schema.encodeEffect(Counts)(row)
      assert.deepStrictEqual(yield* pg.fetchOne(literal, [counts], { row: Counts }), row)
    })
  )

  it.effect("requires the services that its schema needs", () =>
    Effect.gen(function* () {
      const pg = yield* liveConnection()
      class Unit extends Context.Service<Unit, { readonly perDollar: number }>()("Unit") {}
      const Cents = Schema.Int.pipe(
        Schema.decodeTo(Schema.Number, {
          decode: SchemaGetter.transformEffect((cents: number) =>
            Effect.map(Unit, ({ perDollar }) => cents / perDollar)
          ),
          encode: SchemaGetter.transform((dollars: number) => dollars)
        })
      )
      const price = pg.fetchOne("SELECT 250 AS price", [], { row: Schema.Struct({ price: Cents }) })
      assert.deepStrictEqual(yield* Effect.provideService(price, Unit, { perDollar: 100 }), { price: 2.5 })
    })
  )

  it.effect("decodes our own values, and its encoded values are valid parameters", () =>
    Effect.gen(function* () {
      const pg = yield* liveConnection()
      const Booking = Schema.Struct({
        at: PgTypes.Timestamp,
        during: PgTypes.Range(PgTypes.Timestamp),
        every: PgTypes.Interval
      })
      const literal = "SELECT $1::timestamptz AS at, $2::tstzrange AS during, $3::interval AS every"
      const texts = ["2024-02-29 12:00:00.123456Z", "[2024-01-01 00:00Z,)", "-1 mon 2 days -03:00:00.5"]
      const booking = yield* pg.fetchOne(literal, texts, { row: Booking })
      assert.strictEqual(booking.at.microsecond, 456)
      assert.instanceOf(booking.during.lower, PgTypes.PgTimestamp)
      const { at, during, every } = yield* Schema.encodeEffect(Booking)(booking)
      const again =
        yield* pg.fetchOne(sql`SELECT ${at}::timestamptz = ${texts[0]} AND ${during}::tstzrange = ${texts[1]}
        AND ${every}::interval::text = ${texts[2]}::interval::text AS same`)
      assert.deepStrictEqual(again, { same: true })
    })
  )
})
