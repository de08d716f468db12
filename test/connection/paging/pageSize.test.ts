import { assert, describe, it } from "@effect/vitest"
import { adaptiveSize, fixedSize } from "../../../src/connection/paging/pageSize.ts"

/** The sizes of pages whose rows have these widths, one after the other. */
const sizesOf = (mostRows: number, ...bytesPerRow: ReadonlyArray<number>): ReadonlyArray<number> => {
  const size = adaptiveSize(mostRows)
  return bytesPerRow.map((bytes) => {
    const { rows } = size
    size.learn(rows, rows * bytes)
    return rows
  })
}

describe("the size of a page", () => {
  it("begins small and grows sixteenfold, up to the most rows", () => {
    assert.deepStrictEqual(sizesOf(10_000, 20, 20, 20, 20), [250, 4000, 10_000, 10_000])
    assert.deepStrictEqual(sizesOf(100, 20, 20), [100, 100])
  })

  it("is half a mebibyte at most, but never less than a row", () => {
    assert.deepStrictEqual(sizesOf(10_000, 1024, 1024, 1024), [250, 512, 512])
    assert.deepStrictEqual(sizesOf(10_000, 1_000_000, 1_000_000), [250, 1])
  })

  it("follows rows that become wider or narrower", () => {
    assert.deepStrictEqual(sizesOf(10_000, 1_000_000, 64, 64, 64_000, 64), [250, 1, 16, 256, 8])
  })

  it("grows if the rows have no bytes, and is at least one row after an empty page", () => {
    assert.deepStrictEqual(sizesOf(10_000, 0, 0), [250, 4000])
    const size = adaptiveSize(10_000)
    size.learn(0, 0)
    assert.isAtLeast(size.rows, 1)
  })

  it("is half of that if two pages share the memory", () => {
    const size = adaptiveSize(10_000)
    size.share()
    size.learn(250, 250 * 1024)
    assert.strictEqual(size.rows, 256)
  })

  it("is always the one that a program has named", () => {
    const size = fixedSize(7)
    size.share()
    size.learn(7, 10_000_000)
    assert.strictEqual(size.rows, 7)
  })
})
