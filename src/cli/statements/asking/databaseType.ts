/** The types of a database, as far as they decide which JavaScript values there are. */
import * as Effect from "effect/Effect"
import type * as PgConnection from "../../../PgConnection.ts"
import type * as PgError from "../../../PgError.ts"
import { withQualifiedOperators } from "../../../wire/sqlText.ts"

export interface Attribute {
  readonly name: string
  readonly type: number
}

export interface DatabaseType {
  readonly oid: number
  readonly name: string
  readonly schema: string
  /** As people write it in SQL: with its schema, unless it comes with PostgreSQL. */
  readonly sqlName: string
  readonly kind: "base" | "array" | "domain" | "enum" | "composite" | "range" | "multirange"
  /** The type of an array's elements, of a domain's values, of a range's bounds, of a multirange's ranges. */
  readonly inner: number
  readonly labels: ReadonlyArray<string>
  readonly attributes: ReadonlyArray<Attribute>
}

/** It also returns the types of which others consist. */
const TYPES = withQualifiedOperators(`
  WITH RECURSIVE needed (oid) AS (
    SELECT pg_catalog.unnest($1::pg_catalog.oid[])
    UNION
    SELECT part.oid FROM needed CROSS JOIN LATERAL (
      SELECT CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.typelem END FROM pg_catalog.pg_type AS t
        WHERE t.oid = needed.oid AND (t.typtype = 'd' OR t.typinput = 'pg_catalog.array_in'::pg_catalog.regproc)
      UNION ALL
      SELECT a.atttypid FROM pg_catalog.pg_type AS t JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.typrelid
        WHERE t.oid = needed.oid AND t.typtype = 'c' AND a.attnum > 0 AND NOT a.attisdropped
      UNION ALL
      SELECT r.rngsubtype FROM pg_catalog.pg_range AS r WHERE r.rngtypid = needed.oid
      UNION ALL
      SELECT r.rngtypid FROM pg_catalog.pg_range AS r WHERE r.rngmultitypid = needed.oid
    ) AS part (oid)
  )
  SELECT t.oid::pg_catalog.int8, t.typname::pg_catalog.text, n.nspname::pg_catalog.text, pg_catalog.format_type(t.oid, NULL),
    CASE WHEN t.typinput = 'pg_catalog.array_in'::pg_catalog.regproc THEN 'array' ELSE t.typtype::pg_catalog.text END,
    coalesce(
      CASE WHEN t.typtype = 'd' THEN t.typbasetype END,
      (SELECT r.rngsubtype FROM pg_catalog.pg_range AS r WHERE r.rngtypid = t.oid),
      (SELECT r.rngtypid FROM pg_catalog.pg_range AS r WHERE r.rngmultitypid = t.oid),
      t.typelem
    )::pg_catalog.int8,
    ARRAY(SELECT e.enumlabel::pg_catalog.text FROM pg_catalog.pg_enum AS e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder),
    ARRAY(SELECT a.attname::pg_catalog.text FROM pg_catalog.pg_attribute AS a
      WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
    ARRAY(SELECT a.atttypid::pg_catalog.int8 FROM pg_catalog.pg_attribute AS a
      WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum)
  FROM needed JOIN pg_catalog.pg_type AS t ON t.oid = needed.oid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace`)

const KINDS: Readonly<Record<string, DatabaseType["kind"]>> = {
  array: "array",
  d: "domain",
  e: "enum",
  c: "composite",
  r: "range",
  m: "multirange"
}

export type DatabaseTypes = ReadonlyMap<number, DatabaseType>

/** Looks up types, and all that they consist of. */
export const readTypes = (
  catalogue: PgConnection.PgConnection,
  oids: Iterable<number>
): Effect.Effect<DatabaseTypes, PgError.PgError> =>
  Effect.map(
    catalogue.fetchTuples(TYPES, [[...oids]]),
    (rows) => new Map(rows.map(typeOf).map((type) => [type.oid, type]))
  )

const typeOf = ([oid, name, schema, sqlName, kind, inner, labels, names, types]: PgConnection.Tuple): DatabaseType => {
  const attributeTypes = list(types).map(Number)
  return {
    oid: Number(oid),
    name: String(name),
    schema: String(schema),
    sqlName: String(sqlName),
    kind: KINDS[String(kind)] ?? "base",
    inner: Number(inner),
    labels: list(labels).map(String),
    attributes: list(names).map((attribute, index) => ({ name: String(attribute), type: attributeTypes[index] ?? 0 }))
  }
}

const list = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])
