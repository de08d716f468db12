import { assert, describe, it } from "@effect/vitest"
import { replacePlaceholders } from "../../../src/connection/copy/placeholders.ts"

const replaced = (sql: string, isBackslashPlain = true): string =>
  replacePlaceholders(sql, (number) => `<${number}>`, { isBackslashPlain })

/** The texts that PostgreSQL's lexer takes for placeholders, and those that it does not. */
const texts: ReadonlyArray<readonly [string, string, string]> = [
  ["one", "SELECT $1", "SELECT <1>"],
  ["several, in any order", "$2+$1,$12", "<2>+<1>,<12>"],
  ["one beside a cast and an operator", "a=$1::int4", "a=<1>::int4"],
  ["none in a string", "'$1' || $1", "'$1' || <1>"],
  ["none in a string with quotes", "'it''s $1' || $1", "'it''s $1' || <1>"],
  ["none behind a backslash in a plain string", "'\\' || $1 || '$2'", "'\\' || <1> || '$2'"],
  ["none in a string with escapes", "E'\\'$1' || $1", "E'\\'$1' || <1>"],
  ["none in a string with escapes that goes on in another line", "e'a'\n 'b\\'$1' || $1", "e'a'\n 'b\\'$1' || <1>"],
  ["none in a string that goes on after a comment", "'a' -- $1\n '$1' || $1", "'a' -- $1\n '$1' || <1>"],
  ["one after a name that ends with e", "table'$1'$1", "table'$1'<1>"],
  ["none in a name in quotes", 'SELECT "a$1""$1" = $1', 'SELECT "a$1""$1" = <1>'],
  ["none in a name", "a$1 + _$1 + é$1 + $1", "a$1 + _$1 + é$1 + <1>"],
  ["none in a comment to the end of the line", "1 -- $1\n+ $1", "1 -- $1\n+ <1>"],
  ["none in a comment that is the last line", "$1 -- $1", "<1> -- $1"],
  ["none in nested comments", "/* $1 /* $1 */ $1 */ $1", "/* $1 /* $1 */ $1 */ <1>"],
  ["none in dollar quotes", "$$ $1 $$ || $1", "$$ $1 $$ || <1>"],
  ["none in dollar quotes with a tag", "$a$ $1 $$ $b$ $a$ || $1", "$a$ $1 $$ $b$ $a$ || <1>"],
  ["one after a minus, and after a slash", "-$1 /$2", "-<1> /<2>"],
  ["none in what has no end", "'$1", "'$1"],
  ["none in dollar quotes without an end", "$a$ $1", "$a$ $1"],
  ["none in a comment without an end", "/* $1", "/* $1"],
  ["a dollar alone", "$ $1", "$ <1>"],
  ["an empty text", "", ""]
]

describe("replacePlaceholders", () => {
  for (const [what, sql, expected] of texts) {
    it(`finds ${what}`, () => {
      assert.strictEqual(replaced(sql), expected)
    })
  }

  it("follows a server on which a backslash is an escape", () => {
    assert.strictEqual(replaced("'\\'$1' || $1", false), "'\\'$1' || <1>")
  })

  it("reads a long text in linear time", () => {
    const filler = `'${"''".repeat(500_000)}' /* ${"*".repeat(500_000)} */ ${"(".repeat(200_000)}`
    assert.strictEqual(replaced(`${filler}$1`), `${filler}<1>`)
  })
})
