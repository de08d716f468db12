/** Tests that runners that start together do each migration once, wait for each other, and leave no lock. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as SqlClient from "effect/sql/SqlClient"
import * as PgMigrator from "../../src/PgMigrator.ts"
import type { Database } from "../support/database.ts"
import { eventually } from "../support/live.ts"
import { advisoryLocks, inDatabase, rowsOf, sqlClients } from "../support/sqlClients.ts"

const FILES = {
  "1_users.sql": "CREATE TABLE users (id int8);\nSELECT pg_sleep(0.3);",
  "2_index.sql": "-- no transaction\nSELECT pg_sleep(0.5);\nCREATE INDEX CONCURRENTLY ids ON users (id);",
  "3_rows.sql": "INSERT INTO users VALUES (1)",
  "4_more.sql": "-- no transaction\nCREATE INDEX CONCURRENTLY more ON users (id);\nINSERT INTO users VALUES (2);",
  "5_last.sql": "ALTER TABLE users ADD COLUMN name text"
}

const run = (files: Record<string, string>) => PgMigrator.run({ loader: PgMigrator.fromSqlRecord(files) })

/** Collects what is logged. */
const collected = () => {
  const lines: Array<string> = []
  const logger = Logger.make(({ message }) => {
    lines.push(String(message))
  })
  return { lines, layer: Logger.layer([logger]) }
}

describe.each(sqlClients)("runners through %s", (_, client) => {
  const inFresh = inDatabase(client)
  const elsewhere = ({ url }: Database, applicationName = "elsewhere") =>
    Effect.provide(client({ url, maxConnections: 1, applicationName }))

  it.live("do each migration once if six of them start at once, also those without a transaction", () =>
    inFresh((database) =>
      Effect.gen(function* () {
        const runners = Array.from({ length: 6 }, () => elsewhere(database)(run(FILES)))
        const done = yield* Effect.all(runners, { concurrency: "unbounded" })
        assert.deepStrictEqual(
          done.flat().toSorted(([a], [b]) => a - b),
          [
            [1, "users"],
            [2, "index"],
            [3, "rows"],
            [4, "more"],
            [5, "last"]
          ]
        )
        assert.lengthOf(yield* rowsOf("SELECT FROM users"), 2)
        assert.deepStrictEqual(yield* rowsOf("SELECT bool_and(indisvalid) AS valid FROM pg_index"), [{ valid: true }])
        assert.strictEqual(yield* advisoryLocks, 0)
      })
    )
  )

  it.live("say in the log for whom they wait, wait outside of the server, and can be interrupted", () =>
    inFresh((database) =>
      Effect.gen(function* () {
        const begun = yield* Deferred.make<void>()
        const mayEnd = yield* Deferred.make<void>()
        const slow = PgMigrator.fromRecord({
          "1_slow": Effect.andThen(Deferred.succeed(begun, undefined), Deferred.await(mayEnd))
        })
        const first = yield* Effect.forkChild(elsewhere(database, "the first")(PgMigrator.run({ loader: slow })))
        yield* Deferred.await(begun)
        const { layer, lines } = collected()
        const waiting = (loader = slow) =>
          Effect.forkChild(elsewhere(database, "the second")(Effect.provide(PgMigrator.run({ loader }), layer)))
        const second = yield* waiting()
        yield* eventually(
          Effect.sync(() => lines.length),
          1
        )
        assert.match(
          lines[0] ?? "",
          /^Another process runs the migrations: waiting for server process \d+ \(the first\)$/
        )
        yield* eventually(
          Effect.map(
            rowsOf(
              "SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'the second' AND state = 'idle' AND backend_xmin IS NULL"
            ),
            ({ length }) => length
          ),
          1
        )
        const asked = performance.now()
        yield* Fiber.interrupt(second)
        assert.isBelow(performance.now() - asked, 1_000)

        const third = yield* waiting()
        yield* eventually(
          Effect.sync(() => lines.length),
          2
        )
        yield* Deferred.succeed(mayEnd, undefined)
        assert.deepStrictEqual(yield* Fiber.join(first), [[1, "slow"]])
        assert.deepStrictEqual(yield* Fiber.join(third), [])
        assert.strictEqual(yield* advisoryLocks, 0)
      })
    )
  )

  it.live.each([
    ["in a transaction", ""],
    ["without a transaction", "-- no transaction\n"]
  ])("leave no lock and no record if they are interrupted %s", ([, marker]) =>
    inDatabase(client, { maxConnections: 1 })((database) =>
      Effect.gen(function* () {
        const asleep = { "1_asleep.sql": `${marker}SELECT 'asleep', pg_sleep(60)` }
        const runner = yield* Effect.forkChild(
          elsewhere(database)(Effect.andThen(Effect.exit(run(asleep)), Effect.never))
        )
        const sleeping = Effect.map(
          rowsOf(
            "SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%asleep%' AND state = 'active' AND pid <> pg_backend_pid()"
          ),
          ({ length }) => length
        )
        yield* eventually(sleeping, 1)
        yield* Fiber.interrupt(runner)
        yield* eventually(sleeping, 0)
        yield* eventually(advisoryLocks, 0)
        assert.isEmpty(yield* rowsOf("SELECT FROM effect_sql_migrations"))
        assert.deepStrictEqual(yield* run({ "1_awake.sql": "SELECT 1" }), [[1, "awake"]])
      })
    )
  )

  it.live("give the session back without the lock if their fiber is interrupted, and the pool goes on", () =>
    inDatabase(client, { maxConnections: 1 })(() =>
      Effect.gen(function* () {
        const bare = { "1_bare.sql": "-- no transaction\nSELECT pg_sleep(60)" }
        assert.isTrue(Exit.isFailure(yield* Effect.exit(Effect.timeout(run(bare), 500))))
        assert.strictEqual(yield* advisoryLocks, 0)
        assert.deepStrictEqual(yield* run({ "1_bare.sql": "SELECT 1" }), [[1, "bare"]])
      })
    )
  )

  it.live("fail if their connection is lost, and the next one goes on", () =>
    inFresh((database) =>
      Effect.gen(function* () {
        for (const marker of ["", "-- no transaction\n"]) {
          const lost = {
            "1_lost.sql": `${marker}CREATE TABLE lost ();\nSELECT pg_terminate_backend(pg_backend_pid());`
          }
          assert.isTrue(Exit.isFailure(yield* Effect.exit(elsewhere(database)(run(lost)))))
          assert.isEmpty(yield* rowsOf("SELECT FROM effect_sql_migrations"))
          yield* eventually(advisoryLocks, 0)
        }
        assert.lengthOf(yield* run({ "1_found.sql": "DROP TABLE lost" }), 1)
      })
    )
  )

  it.live("apply nothing behind what a runner with other migrations has applied while they waited", () =>
    inFresh((database) =>
      Effect.gen(function* () {
        const begun = yield* Deferred.make<void>()
        const mayEnd = yield* Deferred.make<void>()
        const later = PgMigrator.fromRecord({
          "3_later": Effect.andThen(Deferred.succeed(begun, undefined), Deferred.await(mayEnd))
        })
        const first = yield* Effect.forkChild(elsewhere(database)(PgMigrator.run({ loader: later })))
        yield* Deferred.await(begun)
        const { layer, lines } = collected()
        const second = yield* Effect.forkChild(
          Effect.flip(elsewhere(database)(Effect.provide(run({ "2_earlier.sql": "SELECT 1" }), layer)))
        )
        yield* eventually(
          Effect.sync(() => lines.length),
          1
        )
        yield* Deferred.succeed(mayEnd, undefined)
        assert.lengthOf(yield* Fiber.join(first), 1)
        assert.include((yield* Fiber.join(second)).message, "2_earlier.sql was not applied, but migration 3 was")
        assert.lengthOf(yield* rowsOf("SELECT FROM effect_sql_migrations"), 1)
      })
    )
  )

  it.live("of another table do not wait", () =>
    inFresh((database) =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const inner = elsewhere(database)(
          PgMigrator.run({ loader: PgMigrator.fromSqlRecord({ "1_other.sql": "SELECT 1" }), table: "others" })
        )
        const outer = PgMigrator.fromRecord({ "1_outer": Effect.asVoid(Effect.andThen(sql`SELECT 1`, inner)) })
        assert.lengthOf(yield* PgMigrator.run({ loader: outer }), 1)
        assert.lengthOf(yield* rowsOf("SELECT FROM others"), 1)
      })
    )
  )

  it.live("report a migration that Effect's migrator has done meanwhile", () =>
    inFresh((database) =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* run({ "1_first.sql": "SELECT 1" })
        const error = yield* sql
          .withTransaction(
            Effect.gen(function* () {
              yield* sql`INSERT INTO effect_sql_migrations (migration_id, name) VALUES (2, 'other')`
              return yield* Effect.forkDetach(
                Effect.flip(elsewhere(database)(run({ "1_first.sql": "SELECT 1", "2_second.sql": "SELECT 1" })))
              )
            }).pipe(Effect.tap(() => eventually(advisoryLocks, 1)))
          )
          .pipe(Effect.flatMap(Fiber.join))
        assert.deepInclude(error, { _tag: "MigrationError", kind: "Locked" })
        assert.lengthOf(
          yield* run({ "1_first.sql": "SELECT 1", "2_second.sql": "SELECT 1", "3_third.sql": "SELECT 1" }),
          1
        )
      })
    )
  )
})
