/** Tests waits that are longer than a timer of the platform can be. */
import { afterEach, assert, beforeEach, describe, it, vi } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { after, MAX_DELAY_MILLIS, passed } from "../../src/call/realTime.ts"
import { realTimers } from "../../src/pool/timers.ts"

const DAY_MILLIS = 86_400_000
const LONG_MILLIS = 60 * DAY_MILLIS

describe("a wait in real time", () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  for (const [name, wait] of [
    ["after", after],
    ["the clock of a pool", realTimers.after]
  ] as const) {
    it(`is as long as it is to be, also beyond the longest timer: ${name}`, () => {
      const called: Array<number> = []
      const began = Date.now()
      for (const millis of [0, 5, MAX_DELAY_MILLIS, MAX_DELAY_MILLIS + 1, LONG_MILLIS]) {
        wait(millis, () => called.push(Date.now() - began))
      }
      vi.advanceTimersByTime(2 * LONG_MILLIS)
      assert.deepStrictEqual(called, [0, 5, MAX_DELAY_MILLIS, MAX_DELAY_MILLIS + 1, LONG_MILLIS])
    })

    it(`can be taken back at any time, and does not end if it is infinite: ${name}`, () => {
      let calls = 0
      const takeBack = wait(LONG_MILLIS, () => calls++)
      wait(Infinity, () => calls++)
      vi.advanceTimersByTime(LONG_MILLIS - 1)
      takeBack()
      vi.advanceTimersByTime(2 * LONG_MILLIS)
      assert.strictEqual(calls, 0)
    })
  }

  it("completes an effect, or leaves no timer behind if it is interrupted", () => {
    const waiting = Effect.runFork(passed(LONG_MILLIS))
    const interrupted = Effect.runFork(passed(LONG_MILLIS))
    vi.advanceTimersByTime(LONG_MILLIS - 1)
    assert.isUndefined(waiting.pollUnsafe())
    Effect.runFork(Fiber.interrupt(interrupted))
    vi.advanceTimersByTime(1)
    assert.isDefined(waiting.pollUnsafe())
    assert.strictEqual(vi.getTimerCount(), 0)
  })
})
