/**
 * Tests what a borrower leaves behind: each statement of PostgreSQL that can change a session runs in each way to
 * borrow one. Afterwards everything that can be observed of the session equals a fresh session with `init`.
 */
import { assert, describe, it as plainIt, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type * as PgConnection from "../../src/PgConnection.ts"
import type * as PgError from "../../src/PgError.ts"
import * as PgPool from "../../src/PgPool.ts"
import { Residue } from "../../src/session/engine/residue.ts"
import { COMMAND_TAGS } from "../fixtures/commandTags.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, liveConnection, liveSettings, valueOf } from "../support/live.ts"
import { HARMLESS, STATEMENTS } from "./residue.statements.ts"

/** Everything that can be seen of a session. A custom setting that was never made reads as an empty one. */
const OBSERVATION = `SELECT json_build_object(
  'settings', (SELECT json_object_agg(name, setting ORDER BY name) FROM pg_settings WHERE name !~ '^(plpgsql|auto_explain)\\.'),
  'application', coalesce(current_setting('app.tenant', true), ''),
  'role', current_setting('role'),
  'users', ARRAY[session_user, current_user],
  'schemas', array_remove(current_schemas(true), (SELECT nspname FROM pg_namespace WHERE oid = pg_my_temp_schema())),
  'locks', (SELECT json_agg(objid ORDER BY objid) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
  'cursors', (SELECT json_agg(name) FROM pg_cursors WHERE is_holdable),
  'channels', (SELECT json_agg(name ORDER BY name) FROM pg_listening_channels() AS name),
  'prepared', (SELECT json_agg(name) FROM pg_prepared_statements WHERE from_sql),
  'temporary', (
    SELECT json_agg(dependent ORDER BY dependent) FROM (
      SELECT pg_describe_object(classid, objid, 0) AS dependent FROM pg_depend
      WHERE refclassid = 'pg_namespace'::regclass AND refobjid = pg_my_temp_schema()
    ) AS dependents
  ),
  'lastval', public.residue_lastval(),
  'isSeeded', random() = (SELECT value FROM public.residue_seed),
  'libraries', (SELECT count(*) FROM pg_settings WHERE name ~ '^auto_explain\\.')
)::text`

const OBJECTS = `
SELECT setseed(0.5);
CREATE TABLE residue_seed AS SELECT random() AS value;
GRANT SELECT ON residue_seed TO public;
CREATE SEQUENCE residue_sequence;
CREATE TABLE residue_rows (n int4);
INSERT INTO residue_rows VALUES (1);
CREATE VIEW set_by_view AS SELECT set_config('app.tenant', 'evil', false) AS tenant;
CREATE FUNCTION residue_function(sql text) RETURNS text LANGUAGE plpgsql AS 'BEGIN EXECUTE sql; RETURN sql; END';
CREATE PROCEDURE residue_procedure(sql text) LANGUAGE plpgsql AS 'BEGIN EXECUTE sql; END';
CREATE FUNCTION residue_lastval() RETURNS int8 LANGUAGE plpgsql AS
  'BEGIN RETURN lastval(); EXCEPTION WHEN OTHERS THEN RETURN NULL; END';
CREATE FUNCTION residue_settings() RETURNS int4 LANGUAGE plpgsql AS $$
DECLARE
  s record;
  changed int4 := 0;
BEGIN
  FOR s IN SELECT * FROM pg_settings WHERE context IN ('user', 'superuser') AND name !~ '^transaction_|^client_encoding$|^exit_on_error$'
  LOOP
    BEGIN
      PERFORM set_config(s.name, CASE
        WHEN s.vartype = 'bool' THEN CASE s.setting WHEN 'on' THEN 'off' ELSE 'on' END
        WHEN s.vartype = 'enum' THEN (SELECT v FROM unnest(s.enumvals) AS v WHERE v <> s.setting ORDER BY v LIMIT 1)
        WHEN s.name ~ '_timeout$' THEN '77777'
        WHEN s.vartype IN ('integer', 'real') THEN
          (s.setting::numeric + CASE
            WHEN s.setting::numeric < s.max_val::numeric THEN least(1, (s.max_val::numeric - s.setting::numeric) / 2)
            ELSE -least(1, (s.setting::numeric - s.min_val::numeric) / 2)
          END)::text
        WHEN s.name = 'DateStyle' THEN 'German'
        WHEN s.name = 'TimeZone' THEN 'Asia/Tokyo'
        WHEN s.name = 'default_text_search_config' THEN 'english'
        ELSE 'residue'
      END, false);
      changed := changed + 1;
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
  END LOOP;
  RETURN changed;
END $$`

/** What init makes must be there for each borrower, and nothing else. */
const init = (connection: PgConnection.PgConnection) =>
  connection.executeScript(
    "SET app.tenant = 'acme'; SET lock_timeout = '41s'; CREATE TEMP TABLE made (n int4); LISTEN made; SELECT pg_advisory_lock(41)"
  )

type Make = Effect.Effect<PgPool.PgPool, PgError.PgError, TestDatabase | Scope.Scope>

const poolWith = (settings: { readonly multiplex?: boolean }, hooks: PgPool.Hooks): Make =>
  Effect.flatMap(liveSettings({ maxConnections: 1, ...settings }), (live) => PgPool.make({ ...live, ...hooks }))

const pools: Readonly<Record<string, Make>> = {
  "a pool": poolWith({}, {}),
  "a pool with init": poolWith({}, { init }),
  "a pool that multiplexes": poolWith({ multiplex: true }, {})
}

const quoted = (sql: string): string => `$residue$${sql}$residue$`

/** The ways to run a statement. The changes of a function that runs on its own are not observed. */
const ways: Readonly<Record<string, (pool: PgPool.PgPool, sql: string) => Effect.Effect<unknown, PgError.PgError>>> = {
  "a single statement": (pool, sql) => pool.execute(sql),
  "a single script": (pool, sql) => pool.executeScript(`SELECT 1; ${sql}; SELECT 2`),
  "a lease": (pool, sql) => pool.withConnection((connection) => connection.execute(sql)),
  "a transaction": (pool, sql) => pool.withTransaction(pool.execute(sql)),
  "a single DO": (pool, sql) => pool.execute(`DO $do$ BEGIN EXECUTE ${quoted(sql)}; END $do$`),
  "a single DO that fails": (pool, sql) =>
    pool.execute(`DO $do$ BEGIN EXECUTE ${quoted(sql)}; RAISE 'on purpose'; END $do$`),
  "a single DO that commits and fails": (pool, sql) =>
    pool.execute(`DO $do$ BEGIN EXECUTE ${quoted(sql)}; COMMIT; RAISE 'on purpose'; END $do$`),
  "a single CALL": (pool, sql) => pool.execute("CALL residue_procedure($1)", [sql]),
  "a function in a lease": (pool, sql) =>
    pool.withConnection((connection) => connection.fetch("SELECT residue_function($1)", [sql])),
  "a function in a transaction": (pool, sql) => pool.withTransaction(pool.fetch("SELECT residue_function($1)", [sql])),
  "a function in a cursor": (pool, sql) =>
    Effect.scoped(Effect.flatMap(pool.cursor("SELECT residue_function($1)", [sql]), (cursor) => cursor.fetch(1)))
}

/**
 * Changes that stay, because they cannot be seen or undone: those of a view or a function in a single SELECT, the last
 * value of a sequence after one, a statement that a function prepares in SQL, and a library that server code loads.
 */
const stays = (way: string, sql: string): boolean => {
  if (/^TABLE|nextval/.test(sql)) return way === "a single statement" || way === "a single script"
  if (sql.startsWith("PREPARE")) return way.startsWith("a function")
  return sql.startsWith("LOAD") && (way.startsWith("a function") || / (DO|CALL)/.test(way))
}

class Objects extends Context.Service<Objects, Readonly<Record<string, string>>>()("Objects") {
  /** The observation of a fresh session, for each kind of pool. */
  static readonly layer = Layer.effect(
    this,
    Effect.gen(function* () {
      const owner = yield* liveConnection()
      yield* owner.executeScript(OBJECTS)
      return yield* Effect.all(
        Object.fromEntries(Object.entries(pools).map(([name, make]) => [name, observedFresh(make)]))
      )
    })
  ).pipe(Layer.provideMerge(TestDatabase.layer))
}

const observe = (queryable: PgConnection.Queryable) => Effect.map(valueOf(queryable, OBSERVATION), String)

const observedFresh = (make: Make) => Effect.scoped(Effect.flatMap(make, observe))

/** The parts of an observation by their names, the settings among them. */
const partsOf = (observation: string): Map<string, string> => {
  const { settings, ...rest }: { readonly settings: Record<string, unknown> } & Record<string, unknown> =
    JSON.parse(observation)
  return new Map(Object.entries({ ...rest, ...settings }).map(([name, value]) => [name, JSON.stringify(value)]))
}

/** The differences between two observations, as short as possible. */
const difference = (expected: string, actual: string): ReadonlyArray<string> => {
  const before = partsOf(expected)
  return [...partsOf(actual)].flatMap(([name, value]) =>
    value === before.get(name) ? [] : [`${name}: ${value} and not ${before.get(name) ?? "nothing"}`]
  )
}

layer(Objects.layer, { excludeTestServices: true })("the residue of a borrower", (it) => {
  it.effect("can be observed for every statement if nothing resets", () =>
    Effect.gen(function* () {
      for (const sql of STATEMENTS) {
        const seen = yield* Effect.scoped(
          Effect.gen(function* () {
            const connection = yield* liveConnection()
            yield* init(connection)
            const before = yield* observe(connection)
            yield* Effect.ignore(connection.execute(sql))
            return difference(before, yield* observe(connection))
          })
        )
        if (sql !== "DEALLOCATE ALL") assert.notDeepEqual(seen, [], sql)
      }
    })
  )

  for (const [kind, make] of Object.entries(pools)) {
    for (const [way, run] of Object.entries(ways)) {
      it.effect(`is gone after ${way} on ${kind}, for every statement`, () =>
        Effect.gen(function* () {
          const expected = (yield* Objects)[kind] ?? ""
          const pool = yield* make
          for (const look of way.endsWith("lease") ? [observe(pool), pool.withConnection(observe)] : [observe(pool)]) {
            let succeeded = 0
            for (const sql of STATEMENTS) {
              // What a pool refuses as a single call, because it would have no effect, is as good as undone.
              const refused = Effect.catchTag(run(pool, sql), "UnsupportedError", () => Effect.void)
              if ((yield* Effect.exit(refused))._tag === "Success") succeeded++
              const left = difference(expected, yield* look)
              if (stays(way, sql)) {
                assert.lengthOf(left, 1, `${way}: ${sql}`)
                yield* pool.expire
              } else {
                assert.deepStrictEqual(left, [], `${way}: ${sql}`)
              }
            }
            if (!way.endsWith("fails")) assert.isAbove(succeeded, STATEMENTS.length - 12)
          }
          yield* assertHealthy(pool)
        })
      )
    }

    it.effect(`is gone for every setting that a user may make, on ${kind}`, () =>
      Effect.gen(function* () {
        const expected = (yield* Objects)[kind] ?? ""
        const pool = yield* make
        for (const change of [
          pool.withConnection((connection) =>
            Effect.gen(function* () {
              assert.isAbove(Number(yield* valueOf(connection, "SELECT residue_settings()")), 150)
              assert.isAbove(difference(expected, yield* observe(connection)).length, 150)
            })
          ),
          pool.execute("DO $$ BEGIN PERFORM residue_settings(); END $$")
        ]) {
          yield* change
          assert.deepStrictEqual(difference(expected, yield* observe(pool)), [])
        }
        yield* assertHealthy(pool)
      })
    )
  }

  it.effect("covers every command that can leave something; the others are listed with a reason", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const run = new Set<string>(["MERGE"])
      for (const sql of STATEMENTS) {
        yield* Effect.scoped(
          Effect.flatMap(liveConnection(), (fresh) =>
            Effect.ignore(Effect.map(fresh.execute(sql), ({ command }) => void run.add(command)))
          )
        )
      }
      const unnamed = COMMAND_TAGS.filter((tag) => !run.has(tag) && !HARMLESS.some(([pattern]) => pattern.test(tag)))
      assert.deepStrictEqual(unnamed, [])
      for (const tag of run) assert.include(COMMAND_TAGS, tag)
      yield* assertHealthy(connection)
    })
  )
})

describe("a command", () => {
  plainIt("counts as a change of the session unless it is one of few that cannot be", () => {
    const clean = COMMAND_TAGS.filter((command) => {
      const residue = new Residue()
      residue.completed({ command, rowCount: 0 }, true, false)
      return !residue.isSoiled
    })
    assert.deepStrictEqual(clean, [
      "ANALYZE",
      "BEGIN",
      "COMMIT",
      "COPY",
      "DELETE",
      "INSERT",
      "MERGE",
      "NOTIFY",
      "RELEASE",
      "ROLLBACK",
      "SAVEPOINT",
      "SELECT",
      "SHOW",
      "START TRANSACTION",
      "TRUNCATE TABLE",
      "UPDATE",
      "VACUUM"
    ])
    const unknown = new Residue()
    unknown.completed({ command: "A COMMAND OF LATER VERSIONS", rowCount: 0 }, true, false)
    assert.isTrue(unknown.isSoiled)
  })
})
