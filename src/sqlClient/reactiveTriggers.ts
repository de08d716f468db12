/**
 * Triggers that notify a channel when a table changes, so that reactive queries of all processes run again. Every name
 * in them is qualified, because a trigger runs with the `search_path` of the session that changes the table.
 */
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { createHash } from "node:crypto"
import * as Shape from "../call/shape.ts"
import { checkChannel } from "../connection/listening/listenStatement.ts"
import { invalid } from "../config/given.ts"
import type * as PgError from "../PgError.ts"
import { OUR_PREFIX, quoteName, quoteText } from "../wire/sqlText.ts"
import { sqlErrorOf } from "./sqlErrors.ts"

/**
 * A table by its name in the database, which is case-sensitive. Without a schema the `search_path` decides.
 *
 * @category models
 * @since 0.1.0
 */
export type ReactiveTable = string | { readonly schema?: string | undefined; readonly table: string }

/**
 * Lets tables notify a channel of every change, for clients with that `reactiveChannel`. The key of a table is its name
 * as it is given here: `"users"`, or `"app.orders"` for `{ schema: "app", table: "orders" }`. The server sends the
 * notifications at COMMIT, and none if the transaction is rolled back.
 *
 * Each table gets a trigger, which runs after each INSERT, UPDATE, DELETE, MERGE, COPY or TRUNCATE statement, also one
 * that has changed no row. The schema of the table gets the function `effectpg_reactive`. All is done in one transaction,
 * and doing it again changes nothing, but waits for the writers of a table: a migration is a good place. It needs the
 * right to do so, and PostgreSQL 14 or later.
 *
 * Fails with `SqlError` as the server does, for example if there is no such table, or if the channel cannot be one.
 *
 * @example
 * ```ts
 * import { PgSqlClient } from "effectpg"
 *
 * export default PgSqlClient.installReactiveTriggers("app_changes", ["users", { schema: "app", table: "orders" }])
 * ```
 * @category reactive queries
 * @since 0.1.0
 */
export const installReactiveTriggers = (
  channel: string,
  tables: ReadonlyArray<ReactiveTable>
): Effect.Effect<void, SqlError, SqlClient.SqlClient> =>
  forEachTable("installReactiveTriggers", channel, tables, (sql, table) =>
    Effect.gen(function* () {
      const oid = `${quoteText(table.name)}::pg_catalog.regclass`
      for (const { onTable, functionName } of yield* found(sql, oid)) {
        yield* sql.unsafe(`CREATE OR REPLACE FUNCTION ${functionName}() RETURNS pg_catalog.trigger LANGUAGE plpgsql AS
'BEGIN PERFORM pg_catalog.pg_notify(TG_ARGV[0], TG_ARGV[1]); RETURN NULL; END'`)
        yield* sql.unsafe(`CREATE OR REPLACE TRIGGER ${triggerName(channel)}
AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON ${onTable}
FOR EACH STATEMENT EXECUTE FUNCTION ${functionName}(${quoteText(channel)}, ${quoteText(table.key)})`)
      }
    })
  )

/**
 * Removes what `installReactiveTriggers` has made for a channel and these tables, and the function of their schemas once
 * no trigger uses it. What is not there is no failure. Fails with `SqlError` as the server does.
 *
 * @example
 * ```ts
 * import { PgSqlClient } from "effectpg"
 *
 * export default PgSqlClient.removeReactiveTriggers("app_changes", ["users"])
 * ```
 * @category reactive queries
 * @since 0.1.0
 */
export const removeReactiveTriggers = (
  channel: string,
  tables: ReadonlyArray<ReactiveTable>
): Effect.Effect<void, SqlError, SqlClient.SqlClient> =>
  forEachTable("removeReactiveTriggers", channel, tables, (sql, table) =>
    Effect.gen(function* () {
      const oid = `pg_catalog.to_regclass(${quoteText(table.name)})`
      for (const { functionName, onTable, schema } of yield* found(sql, oid)) {
        yield* sql.unsafe(`DROP TRIGGER IF EXISTS ${triggerName(channel)} ON ${onTable}`)
        const users = yield* sql.unsafe(`SELECT t.oid FROM pg_catalog.pg_trigger AS t
JOIN pg_catalog.pg_proc AS p ON p.oid OPERATOR(pg_catalog.=) t.tgfoid
JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
WHERE p.proname OPERATOR(pg_catalog.=) ${quoteText(FUNCTION)}::pg_catalog.name
AND n.nspname OPERATOR(pg_catalog.=) ${quoteText(schema)}::pg_catalog.name LIMIT 1`)
        if (users.length === 0) yield* sql.unsafe(`DROP FUNCTION IF EXISTS ${functionName}()`)
      }
    })
  )

const FUNCTION = `${OUR_PREFIX}reactive`

/** The name of a channel may be as long as a name can be, so the trigger's name has a hash of it. */
const triggerName = (channel: string): string =>
  quoteName(`${FUNCTION}_${createHash("sha256").update(channel).digest("hex").slice(0, 32)}`)

interface Table {
  /** The quoted name, as it was given. */
  readonly name: string
  readonly key: string
}

const checked = (
  channel: string,
  given: ReadonlyArray<ReactiveTable>
): Effect.Effect<ReadonlyArray<Table>, PgError.PgError> =>
  Effect.flatMap(checkChannel("channel", channel), () => {
    const tables = tablesOf(given)
    return tables === undefined ? Effect.fail(invalid("tables", TABLES)) : Effect.succeed(tables)
  })

const TABLES =
  'must be an array of names of tables, each a string or an object such as { schema: "app", table: "orders" }'

/** Reads the tables once; undefined if they are none, or cannot be read. */
const tablesOf = (given: ReadonlyArray<unknown>): ReadonlyArray<Table> | undefined => {
  try {
    const tables = Array.isArray(given) ? Array.from(given, tableOf) : [undefined]
    return tables.every((table) => table !== undefined) ? tables : undefined
  } catch {
    return undefined
  }
}

const tableOf = (given: unknown): Table | undefined => {
  if (typeof given === "string") return { name: quoteName(given), key: given }
  if (!Shape.isPlain(given)) return undefined
  const { schema, table }: { readonly schema?: unknown; readonly table?: unknown } = { ...Object(given) }
  if (typeof table !== "string") return undefined
  if (schema === undefined) return tableOf(table)
  return typeof schema === "string" ? { name: qualified(schema, table), key: `${schema}.${table}` } : undefined
}

const qualified = (schema: string, name: string): string => `${quoteName(schema)}.${quoteName(name)}`

/** Runs a change for each table, in one transaction, and one program at a time: no two can replace a function at once. */
const forEachTable = (
  operation: string,
  channel: string,
  tables: ReadonlyArray<ReactiveTable>,
  change: (sql: SqlClient.SqlClient, table: Table) => Effect.Effect<void, SqlError>
): Effect.Effect<void, SqlError, SqlClient.SqlClient> =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const known = yield* Effect.mapError(checked(channel, tables), (error) => sqlErrorOf(error, operation))
    yield* sql.withTransaction(
      Effect.andThen(
        sql.unsafe(LOCK),
        Effect.forEach(known, (table) => change(sql, table), { discard: true })
      )
    )
  })

const LOCK = `SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(${quoteText(FUNCTION)}, 0))`

interface Found {
  readonly schema: string
  /** The qualified names of the table and of the function in its schema. */
  readonly onTable: string
  readonly functionName: string
}

/** Finds a table in its schema, because its function is there, too. `oid` is SQL. */
const found = (sql: SqlClient.SqlClient, oid: string): Effect.Effect<ReadonlyArray<Found>, SqlError> =>
  Effect.map(
    sql.unsafe(`SELECT n.nspname, c.relname FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
WHERE c.oid OPERATOR(pg_catalog.=) ${oid}`).values,
    (rows) =>
      rows.map(([schema, table]) => ({
        schema: String(schema),
        onTable: qualified(String(schema), String(table)),
        functionName: qualified(String(schema), FUNCTION)
      }))
  )
