import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import { Buffer } from "node:buffer"
import { uuid } from "../../src/codec/uuid.ts"
import { int } from "../wire/frames.ts"
import { assertWithstands, hostile, read, undecodable, unencodable, unspaced, written } from "../fixtures/codec.ts"

const sixteenBytes = Arbitrary.array(int(0, 255), { minLength: 16, maxLength: 16 })

const hex = "a0eebc99 9c0b4ef8 bb6d6bb9 bd380a11"

describe("uuid", () => {
  for (const [value, bytes] of [
    ["00000000-0000-0000-0000-000000000000", "00".repeat(16)],
    ["ffffffff-ffff-ffff-ffff-ffffffffffff", "ff".repeat(16)],
    ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", hex],
    ["01234567-89ab-cdef-fedc-ba9876543210", "0123456789abcdeffedcba9876543210"]
  ] as const) {
    it(`reads and writes ${value} as its 16 bytes`, () => {
      assert.strictEqual(read(uuid, bytes), value)
      assert.strictEqual(written(uuid, value), unspaced(bytes))
    })
  }

  for (const form of [
    "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
    "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
    "a0eebc999c0b4ef8bb6d6bb9bd380a11",
    "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11",
    "{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}"
  ]) {
    it(`accepts ${form}`, () => {
      assert.strictEqual(written(uuid, form), unspaced(hex))
    })
  }

  for (const form of [
    "",
    "{}",
    "{",
    "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1",
    "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a111",
    "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11-",
    "a0eebc99--9c0b-4ef8-bb6d-6bb9bd380a11",
    "a0-eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    "-a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11)",
    "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
    " a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    "g0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    "é0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
  ]) {
    it(`refuses ${JSON.stringify(form)}`, () => {
      assert.strictEqual(
        unencodable(uuid, form),
        "uuid takes 32 hexadecimal digits, with hyphens in the form 8-4-4-4-12"
      )
    })
  }

  it("takes strings only, and reads 16 bytes only", () => {
    assert.strictEqual(unencodable(uuid, Buffer.alloc(16)), "uuid takes a string, not an object")
    assert.strictEqual(undecodable(uuid, "00".repeat(15)), "uuid has 16 bytes, but the server sent 15")
  })

  it.prop("survives a round trip with any 16 bytes", [sixteenBytes], ([values]) => {
    const bytes = Buffer.from(values).toString("hex")
    const value = read(uuid, bytes)
    assert.match(value, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    assert.strictEqual(value.replaceAll("-", ""), bytes)
    assert.strictEqual(written(uuid, value), bytes)
  })

  it.prop("throws nothing but Undecodable", [hostile(16)], ([values]) => assertWithstands(uuid, values))
})
