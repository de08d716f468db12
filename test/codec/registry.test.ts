import { assert, describe, it } from "@effect/vitest"
import { pgType } from "../../src/codec/oid.generated.ts"
import { builtinTypes } from "../../src/codec/registry.ts"
import { written } from "../fixtures/codec.ts"

const types = Object.entries(pgType).map(([name, type]) => ({
  name,
  oid: type.oid,
  arrayOid: "arrayOid" in type ? type.arrayOid : undefined
}))

describe("builtinTypes", () => {
  it("serves each type by the codec of its name, and its array by that codec's array", () => {
    for (const { arrayOid, name, oid } of types) {
      if (oid === pgType.record.oid) continue
      assert.strictEqual(builtinTypes.codec(oid)?.name, name)
      if (arrayOid !== undefined) assert.strictEqual(builtinTypes.codec(arrayOid)?.name, `${name}[]`)
    }
  })

  it("gives arrays the OID of their elements", () => {
    for (const { arrayOid, name, oid } of types) {
      const array = arrayOid === undefined ? undefined : builtinTypes.codec(arrayOid)
      if (array === undefined) continue
      const elementOid = oid.toString(16).padStart(8, "0")
      assert.strictEqual(written(array, []), `0000000000000000${elementOid}`, name)
    }
  })

  it("divides the text of an array of boxes by semicolons, and that of others by commas", () => {
    const boxes = builtinTypes.codec(pgType.box.arrayOid)
    assert.strictEqual(boxes?.textOf?.(["(1,1),(0,0)", "(2,2),(1,1)"]), '{"(1,1),(0,0)";"(2,2),(1,1)"}')
    assert.strictEqual(builtinTypes.codec(pgType.point.arrayOid)?.textOf?.(["(1,1)", "(0,0)"]), '{"(1,1)","(0,0)"}')
  })

  it("has no codec for unknown types and for anonymous records, whose fields may be of any type", () => {
    for (const oid of [pgType.record.oid, pgType.record.arrayOid, 0, 16_384]) {
      assert.isUndefined(builtinTypes.codec(oid))
    }
  })

  it("names every built-in type and array, and others by their OID", () => {
    for (const { arrayOid, name, oid } of types) {
      assert.strictEqual(builtinTypes.typeName(oid), name)
      if (arrayOid !== undefined) assert.strictEqual(builtinTypes.typeName(arrayOid), `${name}[]`)
    }
    assert.strictEqual(builtinTypes.typeName(16_384), "type 16384")
    assert.strictEqual(builtinTypes.typeName(0xffffffff), "type 4294967295")
  })
})
