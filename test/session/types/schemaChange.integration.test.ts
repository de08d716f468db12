/** Tests that a session which changes the schema asks again for what it had learned before. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestDatabase } from "../../support/database.ts"
import { assertHealthy, liveConnection, livePool, valueOf } from "../../support/live.ts"

layer(TestDatabase.layer, { excludeTestServices: true })("after a change of the schema", (it) => {
  it.effect("a row type has its new attributes, in rows and in parameters", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.executeScript("CREATE TABLE r (a int4, b int4); INSERT INTO r VALUES (1, 2)")
      const rows = connection.fetch("SELECT r FROM r ORDER BY r")
      assert.deepStrictEqual(yield* rows, [{ r: { a: 1, b: 2 } }])
      yield* connection.execute("ALTER TABLE r RENAME COLUMN a TO x")
      assert.deepStrictEqual(yield* rows, [{ r: { x: 1, b: 2 } }])
      yield* connection.executeScript("ALTER TABLE r DROP COLUMN x; ALTER TABLE r ADD COLUMN c int4 DEFAULT 3")
      assert.deepStrictEqual(yield* rows, [{ r: { b: 2, c: 3 } }])
      yield* connection.execute("INSERT INTO r SELECT ($1::r).*", [{ b: 4, c: 5 }])
      assert.deepStrictEqual(yield* connection.fetch("SELECT b, c FROM r ORDER BY b"), [
        { b: 2, c: 3 },
        { b: 4, c: 5 }
      ])
      yield* connection.execute("DROP TABLE r")
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("a cached INSERT writes values that the column takes now, and cuts nothing", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.execute("CREATE TABLE changed (d date, f float4, n float8)")
      const insert = (values: ReadonlyArray<unknown>) =>
        connection.execute("INSERT INTO changed VALUES ($1, $2, $3)", values)
      yield* insert(["2024-02-29", 1, 1])
      yield* connection.execute(
        "ALTER TABLE changed ALTER d TYPE timestamptz, ALTER f TYPE float8, ALTER n TYPE numeric"
      )
      yield* connection.execute("TRUNCATE changed")
      const moment = new Date("2024-02-29T09:30:00Z")
      yield* insert([moment, 0.1, "0.1234567890123456789"])
      assert.deepStrictEqual(yield* connection.fetch("SELECT * FROM changed"), [
        { d: moment, f: 0.1, n: "0.1234567890123456789" }
      ])
      yield* connection.execute("DROP TABLE changed")
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("a cached INSERT goes to the temporary table that shadows the permanent one", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.execute("CREATE TABLE shadowed (n int4)")
      yield* connection.execute("CREATE TEMPORARY TABLE first_of_the_session (n int4)")
      const insert = connection.execute("INSERT INTO shadowed VALUES (1)")
      yield* insert
      yield* connection.execute("CREATE TEMPORARY TABLE shadowed (n int4)")
      yield* insert
      assert.strictEqual(yield* valueOf(connection, "SELECT count(*)::int4 FROM public.shadowed"), 1)
      assert.strictEqual(yield* valueOf(connection, "SELECT count(*)::int4 FROM pg_temp.shadowed"), 1)
      yield* connection.executeScript("DROP TABLE pg_temp.shadowed; DROP TABLE public.shadowed")
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("the other connections of the pool read a row type with its current attributes", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 2 })
      yield* pool.executeScript("CREATE TABLE pooled (a int4, b int4); INSERT INTO pooled VALUES (1, 2)")
      const rows = "SELECT pooled FROM pooled"
      yield* pool.withConnection((changing) =>
        pool.withConnection((reading) =>
          Effect.gen(function* () {
            assert.deepStrictEqual(yield* reading.fetch(rows), [{ pooled: { a: 1, b: 2 } }])
            yield* changing.execute("ALTER TABLE pooled RENAME COLUMN a TO x")
            assert.deepStrictEqual(yield* reading.fetch(rows), [{ pooled: { x: 1, b: 2 } }])
          })
        )
      )
      yield* pool.execute("DROP TABLE pooled")
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )
})
