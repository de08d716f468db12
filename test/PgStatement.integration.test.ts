/** Tests prepared statements as values: what they report, what they run, how long they live. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as PgConnection from "../src/PgConnection.ts"
import { TestDatabase } from "./support/database.ts"
import { assertHealthy, killBackend, liveConnection, livePool, refusalOf, valueOf } from "./support/live.ts"

const DOUBLED = "SELECT i * 2 AS doubled FROM generate_series(1, $1::int4) AS i"

const preparedNames = (connection: PgConnection.Queryable, sql: string) =>
  Effect.map(connection.fetchTuples("SELECT name FROM pg_prepared_statements WHERE statement = $1", [sql]), (rows) =>
    rows.flat()
  )

layer(TestDatabase.layer, { excludeTestServices: true })("a prepared statement", (it) => {
  it.effect("runs in every form", () =>
    Effect.gen(function* () {
      const pool = yield* livePool()
      const statement = yield* pool.prepare(DOUBLED)
      assert.deepStrictEqual(yield* statement.fetch([2]), [{ doubled: 2 }, { doubled: 4 }])
      assert.deepStrictEqual(yield* statement.fetchTuples([2]), [[2], [4]])
      assert.deepStrictEqual(yield* statement.fetchRow([2]), Option.some({ doubled: 2 }))
      assert.deepStrictEqual(yield* statement.fetchOne([1]), { doubled: 2 })
      assert.deepStrictEqual(yield* statement.fetchValue([1]), Option.some(2))
      assert.deepStrictEqual(yield* statement.execute([3]), { command: "SELECT", rowCount: 3 })
      assert.deepStrictEqual(yield* statement.executeMany([[1], [2]]), { rowCount: 3 })
      assert.deepStrictEqual(yield* statement.fetchMany([[1], [0]]), [[{ doubled: 2 }], []])
      assert.strictEqual((yield* Stream.runCollect(statement.stream([25], { fetchSize: 10 }))).length, 25)
      const paged = Effect.flatMap(statement.cursor([5]), (cursor) =>
        Effect.andThen(cursor.forward(3), cursor.fetch(5))
      )
      assert.deepStrictEqual(yield* Effect.scoped(paged), [{ doubled: 8 }, { doubled: 10 }])
      const Doubled = Schema.Struct({ doubled: Schema.Int })
      assert.deepStrictEqual(yield* statement.fetch([1], { row: Doubled }), [{ doubled: 2 }])
      assert.deepStrictEqual(yield* statement.fetchTuples([1], { row: Schema.Tuple([Schema.Int]) }), [[2]])
      assert.deepStrictEqual(yield* statement.fetchRow([0], { row: Doubled }), Option.none())
      assert.deepStrictEqual(yield* statement.fetchRow([1], { row: Doubled }), Option.some({ doubled: 2 }))
      assert.deepStrictEqual(yield* statement.fetchOne([1], { row: Doubled }), { doubled: 2 })
      assert.deepStrictEqual(yield* Stream.runCollect(statement.stream([1], { row: Doubled })), [{ doubled: 2 }])
      assert.deepStrictEqual(yield* statement.fetchMany([[1], [0]], { row: Doubled }), [[{ doubled: 2 }], []])
      const Text = Schema.Struct({ doubled: Schema.String })
      for (const call of [
        statement.fetch([1], { row: Text }),
        statement.fetchTuples([1], { row: Schema.Tuple([Schema.String]) }),
        statement.fetchRow([1], { row: Text }),
        statement.fetchOne([1], { row: Text }),
        statement.fetchValue([1], { value: Schema.String }),
        statement.fetchMany([[1]], { row: Text }),
        Stream.runDrain(statement.stream([1], { row: Text }))
      ]) {
        const refusal = yield* refusalOf(call)
        if (refusal._tag !== "DecodeError") return assert.fail(String(refusal))
        assert.deepStrictEqual([refusal.column, refusal.type], ["doubled", "int4"])
      }
      const slow = statement.fetchMany([[10_000_000]], { timeout: "20 millis" })
      assert.strictEqual((yield* refusalOf(slow))._tag, "QueryTimeoutError")
      assert.deepStrictEqual(yield* statement.fetchValue([1], { value: Schema.Int }), Option.some(2))
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("tells the types of its parameters and columns", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.executeScript(`
        CREATE SCHEMA shop; CREATE TYPE shop.colour AS ENUM ('red');
        CREATE TABLE shop.goods (id int8, label varchar(10), colours shop.colour[])`)
      const statement = yield* connection.prepare(
        "SELECT id, label, colours, 1.5::numeric(4, 2) AS price FROM shop.goods WHERE id = $1 AND $2 = ANY (colours)"
      )
      const colour = statement.parameters[1]
      assert.deepStrictEqual(
        statement.parameters.map(({ name, schema }) => [name, schema]),
        [
          ["int8", "pg_catalog"],
          ["shop.colour", "shop"]
        ]
      )
      assert.strictEqual(yield* valueOf(connection, "SELECT 'shop.colour'::regtype::oid", []), colour?.oid)
      assert.deepStrictEqual(
        statement.columns.map(({ name, type, typeModifier }) => [name, type.name, type.schema, typeModifier]),
        [
          ["id", "int8", "pg_catalog", -1],
          ["label", "varchar", "pg_catalog", 14],
          ["colours", "shop.colour[]", "shop", -1],
          ["price", "numeric", "pg_catalog", (4 << 16) + 2 + 4]
        ]
      )
      const [, label, , price] = statement.columns
      assert.strictEqual(yield* valueOf(connection, "SELECT $1::regclass::text", [label?.table?.oid]), "shop.goods")
      assert.strictEqual(label?.table?.column, 2)
      assert.strictEqual(price?.table, undefined)
      const silent = yield* connection.prepare("CREATE TABLE never_made ()")
      assert.deepStrictEqual([silent.parameters, silent.columns], [[], []])
      yield* connection.executeScript("DROP SCHEMA shop CASCADE")
    }).pipe(Effect.scoped)
  )

  it.effect("tells types of every kind by their names, and the base type for a column of a domain", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.executeScript(`
        CREATE DOMAIN positive AS int4 CHECK (VALUE > 0); CREATE TYPE pair AS (a int4, b text);
        CREATE TABLE kinds (a positive, b pair, c int4range, d int4multirange, e positive[], f int4[])`)
      const statement = yield* connection.prepare("SELECT * FROM kinds WHERE a = $1 AND c = $2 AND e = $3")
      assert.deepStrictEqual(
        statement.columns.map(({ type }) => type.name),
        ["int4", "pair", "int4range", "int4multirange", "positive[]", "int4[]"]
      )
      assert.deepStrictEqual(
        statement.parameters.map(({ name }) => name),
        ["int4", "int4range", "positive[]"]
      )
      assert.deepStrictEqual(yield* statement.fetch([1, "empty", []]), [])
      yield* connection.executeScript("DROP TABLE kinds; DROP TYPE pair; DROP DOMAIN positive")
    }).pipe(Effect.scoped)
  )

  it.effect("has the name that it is given; SQL can run it by that name, and no other statement can have it", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const within = Effect.gen(function* () {
        const statement = yield* connection.prepare(DOUBLED, { name: "doubled" })
        assert.strictEqual(statement.name, "doubled")
        assert.deepStrictEqual(yield* connection.execute("EXECUTE doubled (3)"), { command: "SELECT", rowCount: 3 })
        const again = yield* refusalOf(Effect.scoped(connection.prepare("SELECT 1", { name: "doubled" })))
        assert.strictEqual(again._tag, "DuplicatePreparedStatementError")
        assert.deepStrictEqual(yield* statement.fetch([1]), [{ doubled: 2 }])
        assert.strictEqual(
          (yield* refusalOf(Effect.scoped(connection.prepare("SELECT 1", { name: "n".repeat(64) }))))._tag,
          "InvalidConfigError"
        )
      })
      yield* Effect.scoped(within)
      assert.deepStrictEqual(yield* preparedNames(connection, DOUBLED), [])
    }).pipe(Effect.scoped)
  )

  it.effect("is not evicted by other statements, and is closed with its scope", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection({ statementCacheSize: 2 })
      const within = Effect.gen(function* () {
        const statement = yield* connection.prepare(DOUBLED)
        for (let i = 0; i < 10; i++) yield* connection.fetch(`SELECT ${i}`)
        assert.deepStrictEqual(yield* preparedNames(connection, DOUBLED), [statement.name])
        assert.deepStrictEqual(yield* statement.fetch([1]), [{ doubled: 2 }])
        return statement
      })
      const ended = yield* Effect.scoped(within)
      assert.deepStrictEqual(yield* preparedNames(connection, DOUBLED), [])
      const refusal = yield* refusalOf(ended.fetch([1]))
      assert.strictEqual(refusal._tag, "UnsupportedError")
      assert.include(refusal.message, "prepare it again")
      assert.strictEqual((yield* refusalOf(ended.executeMany([[1]])))._tag, "UnsupportedError")
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("is prepared again if the server has forgotten it, or if its plan is stale", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.executeScript("CREATE TABLE remade (a int4); INSERT INTO remade VALUES (1)")
      const statement = yield* connection.prepare("SELECT * FROM remade")
      yield* connection.execute("DEALLOCATE ALL")
      assert.deepStrictEqual(yield* statement.fetch(), [{ a: 1 }])
      yield* connection.execute("ALTER TABLE remade ADD COLUMN b int4")
      assert.deepStrictEqual(yield* statement.fetch(), [{ a: 1, b: null }])
      yield* connection.execute("DEALLOCATE ALL")
      const inside = yield* refusalOf(connection.withTransaction(statement.fetch()))
      assert.strictEqual(inside._tag, "InvalidSQLStatementNameError")
      assert.deepStrictEqual(yield* connection.withTransaction(statement.fetch()), [{ a: 1, b: null }])
      yield* connection.executeScript("DROP TABLE remade")
    }).pipe(Effect.scoped)
  )

  it.effect("stays usable after an error of its own", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const statement = yield* connection.prepare("SELECT 1 / $1::int4 AS whole")
      assert.strictEqual((yield* refusalOf(statement.fetch([0])))._tag, "DivisionByZeroError")
      assert.deepStrictEqual(yield* statement.fetch([1]), [{ whole: 1 }])
    }).pipe(Effect.scoped)
  )

  it.effect("runs in the transaction of its user if that transaction is on its connection", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.execute("CREATE TEMPORARY TABLE written (a int4)")
      const statement = yield* connection.prepare("INSERT INTO written VALUES ($1)")
      const undone = connection.withTransaction(Effect.andThen(statement.execute([1]), Effect.fail("undo" as const)))
      assert.strictEqual(yield* Effect.flip(undone), "undo")
      yield* connection.withTransaction(statement.executeMany(Stream.make([2], [3])))
      assert.strictEqual(yield* valueOf(connection, "SELECT sum(a)::int4 FROM written"), 5)
      const made = yield* connection.withTransaction(connection.prepare("SELECT count(*)::int4 AS n FROM written"))
      assert.deepStrictEqual(yield* made.fetchOne(), { n: 2 })
    }).pipe(Effect.scoped)
  )

  it.effect("stays on its own connection if a pool prepared it, even if its user is in a transaction", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 2 })
      const statement = yield* pool.prepare("SELECT pg_backend_pid()")
      const own = yield* statement.fetchValue()
      const [other, same] = yield* pool.withTransaction(
        Effect.all([pool.fetchValue("SELECT pg_backend_pid()"), statement.fetchValue()])
      )
      assert.deepStrictEqual(same, own)
      assert.notDeepEqual(other, own)
    }).pipe(Effect.scoped)
  )

  it.effect("fails with the reason if its connection is lost or was given back", () =>
    Effect.gen(function* () {
      const observer = yield* liveConnection()
      const connection = yield* liveConnection()
      const statement = yield* connection.prepare("SELECT 1")
      yield* killBackend(observer, connection.processId)
      yield* Effect.ignore(statement.fetch())
      assert.strictEqual((yield* refusalOf(statement.fetch()))._tag, "ConnectionLostError")
      const pool = yield* livePool()
      const scope = yield* Scope.make()
      const lent = yield* pool.withConnection((borrowed) => Scope.provide(borrowed.prepare("SELECT 1"), scope))
      const refusal = yield* refusalOf(lent.fetch())
      assert.strictEqual(refusal._tag, "ConnectionLostError")
      assert.include(refusal.message, "given back")
      yield* Scope.close(scope, Exit.void)
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("works if the statement cache is turned off", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection({ statementCacheSize: 0 })
      const statement = yield* connection.prepare(DOUBLED)
      assert.strictEqual(statement.name, "")
      yield* connection.fetch("SELECT 1")
      assert.deepStrictEqual(yield* statement.fetch([1]), [{ doubled: 2 }])
      assert.deepStrictEqual(yield* statement.fetchMany([[1]]), [[{ doubled: 2 }]])
    }).pipe(Effect.scoped)
  )

  it.effect("explains its plan, and undoes what it did if it analyzes", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.execute("CREATE TEMPORARY TABLE explained (a int4)")
      const statement = yield* connection.prepare("INSERT INTO explained SELECT generate_series(1, $1::int4)")
      const planned = yield* statement.explain([3])
      assert.hasAllKeys(planned, ["Plan"])
      const analyzed = yield* statement.explain([3], { analyze: true })
      assert.property(analyzed, "Execution Time")
      const inside = statement.explain([3], { analyze: true })
      assert.property(yield* connection.withTransaction(inside), "Plan")
      assert.strictEqual(yield* valueOf(connection, "SELECT count(*)::int4 FROM explained"), 0)
      assert.strictEqual((yield* refusalOf(statement.explain([{}])))._tag, "EncodeError")
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )
})
