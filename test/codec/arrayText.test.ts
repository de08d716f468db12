import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import { losslessArrayOf, PgArray } from "../../src/codec/array.ts"
import { type FlatArray, parseArray } from "../../src/codec/arrayText.ts"
import { ofText, textOf } from "../../src/codec/codec.ts"
import { pgType } from "../../src/codec/oid.generated.ts"
import { text } from "../../src/codec/text.ts"
import { Undecodable } from "../../src/wire/failure.ts"
import { int, text as anyText } from "../wire/frames.ts"

const flat = (
  elements: ReadonlyArray<string | null>,
  lengths: ReadonlyArray<number>,
  lowerBounds: ReadonlyArray<number> = lengths.map(() => 1)
): FlatArray<string | null> => ({ elements, lengths, lowerBounds })

const table: ReadonlyArray<readonly [string, FlatArray<string | null>]> = [
  ["{}", flat([], [])],
  ["{a}", flat(["a"], [1])],
  ["{a,b c,NULL}", flat(["a", "b c", null], [3])],
  ['{"","NULL",null,nulls}', flat(["", "NULL", "null", "nulls"], [4])],
  ['{"a,b","{}","\\"","\\\\","\n"}', flat(["a,b", "{}", '"', "\\", "\n"], [5])],
  ['{"\\a","größe 🐘"}', flat(["a", "größe 🐘"], [2])],
  ["{{1,2},{3,4},{5,6}}", flat(["1", "2", "3", "4", "5", "6"], [3, 2])],
  ["{{{{{{1}}}}}}", flat(["1"], [1, 1, 1, 1, 1, 1])],
  ["[2:3]={a,b}", flat(["a", "b"], [2], [2])],
  ["[-1:0][5:5]={{a},{NULL}}", flat(["a", null], [2, 1], [-1, 5])],
  ["[1:1]={[2:3]=x}", flat(["[2:3]=x"], [1])]
]

describe("the text of an array", () => {
  for (const [text, expected] of table) {
    it(`is parsed: ${JSON.stringify(text)}`, () => {
      assert.deepStrictEqual(parseArray(text, ","), expected)
    })
  }

  it("is divided only by the delimiter of the element type", () => {
    assert.deepStrictEqual(parseArray("{(1,1),(0,0);(2,2),(1,1)}", ";"), flat(["(1,1),(0,0)", "(2,2),(1,1)"], [2]))
  })

  for (const [text, why] of [
    ["", "does not begin with a brace"],
    ["a", "does not begin with a brace"],
    ["[1:1]=", "does not begin with a brace"],
    ["{", "has no element where one is due"],
    ["{,}", "has no element where one is due"],
    ["{a,}", "has no element where one is due"],
    ["{{}}", "has no element where one is due"],
    ["{a", "has an element that does not end"],
    ['{"a"b}', "has an element that does not end"],
    ['{a"b"}', "has an element that does not end"],
    ["{a;b}x", "continues behind its end"],
    ["{a}}", "continues behind its end"],
    ["{a},{b}", "continues behind its end"],
    ['{"a', "ends within quotes"],
    ['{"a\\', "ends within quotes"],
    ['{"a\\"', "ends within quotes"],
    ["{{1,2},{3}}", "is not rectangular"],
    ["{{1},2}", "has elements at different depths"],
    ["{1,{2}}", "has elements at different depths"],
    ["{{1},{{2}}}", "has elements at different depths"],
    ["{{{{{{{1}}}}}}}", "has more than 6 dimensions"],
    ["[1:2]={a}", "declares bounds that do not match its lengths"],
    ["[1:1][1:1]={a}", "declares bounds that do not match its lengths"],
    ["[1:0]={}", "declares bounds that do not match its lengths"],
    ["[a:b]={a}", "does not begin with a brace"]
  ] as const) {
    it(`is refused: ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseArray(text, ","), Undecodable, `the text of the array ${why}`)
    })
  }

  it("is parsed in linear time, whatever it holds", () => {
    const size = 200_000
    for (const text of [
      "{".repeat(size),
      `{${'"\\"",'.repeat(size)}`,
      `{${"{".repeat(size)}`,
      `{"${"\\".repeat(size)}`,
      "[1:1]".repeat(size)
    ]) {
      assert.throws(() => parseArray(text, ","), Undecodable)
    }
    assert.strictEqual(parseArray(`{${"x,".repeat(size)}x}`, ",").elements.length, size + 1)
  })

  const texts = losslessArrayOf(text, pgType.text.oid)
  const elements = Arbitrary.array(anyText, { minLength: 1 })
  it.prop("gives back any texts at any bounds", [elements, int(-9, 9), int(1, 3)], ([values, lower, rows]) => {
    const value = new PgArray(
      Array.from({ length: rows }, () => values),
      [lower, 1 - lower]
    )
    assert.deepStrictEqual(ofText(texts, textOf(texts, value)), value)
  })

  const fragments = Arbitrary.array(int(0, 9)).pipe(
    Arbitrary.map((picks) => picks.map((pick) => '{}",\\aN[1:'.charAt(pick)).join(""))
  )
  it.prop("throws nothing but Undecodable", [fragments], ([text]) => {
    for (const candidate of [text, `{${text}}`, `[1:2]={${text}}`]) {
      try {
        parseArray(candidate, ",")
      } catch (thrown) {
        assert.instanceOf(thrown, Undecodable)
      }
    }
  })
})
