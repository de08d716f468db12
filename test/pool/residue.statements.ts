/**
 * Lists statements that change a session, by what they leave behind, and the reasons why the other commands leave
 * nothing.
 */

/** In the schema of temporary objects, which each session has for itself. */
const temporary = [
  "CREATE TEMP TABLE residue (n int4)",
  "CREATE TEMP TABLE residue AS SELECT 1 AS n",
  "SELECT 1 AS n INTO TEMP residue",
  "CREATE TEMP VIEW residue AS SELECT 1 AS n",
  "CREATE TEMP SEQUENCE residue",
  "CREATE FUNCTION pg_temp.residue() RETURNS int4 LANGUAGE sql AS 'SELECT 1'",
  "CREATE PROCEDURE pg_temp.residue() LANGUAGE sql AS 'SELECT 1'",
  "CREATE AGGREGATE pg_temp.residue(int4) (SFUNC = int4larger, STYPE = int4)",
  "CREATE TYPE pg_temp.residue AS ENUM ('a')",
  "CREATE TYPE pg_temp.residue AS (n int4)",
  "CREATE TYPE pg_temp.residue AS RANGE (SUBTYPE = int4)",
  "CREATE DOMAIN pg_temp.residue AS int4",
  "CREATE OPERATOR pg_temp.|+| (LEFTARG = int4, RIGHTARG = int4, FUNCTION = int4larger)",
  "CREATE OPERATOR FAMILY pg_temp.residue USING btree",
  "CREATE OPERATOR CLASS pg_temp.residue FOR TYPE int4 USING btree AS OPERATOR 1 <",
  'CREATE COLLATION pg_temp.residue FROM "C"',
  "CREATE CONVERSION pg_temp.residue FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8",
  "CREATE TEXT SEARCH CONFIGURATION pg_temp.residue (COPY = simple)",
  "CREATE TEXT SEARCH DICTIONARY pg_temp.residue (TEMPLATE = simple)",
  "CREATE TEXT SEARCH TEMPLATE pg_temp.residue (LEXIZE = dsimple_lexize)",
  "CREATE TEXT SEARCH PARSER pg_temp.residue (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype)",
  "CREATE TEMP TABLE residue AS SELECT 1 AS n WITH NO DATA",
  "EXPLAIN ANALYZE CREATE TEMP TABLE residue AS SELECT 1 AS n"
]

const settings = [
  "SET lock_timeout = '17s'",
  "SET SESSION search_path = pg_catalog",
  "SET TIME ZONE 'Asia/Tokyo'",
  "SET DateStyle = 'German'",
  "SET app.tenant = 'evil'",
  "SET extra_float_digits = 0",
  "RESET lock_timeout",
  "RESET ALL",
  "SET ROLE pg_monitor",
  "SET SESSION AUTHORIZATION pg_monitor",
  "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE",
  "SELECT set_config('lock_timeout', '17s', false)",
  "SELECT pg_catalog.set_config('app.tenant', 'evil', false)",
  "WITH changed AS (SELECT set_config('app.tenant', 'evil', false)) SELECT * FROM changed",
  "EXPLAIN ANALYZE SELECT set_config('app.tenant', 'evil', false)",
  "TABLE set_by_view",
  "UPDATE residue_rows SET n = n WHERE set_config('app.tenant', 'evil', false) = 'evil'",
  "DELETE FROM residue_rows WHERE set_config('app.tenant', 'evil', false) <> 'evil'",
  "INSERT INTO residue_rows SELECT 2 WHERE set_config('app.tenant', 'evil', false) <> 'evil'",
  "MERGE INTO residue_rows AS r USING (SELECT set_config('app.tenant', 'evil', false)) AS s(t) ON r.n = 1 WHEN MATCHED AND s.t <> 'evil' THEN DELETE"
]

const others = [
  "LISTEN residue",
  "UNLISTEN *",
  "PREPARE residue AS SELECT 1",
  "DECLARE residue CURSOR WITH HOLD FOR SELECT 1",
  "SELECT pg_advisory_lock(12)",
  "SELECT pg_try_advisory_lock_shared(12)",
  "SELECT pg_advisory_unlock_all()",
  "SELECT setseed(0.5)",
  "SET SEED TO 0.5",
  "SELECT nextval('residue_sequence')",
  "DISCARD TEMP",
  "DISCARD ALL",
  "DEALLOCATE ALL",
  "SELECT pg_advisory_lock(12), 1 / (SELECT 0)",
  "LOAD 'auto_explain'"
]

export const STATEMENTS: ReadonlyArray<string> = [...temporary, ...settings, ...others]

/** The reasons why the commands that no statement above runs leave nothing of their own in a session. */
export const HARMLESS: ReadonlyArray<readonly [RegExp, string]> = [
  [/^(ALTER|DROP) /, "they change or remove what a CREATE has made, in the session's own schema too"],
  [/^CREATE (INDEX|RULE|TRIGGER|POLICY|STATISTICS)$/, "they belong to a table, and go with it"],
  [/^CREATE (FOREIGN TABLE|MATERIALIZED VIEW)$/, "these cannot be temporary"],
  [
    /^CREATE (ACCESS METHOD|CAST|DATABASE|EVENT TRIGGER|EXTENSION|FOREIGN DATA WRAPPER|LANGUAGE|PUBLICATION|ROLE|SCHEMA|SERVER|SUBSCRIPTION|TABLESPACE|TRANSFORM|USER MAPPING)$/,
    "these have no schema, or no temporary one"
  ],
  [
    /^(BEGIN|START TRANSACTION|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|LOCK TABLE|SET CONSTRAINTS)$/,
    "they end with a transaction"
  ],
  [/^(PREPARE TRANSACTION|COMMIT PREPARED|ROLLBACK PREPARED)$/, "these belong to no session"],
  [/^(CLOSE CURSOR|CLOSE CURSOR ALL|FETCH|MOVE)$/, "they need a cursor, which is the residue"],
  [/^(DEALLOCATE|DISCARD PLANS|DISCARD SEQUENCES)$/, "they remove what a session has"],
  [/^(COPY|NOTIFY|SHOW|TRUNCATE TABLE|CHECKPOINT)$/, "they read and write tables, settings and channels"],
  [
    /^(ANALYZE|CLUSTER|COMMENT|GRANT|GRANT ROLE|IMPORT FOREIGN SCHEMA|REASSIGN OWNED|REFRESH MATERIALIZED VIEW|REINDEX|REVOKE|REVOKE ROLE|SECURITY LABEL|VACUUM)$/,
    "they change the catalogue or how tables are stored"
  ],
  [/^(CALL|DO)$/, "they run other statements, as the tests do with each"]
]
