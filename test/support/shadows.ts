/** A schema as an attacker would make it, for tests of a search_path in which it comes first. */

/**
 * Shadows everything that has a name in pg_catalog: functions and operators with the same parameters, which fail if
 * they are called; tables without columns; and types without values.
 */
export const SHADOWS = `
CREATE SCHEMA hostile;
CREATE SCHEMA ours;
CREATE TYPE ours.mood AS ENUM ('fine');
CREATE TYPE ours.pair AS (a pg_catalog.int4, m ours.mood);
CREATE TABLE ours.things (n pg_catalog.int4, m ours.mood, p ours.pair);
DO $$
DECLARE
  f pg_catalog.record;
  made pg_catalog.int4 := 0;
BEGIN
  FOR f IN
    SELECT relname AS name FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v')
  LOOP EXECUTE format('CREATE TABLE hostile.%I ()', f.name); END LOOP;
  FOR f IN
    SELECT typname AS name FROM pg_type
    WHERE typnamespace = 'pg_catalog'::regnamespace AND (typtype IN ('b', 'r') AND typname !~ '^_' OR typname = 'void')
  LOOP EXECUTE format('CREATE TYPE hostile.%I AS ENUM ()', f.name); END LOOP;
  FOR f IN
    SELECT DISTINCT p.proname AS name, pg_get_function_identity_arguments(p.oid) AS arguments, p.pronargs AS arity
    FROM pg_proc AS p
    WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f'
      AND (p.proname ~ '^(pg_|lo_|set|format|unnest|array_|current_|has_|to_)' OR p.proname ~ '(eq|ne|lt|gt|le|ge)$')
  LOOP
    BEGIN
      EXECUTE format(
        'CREATE FUNCTION hostile.%I(%s) RETURNS pg_catalog.bool LANGUAGE plpgsql AS %L',
        f.name, f.arguments, 'BEGIN RAISE ''hostile ${"%"}'', ' || quote_literal(f.name) || '; END'
      );
      made := made + 1;
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
  END LOOP;
  FOR f IN
    SELECT o.oid AS id, o.oprname AS name, format_type(o.oprleft, NULL) AS l, format_type(o.oprright, NULL) AS r
    FROM pg_operator AS o WHERE o.oprname IN ('=', '<>', '<', '>', '<=', '>=', '||', '+', '-', '~') AND o.oprleft <> 0
  LOOP
    BEGIN
      EXECUTE format(
        'CREATE FUNCTION hostile.operator_%s(%s, %s) RETURNS pg_catalog.bool LANGUAGE plpgsql AS %L',
        f.id, f.l, f.r, 'BEGIN RAISE ''hostile operator''; END'
      );
      EXECUTE format(
        'CREATE OPERATOR hostile.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = hostile.operator_%s)', f.name, f.l, f.r, f.id
      );
      made := made + 1;
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
  END LOOP;
  IF made < 500 THEN RAISE 'only ${"%"} shadows', made; END IF;
END $$`
