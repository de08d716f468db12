import { assert, describe, it } from "@effect/vitest"
import { quoteName, quoteText } from "../../src/wire/sqlText.ts"

describe("SQL text", () => {
  for (const [name, quoted] of [
    ["plain", '"plain"'],
    ['a"b', '"a""b"'],
    ["", '""'],
    ["A b;--", '"A b;--"']
  ] as const) {
    it(`writes the name ${name} as ${quoted}`, () => assert.strictEqual(quoteName(name), quoted))
  }

  for (const [text, quoted] of [
    ["plain", "'plain'"],
    ["it's", "'it''s'"],
    ["a\\b", "E'a\\\\b'"],
    ["\\'", "E'\\\\'''"]
  ] as const) {
    it(`writes the string ${text} as ${quoted}`, () => assert.strictEqual(quoteText(text), quoted))
  }
})
