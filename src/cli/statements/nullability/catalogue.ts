/** What the nullability of columns depends on in the catalogue of the database. */
import * as Effect from "effect/Effect"
import type * as PgConnection from "../../../PgConnection.ts"
import type * as PgError from "../../../PgError.ts"
import { withQualifiedOperators } from "../../../wire/sqlText.ts"
import type { KnownFunction } from "./neverNull.ts"
import { queriesOf, type TreeNode } from "./queryTree.ts"

export interface Catalogue {
  /** Whether a column of a table never has NULL. The column is counted from 1. */
  readonly isNotNull: (table: number, column: number) => boolean
  /** The query of a view. */
  readonly viewQuery: (view: number) => TreeNode | undefined
  /** Whether rules may make another statement of one that writes to the table. */
  readonly hasRules: (table: number) => boolean
  readonly functionOf: (oid: number) => KnownFunction
  /** The name of an operator that comes with PostgreSQL. */
  readonly operatorName: (oid: number) => string | undefined
}

/**
 * A column is NOT NULL only if it is so in all tables that inherit from its own, too: a query of the parent reads their
 * rows. Nothing keeps NULL out of a foreign table.
 */
const NOT_NULL = (constraint: string) =>
  withQualifiedOperators(`
  WITH RECURSIVE heirs (root, name, relid) AS (
    SELECT a.attrelid, a.attname, a.attrelid
    FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
    WHERE a.attnotnull AND a.attnum > 0 AND c.relkind = ANY (ARRAY['r', 'p'])
    UNION
    SELECT h.root, h.name, i.inhrelid FROM heirs AS h JOIN pg_catalog.pg_inherits AS i ON i.inhparent = h.relid
  )
  SELECT h.root::pg_catalog.int8, a.attnum::pg_catalog.int4
  FROM heirs AS h
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = h.root AND a.attname = h.name
  JOIN pg_catalog.pg_attribute AS b ON b.attrelid = h.relid AND b.attname = h.name
  JOIN pg_catalog.pg_class AS c ON c.oid = h.relid
  GROUP BY h.root, a.attnum
  HAVING pg_catalog.bool_and(b.attnotnull AND c.relkind = ANY (ARRAY['r', 'p']) AND ${constraint})`)

/** From PostgreSQL 18 on a constraint can be there that is not valid, or that heirs do not have. */
const IS_VALID = `NOT EXISTS (
  SELECT FROM pg_catalog.pg_constraint AS k
  WHERE k.conrelid = b.attrelid AND k.contype = 'n' AND k.conkey = ARRAY[b.attnum] AND NOT k.convalidated)`

const FUNCTIONS = withQualifiedOperators(`
  SELECT p.oid::pg_catalog.int8, p.proisstrict,
    CASE WHEN p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace THEN p.proname::pg_catalog.text END,
    p.proname || '(' || pg_catalog.array_to_string(p.proargtypes::pg_catalog.regtype[], ',') || ')'
  FROM pg_catalog.pg_proc AS p`)

const OPERATORS = withQualifiedOperators(`
  SELECT oid::pg_catalog.int8, oprname::pg_catalog.text FROM pg_catalog.pg_operator
  WHERE oprnamespace = 'pg_catalog'::pg_catalog.regnamespace`)

const VIEWS = withQualifiedOperators(`
  SELECT r.ev_class::pg_catalog.int8, r.ev_action::pg_catalog.text
  FROM pg_catalog.pg_rewrite AS r JOIN pg_catalog.pg_class AS c ON c.oid = r.ev_class
  WHERE r.ev_type = '1' AND c.relkind = 'v' AND c.relnamespace <> ALL (
    ARRAY['pg_catalog'::pg_catalog.regnamespace, 'information_schema'::pg_catalog.regnamespace])`)

const RULES = withQualifiedOperators("SELECT ev_class::pg_catalog.int8 FROM pg_catalog.pg_rewrite WHERE ev_type <> '1'")

const SERVER_WITH_CONSTRAINTS = 180_000

/** Reads all that may be needed of the catalogue at once. */
export const readCatalogue = (connection: PgConnection.PgConnection): Effect.Effect<Catalogue, PgError.PgError> =>
  Effect.gen(function* () {
    const version = Number(
      (yield* connection.fetchTuples("SELECT pg_catalog.current_setting('server_version_num')"))[0]?.[0]
    )
    const constraint = version >= SERVER_WITH_CONSTRAINTS ? IS_VALID : "true"
    const columns = yield* connection.fetchTuples(NOT_NULL(constraint))
    const functions = yield* connection.fetchTuples(FUNCTIONS)
    const operators = yield* connection.fetchTuples(OPERATORS)
    const views = yield* connection.fetchTuples(VIEWS)
    const rules = yield* connection.fetchTuples(RULES)
    return catalogueOf({ columns, functions, operators, views, rules })
  })

type Rows = ReadonlyArray<PgConnection.Tuple>

interface Read {
  readonly columns: Rows
  readonly functions: Rows
  readonly operators: Rows
  readonly views: Rows
  readonly rules: Rows
}

const catalogueOf = ({ columns, functions, operators, rules, views }: Read): Catalogue => {
  const notNull = new Set(columns.map(([table, column]) => `${table}.${column}`))
  const known = new Map(
    functions.map(([oid, isStrict, name, signature]): readonly [number, KnownFunction] => [
      Number(oid),
      { name: typeof name === "string" ? name : "", signature: String(signature), isStrict: isStrict === true }
    ])
  )
  const names = new Map(operators.map(([oid, name]) => [Number(oid), String(name)]))
  const texts = new Map(views.map(([oid, text]) => [Number(oid), String(text)]))
  const queries = new Map<number, TreeNode | undefined>()
  const ruled = new Set(rules.map(([table]) => Number(table)))
  return {
    isNotNull: (table, column) => notNull.has(`${table}.${column}`),
    viewQuery: (view) => {
      if (!queries.has(view)) queries.set(view, queriesOf(texts.get(view) ?? "")[0])
      return queries.get(view)
    },
    hasRules: (table) => ruled.has(table),
    functionOf: (oid) => known.get(oid) ?? UNKNOWN_FUNCTION,
    operatorName: (oid) => names.get(oid)
  }
}

const UNKNOWN_FUNCTION: KnownFunction = { name: "", signature: "", isStrict: false }
