/**
 * The table of what was applied. It is the table of Effect's migrator, with one more column for the checksums of SQL
 * files, which Effect's migrator leaves null.
 */
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { quoteName } from "../wire/sqlText.ts"

/** Runs a statement without changing its text or the names in its rows. */
export type Query = (
  sql: string,
  params?: ReadonlyArray<string | null>
) => Effect.Effect<ReadonlyArray<Record<string, unknown>>, SqlError>

export const queryOf =
  (sql: SqlClient): Query =>
  (text, params) =>
    sql.unsafe<Record<string, unknown>>(text, params).withoutTransform

export interface Applied {
  readonly id: number
  readonly name: string
  readonly appliedAt: Date
  /** Null if it was no SQL file, or if Effect's migrator has applied it. */
  readonly checksum: string | null
}

export interface HistoryTable {
  readonly schema: string
  readonly name: string
  /** The qualified name as SQL. A migration that changes the `search_path` does not change what it means. */
  readonly sql: string
  readonly exists: boolean
  readonly hasChecksums: boolean
}

export const DEFAULT_TABLE = "effect_sql_migrations"

/** Finds the table by its name, in which a dot separates the schema. If it is not there, says where it will be. */
export const findTable = (query: Query, table: string): Effect.Effect<HistoryTable, SqlError> => {
  const parts = table.split(".")
  const given = parts.map(quoteName).join(".")
  return Effect.map(query(FIND, [given]), ([row]) => {
    const schema = row?.["schema"] ?? parts.at(-2) ?? row?.["current"]
    const name = String(row?.["name"] ?? parts.at(-1))
    return {
      schema: String(schema ?? ""),
      name,
      sql: typeof schema === "string" ? `${quoteName(schema)}.${quoteName(name)}` : given,
      exists: row?.["schema"] != null,
      hasChecksums: row?.["has_checksums"] === true
    }
  })
}

const FIND = `SELECT pg_catalog.current_schema()::pg_catalog.text AS current, t.* FROM (SELECT 1) AS one LEFT JOIN (
  SELECT n.nspname::pg_catalog.text AS schema, c.relname::pg_catalog.text AS name, EXISTS (
    SELECT 1 FROM pg_catalog.pg_attribute AS a WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid
      AND a.attname OPERATOR(pg_catalog.=) 'checksum'::pg_catalog.name AND NOT a.attisdropped
  ) AS has_checksums
  FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
  WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass($1::pg_catalog.text)::pg_catalog.oid
) AS t ON true`

export const readApplied = (query: Query, table: HistoryTable): Effect.Effect<ReadonlyArray<Applied>, SqlError> =>
  table.exists
    ? Effect.map(query(selectApplied(table)), (rows) =>
        rows.map((row) => ({
          id: Number(row["id"]),
          name: String(row["name"]),
          appliedAt: new Date(Number(row["applied_at"])),
          checksum: typeof row["checksum"] === "string" ? row["checksum"] : null
        }))
      )
    : Effect.succeed([])

/** A time as a number reads the same whatever the client makes of a `timestamptz`. */
const selectApplied = ({ hasChecksums, sql }: HistoryTable): string =>
  `SELECT migration_id::pg_catalog.int4 AS id, name::pg_catalog.text AS name,
  (pg_catalog.date_part('epoch', created_at) OPERATOR(pg_catalog.*) 1000)::pg_catalog.float8 AS applied_at,
  ${hasChecksums ? "checksum" : "NULL"}::pg_catalog.text AS checksum
FROM ${sql} ORDER BY migration_id`

/** Whether the table can record what is to be recorded. */
export const isReady = (table: HistoryTable, needsChecksums: boolean): boolean =>
  table.exists && (table.hasChecksums || !needsChecksums)

/** Makes the table if it is missing, and the column for checksums if it is needed. */
export const ensureTable = (
  query: Query,
  table: HistoryTable,
  needsChecksums: boolean
): Effect.Effect<HistoryTable, SqlError> =>
  Effect.gen(function* () {
    if (!table.exists) yield* query(createTable(table))
    const addsChecksums = needsChecksums && !table.hasChecksums
    if (addsChecksums) yield* query(`ALTER TABLE ${table.sql} ADD COLUMN checksum pg_catalog.text`)
    return { ...table, exists: true, hasChecksums: table.hasChecksums || addsChecksums }
  })

const createTable = ({ sql }: HistoryTable): string => `CREATE TABLE ${sql} (
  migration_id pg_catalog.int4 PRIMARY KEY,
  created_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
  name pg_catalog.text NOT NULL
)`

export const record = (
  query: Query,
  { sql }: HistoryTable,
  { checksum, id, name }: Omit<Applied, "appliedAt">
): Effect.Effect<void, SqlError> =>
  Effect.asVoid(
    checksum === null
      ? query(`INSERT INTO ${sql} (migration_id, name) VALUES (${id}, $1)`, [name])
      : query(`INSERT INTO ${sql} (migration_id, name, checksum) VALUES (${id}, $1, $2)`, [name, checksum])
  )
