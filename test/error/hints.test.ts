/** When a hint is given, and above all when not: a wrong hint is worse than none. */
import { assert, describe, it } from "@effect/vitest"
import { countHint } from "../../src/error/hints/countHint.ts"
import { schemaHint } from "../../src/error/hints/schemaHint.ts"
import { slipHint } from "../../src/error/hints/slipHint.ts"
import { foreignPlaceholders, quotedPlaceholder } from "../../src/error/hints/sqlText.ts"
import { valueHint } from "../../src/error/hints/valueHint.ts"

describe("the placeholders of another client", () => {
  it.each([
    "SELECT doc ? 'a' FROM books",
    "SELECT doc ?| array['a'], doc ?& array['b'] FROM books",
    "SELECT '= ?', \"a = ?\" FROM books -- = ?\n/* = ? */",
    "SELECT $$ = ? :id $$, $q$ :id $q$",
    "SELECT id::text, ids[1:2], ids[1:n], at::timestamptz(3) FROM books",
    "SELECT '12:30', '{\"a\": :b}'",
    "SELECT $1"
  ])("are not seen in %s", (sql) => {
    assert.isUndefined(foreignPlaceholders(sql))
  })

  it.each([
    ["SELECT * FROM a WHERE b = ?", "?"],
    ["SELECT * FROM a LIMIT ? OFFSET ?", "?"],
    ["INSERT INTO a VALUES (?,?)", "?"],
    ["SELECT :id", ":name"],
    ["SELECT * FROM a WHERE b=:b", ":name"],
    ["SELECT ${id}", "${...}"]
  ])("are seen in %s", (sql, form) => {
    assert.include(foreignPlaceholders(sql), form)
  })

  it("are not searched in a text of millions of characters", () => {
    assert.isUndefined(foreignPlaceholders(`SELECT * FROM a WHERE b = ?${" ".repeat(1_000_000)}`))
  })
})

describe("a placeholder in quotes", () => {
  it.each([
    ["SELECT '$1'", "Write $1 instead of '$1'"],
    ["SELECT 'a-$12'", "Write ('a-' || $12) instead of 'a-$12'"]
  ])("is taken out of %s", (sql, words) => {
    assert.include(quotedPlaceholder(sql), words)
  })

  it("is not seen in the text between two others", () => {
    assert.isUndefined(quotedPlaceholder("SELECT 'US dollars'"))
  })
})

describe("the hint for a number of values", () => {
  it("does not blame quotes if too few values were given", () => {
    assert.notInclude(countHint({ expected: 2, actual: 1, sql: "SELECT $1, $2, '$3'" }) ?? "", "quotes")
  })
})

const refusal = { code: "42601", position: undefined, routine: "scanner_yyerror", hint: undefined }

/** The hint for a syntax error at the first place of a word. */
const atWord = (sql: string, word: string): string | undefined =>
  slipHint({ ...refusal, position: String(Array.from(sql.slice(0, sql.indexOf(word))).length + 1) }, sql)

describe("the hint for a server's error", () => {
  it("is none if the statement shows no habit", () => {
    assert.isUndefined(slipHint(refusal, "SELEC 1"))
    assert.isUndefined(slipHint({ ...refusal, code: "23505" }, "INSERT INTO a VALUES (?)"))
    assert.isUndefined(slipHint({ ...refusal, code: "42883", routine: "ParseFuncOrColumn" }, "SELECT constructor()"))
    assert.isUndefined(atWord("SELECT * FROM a WHERE tags && ARRAY['a'] FRM", "FRM"))
    assert.isUndefined(atWord("SELECT a FROM b ORDER BY order", "order"))
  })

  it("keeps that of the server if it knows nothing better", () => {
    const hint = "Perhaps you meant b."
    assert.strictEqual(slipHint({ ...refusal, code: "42703", hint }, "SELECT a"), hint)
    assert.strictEqual(slipHint({ ...refusal, code: "25001", hint }, "SELECT a"), hint)
  })

  it("counts characters as the server does", () => {
    assert.include(atWord("SELECT '𝒳𝒳𝒳' FROM $1", "$1"), "sql.id")
    const sql = `SELECT '𝒳' FROM "public.books"`
    assert.include(slipHint({ ...refusal, code: "42P01", position: "17" }, sql), "as one name")
  })

  it("does not fail for a position that is none", () => {
    for (const position of ["", "-1", "0", "abc", "99999999999999999999"]) {
      assert.doesNotThrow(() => slipHint({ ...refusal, position }, "SELECT ?"))
    }
  })
})

describe("the hint for a value", () => {
  const refused = { type: "int4", parameter: 1, sql: "SELECT $1" }

  it("is none for a kind that says nothing", () => {
    assert.isUndefined(valueHint(undefined, refused))
    assert.isUndefined(valueHint("null", refused))
  })

  it("is about the parameter that was refused, and not about another with the same beginning", () => {
    const sql = "SELECT * FROM a WHERE b IN ($10) AND c = $1"
    assert.notInclude(valueHint("an array", { ...refused, sql }) ?? "", "ANY")
    assert.include(valueHint("an array", { ...refused, sql, parameter: 10 }), "= ANY ($10)")
  })
})

describe("the hint for a schema", () => {
  it("is none for what is within a value, or of a type that needs none", () => {
    assert.isUndefined(schemaHint({ type: "jsonb", value: {}, isWhole: false }))
    assert.isUndefined(schemaHint({ type: "int4", value: 1, isWhole: true }))
    assert.isUndefined(schemaHint({ type: "constructor", value: "x", isWhole: true }))
  })
})
