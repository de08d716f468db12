import { assert, describe, it } from "@effect/vitest"
import { formatOf } from "../../../src/codec/codec.ts"
import { citext } from "../../../src/codec/optional/citext.ts"
import { lquery, ltree, ltxtquery } from "../../../src/codec/optional/ltree.ts"
import { Format } from "../../../src/wire/backendMessage.ts"
import { assertWithstands, hostile, read, undecodable, unencodable, written } from "../../fixtures/codec.ts"
import { codecOf } from "../../fixtures/typeCodec.ts"

for (const type of [ltree, lquery, ltxtquery]) {
  const codec = codecOf(type)
  describe(`${codec.name} of the extension`, () => {
    it("is its text after a version byte", () => {
      assert.strictEqual(read(codec, "01 61 2e 62"), "a.b")
      assert.strictEqual(written(codec, "a.b"), "01612e62")
      assert.strictEqual(formatOf(codec, "a.b"), Format.binary)
      assert.match(undecodable(codec, "02 61"), /unknown version/)
      assert.match(undecodable(codec, ""), /unknown version/)
      assert.match(unencodable(codec, 1), /takes a string/)
    })

    it.prop("throws nothing but Undecodable", [hostile(1, 3)], ([values]) => assertWithstands(codec, values))
  })
}

describe("citext", () => {
  it("is its text", () => {
    const codec = codecOf(citext)
    assert.strictEqual(read(codec, "41 62"), "Ab")
    assert.strictEqual(written(codec, "Ab"), "4162")
    assert.match(unencodable(codec, 1), /citext takes a string/)
  })
})
