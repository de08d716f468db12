/** Columns that look as if they were never NULL and are, and the other way round: each case for itself. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { makeAsker } from "../../../../src/cli/statements/asking/asker.ts"
import { describe } from "../description.ts"
import * as PgConnection from "../../../../src/PgConnection.ts"
import { scopedDatabase, TestDatabase } from "../../../support/database.ts"

const SCHEMA = `
  CREATE TABLE t (id int PRIMARY KEY, a int, b text NOT NULL, j jsonb NOT NULL, tags text[] NOT NULL, at timestamptz NOT NULL);
  CREATE TABLE u (id int PRIMARY KEY, t int REFERENCES t, c text NOT NULL);
  CREATE VIEW inner_view AS SELECT t.id, t.a, t.b FROM t;
  CREATE VIEW outer_view AS SELECT i.id, u.c FROM inner_view AS i LEFT JOIN u ON u.t = i.id;
  CREATE MATERIALIZED VIEW kept AS SELECT id, b FROM t;
  CREATE DOMAIN required AS text NOT NULL;
  CREATE TABLE with_domain (x required);
  CREATE TABLE parent (x int NOT NULL NO INHERIT, y int NOT NULL);
  CREATE TABLE heir () INHERITS (parent);
  CREATE TABLE doubtful (x int);
  ALTER TABLE doubtful ADD CONSTRAINT later NOT NULL x NOT VALID;
  CREATE TABLE parted (x int NOT NULL, y int) PARTITION BY LIST (x);
  CREATE TABLE part PARTITION OF parted FOR VALUES IN (1);
  CREATE FUNCTION mine(int) RETURNS int LANGUAGE sql STRICT AS 'SELECT NULL::int';
  CREATE TYPE single AS (x int);
  CREATE TABLE ruled (x int NOT NULL);
  CREATE RULE instead AS ON INSERT TO ruled DO INSTEAD INSERT INTO doubtful VALUES (1) RETURNING NULL::int;
`

/** A letter for each column: N if it is never NULL, and a small n if it may be. */
const CASES: ReadonlyArray<readonly [sql: string, columns: string]> = [
  // What a write returns is not what its condition has read.
  ["UPDATE t SET a = NULL WHERE a = 1 RETURNING a, b", "nN"],
  ["DELETE FROM t WHERE a = 1 RETURNING a, b", "nN"],
  ["UPDATE t SET a = u.id FROM u WHERE u.t = t.id RETURNING t.id, u.id, u.t", "NNN"],
  ["INSERT INTO t VALUES (1, 1, 'b', '{}', '{}', now()) RETURNING old.id, new.id, id", "nnN"],
  [
    "MERGE INTO t USING u ON u.t = t.id WHEN NOT MATCHED BY SOURCE THEN DELETE RETURNING merge_action(), t.id, u.id",
    "NNn"
  ],
  ["INSERT INTO ruled VALUES (2) RETURNING x", "n"],
  ["INSERT INTO inner_view (id, b) VALUES (1, 'b') RETURNING id", "n"],
  // Tables and views.
  ["SELECT id, a, b FROM inner_view", "NnN"],
  ["SELECT id, c FROM outer_view", "Nn"],
  ["SELECT id, c FROM outer_view WHERE c = 'c'", "NN"],
  ["SELECT id FROM kept", "n"],
  ["SELECT x FROM with_domain", "n"],
  ["SELECT x, y FROM parent", "nN"],
  ["SELECT x FROM doubtful", "n"],
  ["SELECT x, y FROM parted", "Nn"],
  ["SELECT t, t.ctid FROM t", "NN"],
  ["SELECT x, y FROM t AS x LEFT JOIN u AS y ON y.t = x.id", "Nn"],
  // Joins.
  ["SELECT id FROM t FULL JOIN u USING (id)", "N"],
  ["SELECT a FROM t FULL JOIN (SELECT id AS a FROM u) AS v USING (a)", "n"],
  ["SELECT t.id, u.id FROM t FULL JOIN u ON u.t = t.id WHERE u.c = 'c'", "nN"],
  ["SELECT j.id, j.c FROM (t LEFT JOIN u USING (id)) AS j", "Nn"],
  ["SELECT u.c FROM t LEFT JOIN u ON u.t = t.id AND u.c = 'c'", "n"],
  ["SELECT u.id, v.id FROM t LEFT JOIN (u JOIN u AS v ON v.id = u.id) ON u.t = t.id WHERE v.id > 0", "NN"],
  ["SELECT u.id FROM t LEFT JOIN u ON u.t = t.id WHERE u.id > 0 OR u.c = 'c'", "n"],
  ["SELECT u.id FROM t LEFT JOIN u ON u.t = t.id WHERE u.id > 0 OR u.id < 5", "N"],
  ["SELECT u.id FROM t LEFT JOIN u ON u.t = t.id WHERE NOT (u.id > 0)", "N"],
  ["SELECT u.id FROM t LEFT JOIN u ON u.t = t.id WHERE coalesce(u.id, 0) > 0", "n"],
  ["SELECT a FROM t WHERE a = ALL ('{}'::int[])", "n"],
  ["SELECT a FROM t WHERE a IN (1, 2)", "N"],
  // Functions and operators.
  ["SELECT mine(id) FROM t", "n"],
  ["SELECT j -> 'x', j ->> 'x', j || j, (j -> 'x') IS NULL FROM t", "nnNN"],
  ["SELECT (j)::int FROM t", "n"],
  ["SELECT to_char(at, ''), date_part('day', at), date_trunc('day', at), at + interval '1 day' FROM t", "nnNN"],
  ["SELECT lower(b), lower(int4range(id, id + 1)), upper(b), substring(b from 'x'), substring(b, 1) FROM t", "NnNnN"],
  ["SELECT tags[1], array_length(tags, 1), cardinality(tags), b = ANY (tags), b IN ('a', 'b') FROM t", "nnNnN"],
  ["SELECT $1::int, $1::int + 1, id + 1 FROM t", "nnN"],
  ["SELECT $1 IN (SELECT id FROM t), id IN (SELECT a FROM t), id IN (SELECT id FROM u) FROM t", "nnN"],
  ["SELECT current_schema, current_user, current_date", "nNN"],
  ["SELECT '[(0,0),(1,1)]'::lseg # '[(5,5),(6,6)]'::lseg", "n"],
  // Functions that return rows.
  ["SELECT generate_series(1, 2)", "N"],
  ["SELECT generate_series(1, 2), generate_series(1, 3)", "nn"],
  ["SELECT generate_series(1, 2), generate_series(1, 3) + 1", "nn"],
  ["SELECT x FROM unnest(ARRAY[1, 2]) AS x", "N"],
  ["SELECT a, b FROM ROWS FROM (generate_series(1, 2), generate_series(1, 3)) AS f (a, b)", "nn"],
  ["SELECT x FROM unnest(ARRAY[ROW(NULL)::single]) AS f (x)", "n"],
  // Aggregates and windows.
  ["SELECT sum(id) FROM t HAVING count(*) > 0", "n"],
  ["SELECT sum(id), array_agg(a), stddev(id) FROM t GROUP BY b", "NNn"],
  ["SELECT b, count(*) FROM t GROUP BY GROUPING SETS ((b), ())", "nN"],
  ["SELECT 'x' AS b, count(*) FROM t GROUP BY ROLLUP (1)", "nN"],
  ["SELECT (SELECT count(*) FROM u WHERE u.t = t.id), (SELECT c FROM u LIMIT 1), (SELECT 1) FROM t", "NnN"],
  ["SELECT (SELECT count(*) FROM u GROUP BY c LIMIT 1), (SELECT count(*) FROM u HAVING false) FROM t", "nn"],
  [
    "SELECT sum(id) OVER (), sum(id) OVER (ORDER BY id ROWS 1 PRECEDING EXCLUDE CURRENT ROW), ntile($1) OVER () FROM t",
    "Nnn"
  ],
  // Common tables.
  ["WITH RECURSIVE r (x, y) AS (SELECT 1, NULL::int UNION ALL SELECT y, x FROM r) SELECT x, y FROM r", "nn"],
  ["WITH RECURSIVE r (x, y) AS (SELECT 1, 2 UNION ALL SELECT y, x FROM r) SELECT x, y FROM r", "NN"],
  ["SELECT id FROM t UNION SELECT t FROM u", "n"],
  ["SELECT a FROM t INTERSECT SELECT id FROM u", "N"],
  ["SELECT id FROM t EXCEPT SELECT t FROM u", "N"],
  ["SHOW search_path", "n"]
]

layer(TestDatabase.layer, { excludeTestServices: true })("a column", (it) => {
  it.effect("is said to be never NULL exactly if it cannot be", () =>
    Effect.gen(function* () {
      const { url } = yield* scopedDatabase
      const settings = { url: Redacted.make(url) }
      const connection = yield* PgConnection.make(settings)
      yield* connection.executeScript(SCHEMA)
      const asker = yield* makeAsker(settings)
      const found = yield* Effect.forEach(CASES, ([sql]) =>
        Effect.map(describe(asker, sql), ({ columns }): readonly [string, string] => [
          sql,
          columns.map(({ presence }) => (presence.value ? "N" : "n")).join("")
        ])
      )
      assert.deepStrictEqual(found, CASES)
    })
  )
})
