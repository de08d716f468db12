/** The setting `names` on a real server: every call that returns or takes objects, and nothing else. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as PgConnection from "../../src/PgConnection.ts"
import * as PgPool from "../../src/PgPool.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, liveConnection, livePool, refusalOf } from "../support/live.ts"

const QUERY = "SELECT 7 AS user_id, 'ada' AS first_name"
const ROW = { userId: 7, firstName: "ada" }
const CAMEL = { names: "camelCase" } as const

layer(TestDatabase.layer, { excludeTestServices: true })("names: camelCase", (it) => {
  it.effect("names the properties of all rows that are objects", () =>
    Effect.gen(function* () {
      const pg = yield* liveConnection(CAMEL)
      assert.deepStrictEqual(yield* pg.fetch(QUERY), [ROW])
      assert.deepStrictEqual(yield* pg.fetch(QUERY), [ROW])
      assert.deepStrictEqual(yield* pg.fetchRow(QUERY), Option.some(ROW))
      assert.deepStrictEqual(yield* pg.fetchOne(QUERY), ROW)
      assert.deepStrictEqual(yield* pg.fetchTuples(QUERY), [[7, "ada"]])
      assert.deepStrictEqual(yield* pg.fetchMany("SELECT $1::int AS user_id", [[1], [2]]), [
        [{ userId: 1 }],
        [{ userId: 2 }]
      ])
      const [result] = yield* pg.batch([{ sql: QUERY }])
      assert.deepStrictEqual(result?.rows, [ROW])
      assert.deepStrictEqual(yield* Stream.runCollect(pg.stream(QUERY)), [ROW])
      assert.deepStrictEqual(yield* Stream.runCollect(pg.copyOutRows({ query: QUERY })), [ROW])
      const page = Effect.flatMap(pg.cursor(QUERY), (cursor) => cursor.fetch(2))
      assert.deepStrictEqual(yield* Effect.scoped(page), [ROW])
      const last = Effect.flatMap(pg.cursor(QUERY, [], { scroll: true }), (cursor) => cursor.last)
      assert.deepStrictEqual(yield* Effect.scoped(last), Option.some(ROW))
    })
  )

  it.effect("leaves the columns of a statement, the keys of composites and JSON as they are", () =>
    Effect.gen(function* () {
      const pg = yield* liveConnection(CAMEL)
      yield* pg.execute("CREATE TYPE pg_temp.full_name AS (first_name text, last_name text)")
      const row = yield* pg.fetchOne(
        `SELECT ROW('ada', 'byron')::pg_temp.full_name AS full_name, '{"user_id": 7}'::jsonb AS raw_data`
      )
      assert.deepStrictEqual(row, {
        fullName: { first_name: "ada", last_name: "byron" },
        rawData: { user_id: 7 }
      })
      const statement = yield* pg.prepare(QUERY)
      assert.deepStrictEqual(
        statement.columns.map(({ name }) => name),
        ["user_id", "first_name"]
      )
      assert.deepStrictEqual(yield* statement.fetchOne(), ROW)
    })
  )

  it.effect("is what fetchValue and the schemas of rows go by", () =>
    Effect.gen(function* () {
      const pg = yield* liveConnection(CAMEL)
      assert.deepStrictEqual(yield* pg.fetchValue(QUERY, [], { column: "firstName" }), Option.some("ada"))
      const absent = yield* refusalOf(pg.fetchValue(QUERY, [], { column: "first_name" }))
      assert.include(absent.message, "its columns, from position 0, are: userId, firstName")
      const User = Schema.Struct({ userId: Schema.Int, firstName: Schema.String })
      assert.deepStrictEqual(yield* pg.fetchOne(QUERY, [], { row: User }), ROW)
      const misfit = yield* refusalOf(pg.fetch(QUERY, [], { row: Schema.Struct({ firstName: Schema.Int }) }))
      assert.include(misfit.message, 'column "first_name" as text')
      const unknown = yield* refusalOf(pg.fetch(QUERY, [], { row: Schema.Struct({ user_id: Schema.Int }) }))
      assert.include(unknown.message, "its columns are: userId, firstName")
      yield* assertHealthy(pg)
    })
  )

  it.effect("refuses rows in which two columns would be one property, and nothing else of that statement", () =>
    Effect.gen(function* () {
      const pg = yield* liveConnection(CAMEL)
      const both = 'SELECT 1 AS user_id, 2 AS "userId"'
      for (const call of [
        pg.fetch(both),
        pg.fetchOne(both),
        Stream.runCollect(pg.stream(both)),
        pg.batch([{ sql: both }])
      ]) {
        const error = yield* refusalOf(call)
        assert.strictEqual(error._tag, "DecodeError")
        assert.include(error.message, 'columns "user_id" and "userId" would both become the property "userId"')
      }
      assert.deepStrictEqual(yield* pg.fetchTuples(both), [[1, 2]])
      assert.strictEqual((yield* pg.execute(both)).rowCount, 1)
      yield* assertHealthy(pg)
    })
  )

  it.effect("names the properties of rows again if the columns of a statement change", () =>
    Effect.gen(function* () {
      const pg = yield* liveConnection(CAMEL)
      yield* pg.execute("CREATE TEMPORARY TABLE changing (first_name text)")
      yield* pg.execute("INSERT INTO changing VALUES ('ada')")
      assert.deepStrictEqual(yield* pg.fetch("SELECT * FROM changing"), [{ firstName: "ada" }])
      yield* pg.executeScript("ALTER TABLE changing ADD COLUMN last_name text")
      assert.deepStrictEqual(yield* pg.fetch("SELECT * FROM changing"), [{ firstName: "ada", lastName: null }])
    })
  )

  it.effect("is the policy of one pool, and not of another one to the same database", () =>
    Effect.gen(function* () {
      const [camel, plain] = [yield* livePool({ ...CAMEL, maxConnections: 1 }), yield* livePool({ maxConnections: 1 })]
      for (let round = 0; round < 3; round++) {
        assert.deepStrictEqual(yield* camel.fetch(QUERY), [ROW])
        assert.deepStrictEqual(yield* plain.fetch(QUERY), [{ user_id: 7, first_name: "ada" }])
      }
      assert.deepStrictEqual(yield* camel.withTransaction(camel.withTransaction(camel.fetch(QUERY))), [ROW])
    })
  )

  it.effect("finds the columns of the objects that copyInRows is given", () =>
    Effect.gen(function* () {
      const pg = yield* liveConnection(CAMEL)
      yield* pg.execute('CREATE TEMPORARY TABLE people (user_id int, first_name text, "lastName" text, line_2 int)')
      const people = [
        { userId: 1, firstName: "ada", line_2: 1 },
        { line_2: 2, firstName: "grace", userId: 2 }
      ]
      yield* pg.copyInRows({ table: "people" }, people)
      yield* pg.copyInRows({ table: "people", columns: ["user_id", "lastName"] }, [{ userId: 3, lastName: "byron" }])
      yield* pg.copyInRows({ table: "people", columns: ["user_id"] }, [[4]])
      assert.deepStrictEqual(yield* pg.fetch("SELECT * FROM people ORDER BY user_id"), [
        { userId: 1, firstName: "ada", lastName: null, line_2: 1 },
        { userId: 2, firstName: "grace", lastName: null, line_2: 2 },
        { userId: 3, firstName: null, lastName: "byron", line_2: null },
        { userId: 4, firstName: null, lastName: null, line_2: null }
      ])
      const missing = yield* refusalOf(pg.copyInRows({ table: "people", columns: ["user_id"] }, [{ user_id: 1 }]))
      assert.include(missing.message, 'the row has no property "userId"')
      const twice = yield* refusalOf(pg.copyInRows({ table: "people" }, [{ userId: 1, user_id: 1 }]))
      assert.strictEqual(twice._tag, "DuplicateColumnError")
      const wrong = yield* refusalOf(pg.copyInRows({ table: "people" }, [{ firstName: "ada", userId: {} }]))
      assert.strictEqual(Reflect.get(wrong, "column"), "user_id")
      yield* assertHealthy(pg)
    })
  )

  it.effect("is refused if it is no known policy", () =>
    Effect.gen(function* () {
      const settings: object = { names: "snake_case" }
      for (const refused of [
        refusalOf(Effect.scoped(PgConnection.make(settings))),
        refusalOf(Effect.scoped(PgPool.make(settings)))
      ]) {
        const error = yield* refused
        assert.strictEqual(error._tag, "InvalidConfigError")
        assert.include(error.message, "unchanged, camelCase")
      }
    })
  )
})
