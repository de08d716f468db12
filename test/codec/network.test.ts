import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import { Buffer } from "node:buffer"
import { formatOf } from "../../src/codec/codec.ts"
import { cidr, inet, macaddr, macaddr8 } from "../../src/codec/network.ts"
import { Format } from "../../src/wire/backendMessage.ts"
import { int } from "../wire/frames.ts"
import { assertWithstands, hostile, read, undecodable, unencodable, unspaced, written } from "../fixtures/codec.ts"

const v6 = (bits: string, words: string, isCidr = "00"): string => `03 ${bits} ${isCidr} 10 ${words}`

/** Spelled as the server spells them. */
const tables = [
  [inet, "10.0.0.1", "02 20 00 04 0a000001"],
  [inet, "10.0.0.1/8", "02 08 00 04 0a000001"],
  [inet, "0.0.0.0/0", "02 00 00 04 00000000"],
  [inet, "255.255.255.255", "02 20 00 04 ffffffff"],
  [cidr, "10.0.0.0/8", "02 08 01 04 0a000000"],
  [cidr, "10.0.0.1/32", "02 20 01 04 0a000001"],
  [inet, "::", v6("80", "0000 0000 0000 0000 0000 0000 0000 0000")],
  [inet, "::1", v6("80", "0000 0000 0000 0000 0000 0000 0000 0001")],
  [inet, "::0.1.0.2", v6("80", "0000 0000 0000 0000 0000 0000 0001 0002")],
  [inet, "::1.2.3.4", v6("80", "0000 0000 0000 0000 0000 0000 0102 0304")],
  [inet, "::ffff:1.2.3.4", v6("80", "0000 0000 0000 0000 0000 ffff 0102 0304")],
  [inet, "::fffe:102:304", v6("80", "0000 0000 0000 0000 0000 fffe 0102 0304")],
  [inet, "::ffff:0:102:304", v6("80", "0000 0000 0000 0000 ffff 0000 0102 0304")],
  [inet, "2001:db8::1/64", v6("40", "2001 0db8 0000 0000 0000 0000 0000 0001")],
  [inet, "1:0:0:2::3", v6("80", "0001 0000 0000 0002 0000 0000 0000 0003")],
  [inet, "1::2:3:0:0:4", v6("80", "0001 0000 0000 0002 0003 0000 0000 0004")],
  [inet, "1:0:2:3:4:5:6:7", v6("80", "0001 0000 0002 0003 0004 0005 0006 0007")],
  [inet, "1:2:3:4:5:6:7:0", v6("80", "0001 0002 0003 0004 0005 0006 0007 0000")],
  [inet, "1:2:3:4:5:6::", v6("80", "0001 0002 0003 0004 0005 0006 0000 0000")],
  [inet, "::/0", v6("00", "0000 0000 0000 0000 0000 0000 0000 0000")],
  [cidr, "::1/128", v6("80", "0000 0000 0000 0000 0000 0000 0000 0001", "01")],
  [cidr, "2001:db8::/32", v6("20", "2001 0db8 0000 0000 0000 0000 0000 0000", "01")],
  [macaddr, "08:00:2b:01:02:ff", "08002b0102ff"],
  [macaddr8, "08:00:2b:01:02:03:04:ff", "08002b01020304ff"]
] as const

const addresses = Arbitrary.all([int(0, 1), int(0, 255), Arbitrary.array(int(0, 3), { minLength: 16, maxLength: 16 })])

describe("a network address", () => {
  for (const [codec, value, hex] of tables) {
    it(`is spelled as the server spells it: ${codec.name} ${value}`, () => {
      assert.strictEqual(read(codec, hex), value)
      assert.strictEqual(written(codec, value), unspaced(hex))
    })
  }

  it("travels as text, because the server takes more spellings than it prints", () => {
    for (const codec of [inet, cidr, macaddr, macaddr8]) assert.strictEqual(formatOf(codec, "10/8"), Format.text)
  })

  it("may have capitals or hyphens", () => {
    assert.strictEqual(written(inet, "2001:DB8::ABCD"), written(inet, "2001:db8::abcd"))
    assert.strictEqual(written(macaddr, "08-00-2B-01-02-FF"), "08002b0102ff")
  })

  for (const value of [
    "",
    "10",
    "10.0.0",
    "10.0.0.256",
    "10.0.0.1/33",
    "::/129",
    ":::",
    "::1::",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1::2:3:4:5:6:7:8",
    "12345::",
    "::1.2.3",
    "::1.2.3.256",
    ":1",
    "1.2.3.4::",
    "g::",
    "fe80::1%eth0",
    "1/2/3",
    "x"
  ]) {
    it(`cannot be written from "${value}"`, () => {
      assert.strictEqual(unencodable(inet, value), 'inet takes strings such as "10.0.0.0/8" or "2001:db8::/32"')
      assert.strictEqual(unencodable(cidr, value), 'cidr takes strings such as "10.0.0.0/8" or "2001:db8::/32"')
    })
  }

  it("has all its bytes if it is a hardware address", () => {
    for (const value of ["", "08:00:2b:01:02", "08:00:2b:01:02:03:04", "08:00:2b:01:02:0g", "0800:2b01:0203"]) {
      assert.strictEqual(unencodable(macaddr, value), 'macaddr takes 6 bytes in the form "08:00:2b:01:02:03"')
    }
    assert.match(undecodable(macaddr, "0000000000"), /^macaddr has 6 bytes/)
    assert.match(undecodable(macaddr8, "000000000000"), /^macaddr8 has 8 bytes/)
  })

  it("must be a string", () => {
    for (const codec of [inet, cidr, macaddr, macaddr8]) {
      assert.strictEqual(unencodable(codec, 1), `${codec.name} takes a string, not a number`)
    }
  })

  for (const [what, hex, message] of [
    ["less than the header", "022000", "the inet ends within its header"],
    ["another family", "01 20 00 04 0a000001", "the inet has an unknown address family"],
    [
      "a network longer than the address",
      "02 21 00 04 0a000001",
      "the inet has a network of 33 bits, which is too many"
    ],
    ["a length of the other family", "02 20 00 10 0a000001", "the inet has an address of the wrong length"],
    ["an address cut short", "02 20 00 04 0a0000", "inet has 8 bytes, but the server sent 7"]
  ] as const) {
    it(`cannot be read from ${what}`, () => {
      assert.strictEqual(undecodable(inet, hex), message)
    })
  }

  it.prop("survives a round trip with any address", [addresses], ([[isLong, bits, values]]) => {
    const address = isLong === 1 ? values : values.slice(0, 4)
    const header = [2 + isLong, bits % (isLong === 1 ? 129 : 33), 0, address.length]
    const hex = Buffer.from([...header, ...address]).toString("hex")
    assert.strictEqual(written(inet, read(inet, hex)), hex)
  })

  it.prop("throws nothing but Undecodable", [hostile(6, 8, 20)], ([values]) => {
    for (const codec of [inet, cidr, macaddr, macaddr8]) assertWithstands(codec, values)
    for (const family of [2, 3]) {
      assertWithstands(
        inet,
        values.map((value) => Buffer.from([family, 0, 0, family === 2 ? 4 : 16, ...value.subarray(4)]))
      )
    }
  })
})
