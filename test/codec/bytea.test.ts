import { assert, describe, it } from "@effect/vitest"
import { Buffer } from "node:buffer"
import { bytea } from "../../src/codec/bytea.ts"
import { textOf } from "../../src/codec/codec.ts"
import { bytes } from "../wire/frames.ts"
import { read, unencodable, written } from "../fixtures/codec.ts"

describe("bytea", () => {
  it("is the bytes themselves, all 256 of them", () => {
    const all = Uint8Array.from({ length: 256 }, (_, byte) => byte)
    assert.deepStrictEqual(read(bytea, Buffer.from(all).toString("hex")), all)
    assert.strictEqual(written(bytea, all), Buffer.from(all).toString("hex"))
    assert.deepStrictEqual(read(bytea, ""), new Uint8Array(0))
  })

  it("is read into memory of its own, and is not a Buffer", () => {
    const received = Buffer.from("0102030405", "hex")
    const value = bytea.read(received, 1, 3)
    received.fill(0)
    assert.deepStrictEqual(value, Uint8Array.of(2, 3))
    assert.strictEqual(Object.getPrototypeOf(value), Uint8Array.prototype)
    assert.strictEqual(value.buffer.byteLength, 2)
  })

  it("never shares its memory with a value of another answer, so that it can be transferred to a worker", () => {
    for (const size of [1, 64, 65, 1_000, 2_048, 2_049, 20_000]) {
      const received = Buffer.alloc(size, 7)
      const [first, second] = [bytea.read(received, 0, size), bytea.read(received, 0, size)]
      assert.strictEqual(first.buffer.byteLength, size)
      if (first.buffer instanceof ArrayBuffer) structuredClone(first.buffer, { transfer: [first.buffer] })
      assert.strictEqual(first.length, 0)
      assert.deepStrictEqual(second, new Uint8Array(size).fill(7))
    }
  })

  it("takes any view of any buffer", () => {
    const buffer = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8).buffer
    const shared = new SharedArrayBuffer(2)
    new Uint8Array(shared).set([9, 8])
    assert.strictEqual(written(bytea, buffer), "0102030405060708")
    assert.strictEqual(written(bytea, shared), "0908")
    assert.strictEqual(written(bytea, new Uint8Array(buffer, 2, 3)), "030405")
    assert.strictEqual(written(bytea, new DataView(buffer, 6)), "0708")
    assert.strictEqual(written(bytea, new Uint16Array(buffer, 2, 1)), "0304")
    assert.strictEqual(written(bytea, Buffer.from("hi")), "6869")
  })

  it("refuses strings and arrays of numbers", () => {
    for (const value of ["\\x00", [1, 2], 1, {}]) {
      assert.match(unencodable(bytea, value), /^bytea takes a Uint8Array, another view or an ArrayBuffer, not /)
    }
  })

  it("has hexadecimal digits as its text", () => {
    assert.strictEqual(textOf(bytea, Uint8Array.of(0, 255, 0x5c)), "\\x00ff5c")
    assert.strictEqual(textOf(bytea, new Uint8Array(0)), "\\x")
  })

  it.prop("survives a round trip with any bytes", [bytes(200)], ([value]) => {
    assert.deepStrictEqual(read(bytea, written(bytea, value)), new Uint8Array(value))
  })
})
