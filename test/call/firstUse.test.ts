import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { onFirstUse } from "../../src/call/firstUse.ts"

interface Part {
  readonly name: string
}

interface Attempt {
  readonly resolve: (part: Part) => void
  readonly reject: (reason: Error) => void
}

/** A part whose file a test lets arrive or be missing. Each attempt to load it is in `attempts`. */
const slowPart = () => {
  const attempts: Array<Attempt> = []
  const load = () => new Promise<Part>((resolve, reject) => attempts.push({ resolve, reject }))
  const withPart = onFirstUse("tests", load)
  return { attempts, name: withPart((part) => Effect.succeed(part.name)) }
}

describe("a part that is loaded on first use", () => {
  it.effect("is loaded by the first use, and then there at once", () =>
    Effect.gen(function* () {
      const { attempts, name } = slowPart()
      assert.lengthOf(attempts, 0)
      const first = yield* Effect.forkChild(name, { startImmediately: true })
      assert.lengthOf(attempts, 1)
      attempts[0]?.resolve({ name: "part" })
      assert.strictEqual(yield* Fiber.join(first), "part")
      // It would throw if anything were asynchronous.
      assert.strictEqual(Effect.runSync(name), "part")
      assert.lengthOf(attempts, 1)
    })
  )

  it.effect("is given to all who wait for it", () =>
    Effect.gen(function* () {
      const { attempts, name } = slowPart()
      const waiting = yield* Effect.forkChild(Effect.all([name, name, name], { concurrency: "unbounded" }), {
        startImmediately: true
      })
      for (const attempt of attempts) attempt.resolve({ name: "part" })
      assert.deepStrictEqual(yield* Fiber.join(waiting), ["part", "part", "part"])
    })
  )

  it.effect("does not hold up an interruption, and is there for the next use", () =>
    Effect.gen(function* () {
      const { attempts, name } = slowPart()
      const first = yield* Effect.forkChild(name, { startImmediately: true })
      yield* Fiber.interrupt(first)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(first)))
      attempts[0]?.resolve({ name: "part" })
      yield* Effect.promise(() => Promise.resolve())
      assert.strictEqual(Effect.runSync(name), "part")
    })
  )

  it.effect("is a defect with the part and the reason if it cannot be loaded, and is tried again by the next use", () =>
    Effect.gen(function* () {
      const { attempts, name } = slowPart()
      const reason = new Error("Cannot find module")
      const first = yield* Effect.forkChild(Effect.exit(name), { startImmediately: true })
      attempts[0]?.reject(reason)
      const exit = yield* Fiber.join(first)
      const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      assert.instanceOf(defect, Error)
      assert.match(defect.message, /^effectpg cannot load its part for tests, because a file of the package is missing/)
      assert.strictEqual(defect.cause, reason)
      const second = yield* Effect.forkChild(name, { startImmediately: true })
      attempts[1]?.resolve({ name: "part" })
      assert.strictEqual(yield* Fiber.join(second), "part")
    })
  )

  it("is refused by a runtime that is too old, which is named, before anything is loaded", () => {
    const { attempts, name } = slowPart()
    const transfer = Object.getOwnPropertyDescriptor(ArrayBuffer.prototype, "transfer")
    assert(transfer !== undefined)
    Reflect.deleteProperty(ArrayBuffer.prototype, "transfer")
    let exit: Exit.Exit<string>
    try {
      exit = Effect.runSyncExit(name)
    } finally {
      Reflect.defineProperty(ArrayBuffer.prototype, "transfer", transfer)
    }
    const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    assert.instanceOf(defect, Error)
    const { node } = process.versions
    assert.strictEqual(defect.message, `effectpg needs Node 22.19 or later, but this program runs on Node ${node}.`)
    assert.lengthOf(attempts, 0)
  })

  it.effect("leaves no rejection behind if it fails to load after an interruption", () =>
    Effect.gen(function* () {
      const { attempts, name } = slowPart()
      const first = yield* Effect.forkChild(name, { startImmediately: true })
      yield* Fiber.interrupt(first)
      // A rejection that nobody handles would end the test run.
      attempts[0]?.reject(new Error("Cannot find module"))
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      const second = yield* Effect.forkChild(name, { startImmediately: true })
      attempts[1]?.resolve({ name: "part" })
      assert.strictEqual(yield* Fiber.join(second), "part")
    })
  )
})
