/**
 * Tests that composite types are looked up again if the known attributes do not fit, in every call that meets them
 * first.
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { TestDatabase } from "../../support/database.ts"
import { assertHealthy, liveConnection, livePool, refusalOf, valueOf } from "../../support/live.ts"

const rowsOf = (results: ReadonlyArray<{ readonly rows: ReadonlyArray<unknown> }>) => results.map(({ rows }) => rows)

layer(TestDatabase.layer, { excludeTestServices: true })("an object for a composite type", (it) => {
  it.effect("is refused with the name of the key that the type lacks, at any depth, and nothing is sent", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.executeScript(
        "CREATE TYPE inner_pair AS (a int4, b text); CREATE TYPE outer_pair AS (one inner_pair, many inner_pair[]); CREATE TABLE nests (n outer_pair)"
      )
      const insert = (value: unknown) => connection.execute("INSERT INTO nests VALUES ($1)", [value])
      const right = { a: 1, b: "x" }
      const wrong = { ...right, c: 2 }
      for (const [value, who] of [
        [{ one: wrong, many: [] }, 'inner_pair has no attribute "c"'],
        [{ one: right, many: [right, wrong] }, 'inner_pair has no attribute "c"'],
        [{ one: right, many: [], more: [] }, 'outer_pair has no attribute "more"']
      ] as const) {
        const error = yield* refusalOf(insert(value))
        assert.strictEqual(error._tag, "EncodeError")
        assert.strictEqual(error.outcome, "none")
        assert.include(error.message, who)
      }
      const lacking = yield* refusalOf(insert({ one: right }))
      assert.include(lacking.message, 'no value for the attribute "many"')
      const copied = connection.copyInRows({ table: "nests", columns: ["n"] }, [[{ one: wrong, many: [] }]])
      assert.include((yield* refusalOf(copied)).message, 'inner_pair has no attribute "c"')
      yield* insert({ one: right, many: [right, { a: null, b: null }] })
      assert.strictEqual(yield* valueOf(connection, "SELECT count(*)::int4 FROM nests"), 1)
      yield* connection.executeScript("DROP TABLE nests; DROP TYPE outer_pair; DROP TYPE inner_pair")
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("may have an attribute that another session has added since, in every kind of call", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1 })
      const other = yield* liveConnection()
      yield* other.executeScript("CREATE TYPE growing AS (a int4); CREATE TABLE grows (g growing)")
      const insert = "INSERT INTO grows VALUES ($1)"
      const calls = [
        (value: unknown) => pool.execute(insert, [value]),
        (value: unknown) => pool.executeMany(insert, [[value]]),
        (value: unknown) => pool.batch([{ sql: "SELECT 1" }, { sql: insert, params: [value] }]),
        (value: unknown) => pool.copyInRows({ table: "grows", columns: ["g"] }, [[value]])
      ]
      const value: Record<string, number> = { a: 0 }
      for (const call of calls) yield* call(value)
      for (const [index, call] of calls.entries()) {
        const name = `added_${index}`
        yield* other.execute(`ALTER TYPE growing ADD ATTRIBUTE ${name} int4`)
        value[name] = index
        yield* call(value)
        assert.strictEqual(yield* valueOf(other, `SELECT count(*)::int4 FROM grows WHERE (g).${name} = ${index}`), 1)
      }
      yield* other.executeScript("DROP TABLE grows; DROP TYPE growing")
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )
})

layer(TestDatabase.layer, { excludeTestServices: true })("a composite type that the client has not met", (it) => {
  it.effect("is read and written by a batch that makes it", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const results = yield* connection.batch([
        { sql: "CREATE TYPE of_batch AS (a int4, b float8)" },
        { sql: "SELECT $1::of_batch AS one, $2::of_batch[] AS many", params: [{ a: 1, b: 0.1 }, [{ a: 2, b: null }]] },
        { sql: "SELECT ROW(1, 0.2)::of_batch AS row" },
        { sql: "DROP TYPE of_batch" }
      ])
      assert.deepStrictEqual(rowsOf(results), [
        [],
        [{ one: { a: 1, b: 0.1 }, many: [{ a: 2, b: null }] }],
        [{ row: { a: 1, b: 0.2 } }],
        []
      ])
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("is read exactly by EXECUTE and FETCH within a batch, whatever the text of a float", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection({ settings: { extra_float_digits: "0" } })
      yield* connection.execute("CREATE TYPE exact AS (f float8)")
      const select = "SELECT ROW(0.1::float8 + 0.2::float8)::exact AS e"
      const row = { e: { f: 0.1 + 0.2 } }
      const executed = yield* connection.batch([
        { sql: `PREPARE q AS ${select}` },
        { sql: "EXECUTE q" },
        { sql: "DEALLOCATE q" }
      ])
      assert.deepStrictEqual(rowsOf(executed), [[], [row], []])
      yield* connection.reloadSchemaState
      const fetched = yield* connection.withTransaction(
        connection.batch([{ sql: `DECLARE m CURSOR FOR ${select}` }, { sql: "FETCH ALL IN m" }, { sql: "CLOSE m" }])
      )
      assert.deepStrictEqual(rowsOf(fetched), [[], [row], []])
      yield* connection.execute("DROP TYPE exact")
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("is undone, with the whole batch, if a later statement of its batch fails", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const error = yield* refusalOf(
        connection.batch([
          { sql: "CREATE TYPE undone AS (a int4)" },
          { sql: "SELECT ROW(1)::undone AS u" },
          { sql: "SELECT 1 / 0" }
        ])
      )
      assert.strictEqual(error._tag, "DivisionByZeroError")
      assert.strictEqual(error.outcome, "none")
      assert.isNull(yield* valueOf(connection, "SELECT to_regtype('undone')::text"))
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )
})

layer(TestDatabase.layer, { excludeTestServices: true })(
  "the row type of a table that another session has changed",
  (it) => {
    it.effect("is read by a cursor, a stream and a COPY, which look it up again", () =>
      Effect.gen(function* () {
        const pool = yield* livePool({ maxConnections: 1 })
        const other = yield* liveConnection()
        yield* other.executeScript("CREATE TABLE altered (a int4, b int4); INSERT INTO altered VALUES (1, 2)")
        const select = "SELECT altered FROM altered"
        const ways = [
          Effect.scoped(Effect.flatMap(pool.cursor(select), (cursor) => cursor.fetch(5))),
          Stream.runCollect(pool.stream(select)),
          Stream.runCollect(pool.copyOutRows({ query: select }))
        ]
        for (const [index, rows] of ways.entries()) {
          const isText = index % 2 === 0
          yield* pool.fetch(select)
          yield* other.execute(`ALTER TABLE altered ALTER b TYPE ${isText ? "text" : "int4 USING b::int4"}`)
          assert.deepStrictEqual(yield* rows, [{ altered: { a: 1, b: isText ? "2" : 2 } }])
        }
        yield* other.execute("DROP TABLE altered")
        yield* assertHealthy(pool)
      }).pipe(Effect.scoped)
    )

    it.effect("is known to a COPY that writes and returns it, which loses no row", () =>
      Effect.gen(function* () {
        const pool = yield* livePool({ maxConnections: 1 })
        const other = yield* liveConnection()
        yield* other.executeScript("CREATE TABLE returned (a int4)")
        const insert = "INSERT INTO returned VALUES (1) RETURNING returned AS row"
        assert.deepStrictEqual(yield* pool.fetch(insert), [{ row: { a: 1 } }])
        yield* other.execute("ALTER TABLE returned ADD COLUMN b text DEFAULT 'new'")
        assert.deepStrictEqual(yield* Stream.runCollect(pool.copyOutRows({ query: insert })), [
          { row: { a: 1, b: "new" } }
        ])
        assert.strictEqual(yield* valueOf(other, "SELECT count(*)::int4 FROM returned"), 2)
        yield* other.execute("DROP TABLE returned")
        yield* assertHealthy(pool)
      }).pipe(Effect.scoped)
    )

    it.effect("ends a plan in which the server has kept a value of it: the next call is right", () =>
      Effect.gen(function* () {
        const pool = yield* livePool({ maxConnections: 1 })
        const other = yield* liveConnection()
        yield* other.execute("CREATE TYPE constant AS (b float8, a text)")
        const select = pool.fetch("SELECT ROW(1, 'x')::constant AS c")
        for (let run = 0; run < 3; run++) assert.deepStrictEqual(yield* select, [{ c: { b: 1, a: "x" } }])
        yield* other.execute("ALTER TYPE constant ALTER ATTRIBUTE b TYPE text")
        yield* Effect.exit(select)
        assert.deepStrictEqual(yield* select, [{ c: { b: "1", a: "x" } }])
        yield* other.execute("DROP TYPE constant")
        yield* assertHealthy(pool)
      }).pipe(Effect.scoped)
    )
  }
)
