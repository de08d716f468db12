import { assert, describe, it } from "@effect/vitest"
import { Buffer } from "node:buffer"
import {
  bpchar,
  cstring,
  name,
  pgNodeTree,
  readText,
  refcursor,
  text,
  unknown,
  varchar,
  xml
} from "../../src/codec/text.ts"
import { text as anyText } from "../wire/frames.ts"
import { assertWithstands, hostile, read, undecodable, unencodable, written } from "../fixtures/codec.ts"

const codecs = [text, varchar, bpchar, name, cstring, unknown, refcursor, pgNodeTree, xml]

const hexOf = (value: string): string => Buffer.from(value).toString("hex")

describe("text", () => {
  it("has the name of each of its types", () => {
    assert.deepStrictEqual(
      codecs.map((codec) => codec.name),
      ["text", "varchar", "bpchar", "name", "cstring", "unknown", "refcursor", "pg_node_tree", "xml"]
    )
  })

  for (const length of [...Array.from({ length: 30 }, (_, index) => index), 100, 100_000]) {
    it(`reads ${length} ASCII characters unchanged`, () => {
      const value = Array.from({ length }, (_, index) => String.fromCharCode(33 + ((index * 7) % 94))).join("")
      assert.strictEqual(read(text, hexOf(value)), value)
      assert.strictEqual(written(text, value), hexOf(value))
    })
  }

  for (const value of [
    "é",
    "größe",
    "abcdefg\u0080",
    "名前",
    "🐘",
    "x".repeat(19) + "é",
    "🐘".repeat(50),
    "\ufffd",
    "\ufeffx"
  ]) {
    it(`reads and writes ${JSON.stringify(value).slice(0, 20)} as UTF-8`, () => {
      for (const codec of codecs) {
        assert.strictEqual(read(codec, hexOf(value)), value)
        assert.strictEqual(written(codec, value), hexOf(value))
      }
    })
  }

  for (const [what, hex] of [
    ["a stray continuation byte", "61 80"],
    ["a byte that never occurs", "ff"],
    ["a character cut short", "e5 90"],
    ["an overlong form", "c0 80"],
    ["a surrogate", "ed a0 80"],
    ["a character beyond the last", "f5 80 80 80"],
    ["a character cut short at the end of a long text", `${"61".repeat(40)} f0 9f 90`],
    ["bad bytes beside a genuine replacement character", "ef bf bd ff"]
  ] as const) {
    it(`refuses bytes with ${what}`, () => {
      assert.strictEqual(undecodable(text, hex), "the value is not valid UTF-8")
    })
  }

  it("is read up to its end, even if a character straddles the end", () => {
    const bytes = Buffer.from("aé")
    assert.strictEqual(readText(bytes, 0, 1), "a")
    assert.throws(() => readText(bytes, 0, 2), "UTF-8")
  })

  it("takes strings only", () => {
    for (const value of [1, 1n, true, ["a"], Buffer.from("a"), {}]) {
      assert.match(unencodable(text, value), /^text takes a string, not /)
    }
  })

  it("holds neither NUL nor a lone surrogate", () => {
    assert.include(unencodable(text, "a\0b"), "NUL")
    assert.include(unencodable(text, "a\ud800"), "surrogate")
  })

  it("travels in binary, except xml, because the server would believe the declared encoding", () => {
    assert.deepStrictEqual(
      codecs.filter((codec) => !codec.writesStrings),
      [xml]
    )
  })

  it.prop("survives a round trip with any string", [anyText], ([value]) => {
    assert.strictEqual(read(text, written(text, value)), value)
  })

  it.prop("throws nothing but Undecodable", [hostile(3, 12, 30)], ([values]) => assertWithstands(text, values))
})
