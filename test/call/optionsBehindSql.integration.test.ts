/** A call whose SQL has no parameters takes its options right behind the SQL. */
import { assert, expectTypeOf, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as PgConnection from "../../src/PgConnection.ts"
import type * as PgCursor from "../../src/PgCursor.ts"
import * as PgError from "../../src/PgError.ts"
import { sql } from "../../src/PgSql.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, liveConnection, refusalOf } from "../support/live.ts"

const SQL = "SELECT 1 AS n, 'a' AS s"
const Row = Schema.Struct({ n: Schema.Int, s: Schema.String })
const Tuple = Schema.Tuple([Schema.Int, Schema.String])
const row = { n: 1, s: "a" }

type Answer<A, R = never> = Effect.Effect<A, PgError.PgError, R>

/** A call as plain JavaScript can make it. */
const fetchAny = (
  pg: PgConnection.Queryable,
  ...given: ReadonlyArray<unknown>
): Effect.Effect<unknown, PgError.PgError> => Reflect.apply(pg.fetch, pg, given)

/** It is only compiled. */
const misspelt = (pg: PgConnection.Queryable) => [
  // @ts-expect-error there is no option of this name
  pg.fetch(SQL, { rwo: Row }),
  // @ts-expect-error values come in an array
  pg.fetch(SQL, { id: 7 }),
  // @ts-expect-error the option has another type
  pg.fetch(SQL, { row: 5 }),
  // @ts-expect-error there is no such option here
  pg.execute(SQL, { row: Row })
]

layer(TestDatabase.layer, { excludeTestServices: true })("options right behind the SQL", (it) => {
  it.effect("have the effect and the type that they have behind the parameters", () =>
    Effect.gen(function* () {
      const pg = yield* liveConnection()
      const rows = pg.fetch(SQL, { row: Row })
      expectTypeOf(rows).toEqualTypeOf<Answer<ReadonlyArray<typeof Row.Type>>>()
      assert.deepStrictEqual(yield* rows, [row])
      const tuples = pg.fetchTuples(SQL, { row: Tuple })
      expectTypeOf(tuples).toEqualTypeOf<Answer<ReadonlyArray<typeof Tuple.Type>>>()
      assert.deepStrictEqual(yield* tuples, [[1, "a"]])
      const first = pg.fetchRow(SQL, { row: Row })
      expectTypeOf(first).toEqualTypeOf<Answer<Option.Option<typeof Row.Type>>>()
      assert.deepStrictEqual(yield* first, Option.some(row))
      const only = pg.fetchOne(SQL, { row: Row, timeout: "20 seconds" })
      expectTypeOf(only).toEqualTypeOf<Answer<typeof Row.Type>>()
      assert.deepStrictEqual(yield* only, row)
      const value = pg.fetchValue(SQL, { value: Schema.String, column: "s" })
      expectTypeOf(value).toEqualTypeOf<Answer<Option.Option<string>>>()
      assert.deepStrictEqual(yield* value, Option.some("a"))
      assert.deepStrictEqual(yield* pg.fetchValue(SQL, { column: 1 }), Option.some("a"))
      const streamed = pg.stream(SQL, { row: Row, fetchSize: 5 })
      expectTypeOf(streamed).toEqualTypeOf<Stream.Stream<typeof Row.Type, PgError.PgError>>()
      assert.deepStrictEqual(yield* Stream.runCollect(streamed), [row])
      const cursor = pg.cursor(SQL, { scroll: true })
      expectTypeOf(cursor).toEqualTypeOf<Answer<PgCursor.ScrollCursor, Scope.Scope>>()
      assert.deepStrictEqual(yield* Effect.scoped(Effect.flatMap(cursor, ({ last }) => last)), Option.some(row))
      yield* assertHealthy(pg)
    }).pipe(Effect.scoped)
  )

  it.effect("may be the timeout alone, and leave the rows as they are", () =>
    Effect.gen(function* () {
      const pg = yield* liveConnection()
      const rows = pg.fetch(SQL, { timeout: "20 seconds" })
      expectTypeOf(rows).toEqualTypeOf<Answer<ReadonlyArray<PgConnection.Row>>>()
      assert.deepStrictEqual(yield* rows, [row])
      for (const call of [
        pg.fetch("SELECT pg_sleep(60)", { timeout: 50 }),
        pg.execute("SELECT pg_sleep(60)", { timeout: 50 }),
        Stream.runDrain(pg.stream("SELECT pg_sleep(60)", { timeout: 50 }))
      ]) {
        assert.strictEqual((yield* refusalOf(call))._tag, "QueryTimeoutError")
      }
      yield* assertHealthy(pg)
    }).pipe(Effect.scoped)
  )

  it.effect("of an unknown name fail with an error that tells where values go", () =>
    Effect.gen(function* () {
      const pg = yield* liveConnection()
      for (const [given, name, meant] of [
        [{ rwo: Row }, "rwo", " (did you mean row?)"],
        [{ id: 7 }, "id", ""]
      ] as const) {
        const error = yield* refusalOf(fetchAny(pg, "SELECT $1::int4", given))
        assert.strictEqual(
          error.message,
          `${name}: is not a known option${meant}; the options are: timeout, readOnly, row; give the values of parameters in an array`
        )
        assert.strictEqual(error._tag, "InvalidConfigError")
      }
      const behind = yield* refusalOf(fetchAny(pg, "SELECT $1::int4", [7], { rwo: Row }))
      assert.strictEqual(
        behind.message,
        "rwo: is not a known option (did you mean row?); the options are: timeout, readOnly, row"
      )
      yield* assertHealthy(pg)
    }).pipe(Effect.scoped)
  )

  it.effect("are checked like any options, and do not count as the value of a parameter", () =>
    Effect.gen(function* () {
      const pg = yield* liveConnection()
      assert.strictEqual((yield* refusalOf(fetchAny(pg, SQL, { row: 5 })))._tag, "InvalidConfigError")
      assert.strictEqual((yield* refusalOf(pg.fetch("SELECT $1::int4", {})))._tag, "ParameterCountError")
      yield* assertHealthy(pg)
    }).pipe(Effect.scoped)
  )

  it.effect("are no place for anything but a plain object, and nothing stands behind them", () =>
    Effect.gen(function* () {
      const pg = yield* liveConnection()
      for (const given of [5, "x", new Map([["row", Row]]), new Date(0), Effect.void, Row, Promise.resolve([])]) {
        const error = yield* refusalOf(fetchAny(pg, SQL, given))
        assert.instanceOf(error, PgError.EncodeError)
        assert.include(error.reason, "the values of the parameters must be in an array")
      }
      assert.strictEqual((yield* refusalOf(fetchAny(pg, SQL, { row: Row }, { timeout: 5 })))._tag, "EncodeError")
      const template = yield* refusalOf(fetchAny(pg, sql`SELECT ${1}::int4`, [1]))
      assert.include(template.message, "a template already contains its values")
      assert.deepStrictEqual(yield* fetchAny(pg, SQL, null, { row: Row }), [row])
      yield* assertHealthy(pg)
    }).pipe(Effect.scoped)
  )

  it("that are misspelt are an error of the compiler too", () => {
    assert.isFunction(misspelt)
  })
})
