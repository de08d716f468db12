import { assert, describe, it } from "@effect/vitest"
import { isServerBusy } from "../../../src/session/engine/writeAhead.ts"

describe("a server with unanswered requests", () => {
  it.each([
    { unanswered: 0, waiting: 1, expected: false },
    { unanswered: 15, waiting: 1, expected: false },
    { unanswered: 16, waiting: 1, expected: true },
    { unanswered: 16, waiting: 15, expected: true },
    { unanswered: 16, waiting: 16, expected: false },
    { unanswered: 100, waiting: 99, expected: true },
    { unanswered: 100, waiting: 100, expected: false }
  ])("is busy: $expected, with $unanswered unanswered requests and $waiting waiting ones", (numbers) => {
    assert.strictEqual(isServerBusy(numbers.unanswered, numbers.waiting), numbers.expected)
  })
})
