/** Summaries of statements: what names a span. */
import { assert, describe, it } from "@effect/vitest"
import { batchOf, inBatch, summaryOf } from "../../../src/session/observing/summary.ts"

/** A text, its summary, its command and its only table. */
const summaries: ReadonlyArray<readonly [sql: string, text: string, operation: string, collection?: string]> = [
  ["SELECT * FROM books", "SELECT books", "SELECT", "books"],
  ["select title from books where id = $1", "SELECT books", "SELECT", "books"],
  ["/* route: /books */ -- first\nSELECT 1 FROM books -- last", "SELECT books", "SELECT", "books"],
  ["/* a /* nested */ comment */SELECT 1", "SELECT", "SELECT"],
  ["SELECT 'x FROM y', $$ FROM z $$ FROM books", "SELECT books", "SELECT", "books"],
  ["SELECT * FROM public.books AS b", "SELECT public.books", "SELECT", "public.books"],
  ['SELECT * FROM "public"."Books"', "SELECT public.Books", "SELECT", "public.Books"],
  ['SELECT * FROM "song list"', 'SELECT "song list"', "SELECT", '"song list"'],
  ["SELECT * FROM ONLY books", "SELECT books", "SELECT", "books"],
  ["SELECT * FROM books b, authors a WHERE b.x = a.x", "SELECT books authors", "SELECT"],
  [
    "SELECT * FROM books b LEFT JOIN authors a USING (id) JOIN shops s ON f(s.x, b.y), stock",
    "SELECT books authors shops stock",
    "SELECT"
  ],
  ["SELECT * FROM (books JOIN authors USING (id)) JOIN shops ON true", "SELECT books authors shops", "SELECT"],
  ["SELECT * FROM books a JOIN books b ON a.next = b.id", "SELECT books books", "SELECT", "books"],
  ["SELECT x FROM (SELECT * FROM orders o JOIN customers c ON true) t", "SELECT SELECT orders customers", "SELECT"],
  ["SELECT * FROM a WHERE id IN (SELECT id FROM b), c", "SELECT a SELECT b", "SELECT"],
  ["SELECT a FROM x UNION ALL SELECT b FROM y", "SELECT x SELECT y", "SELECT"],
  ["(SELECT 1 FROM a) UNION (SELECT 2 FROM b)", "SELECT a SELECT b", "SELECT"],
  ["SELECT extract(year FROM due), trim(both 'x' from y) FROM bills", "SELECT bills", "SELECT", "bills"],
  ["SELECT a IS DISTINCT FROM b FROM bills", "SELECT bills", "SELECT", "bills"],
  ["SELECT * FROM generate_series(1, $1)", "SELECT generate_series", "SELECT"],
  ["SELECT * FROM books, LATERAL f(books.id) AS t(a, b), shops", "SELECT books f shops", "SELECT"],
  ["SELECT * FROM books WHERE id = $1 FOR UPDATE", "SELECT books", "SELECT", "books"],
  ["SELECT * FROM books FOR NO KEY UPDATE SKIP LOCKED", "SELECT books", "SELECT", "books"],
  ["SELECT a, count(*) FROM books GROUP BY a, b ORDER BY c, d LIMIT 1", "SELECT books", "SELECT", "books"],
  ["SELECT * FROM (VALUES (1, 2), (3, 4)) AS t(a, b)", "SELECT", "SELECT"],
  ["SELECT a INTO copy_of_books FROM books", "SELECT copy_of_books books", "SELECT"],
  ["VALUES (1), (2)", "VALUES", "VALUES"],
  ["TABLE books", "TABLE books", "TABLE", "books"],
  ["INSERT INTO orders (a, b) VALUES ($1, $2)", "INSERT orders", "INSERT", "orders"],
  [
    "INSERT INTO orders(a) VALUES ($1) ON CONFLICT (a) DO UPDATE SET a = excluded.a",
    "INSERT orders",
    "INSERT",
    "orders"
  ],
  ["INSERT INTO orders SELECT * FROM carts", "INSERT orders SELECT carts", "INSERT"],
  ["UPDATE books SET title = $1 WHERE id = $2 RETURNING id, title", "UPDATE books", "UPDATE", "books"],
  ["UPDATE books b SET x = (SELECT y FROM c) FROM d, e", "UPDATE books SELECT c d e", "UPDATE"],
  ["DELETE FROM books WHERE id = ANY($1)", "DELETE books", "DELETE", "books"],
  ["DELETE FROM books USING authors WHERE true", "DELETE books authors", "DELETE"],
  [
    "MERGE INTO stock s USING sales JOIN shops USING (id) ON true WHEN MATCHED THEN UPDATE SET n = 1 WHEN NOT MATCHED THEN INSERT VALUES (1)",
    "MERGE stock sales shops",
    "MERGE"
  ],
  [
    "WITH due AS (SELECT * FROM jobs FOR UPDATE), other AS (SELECT 1) UPDATE jobs SET a = 1 FROM due",
    "SELECT jobs SELECT UPDATE jobs",
    "UPDATE",
    "jobs"
  ],
  ["WITH books AS (SELECT * FROM books) SELECT * FROM books", "SELECT books SELECT", "SELECT", "books"],
  ["WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT * FROM t", "SELECT SELECT SELECT", "SELECT"],
  ["WITH gone AS (DELETE FROM a RETURNING *) INSERT INTO b SELECT * FROM gone", "DELETE a INSERT b SELECT", "INSERT"],
  ["COPY books (id, title) FROM STDIN (FORMAT binary)", "COPY books", "COPY", "books"],
  ["COPY (SELECT * FROM books) TO STDOUT", "COPY SELECT books", "COPY", "books"],
  ["CALL shop.restock($1, $2)", "CALL shop.restock", "CALL"],
  ["EXPLAIN (FORMAT JSON, ANALYZE) UPDATE books SET a = 1", "EXPLAIN UPDATE books", "EXPLAIN", "books"],
  ["EXPLAIN ANALYZE DELETE FROM books", "EXPLAIN DELETE books", "EXPLAIN", "books"],
  ["DECLARE c SCROLL CURSOR FOR SELECT * FROM books", "DECLARE SELECT books", "DECLARE", "books"],
  ["TRUNCATE TABLE books, authors CASCADE", "TRUNCATE books authors", "TRUNCATE"],
  ["LOCK TABLE ONLY books IN SHARE MODE", "LOCK books", "LOCK", "books"],
  [
    "REFRESH MATERIALIZED VIEW CONCURRENTLY sales",
    "REFRESH MATERIALIZED VIEW sales",
    "REFRESH MATERIALIZED VIEW",
    "sales"
  ],
  ["CREATE TEMP TABLE IF NOT EXISTS books (id int)", "CREATE TABLE books", "CREATE TABLE", "books"],
  ["CREATE TABLE recent AS SELECT * FROM books", "CREATE TABLE recent SELECT books", "CREATE TABLE"],
  [
    "CREATE MATERIALIZED VIEW sales AS SELECT 1",
    "CREATE MATERIALIZED VIEW sales SELECT",
    "CREATE MATERIALIZED VIEW",
    "sales"
  ],
  ["CREATE UNIQUE INDEX CONCURRENTLY by_title ON books (title)", "CREATE INDEX by_title", "CREATE INDEX"],
  ["CREATE INDEX ON books (title)", "CREATE INDEX", "CREATE INDEX"],
  ["CREATE OR REPLACE FUNCTION f() RETURNS int AS $$ SELECT 1 FROM x $$", "CREATE FUNCTION f", "CREATE FUNCTION"],
  ["ALTER TABLE books ADD COLUMN a int", "ALTER TABLE books", "ALTER TABLE", "books"],
  ["DROP TABLE IF EXISTS books", "DROP TABLE books", "DROP TABLE", "books"],
  ["CREATE ACCESS METHOD m TYPE INDEX HANDLER h", "CREATE", "CREATE"],
  ["SET search_path TO app", "SET", "SET"],
  ['LISTEN "a channel"', "LISTEN", "LISTEN"],
  ["begin isolation level serializable", "BEGIN", "BEGIN"],
  ["SELECT 1 FROM a;", "SELECT a", "SELECT", "a"],
  ["INSERT INTO a VALUES (1); INSERT INTO a VALUES (2);", "BATCH INSERT a", "BATCH INSERT", "a"],
  ["INSERT INTO a VALUES (1); DELETE FROM b", "BATCH", "BATCH"]
]

describe("a summary", () => {
  for (const [sql, text, operation, collection] of summaries) {
    it(`of ${sql} is ${text}`, () => {
      assert.deepStrictEqual(summaryOf(sql), { text, operation, collection })
    })
  }

  for (const sql of ["", "  ", "-- only a comment", "SELEC 1", "what is this", "'text'", "\0", ";;"]) {
    it(`is not there if the text has no known command: ${JSON.stringify(sql)}`, () => {
      assert.deepStrictEqual(summaryOf(sql), { text: undefined, operation: undefined, collection: undefined })
    })
  }

  it("never has a value, and is short, also for a text that is no SQL", () => {
    const pieces = [
      "SELECT",
      "FROM",
      "(",
      ")",
      ",",
      "'a secret'",
      "$1",
      "WITH",
      "x",
      ".",
      '"',
      "JOIN",
      "UPDATE",
      ";",
      "AS"
    ]
    for (let seed = 1; seed <= 500; seed++) {
      let state = seed
      const next = (): string => pieces[(state = (state * 48_271) % 0x7fffffff) % pieces.length] ?? ""
      const { text = "" } = summaryOf(Array.from({ length: 12 }, next).join(" "))
      assert.notInclude(text.replaceAll(/"[^"]*("|$)/g, ""), "secret")
      assert.isAtMost(text.length, 255)
    }
  })

  it("of a long text is cut between two names, and takes no time", () => {
    const sql = `SELECT * FROM ${Array.from({ length: 100_000 }, (_, at) => `table_${at}`).join(", ")}`
    const began = performance.now()
    const { text = "" } = summaryOf(sql)
    assert.isBelow(performance.now() - began, 1_000)
    assert.match(text, /^SELECT( table_\d+)+$/)
    assert.isAtMost(text.length, 255)
    assert.isAbove(text.length, 200)
  })

  it("of a batch has what its statements have in common", () => {
    const [insert, select] = [summaryOf("INSERT INTO a VALUES (1)"), summaryOf("SELECT 1 FROM b")]
    assert.strictEqual(inBatch(insert).text, "BATCH INSERT a")
    assert.strictEqual(batchOf([insert, insert]).text, "BATCH INSERT a")
    assert.strictEqual(batchOf([insert, select]).text, "BATCH")
    assert.strictEqual(batchOf([insert]).text, "INSERT a")
    assert.strictEqual(batchOf([]).text, undefined)
  })
})
