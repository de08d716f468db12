/** Tests that what is kept of a server's log is bounded, and is its end. */
import { assert, describe, it } from "@effect/vitest"
import { LogTail, tailOf } from "../../src/testServer/logTail.ts"

const line = (n: number): string => `LOG:  checkpoint ${n} complete\n`

describe("the tail of a log", () => {
  it("is the whole log as long as that is short", () => {
    const tail = new LogTail()
    assert.strictEqual(tail.text, "")
    for (const n of [1, 2, 3]) tail.add(line(n))
    assert.strictEqual(tail.text, line(1) + line(2) + line(3))
    assert.strictEqual(tailOf("short"), "short")
  })

  it("is the end of a long log, and the rest is not kept", () => {
    const tail = new LogTail()
    for (let n = 1; n <= 100_000; n++) {
      tail.add(line(n))
      if (n % 1_000 === 0) assert.isAtMost(tail.text.length, 20_003)
    }
    assert.match(tail.text, /^\.\.\./)
    assert.isTrue(tail.text.endsWith(line(99_999) + line(100_000)))
    assert.isBelow(JSON.stringify(tail).length, 50_000)
    tail.add("x".repeat(1_000_000))
    assert.isBelow(JSON.stringify(tail).length, 50_000)
  })
})
