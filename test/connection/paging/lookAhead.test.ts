import { assert, describe, it } from "@effect/vitest"
import { pagesAhead } from "../../../src/connection/paging/lookAhead.ts"

describe("how many pages a stream asks for ahead", () => {
  it("is two on a short line, and on a long one as many more as the server makes during a round trip", () => {
    assert.strictEqual(pagesAhead(2, 0.2), 2)
    assert.strictEqual(pagesAhead(5, 30), 7)
    assert.strictEqual(pagesAhead(60, 30), 2)
  })

  it("is no more than a session writes at once, however quick the pages", () => {
    assert.strictEqual(pagesAhead(0, 500), 15)
    assert.strictEqual(pagesAhead(-3, 500), 15)
  })

  it("is none if a page takes the server long", () => {
    assert.strictEqual(pagesAhead(101, 0.2), 0)
    assert.strictEqual(pagesAhead(5_000, 500), 0)
  })
})
