import { assert, describe, it } from "@effect/vitest"
import { saslPrep } from "../../../../src/session/opening/authentication/saslPrep.ts"
import {
  LEFT_TO_RIGHT,
  RIGHT_TO_LEFT,
  UNASSIGNED
} from "../../../../src/session/opening/authentication/stringprep.generated.ts"

/** The code points of a table. */
const table = (text: string): Set<number> => {
  const codes = new Set<number>()
  for (const range of text.trim().split(/\s+/)) {
    const [first = "", last = first] = range.split("-")
    for (let code = parseInt(first, 16); code <= parseInt(last, 16); code++) codes.add(code)
  }
  return codes
}

describe("SASLprep", () => {
  it.each([
    ["I\u00adX", "IX", "a soft hyphen vanishes"],
    ["user", "user", "ASCII stays"],
    ["USER", "USER", "case stays"],
    ["\u00aa", "a", "NFKC"],
    ["\u2168", "IX", "NFKC of one into two"]
  ])("does with %j what RFC 4013 section 3 does: %j, %s", (password, prepared) => {
    assert.strictEqual(saslPrep(password), prepared)
  })

  it("turns every space of Unicode into an ordinary one", () => {
    assert.strictEqual(saslPrep("a\u00a0b\u2003c\u3000d\u200be"), "a b c d e")
  })

  it("leaves a forbidden password unchanged, as PostgreSQL does", () => {
    for (const password of ["\u0007\u00aa", "\u00ad", "\u200e\u00aa", "\ufffd\u00aa", "\ud800\u00aa", "\ue000\u00aa"]) {
      assert.strictEqual(saslPrep(password), password)
    }
  })

  it("maps two spellings of a password to one", () => {
    assert.strictEqual(saslPrep("pa\u0308ss"), saslPrep("p\u00e4ss"))
  })

  const unchanged: ReadonlyArray<readonly [what: string, password: string]> = [
    ["an emoji that is newer than Unicode 3.2", "\u{1f600}\u00aa"],
    ["an accent of its own before such an emoji", "e\u0301\u{1f600}"],
    ["an emoji of several, joined by what would vanish", "\u{1f468}\u200d\u{1f469}\u200d\u{1f467}"],
    ["an emoji with a variation selector", "\u2764\ufe0f\u{1f525}"],
    ["a letter that is newer than Unicode 3.2", "\u1e9e\u00aa"],
    ["a currency that is newer than Unicode 3.2", "100\u20bf\u00a0"],
    ["letters of both directions", "abc\u05d0\ufb01"],
    ["a direction that does not begin it", "1\u05d0\u0627\ufe8d"],
    ["a direction that does not end it", "\u0627\ufe8d1"]
  ]
  it.each(unchanged)("leaves a password with %s unchanged", (_what, password) => {
    assert.notStrictEqual(password.normalize("NFKC"), "")
    assert.strictEqual(saslPrep(password), password)
  })

  it("prepares a password of one direction, either of them", () => {
    assert.strictEqual(saslPrep("\ufe8d1\ufe8d"), "\u06271\u0627")
    assert.strictEqual(saslPrep("\u05d0\u00a0\u05d1"), "\u05d0 \u05d1")
    assert.strictEqual(saslPrep("\u2764\ufe0f"), "\u2764")
  })

  it("checks a password before it is normalized, as PostgreSQL does", () => {
    // It becomes a letter and a mark, and a mark may not end right-to-left text.
    assert.strictEqual(saslPrep("\ufb1d"), "\u05d9\u05b4")
  })

  it("has tables of Unicode 3.2: no later code points, and each code point with one direction", () => {
    const unassigned = table(UNASSIGNED)
    const rightToLeft = table(RIGHT_TO_LEFT)
    const leftToRight = table(LEFT_TO_RIGHT)
    const wrong: Array<number> = []
    for (let code = 0; code <= 0x10ffff; code++) {
      const character = String.fromCodePoint(code)
      const isNew = /\p{Cn}/u.test(character) && !/\p{Noncharacter_Code_Point}/u.test(character)
      const directions = Number(rightToLeft.has(code)) + Number(leftToRight.has(code))
      const isUnassigned = unassigned.has(code)
      if ((isNew && !isUnassigned) || directions > (isUnassigned ? 0 : 1)) wrong.push(code)
    }
    assert.deepStrictEqual(wrong, [])
    assert.isTrue(unassigned.has(0x1f600) && !unassigned.has(0x2764) && leftToRight.has(0x61) && rightToLeft.has(0x5d0))
  })
})
