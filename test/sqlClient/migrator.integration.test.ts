/** Compares migrations: their order, their atomicity, and that several programs may run them at once. */
import { assert } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Migrator from "effect/sql/Migrator"
import * as SqlClient from "effect/sql/SqlClient"
import type * as SqlError from "effect/sql/SqlError"
import * as String from "effect/String"
import { clientOf, parity } from "./support/participants.ts"

const migrate = Migrator.make({})

const withSql = <A, E>(f: (sql: SqlClient.SqlClient) => Effect.Effect<A, E>) => Effect.flatMap(SqlClient.SqlClient, f)

/** A migration of one statement. */
const running = (text: string): Effect.Effect<void, SqlError.SqlError, SqlClient.SqlClient> =>
  Effect.asVoid(withSql((sql) => sql.unsafe(text)))

const history = (table: string) =>
  withSql((sql) => Effect.map(sql`SELECT migration_id, name FROM ${sql(table)} ORDER BY 1`.values, (rows) => rows))

const exists = (table: string) =>
  withSql((sql) => Effect.map(sql`SELECT to_regclass(${table}) IS NOT NULL`.values, ([row]) => row?.[0]))

parity("Migrator", (it, participant) => {
  it.effect("runs what has not run yet, in the order of the numbers, once", () =>
    Effect.gen(function* () {
      const table = "migrations_in_order"
      const two = {
        "1_first": running("CREATE TABLE ordered (a int4)"),
        "2_second": running("ALTER TABLE ordered ADD b text")
      }
      const three = { ...two, "3_third": running("INSERT INTO ordered VALUES (1, 'b')") }
      assert.deepStrictEqual(yield* migrate({ loader: Migrator.fromRecord(two), table }), [
        [1, "first"],
        [2, "second"]
      ])
      assert.deepStrictEqual(yield* migrate({ loader: Migrator.fromRecord(two), table }), [])
      assert.deepStrictEqual(yield* migrate({ loader: Migrator.fromRecord(three), table }), [[3, "third"]])
      assert.deepStrictEqual(yield* history(table), [
        [1, "first"],
        [2, "second"],
        [3, "third"]
      ])
      assert.deepStrictEqual(yield* withSql((sql) => sql`SELECT * FROM ordered`), [{ a: 1, b: "b" }])
    })
  )

  it.effect("keeps nothing of a run in which one migration fails", () =>
    Effect.gen(function* () {
      const table = "migrations_that_fail"
      const loader = Migrator.fromRecord({
        "1_good": running("CREATE TABLE good (a int4)"),
        "2_bad": running("CREATE TABLE bad (a no_such_type)")
      })
      const error = yield* Effect.flip(migrate({ loader, table }))
      assert.containsSubset(error, { _tag: "MigrationError", kind: "Failed" })
      assert.isFalse(yield* exists("good"))
      assert.deepStrictEqual(yield* history(table), [])
      const repaired = Migrator.fromRecord({
        "1_good": running("CREATE TABLE good (a int4)"),
        "2_bad": running("CREATE TABLE bad (a int4)")
      })
      assert.strictEqual((yield* migrate({ loader: repaired, table })).length, 2)
    })
  )

  it.effect("refuses two migrations of one number", () =>
    Effect.gen(function* () {
      const loader = Migrator.fromRecord({ "1_a": Effect.void, "01_b": Effect.void })
      const error = yield* Effect.flip(migrate({ loader, table: "migrations_twice" }))
      assert.containsSubset(error, { _tag: "MigrationError", kind: "Duplicates" })
    })
  )

  it.effect("runs once if five programs run it at once", () =>
    Effect.gen(function* () {
      const table = "migrations_at_once"
      const loader = Migrator.fromRecord({
        "1_create": running("CREATE TABLE once (n serial, at timestamptz DEFAULT now())"),
        "2_insert": running("INSERT INTO once DEFAULT VALUES"),
        "3_slow": running("SELECT pg_sleep(0.05)")
      })
      const program = Effect.provide(migrate({ loader, table }), Layer.fresh(clientOf(participant)))
      const results = yield* Effect.all(
        Array.from({ length: 5 }, () => program),
        { concurrency: 5 }
      )
      assert.deepStrictEqual(results.map((done) => done.length).sort(), [0, 0, 0, 0, 3])
      assert.deepStrictEqual(yield* withSql((sql) => sql`SELECT count(*)::int AS n FROM once`), [{ n: 1 }])
    })
  )

  it.effect("takes a table whose name needs quotes", () =>
    Effect.gen(function* () {
      const table = 'Odd "Migrations"'
      const loader = Migrator.fromRecord({ "1_first": Effect.void })
      assert.strictEqual((yield* migrate({ loader, table })).length, 1)
      assert.strictEqual((yield* migrate({ loader, table })).length, 0)
    })
  )

  it.effect("is not misled by a client that changes names", () =>
    Effect.gen(function* () {
      const table = "migrations_of_names"
      const loader = Migrator.fromRecord({ "1_first": running("CREATE TABLE named (a int4)") })
      const settings = { transformQueryNames: String.camelToSnake, transformResultNames: String.snakeToCamel }
      const program = Effect.provide(migrate({ loader, table }), clientOf(participant, settings))
      assert.strictEqual((yield* program).length, 1)
      assert.strictEqual((yield* program).length, 0)
    })
  )

  it.effect("lets a migration use transactions of its own and values", () =>
    Effect.gen(function* () {
      const loader = Migrator.fromRecord({
        "1_values": withSql((sql) =>
          Effect.gen(function* () {
            yield* sql`CREATE TABLE valued (id int4, name text, at timestamptz)`
            yield* Effect.exit(
              sql.withTransaction(sql`INSERT INTO valued VALUES (1, 'lost', now()), (1 / 0, '', now())`)
            )
            yield* sql.withTransaction(sql`INSERT INTO valued ${sql.insert({ id: 2, name: "kept", at: new Date(0) })}`)
          })
        )
      })
      yield* migrate({ loader, table: "migrations_of_values" })
      assert.deepStrictEqual(yield* withSql((sql) => sql`SELECT * FROM valued`), [
        { id: 2, name: "kept", at: new Date(0) }
      ])
    })
  )

  it.effect("statements that ran before a migration see the table as it is after it", () =>
    Effect.gen(function* () {
      const table = "migrations_of_plans"
      const one = { "1_create": running("CREATE TABLE planned (a int4)") }
      yield* migrate({ loader: Migrator.fromRecord(one), table })
      const all = withSql((sql) =>
        Effect.all(
          Array.from({ length: 20 }, () => sql`SELECT * FROM planned`),
          { concurrency: 20 }
        )
      )
      yield* withSql((sql) => sql`INSERT INTO planned VALUES (1)`)
      assert.deepStrictEqual((yield* all)[19], [{ a: 1 }])
      const two = { ...one, "2_alter": running("ALTER TABLE planned ADD b text DEFAULT 'new', ALTER a TYPE int8") }
      yield* migrate({ loader: Migrator.fromRecord(two), table })
      const exit = yield* Effect.exit(all)
      const cause = exit._tag === "Failure" ? Option.getOrUndefined(Cause.findErrorOption(exit.cause)) : undefined
      assert.strictEqual(cause, undefined)
      assert.deepStrictEqual(
        yield* all,
        Array.from({ length: 20 }, () => [{ a: 1n, b: "new" }])
      )
    })
  )
})
