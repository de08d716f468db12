import { assert, describe, it } from "@effect/vitest"
import { Buffer } from "node:buffer"
import { beginRows, copyOf, endRows, ownCopyOf } from "../../src/codec/valueMemory.ts"

/** Copies values of these lengths, as the rows of one answer. Their bytes are their numbers. */
const answerOf = (...lengths: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  beginRows()
  const values = lengths.map((length, index) => copyOf(Buffer.alloc(length, index), 0, length))
  endRows()
  return values
}

const memoryOf = (values: ReadonlyArray<Uint8Array>): ReadonlySet<ArrayBufferLike> =>
  new Set(values.map(({ buffer }) => buffer))

const LENGTHS = [0, 1, 64, 65, 100, 1_000, 2_047, 2_048, 2_049, 20_000]

describe("the memory of values", () => {
  it.each(LENGTHS)("never changes afterwards, of values of %i bytes", (length) => {
    const received = Buffer.alloc(length, 7)
    beginRows()
    const values = Array.from({ length: 100 }, () => copyOf(received, 0, length))
    received.fill(8)
    endRows()
    for (const value of [...values, copyOf(received, 0, length)].slice(0, 100)) {
      assert.deepStrictEqual(value, new Uint8Array(length).fill(7))
      assert.strictEqual(Object.getPrototypeOf(value), Uint8Array.prototype)
    }
  })

  it.each(LENGTHS)("is apart for each of several values of %i bytes", (length) => {
    const values = answerOf(...Array.from({ length: 50 }, () => length))
    for (const value of values) value.fill(255)
    const again = answerOf(...Array.from({ length: 50 }, () => length))
    again[25]?.fill(1)
    for (const [index, value] of again.entries())
      assert.deepStrictEqual(value, new Uint8Array(length).fill(index === 25 ? 1 : index))
    for (const value of values) assert.deepStrictEqual(value, new Uint8Array(length).fill(255))
  })

  it("is shared by the values of one answer, but by none of two", () => {
    const lengths = Array.from({ length: 100 }, () => 1_000)
    const [one, other] = [memoryOf(answerOf(...lengths)), memoryOf(answerOf(...lengths))]
    assert.isBelow(one.size, 20)
    assert.isFalse([...one].some((memory) => other.has(memory)))
  })

  it("belongs to one value alone if the answer has only one, and outside of answers", () => {
    for (const [value] of LENGTHS.map((length) => answerOf(length))) {
      assert.strictEqual(value?.buffer.byteLength, value?.length)
    }
    const received = Buffer.alloc(1_000)
    for (const copy of [copyOf, ownCopyOf]) {
      const values = [copy(received, 0, 1_000), copy(received, 0, 1_000)]
      for (const value of values) assert.strictEqual(value.buffer.byteLength, 1_000)
    }
  })

  it("is at most 16 times as long as a value that keeps it alive, whatever lies beside it", () => {
    const lengths = Array.from({ length: 1_000 }, (_, index) => [65, 2_048, 100, 700][index % 4] ?? 0)
    for (const value of answerOf(...lengths)) assert.isAtMost(value.buffer.byteLength, value.length * 16)
  })

  it("is at most 3 times as long as all values together", () => {
    for (const lengths of [[65, 65], [2_000, 65, 65, 2_000], Array.from({ length: 500 }, () => 300)]) {
      const values = answerOf(...lengths)
      const bytes = [...memoryOf(values)].reduce((sum, { byteLength }) => sum + byteLength, 0)
      assert.isAtMost(bytes, 3 * lengths.reduce((sum, length) => sum + length, 0))
    }
  })

  it("cannot be taken from the other values by transferring it", () => {
    const values = answerOf(1_000, 1_000, 1_000, 1_000)
    const shared = values[2]?.buffer
    assert(shared instanceof ArrayBuffer)
    assert.isAbove(shared.byteLength, 1_000)
    assert.throws(() => structuredClone(shared, { transfer: [shared] }))
    assert.throws(() => shared.transfer())
    assert.deepStrictEqual(values[3], new Uint8Array(1_000).fill(3))
  })

  it("begins where an array of any numbers can begin", () => {
    for (const { buffer, byteOffset } of answerOf(96, 72, 200, 1_001, 1_003, 66, 67)) {
      assert.doesNotThrow(() => new Float64Array(buffer, byteOffset, 1))
    }
  })
})
