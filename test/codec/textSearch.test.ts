import { assert, describe, it } from "@effect/vitest"
import { Buffer } from "node:buffer"
import { formatOf } from "../../src/codec/codec.ts"
import { tsquery, tsvector } from "../../src/codec/textSearch.ts"
import { Format } from "../../src/wire/backendMessage.ts"
import { bytes, int32 } from "../wire/frames.ts"
import { assertWithstands, hostile, read, undecodable, unencodable, unspaced, written } from "../fixtures/codec.ts"

describe("tsvector", () => {
  for (const [value, hex] of [
    ["", "00000000"],
    ["'a' 'b'", "00000002 6100 0000 6200 0000"],
    ["'größe':16383", "00000001 6772c3b6c39f6500 0001 3fff"],
    ["'b\\\\c' 'it''s':1A,2B,3C,4", "00000002 625c6300 0000 6974277300 0004 c001 8002 4003 0004"]
  ] as const) {
    it(`reads and writes ${JSON.stringify(value)} as ${hex}`, () => {
      assert.strictEqual(read(tsvector, hex), value)
      assert.strictEqual(written(tsvector, value), unspaced(hex))
    })
  }

  it("is written only from the form in which it is read; other texts travel as text", () => {
    assert.strictEqual(formatOf(tsvector, "fat cats"), Format.text)
    for (const value of ["fat cats", "'a", "'a':", "'a':x", "'a':1D", "'a'  'b'", "'a''", "'a\\b'"]) {
      assert.strictEqual(
        unencodable(tsvector, value),
        "tsvector takes text in the form that the server prints, such as 'a':1A,2 'b'"
      )
    }
    assert.strictEqual(unencodable(tsvector, ["a"]), "tsvector takes a string, not an array")
  })

  for (const [hex, message] of [
    ["", "the tsvector ends too early"],
    ["7fffffff", "the tsvector has a lexeme that does not end"],
    ["00000001 61", "the tsvector has a lexeme that does not end"],
    ["00000001 6100", "the tsvector ends too early"],
    ["00000001 6100 ffff 0001", "the tsvector ends too early"],
    ["00000000 00", "the tsvector has 1 bytes too many"],
    ["00000001 ff00 0000", "the value is not valid UTF-8"]
  ] as const) {
    it(`cannot be read from ${hex === "" ? "no bytes" : hex}`, () => {
      assert.strictEqual(undecodable(tsvector, hex), message)
    })
  }
})

const A = "01 00 00 6100"
const B = "01 00 00 6200"
const C = "01 00 00 6300"
const NOT = "02 01"
const AND = "02 02"
const OR = "02 03"
const FOLLOWED_BY = "02 04 0001"

describe("tsquery", () => {
  for (const [value, hex] of [
    ["", "00000000"],
    ["'a'", `00000001 ${A}`],
    ["'it''s'", "00000001 01 00 00 6974277300"],
    ["'a':*AB", "00000001 01 0c 01 6100"],
    ["'a':CD", "00000001 01 03 00 6100"],
    ["!!'a'", `00000003 ${NOT} ${NOT} ${A}`],
    ["!( 'a' & 'b' )", `00000004 ${NOT} ${AND} ${B} ${A}`],
    ["'a' & 'b'", `00000003 ${AND} ${B} ${A}`],
    ["'a' | 'b' & 'c'", `00000005 ${OR} ${AND} ${C} ${B} ${A}`],
    ["( 'a' | 'b' ) & 'c'", `00000005 ${AND} ${C} ${OR} ${B} ${A}`],
    ["'a' & 'b' & 'c'", `00000005 ${AND} ${AND} ${C} ${B} ${A}`],
    ["'a' <3> 'b'", `00000003 02 04 0003 ${B} ${A}`],
    ["'a' <-> 'b' <-> 'c'", `00000005 ${FOLLOWED_BY} ${C} ${FOLLOWED_BY} ${B} ${A}`],
    ["'a' <-> ( 'b' <-> 'c' )", `00000005 ${FOLLOWED_BY} ${FOLLOWED_BY} ${C} ${B} ${A}`]
  ] as const) {
    it(`prints as the server prints it: ${value}`, () => {
      assert.strictEqual(read(tsquery, hex), value)
    })
  }

  it("travels as text only", () => {
    assert.strictEqual(formatOf(tsquery, "a & b"), Format.text)
    assert.match(unencodable(tsquery, "'a'"), /^tsquery can be sent only as text/)
    assert.strictEqual(unencodable(tsquery, 1), "tsquery takes a string, not a number")
  })

  for (const [hex, message] of [
    ["", "the tsquery ends too early"],
    ["7fffffff", "the tsquery ends too early"],
    ["00000001 03", "the tsquery has an item that is neither an operand nor an operator"],
    ["00000001 02 05", "the tsquery has an unknown operator"],
    ["00000001 02 00", "the tsquery has an unknown operator"],
    [`00000001 ${NOT}`, "the tsquery has an operator without its operand"],
    [`00000002 ${AND} ${A}`, "the tsquery has an operator without its operand"],
    [`00000002 ${A} ${B}`, "the tsquery has operands that no operator joins"],
    [`00000001 ${A} 00`, "the tsquery has 1 bytes too many"]
  ] as const) {
    it(`cannot be read from ${hex === "" ? "no bytes" : hex}`, () => {
      assert.strictEqual(undecodable(tsquery, hex), message)
    })
  }

  it("is read at any depth", () => {
    const depth = 100_000
    const value = read(tsquery, int32(depth + 1).toString("hex") + unspaced(NOT).repeat(depth) + unspaced(A))
    assert.strictEqual(value, `${"!".repeat(depth)}'a'`)
  })
})

it.prop("tsvector and tsquery throw nothing but Undecodable", [hostile(4, 8, 12), bytes(40)], ([values, tail]) => {
  for (const codec of [tsvector, tsquery]) {
    assertWithstands(codec, values)
    for (const count of [1, 2, 3]) assertWithstands(codec, [Buffer.concat([int32(count), tail])])
  }
  // Bytes that mean something in a query.
  const items = Buffer.from(tail.map((byte) => byte % 5))
  for (const count of [1, 2, 3, 4, 5]) assertWithstands(tsquery, [Buffer.concat([int32(count), items])])
})
