/**
 * Tests what a borrower can leave on a session, and whether the next one meets it: after a lease, after statements that
 * each borrowed the connection for themselves, and after a transaction. A pool resets a leased session; after a single
 * statement it does so only if the statement may have changed the session.
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as PgConnection from "../../src/PgConnection.ts"
import type * as PgError from "../../src/PgError.ts"
import * as PgPool from "../../src/PgPool.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, liveSettings, valueOf } from "../support/live.ts"

/** What becomes of the trace for the next borrower; `refused` means that the server or the pool does not allow it there. */
type Fate = "gone" | "refused"

interface Trace {
  readonly what: string
  /** Each is one call. */
  readonly leave: ReadonlyArray<string>
  /** True if the trace is there. */
  readonly look: string
  readonly after: { readonly lease: Fate; readonly statements: Fate; readonly transaction: Fate }
}

const ALWAYS_GONE = { lease: "gone", statements: "gone", transaction: "gone" } as const
const OUTSIDE_ONLY = { lease: "gone", statements: "gone", transaction: "refused" } as const

const KEPT = "41s"
const HAS_OTHER_SETTING = `SELECT current_setting('lock_timeout') <> '${KEPT}'`
/** A transaction that has only read has no id. */
const IS_IN_THAT_TRANSACTION = "SELECT pg_current_xact_id_if_assigned() IS NOT NULL"
const HAS_TEMPORARY_TABLE = "SELECT count(*) > 0 FROM pg_class WHERE relname = 'trace' AND relpersistence = 't'"
/** A role that every server has. */
const ROLE = "pg_monitor"

const traces: ReadonlyArray<Trace> = [
  {
    what: "an open transaction",
    leave: ["BEGIN; SELECT pg_current_xact_id()"],
    look: IS_IN_THAT_TRANSACTION,
    after: OUTSIDE_ONLY
  },
  {
    what: "a failed transaction",
    leave: ["BEGIN; SELECT pg_current_xact_id(); SELECT 1 / 0"],
    look: IS_IN_THAT_TRANSACTION,
    after: OUTSIDE_ONLY
  },
  { what: "a setting", leave: ["SET lock_timeout = '1s'"], look: HAS_OTHER_SETTING, after: ALWAYS_GONE },
  { what: "a setting that is reset", leave: ["RESET lock_timeout"], look: HAS_OTHER_SETTING, after: ALWAYS_GONE },
  {
    what: "a setting made by a function",
    leave: ["SELECT set_config('lock_timeout', '1s', false)"],
    look: HAS_OTHER_SETTING,
    after: ALWAYS_GONE
  },
  {
    what: "a setting made by a function in a script",
    leave: ["SELECT 1; SELECT set_config('lock_timeout', '1s', false)"],
    look: HAS_OTHER_SETTING,
    after: ALWAYS_GONE
  },
  {
    what: "the session's own transaction modes",
    leave: ["SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"],
    look: "SELECT current_setting('transaction_read_only') = 'on'",
    after: ALWAYS_GONE
  },
  {
    what: "a role",
    leave: [`SET ROLE ${ROLE}`],
    look: "SELECT current_user <> session_user",
    after: ALWAYS_GONE
  },
  {
    what: "another user",
    leave: [`SET SESSION AUTHORIZATION ${ROLE}`],
    look: `SELECT session_user = '${ROLE}'`,
    after: ALWAYS_GONE
  },
  {
    what: "a channel that is listened to",
    leave: ["LISTEN trace"],
    look: "SELECT count(*) > 0 FROM pg_listening_channels()",
    after: ALWAYS_GONE
  },
  {
    what: "an advisory lock",
    leave: ["SELECT pg_advisory_lock(1)"],
    look: "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
    after: ALWAYS_GONE
  },
  {
    what: "a temporary table",
    leave: ["CREATE TEMPORARY TABLE trace (n int)"],
    look: HAS_TEMPORARY_TABLE,
    after: ALWAYS_GONE
  },
  {
    what: "a temporary table whose command tag is that of its query",
    leave: ["CREATE TEMPORARY TABLE trace AS SELECT 1 AS n"],
    look: HAS_TEMPORARY_TABLE,
    after: ALWAYS_GONE
  },
  {
    what: "a temporary table that a SELECT has made",
    leave: ["SELECT 1 AS n INTO TEMPORARY trace"],
    look: HAS_TEMPORARY_TABLE,
    after: ALWAYS_GONE
  },
  {
    what: "a temporary table that a script's SELECT has made",
    leave: ["SELECT 1; SELECT 1 AS n INTO TEMPORARY trace"],
    look: HAS_TEMPORARY_TABLE,
    after: ALWAYS_GONE
  },
  {
    what: "a cursor that outlives its transaction",
    leave: ["DECLARE trace CURSOR WITH HOLD FOR SELECT 1"],
    look: "SELECT count(*) > 0 FROM pg_cursors WHERE name = 'trace'",
    after: ALWAYS_GONE
  },
  {
    what: "DISCARD ALL",
    leave: ["DISCARD ALL"],
    look: HAS_OTHER_SETTING,
    after: { ...OUTSIDE_ONLY, statements: "refused" }
  },
  {
    what: "DEALLOCATE ALL",
    leave: ["DEALLOCATE ALL"],
    look: HAS_OTHER_SETTING,
    after: ALWAYS_GONE
  },
  {
    what: "a prepared statement",
    leave: ["PREPARE trace AS SELECT 1"],
    look: "SELECT count(*) > 0 FROM pg_prepared_statements WHERE name = 'trace'",
    after: ALWAYS_GONE
  }
]

/** One connection, whose `init` has made a setting. */
const pool: Effect.Effect<PgPool.PgPool, PgError.PgError, TestDatabase | Scope.Scope> = Effect.flatMap(
  liveSettings({ maxConnections: 1 }),
  (settings) => PgPool.make({ ...settings, init: (connection) => connection.execute(`SET lock_timeout = '${KEPT}'`) })
)

const run = (queryable: PgConnection.Queryable, sql: string): Effect.Effect<unknown, PgError.PgError> =>
  sql.includes(";")
    ? Effect.catchTag(queryable.executeScript(sql), "DivisionByZeroError", () => Effect.void)
    : queryable.execute(sql)

const ways: Readonly<
  Record<keyof Trace["after"], (pool: PgPool.PgPool, trace: Trace) => Effect.Effect<unknown, PgError.PgError>>
> = {
  lease: (pool, { leave }) =>
    pool.withConnection((connection) => Effect.forEach(leave, (sql) => run(connection, sql), { discard: true })),
  // What the pool refuses as a single call, because it has no effect, runs in a script.
  statements: (pool, { leave }) =>
    Effect.forEach(
      leave,
      (sql) => Effect.catchTag(run(pool, sql), "UnsupportedError", () => run(pool, `${sql}; SELECT 1`)),
      { discard: true }
    ),
  transaction: (pool, { leave }) =>
    pool.withTransaction(Effect.forEach(leave, (sql) => run(pool, sql), { discard: true }))
}

/** The next borrower, in each of the ways to borrow. */
const borrowers: ReadonlyArray<
  readonly [string, (pool: PgPool.PgPool, sql: string) => Effect.Effect<unknown, PgError.PgError>]
> = [
  ["a single statement", (pool, sql) => valueOf(pool, sql)],
  ["a lease", (pool, sql) => pool.withConnection((connection) => valueOf(connection, sql))],
  ["a transaction", (pool, sql) => pool.withTransaction(Effect.andThen(pool.execute("SELECT 1"), valueOf(pool, sql)))]
]

for (const way of ["lease", "statements", "transaction"] as const) {
  layer(TestDatabase.layer, { excludeTestServices: true })(`after ${way === "statements" ? way : `a ${way}`}`, (it) => {
    for (const trace of traces) {
      const fate = trace.after[way]
      if (fate === "refused") continue
      it.effect(`${trace.what} is gone for the next borrower, and what init has set is there`, () =>
        Effect.forEach(borrowers, ([who, borrow]) =>
          Effect.gen(function* () {
            const poisoned = yield* pool
            // Statements that were prepared before have to work afterwards.
            const prepared = valueOf(poisoned, "SELECT 1 AS prepared")
            assert.strictEqual(yield* prepared, 1)
            const backend = yield* valueOf(poisoned, "SELECT pg_backend_pid()")
            yield* ways[way](poisoned, trace)
            assert.strictEqual(yield* borrow(poisoned, trace.look), false, who)
            assert.strictEqual(yield* prepared, 1)
            assert.strictEqual(yield* valueOf(poisoned, "SELECT pg_backend_pid()"), backend)
            assert.strictEqual(yield* valueOf(poisoned, HAS_OTHER_SETTING), false)
            yield* assertHealthy(poisoned)
          }).pipe(Effect.scoped)
        )
      )
    }
  })
}
