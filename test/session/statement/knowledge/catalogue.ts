/**
 * The parts of the programs of the cache oracle: the initial schema, its changes, the settings of a session, and the
 * statements whose answers are compared. Every name in the statements may mean several things, by the search_path, the
 * role and temporary objects.
 */
import * as PgTypes from "../../../../src/PgTypes.ts"
import type { Hidden } from "./allowance.ts"

// ------------------------------------------------------------------------------------------------------- the schema

const TYPES_OF_ONE = [
  "CREATE TYPE one.duo AS (a int4, b int4)",
  "CREATE TYPE one.mood AS ENUM ('sad', 'happy')",
  "CREATE DOMAIN one.small AS int4",
  "CREATE TABLE one.r (a int4, b int4)"
]

const TYPES_OF_TWO = [
  "CREATE TYPE two.duo AS (b float8, a text)",
  "CREATE TYPE two.mood AS ENUM ('happy', 'calm', 'sad')",
  "CREATE DOMAIN two.small AS text",
  "CREATE TABLE two.r (b text, c float8)"
]

/** A trigger numbers the rows: an identity would not, because a rollback does not give back what a sequence has given. */
const REST = `
  CREATE TABLE one.t (id int4, n int4, m one.mood, d one.small, l int4[], p one.duo);
  CREATE TABLE two.t (id int4, n text, m two.mood, d two.small, l text[], p two.duo);
  CREATE FUNCTION public.number() RETURNS trigger LANGUAGE plpgsql AS ${"$$"}BEGIN
    EXECUTE format('SELECT coalesce(max(id), 0) + 1 FROM %s', TG_RELID::regclass) INTO NEW.id; RETURN NEW; END${"$$"};
  CREATE TRIGGER number BEFORE INSERT ON one.t FOR EACH ROW EXECUTE FUNCTION public.number();
  CREATE TRIGGER number BEFORE INSERT ON two.t FOR EACH ROW EXECUTE FUNCTION public.number();
  INSERT INTO one.r VALUES (1, 2);
  INSERT INTO two.r VALUES ('one', 2.5);
  INSERT INTO one.t (n, m, d, l, p) VALUES (1, 'sad', 1, '{1}', (1, 2));
  INSERT INTO two.t (n, m, d, l, p) VALUES ('1', 'calm', 'x', '{y}', (1.5, 'z'));
  CREATE VIEW one.v AS SELECT r.a FROM one.r;
  CREATE VIEW two.v AS SELECT r.b FROM two.r;
  CREATE FUNCTION one.f(x int4) RETURNS int4 LANGUAGE sql AS 'SELECT x + 1';
  CREATE FUNCTION two.f(x text) RETURNS text LANGUAGE sql AS 'SELECT x || ''!''';
  CREATE PROCEDURE one.c(INOUT x int4) LANGUAGE plpgsql AS 'BEGIN x := x + 1; END';
  CREATE PROCEDURE two.c(INOUT x text) LANGUAGE plpgsql AS 'BEGIN x := x || ''?''; END';
  CREATE FUNCTION public.change(ddl text) RETURNS text LANGUAGE plpgsql AS 'BEGIN EXECUTE ddl; RETURN ddl; END';
  CREATE PROCEDURE public.change_too(ddl text) LANGUAGE plpgsql AS 'BEGIN EXECUTE ddl; END'`

/** Equal on both servers, except for the order in which OIDs are given. */
export const schemaOf = (which: 0 | 1): string => `
  DROP SCHEMA IF EXISTS one, two CASCADE;
  DROP SCHEMA public CASCADE;
  CREATE SCHEMA public;
  CREATE SCHEMA one;
  CREATE SCHEMA two;
  ${(which === 0 ? [...TYPES_OF_ONE, ...TYPES_OF_TWO] : [...TYPES_OF_TWO.toReversed(), ...TYPES_OF_ONE.toReversed()]).join(";")};
  ${REST}`

/** The rows that are stored in the end. */
export const STORED = [
  "SELECT r::text FROM one.r ORDER BY 1",
  "SELECT r::text FROM two.r ORDER BY 1",
  "SELECT t::text FROM one.t ORDER BY 1",
  "SELECT t::text FROM two.t ORDER BY 1"
]

// ------------------------------------------------------------------------------------------------------ the changes

export interface Change {
  readonly sql: string
  /** The consequences that the server does not report to sessions that have not made the change. */
  readonly hides: ReadonlyArray<Hidden>
  /** Whether it changes only objects of the session itself. */
  readonly isTemporary?: boolean
}

const rowType: ReadonlyArray<Hidden> = ["attribute names of r"]
const column: ReadonlyArray<Hidden> = ["parameters for r"]

export const CHANGES: ReadonlyArray<Change> = [
  { sql: "ALTER TABLE one.r RENAME COLUMN a TO x", hides: rowType },
  { sql: "ALTER TABLE one.r RENAME COLUMN x TO a", hides: rowType },
  { sql: "ALTER TABLE one.r ADD COLUMN c int4 DEFAULT 3", hides: [] },
  { sql: "ALTER TABLE one.r DROP COLUMN c", hides: [] },
  { sql: "ALTER TABLE one.r DROP COLUMN a CASCADE", hides: [] },
  { sql: "ALTER TABLE one.r DROP COLUMN b, ADD COLUMN b int4 DEFAULT 7", hides: rowType },
  { sql: "ALTER TABLE one.r DROP COLUMN b, ADD COLUMN e int4 DEFAULT 8", hides: rowType },
  { sql: "ALTER TABLE one.r ALTER COLUMN b TYPE text", hides: column },
  { sql: "ALTER TABLE one.r ALTER COLUMN b TYPE int8 USING 5", hides: column },
  { sql: "ALTER TABLE one.r ALTER COLUMN b TYPE float8 USING 5", hides: column },
  {
    sql: "DROP TABLE one.r CASCADE; CREATE TABLE one.r (a text, b int4); INSERT INTO one.r VALUES ('new', 2)",
    hides: [...rowType, ...column]
  },
  {
    sql: "DROP TABLE one.r CASCADE; CREATE TABLE one.r (b int4, a int4); INSERT INTO one.r VALUES (8, 9)",
    hides: [...rowType, ...column]
  },
  { sql: "CREATE TEMPORARY TABLE r (a text, b text)", hides: [], isTemporary: true },
  { sql: "CREATE TEMPORARY TABLE r (b int4, a int4)", hides: [], isTemporary: true },
  { sql: "DROP TABLE IF EXISTS pg_temp.r", hides: [], isTemporary: true },
  { sql: "SELECT 1::int4 AS b, 'q'::text AS a INTO TEMPORARY TABLE r", hides: [], isTemporary: true },
  { sql: "CREATE TABLE two.newcomer (); DROP TABLE two.newcomer", hides: [] },
  { sql: "ALTER TYPE one.duo ADD ATTRIBUTE c int4", hides: [] },
  { sql: "ALTER TYPE one.duo DROP ATTRIBUTE c", hides: [] },
  { sql: "ALTER TYPE one.duo RENAME ATTRIBUTE a TO x", hides: ["attribute names of duo"] },
  { sql: "ALTER TYPE one.duo RENAME ATTRIBUTE x TO a", hides: ["attribute names of duo"] },
  { sql: "ALTER TABLE one.t DROP COLUMN IF EXISTS p; ALTER TYPE one.duo ALTER ATTRIBUTE b TYPE text", hides: [] },
  { sql: "DROP TYPE one.duo CASCADE; CREATE TYPE one.duo AS (b int4, a int4)", hides: ["attribute names of duo"] },
  {
    sql: "ALTER TYPE one.duo RENAME TO duo_before; CREATE TYPE one.duo AS (a text, b int4)",
    hides: ["parameters for duo"]
  },
  { sql: "ALTER TYPE one.mood ADD VALUE IF NOT EXISTS 'calm'", hides: [] },
  { sql: "ALTER TYPE one.mood RENAME VALUE 'sad' TO 'calm'", hides: [] },
  {
    sql: "DROP TYPE one.mood CASCADE; CREATE TYPE one.mood AS ENUM ('calm', 'happy'); ALTER TABLE one.t ADD COLUMN m one.mood",
    hides: []
  },
  {
    sql: "DROP DOMAIN one.small CASCADE; CREATE DOMAIN one.small AS text; ALTER TABLE one.t ADD COLUMN d one.small",
    hides: ["parameters for small"]
  },
  {
    sql: "DROP DOMAIN one.small CASCADE; CREATE DOMAIN one.small AS int8; ALTER TABLE one.t ADD COLUMN d one.small",
    hides: ["parameters for small"]
  },
  { sql: "ALTER DOMAIN one.small ADD CHECK (VALUE::text <> '7')", hides: [] },
  {
    sql: "DROP FUNCTION one.f; CREATE FUNCTION one.f(x text) RETURNS text LANGUAGE sql AS 'SELECT x || ''.'''",
    hides: ["parameters for f"]
  },
  {
    sql: "DROP FUNCTION one.f; CREATE FUNCTION one.f(x int8) RETURNS int8 LANGUAGE sql AS 'SELECT x + 2'",
    hides: ["parameters for f"]
  },
  {
    sql: "DROP FUNCTION one.f; CREATE FUNCTION one.f(x int4, OUT y int4, OUT z text) LANGUAGE sql AS 'SELECT x, ''z'''",
    hides: ["parameters for f"]
  },
  { sql: "CREATE OR REPLACE VIEW one.v AS SELECT 1::int4 AS a, 2::int4 AS b", hides: [] },
  { sql: "DROP VIEW IF EXISTS one.v; CREATE VIEW one.v AS SELECT 'v'::text AS b", hides: [] },
  { sql: "ALTER TABLE one.t ALTER COLUMN n TYPE text", hides: ["parameters for t"] },
  { sql: "ALTER TABLE one.t ALTER COLUMN n TYPE int8 USING 6", hides: ["parameters for t"] },
  { sql: "ALTER TABLE one.t ALTER COLUMN n TYPE numeric USING 6", hides: ["parameters for t"] },
  { sql: "ALTER TABLE one.t ALTER COLUMN n TYPE date USING '2024-02-29'", hides: ["parameters for t"] },
  { sql: "ALTER TABLE one.t ALTER COLUMN n TYPE timestamptz USING '2024-02-29 01:00Z'", hides: ["parameters for t"] },
  { sql: "ALTER TABLE one.r RENAME TO r_before; CREATE TABLE one.r (a int4, b text)", hides: [...rowType, ...column] },
  {
    sql: "ALTER SCHEMA one RENAME TO three; ALTER SCHEMA two RENAME TO one; ALTER SCHEMA three RENAME TO two",
    hides: [
      ...rowType,
      ...column,
      "attribute names of duo",
      "parameters for duo",
      "parameters for mood",
      "parameters for small",
      "parameters for f",
      "parameters for t"
    ]
  }
]

/** How a session makes a change. Changes of the second kind bear no mark that the client could see. */
export const WAYS = ["execute", "executeScript", "batch", "DO", "function", "procedure"] as const
export type Way = (typeof WAYS)[number]

export const isUnmarked = (way: Way): boolean => way === "function" || way === "procedure"

// ----------------------------------------------------------------------------------------------------- the settings

export const SETTINGS: ReadonlyArray<string> = [
  "SET search_path TO one",
  "SET search_path TO two, one",
  'SET search_path TO "$user", one',
  "SET LOCAL search_path TO two, one",
  "SELECT set_config('search_path', 'two, one', false)",
  "SET ROLE two",
  "RESET ROLE",
  "SET SESSION AUTHORIZATION two",
  "RESET SESSION AUTHORIZATION",
  "RESET ALL",
  "SET extra_float_digits TO 0",
  "SET bytea_output TO escape",
  "SET DateStyle TO 'German'",
  "SET IntervalStyle TO sql_standard",
  "DISCARD PLANS",
  "DISCARD TEMPORARY",
  "DISCARD ALL",
  "DEALLOCATE ALL"
]

// --------------------------------------------------------------------------------------------------- the statements

export interface Asked {
  readonly sql: string
  /** The values for each run; none if there are no parameters. */
  readonly values?: ReadonlyArray<ReadonlyArray<unknown>>
  /** What its answer depends on that the server may not report. */
  readonly reliesOn?: ReadonlyArray<Hidden>
  /** Whether it is more than a query: COPY and cursors do not take such statements. */
  readonly isUtility?: boolean
  readonly writes?: boolean
}

const rowOfR: ReadonlyArray<Hidden> = ["attribute names of r"]
const duo: ReadonlyArray<Hidden> = ["attribute names of duo", "parameters for duo"]

const MOMENT = new Date("2024-02-29T09:30:00Z")

export const STATEMENTS: ReadonlyArray<Asked> = [
  { sql: "SELECT * FROM r ORDER BY r::text" },
  { sql: "SELECT r FROM r ORDER BY r::text", reliesOn: rowOfR },
  { sql: "SELECT array_agg(r ORDER BY r::text) AS all FROM r", reliesOn: rowOfR },
  { sql: "SELECT b FROM r ORDER BY r::text" },
  { sql: "SELECT * FROM v" },
  { sql: "SELECT v FROM v" },
  { sql: "SELECT * FROM t ORDER BY id", reliesOn: duo },
  {
    sql: "SELECT count(*)::int4 AS count FROM r WHERE b = $1",
    values: [[2], ["2"], [3000000000]],
    reliesOn: ["parameters for r"]
  },
  {
    sql: "INSERT INTO r VALUES ($1, $2) RETURNING r::text",
    values: [
      [5, 6],
      ["five", "six"],
      [5, 0.1],
      [5, 3000000000],
      [null, "7"]
    ],
    reliesOn: ["parameters for r"],
    writes: true
  },
  {
    sql: "INSERT INTO r (b) VALUES ($1) RETURNING r AS row, r::text",
    values: [[6], ["six"], [0.1], [3000000000]],
    reliesOn: ["parameters for r", ...rowOfR],
    writes: true
  },
  {
    sql: "INSERT INTO r SELECT ($1::r).* RETURNING r::text",
    values: [
      [{ a: 5, b: 6 }],
      [{ x: 5, b: 6 }],
      [{ a: 5, b: 6, c: 7 }],
      [{ b: "six", c: 0.5 }],
      ["(5,6)"],
      [{ a: "five", b: 6 }]
    ],
    reliesOn: rowOfR,
    writes: true
  },
  {
    sql: "SELECT $1::duo AS d, ($1::duo)::text AS text",
    values: [
      [{ a: 5, b: 6 }],
      [{ x: 5, b: 6 }],
      [{ a: 5, b: 6, c: 7 }],
      [{ a: "five", b: 0.5 }],
      ["(5,6)"],
      [{ a: 5, b: "six" }]
    ],
    reliesOn: duo
  },
  {
    sql: "SELECT $1::duo[] AS d, ($1::duo[])::text AS text",
    values: [[[{ a: 5, b: 6 }]], [[{ x: 5, b: 6 }]], [[{ a: 5, b: 6, c: 7 }, null]], [[{ a: "five", b: 0.5 }]], [[]]],
    reliesOn: duo
  },
  { sql: "SELECT p, ROW(p, p) AS both FROM t ORDER BY id", reliesOn: duo },
  { sql: "SELECT ROW(1, 'x')::duo AS d", reliesOn: duo },
  {
    sql: "SELECT $1::mood AS m, $2::mood[] AS all",
    values: [
      ["sad", ["happy"]],
      ["calm", ["calm", "happy"]],
      ["happy", []]
    ],
    reliesOn: ["parameters for mood"]
  },
  { sql: "SELECT 'happy'::mood AS m, enum_range(NULL::mood) AS all" },
  {
    sql: "SELECT $1::small AS s, ($1::small)::text AS text, $2::small[] AS all",
    values: [
      [5, [6, 7]],
      ["five", ["six"]],
      [3000000000, []]
    ],
    reliesOn: ["parameters for small"]
  },
  {
    sql: "INSERT INTO t (n) VALUES ($1) RETURNING n, n::text AS text",
    values: [[5], ["five"], [3000000000], [MOMENT], ["2024-03-01"], ["0.1234567890123456789"]],
    reliesOn: ["parameters for t"],
    writes: true
  },
  {
    sql: "INSERT INTO t (m, d, l) VALUES ($1, $2, $3) RETURNING m, d, l, t::text",
    values: [
      ["sad", 5, [1, 2]],
      ["calm", "five", ["x"]],
      ["happy", 3000000000, []]
    ],
    reliesOn: ["parameters for t", "parameters for small", ...duo],
    writes: true
  },
  { sql: "SELECT f($1) AS f", values: [[5], ["five"], [3000000000]], reliesOn: ["parameters for f"] },
  { sql: "SELECT * FROM f(5)" },
  { sql: "CALL c($1)", values: [[5], ["five"]], isUtility: true },
  { sql: "CALL c(5)", isUtility: true },
  { sql: "SHOW search_path", isUtility: true },
  { sql: "EXPLAIN (COSTS OFF) SELECT * FROM r", isUtility: true },
  {
    sql: "SELECT $1::float8 + 0.2 AS f, $2::date AS d, $3::bytea AS b, $4::timestamptz AS t, interval '1 day 2 hours' AS i",
    values: [
      [
        PgTypes.float8(0.1),
        PgTypes.date("2024-02-29"),
        PgTypes.bytea(Uint8Array.of(1, 92, 255)),
        PgTypes.timestamptz(MOMENT)
      ],
      [0.1, "2024-02-29", Uint8Array.of(1, 92, 255), MOMENT]
    ]
  },
  {
    sql: "INSERT INTO r (b) VALUES ($1) RETURNING r AS row, b",
    values: [[PgTypes.int4(6)], [PgTypes.text("six")]],
    reliesOn: rowOfR,
    writes: true
  },
  { sql: "SELECT $1::int4 AS n, ROW($1::int4, 'x'::text) AS row", values: [[PgTypes.int4(6)], [7]] }
]

/** The rows with which COPY fills a table. */
export const COPIED: ReadonlyArray<{
  readonly table: string
  readonly rows: ReadonlyArray<ReadonlyArray<unknown>>
  readonly columns: ReadonlyArray<string>
}> = [
  { table: "r", columns: ["b"], rows: [[6], [7]] },
  { table: "r", columns: ["b"], rows: [["six"]] },
  { table: "t", columns: ["n"], rows: [[5], [6]] },
  { table: "t", columns: ["p"], rows: [[{ a: 5, b: 6 }]] },
  { table: "t", columns: ["p"], rows: [[{ x: 5, b: 6 }]] },
  { table: "t", columns: ["m", "d"], rows: [["calm", 5]] }
]

/** The calls that can run a statement. */
export const KINDS = [
  "fetch",
  "fetchTuples",
  "fetchRow",
  "fetchValue",
  "execute",
  "fetchMany",
  "executeMany",
  "batch",
  "prepare",
  "cursor",
  "stream",
  "copyOutRows",
  "copyInRows",
  "executeScript",
  "DECLARE and FETCH",
  "batch of DECLARE and FETCH",
  "PREPARE and EXECUTE",
  "batch of PREPARE and EXECUTE",
  "concurrent"
] as const
export type Kind = (typeof KINDS)[number]
