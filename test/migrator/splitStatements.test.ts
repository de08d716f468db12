/** Tests where an SQL file is cut into statements. */
import { assert, describe, it } from "@effect/vitest"
import { splitStatements } from "../../src/migrator/splitStatements.ts"

const textsOf = (text: string): ReadonlyArray<string> => splitStatements(text).map(({ sql }) => sql)

describe("an SQL file", () => {
  it.each([
    ["strings", ["SELECT ';', 'it''s;'", "SELECT 2"]],
    ["strings with escapes", ["SELECT E'\\';', e'\\\\'", "SELECT 2"]],
    ["strings with plain backslashes", ["SELECT '\\'", "SELECT 2"]],
    ["strings that go on in the next line", ["SELECT 'a'\n  ';b'", "SELECT 2"]],
    ["strings of other kinds", ["SELECT U&'\\0041;', B'0', X'1f', N';'", "SELECT 2"]],
    ["quoted names", ['SELECT 1 AS ";"";"', "SELECT 2"]],
    ["dollar quotes", ["DO $$BEGIN PERFORM 1; END$$", "DO $a_1$ $$ ; $b$ ; $$ $a_1$", "SELECT 2"]],
    ["names with dollars", ["SELECT a$b$c", "SELECT b$b$c"]],
    ["comments", ["SELECT /* ; /* ; */ ; */ 1 -- ;\n + 1", "SELECT 2"]],
    ["parentheses", ["CREATE RULE r AS ON INSERT TO t DO ALSO (INSERT INTO a VALUES (1); DELETE FROM b)", "SELECT 2"]],
    [
      "bodies of functions in SQL",
      [
        'CREATE FUNCTION f("begin" int) RETURNS int BEGIN ATOMIC SELECT CASE WHEN (CASE $1 WHEN 1 THEN true END) THEN 1 END; ' +
          "SELECT a.end AS end FROM (SELECT 1 AS end) AS a; END",
        "create procedure p() begin atomic insert into t values (1); end",
        "SELECT 2"
      ]
    ],
    ["BEGIN of a transaction", ["BEGIN", "SELECT 1", "END"]]
  ])("is cut between statements, and not within %s", (_, statements) => {
    assert.deepStrictEqual(textsOf(statements.join(";")), statements)
    assert.deepStrictEqual(textsOf(`${statements.join(";\n")};\n`), statements)
  })

  it("has no statement where there is only white space, semicolons and comments", () => {
    assert.deepStrictEqual(textsOf(" ;;\n-- SELECT 1;\n/* SELECT 2; */;\f"), [])
  })

  it("keeps a comment that does not end, so that the server complains of it", () => {
    assert.deepStrictEqual(textsOf("SELECT 1; /* /* */"), ["SELECT 1", "/* /* */"])
    assert.deepStrictEqual(textsOf("/*/"), ["/*/"])
  })

  it("knows the line and the place where each statement begins", () => {
    const text = "-- first\n\nSELECT\n1; SELECT 2;\n/* ;\n */ SELECT 3"
    assert.deepStrictEqual(splitStatements(text), [
      { sql: "SELECT\n1", start: text.indexOf("SELECT"), line: 3 },
      { sql: "SELECT 2", start: text.indexOf("SELECT 2"), line: 4 },
      { sql: "SELECT 3", start: text.indexOf("SELECT 3"), line: 6 }
    ])
  })

  it("is cut in a time that grows with its length", () => {
    const row = "INSERT INTO t VALUES (1, 'a;b', $$c;d$$); -- e;f\n"
    const begun = performance.now()
    assert.lengthOf(splitStatements(row.repeat(20_000)), 20_000)
    assert.isBelow(performance.now() - begun, 10_000)
  })
})
