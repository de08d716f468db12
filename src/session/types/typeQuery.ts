/**
 * The query that looks up unknown types, and the reader of its answer. It also returns the types of which these
 * consist, so that one query is enough. Every name and operator in it is qualified, so that it means the same on any
 * search_path.
 */
import { serverVersionOf } from "../../wire/serverVersion.ts"
import { withQualifiedOperators } from "../../wire/sqlText.ts"
import type { TupleRow } from "../../codec/rowReader.ts"
import type { AttributeDescription, TypeDescription } from "../../codec/typeDescription.ts"
import { ProtocolViolation } from "../../wire/failure.ts"

/** The first major version that has multiranges. */
const MULTIRANGES_SINCE = 14

/** Holds for every OID of a type. Without it the planner expects many rows, and may compile the query. */
const isOid = (column: string): string => `${column} >= '1' AND ${column} <= '4294967295'`

/**
 * Recognizes an array by its input function, because other types have elements, too. A type whose send function is that
 * of text, such as citext, is transferred like text.
 */
export const typeQuery = (parameters: ReadonlyMap<string, string>): string => {
  const hasMultiranges = serverVersionOf(parameters).major >= MULTIRANGES_SINCE
  return withQualifiedOperators(`WITH RECURSIVE needed(oid) AS (
  SELECT pg_catalog.unnest($1::pg_catalog.oid[])
  UNION
  SELECT part.oid FROM needed CROSS JOIN LATERAL (
    SELECT CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.typelem END
      FROM pg_catalog.pg_type AS t
      WHERE t.oid = needed.oid AND (t.typtype = 'd' OR t.typinput = 'pg_catalog.array_in'::pg_catalog.regproc)
    UNION ALL
    SELECT a.atttypid FROM pg_catalog.pg_type AS t JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.typrelid
      WHERE t.oid = needed.oid AND t.typtype = 'c' AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT r.rngsubtype FROM pg_catalog.pg_range AS r WHERE r.rngtypid = needed.oid${
      hasMultiranges
        ? `
    UNION ALL
    SELECT r.rngtypid FROM pg_catalog.pg_range AS r WHERE r.rngmultitypid = needed.oid`
        : ""
    }
  ) AS part(oid) WHERE ${isOid("needed.oid")}
)
SELECT t.oid, n.nspname::pg_catalog.text, t.typname::pg_catalog.text, t.typtype::pg_catalog.text,
  t.typinput = 'pg_catalog.array_in'::pg_catalog.regproc, t.typelem, t.typdelim::pg_catalog.text, t.typbasetype,
  (SELECT r.rngsubtype FROM pg_catalog.pg_range AS r WHERE r.rngtypid = t.oid),
  ${hasMultiranges ? "(SELECT r.rngtypid FROM pg_catalog.pg_range AS r WHERE r.rngmultitypid = t.oid)" : "NULL::pg_catalog.oid"},
  (SELECT p.prosrc FROM pg_catalog.pg_proc AS p WHERE p.oid = t.typsend) = 'textsend', attributes.names, attributes.oids
FROM needed JOIN pg_catalog.pg_type AS t ON t.oid = needed.oid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
  CROSS JOIN LATERAL (
    SELECT pg_catalog.array_agg(a.attname::pg_catalog.text ORDER BY a.attnum), pg_catalog.array_agg(a.atttypid ORDER BY a.attnum)
      FROM pg_catalog.pg_attribute AS a
      WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
  ) AS attributes(names, oids)
WHERE ${isOid("needed.oid")}`)
}

/** Reads the answer. */
export const readDescriptions = (rows: ReadonlyArray<TupleRow>): ReadonlyArray<TypeDescription> => rows.map(describe)

const describe = (row: TupleRow): TypeDescription => {
  const [oid, schema, name, kind, isArray, element, delimiter, base, subtype, range, isTextual, names, oids] = row
  const common = { oid: number(oid), schema: string(schema), name: string(name) }
  if (isArray === true) {
    return { ...common, kind: "array", element: number(element), delimiter: string(delimiter) }
  }
  switch (kind) {
    case "c":
      return { ...common, kind: "composite", attributes: attributes(names, oids) }
    case "d":
      return { ...common, kind: "domain", base: number(base) }
    case "e":
      return { ...common, kind: "enum" }
    case "m":
      return { ...common, kind: "multirange", range: number(range) }
    case "r":
      return { ...common, kind: "range", subtype: number(subtype) }
    default:
      return { ...common, kind: "base", isTextual: isTextual === true }
  }
}

const attributes = (names: unknown, oids: unknown): ReadonlyArray<AttributeDescription> => {
  if (names === null) return []
  if (!Array.isArray(names) || !Array.isArray(oids)) throw unexpected()
  return names.map((name, index) => ({ name: string(name), oid: number(oids[index]) }))
}

const number = (value: unknown): number => {
  if (typeof value !== "number") throw unexpected()
  return value
}

const string = (value: unknown): string => {
  if (typeof value !== "string") throw unexpected()
  return value
}

const unexpected = (): ProtocolViolation =>
  new ProtocolViolation("an answer with unexpected columns to the query for types")
