/** Compares statements that are no queries: settings, locks, maintenance, objects that end with the session. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import { answerOf, type Answers, named, parity } from "./support/participants.ts"

/** Commands that a program runs by themselves, on a pool. */
const commands: ReadonlyArray<string> = [
  "CREATE TABLE commanded (n int4)",
  "CREATE INDEX CONCURRENTLY commanded_n ON commanded (n)",
  "VACUUM commanded",
  "ANALYZE commanded",
  "COMMENT ON TABLE commanded IS 'a table'",
  "DO $$ BEGIN PERFORM 1; END $$",
  "CREATE FUNCTION one() RETURNS int4 LANGUAGE sql AS 'SELECT 1'",
  "CREATE PROCEDURE nothing() LANGUAGE sql AS 'SELECT 1'",
  "CALL nothing()",
  "EXPLAIN SELECT 1",
  "SHOW search_path",
  "NOTIFY nobody, 'nothing'",
  "CREATE TEMPORARY TABLE short (n int4)",
  "SELECT pg_advisory_lock(1), pg_advisory_unlock(1)",
  "TABLE commanded",
  "VALUES (1), (2)",
  "WITH x AS (INSERT INTO commanded VALUES (1) RETURNING n) SELECT n FROM x",
  "TRUNCATE commanded",
  "CHECKPOINT",
  "REFRESH MATERIALIZED VIEW viewed",
  "ALTER TABLE commanded ADD COLUMN m text",
  "DROP TABLE commanded"
]

/** Commands that concern the session, which a pool lends to others. */
const ofTheSession: ReadonlyArray<string> = [
  "SET work_mem = '8MB'",
  "SET SESSION statement_timeout = 0",
  "RESET work_mem",
  "DISCARD ALL",
  "DEALLOCATE ALL",
  "UNLISTEN *",
  "SET search_path = public"
]

parity(
  "commands on a pool of one",
  (it, participant) => {
    it.effect("commands that stand for themselves are run", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* sql`CREATE MATERIALIZED VIEW viewed AS SELECT 1 AS one`
        for (const command of commands) yield* sql.unsafe(command)
        assert.deepStrictEqual(yield* sql`SELECT one() AS one`, [{ one: 1 }])
      })
    )

    for (const command of ofTheSession) {
      it.effect(`${command} is run, and statements go on`, () =>
        Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          assert.deepStrictEqual(yield* sql.unsafe(command), [])
          assert.deepStrictEqual(yield* sql`SELECT ${1} AS healthy`, [{ healthy: 1 }])
        })
      )
    }

    it.effect("settings of a transaction are its own", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const zone = sql`SHOW timezone`
        const before = yield* zone
        const inside = yield* sql.withTransaction(Effect.andThen(sql`SET LOCAL timezone = 'Asia/Tokyo'`, zone))
        assert.deepStrictEqual(inside, [{ TimeZone: "Asia/Tokyo" }])
        assert.deepStrictEqual(yield* zone, before)
      })
    )

    it.effect("set_config for a transaction takes parameters", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const rows = yield* sql.withTransaction(
          Effect.andThen(
            sql`SELECT set_config('app.user', ${"ada"}, true)`,
            sql`SELECT current_setting('app.user') AS user`
          )
        )
        assert.deepStrictEqual(rows, [{ user: "ada" }])
      })
    )

    it.effect("statements that prepare, declare and fetch work in a transaction", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const rows = yield* sql.withTransaction(
          Effect.gen(function* () {
            yield* sql`DECLARE numbered CURSOR FOR SELECT n FROM generate_series(1, 5) AS n`
            yield* sql`MOVE 2 FROM numbered`
            const fetched = yield* sql`FETCH 2 FROM numbered`
            yield* sql`CLOSE numbered`
            yield* sql`PREPARE held AS SELECT 7 AS seven`
            const executed = yield* sql`EXECUTE held`
            yield* sql`DEALLOCATE held`
            yield* sql`SAVEPOINT mine`
            yield* Effect.ignore(sql`SELECT 1 / 0`)
            yield* sql`ROLLBACK TO SAVEPOINT mine`
            return [...fetched, ...executed, ...(yield* sql`SELECT 1 AS one`)]
          })
        )
        assert.deepStrictEqual(rows, [{ n: 3 }, { n: 4 }, { seven: 7 }, { one: 1 }])
      })
    )

    const temporary: Answers<string> = { right: "SqlSyntaxError", "@effect/sql-pg": "there" }
    const title = "a temporary table of a transaction is gone for the next borrower of its session"
    it.effect(named(participant, title, { "@effect/sql-pg": "keeps it" }), () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* sql.withTransaction(sql`CREATE TEMPORARY TABLE scratch (n int4)`)
        const found = yield* Effect.match(sql`SELECT * FROM scratch`, {
          onSuccess: () => "there",
          onFailure: ({ reason }) => reason._tag
        })
        assert.strictEqual(found, answerOf(participant, temporary))
      })
    )
  },
  { maxConnections: 1 }
)
