/** Tests the hub of a pool, over sessions that break and a server that cannot be reached for a while. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import type { Mailbox } from "../../src/connection/listening/mailbox.ts"
import * as PgError from "../../src/PgError.ts"
import { NotificationHub } from "../../src/pool/notificationHub.ts"
import { clockTimers } from "./clockTimers.ts"
import { type InMemorySession, inMemorySession } from "./inMemorySession.ts"

const outOfReach = new PgError.ConnectError({ stage: "tcp", attempts: [] })

/** Lets sessions answer and fibers go on. */
const settle = Effect.andThen(
  TestClock.adjust(0),
  Effect.promise(() => new Promise((done) => setImmediate(done)))
)

const heard = (mailbox: Mailbox) =>
  Effect.map(Queue.clear(mailbox.events), (events) =>
    events.map((event) => (event._tag === "Gap" ? event.reason : event.payload))
  )

/** A hub whose attempts to connect fail if they are listed, counted from 1. */
const hubWith = (...failing: ReadonlyArray<number>) =>
  hubAfter((attempt) => (failing.includes(attempt) ? Effect.fail(outOfReach) : Effect.void))

/** A hub that connects if the given effect succeeds first; attempts are counted from 1. */
const hubAfter = (before: (attempt: number) => Effect.Effect<void, PgError.PgError>) =>
  Effect.gen(function* () {
    const opened: Array<InMemorySession> = []
    let attempts = 0
    const connect = Effect.gen(function* () {
      yield* before(++attempts)
      const next = inMemorySession()
      opened.push(next)
      yield* Effect.addFinalizer(() => Effect.sync(() => next.session.close()))
      return next.session
    })
    const notify = (payload: string): void => {
      for (const channel of ["a", "b"]) {
        opened.at(-1)?.session.channels.deliver({ channel, payload, processId: 1 })
      }
    }
    const hub = yield* NotificationHub.make({ connect, scope: yield* Effect.scope, timers: yield* clockTimers })
    return { hub, notify, opened }
  })

describe("the readers of a pool", () => {
  it.effect("hear again, and are told of the gap, if a new reader opens the connection before they do", () =>
    Effect.gen(function* () {
      const { hub, notify, opened } = yield* hubWith(2)
      const a = yield* hub.listen("a", undefined)
      opened[0]?.breakOff()
      yield* settle
      assert.strictEqual(opened.length, 1, "the first attempt to recover has failed")
      const b = yield* hub.listen("b", undefined)
      notify("hello")
      assert.deepStrictEqual(yield* heard(a), ["reconnected", "hello"])
      assert.deepStrictEqual(yield* heard(b), ["hello"])
      yield* TestClock.adjust("1 minute")
      yield* settle
      assert.strictEqual(opened.length, 2, "the recovery has nothing left to do")
    })
  )

  it.effect("hear again, and are told of the gap, after the server is back", () =>
    Effect.gen(function* () {
      const { hub, notify, opened } = yield* hubWith(2, 3)
      const a = yield* hub.listen("a", undefined)
      opened[0]?.breakOff()
      yield* settle
      yield* TestClock.adjust("1 minute")
      yield* settle
      notify("hello")
      assert.deepStrictEqual(yield* heard(a), ["reconnected", "hello"])
    })
  )
})

describe("the readers of a pool whose server sends notifications before it has confirmed", () => {
  it.effect("are told of the gap first", () =>
    Effect.gen(function* () {
      const { hub, notify, opened } = yield* hubWith()
      const a = yield* hub.listen("a", undefined)
      opened[0]?.breakOff()
      const listening = yield* Effect.forkChild(hub.listen("b", undefined), { startImmediately: true })
      assert.strictEqual(opened.length, 2)
      assert.deepStrictEqual(yield* heard(a), [], "the server has not confirmed yet")
      notify("hello")
      yield* Fiber.join(listening)
      notify("again")
      assert.deepStrictEqual(yield* heard(a), ["reconnected", "hello", "again"])
    })
  )
})

describe("the first reader of a pool", () => {
  it.effect("is told at once that the server cannot be reached", () =>
    Effect.gen(function* () {
      const { hub } = yield* hubWith(1)
      assert.strictEqual(yield* Effect.flip(hub.listen("a", undefined)), outOfReach)
    })
  )
})

describe("a new reader of a pool whose connection is lost", () => {
  it.effect("hears, and the others are told of the gap, if no reader has tried to recover yet", () =>
    Effect.gen(function* () {
      const { hub, notify, opened } = yield* hubWith()
      const a = yield* hub.listen("a", undefined)
      opened[0]?.breakOff()
      const b = yield* hub.listen("b", undefined)
      notify("hello")
      assert.deepStrictEqual(yield* heard(a), ["reconnected", "hello"])
      assert.deepStrictEqual(yield* heard(b), ["hello"])
      yield* TestClock.adjust("1 minute")
      yield* settle
      assert.strictEqual(opened.length, 2, "the recovery has nothing left to do")
    })
  )

  it.effect("waits until the server is back", () =>
    Effect.gen(function* () {
      const { hub, notify, opened } = yield* hubWith(2, 3, 4, 5)
      const a = yield* hub.listen("a", undefined)
      opened[0]?.breakOff()
      const listening = yield* Effect.forkChild(hub.listen("b", undefined), { startImmediately: true })
      yield* settle
      assert.strictEqual(opened.length, 1, "the first attempts have failed")
      yield* TestClock.adjust("1 minute")
      yield* settle
      const b = yield* Fiber.join(listening)
      notify("hello")
      assert.deepStrictEqual(yield* heard(a), ["reconnected", "hello"])
      assert.deepStrictEqual(yield* heard(b), ["hello"])
    })
  )

  it.effect("also hears if the connection is lost before the server has confirmed", () =>
    Effect.gen(function* () {
      const { hub, notify, opened } = yield* hubWith()
      yield* hub.listen("a", undefined)
      const listening = yield* Effect.forkChild(hub.listen("b", undefined), { startImmediately: true })
      notify("too early")
      opened[0]?.breakOff()
      yield* settle
      yield* TestClock.adjust("1 minute")
      yield* settle
      const b = yield* Fiber.join(listening)
      notify("hello")
      assert.deepStrictEqual(yield* heard(b), ["hello"])
      assert.strictEqual(opened.length, 2)
    })
  )

  it.effect("is told after a while that the server is still away, and is then forgotten", () =>
    Effect.gen(function* () {
      let isAway = false
      const { hub, opened } = yield* hubAfter(() => (isAway ? Effect.fail(outOfReach) : Effect.void))
      const others = yield* Scope.make()
      yield* Scope.provide(hub.listen("a", undefined), others)
      isAway = true
      opened[0]?.breakOff()
      const refused = yield* Effect.forkChild(Effect.flip(hub.listen("b", undefined)), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      yield* settle
      assert.isUndefined(refused.pollUnsafe(), "it has given up too early")
      for (let second = 0; second < 10; second++) yield* Effect.andThen(TestClock.adjust("1 second"), settle)
      assert.strictEqual(yield* Fiber.join(refused), outOfReach)
      yield* Scope.close(others, Exit.void)
      isAway = false
      yield* TestClock.adjust("1 minute")
      yield* settle
      assert.strictEqual(opened.length, 1, "no reader is left")
    })
  )

  it.effect("is told at once of a permanent failure", () =>
    Effect.gen(function* () {
      const untrusted = new PgError.ConnectError({ stage: "tls", attempts: [] })
      const { hub, opened } = yield* hubAfter((attempt) => (attempt === 1 ? Effect.void : Effect.fail(untrusted)))
      yield* hub.listen("a", undefined)
      opened[0]?.breakOff()
      assert.strictEqual(yield* Effect.flip(hub.listen("b", undefined)), untrusted)
    })
  )

  it.effect("is told at once if the pool is closed, and opens nothing", () =>
    Effect.gen(function* () {
      const pool = yield* Scope.make()
      const { hub, opened } = yield* Scope.provide(hubWith(), pool)
      yield* hub.listen("a", undefined)
      yield* Scope.close(pool, Exit.void)
      yield* settle
      assert.strictEqual((yield* Effect.flip(hub.listen("b", undefined)))._tag, "PoolClosedError")
      assert.strictEqual(opened.length, 1)
    })
  )

  it.effect("ends at once if it is interrupted while the connection is being opened", () =>
    Effect.gen(function* () {
      const { hub, opened } = yield* hubAfter((attempt) => (attempt === 1 ? Effect.void : Effect.never))
      yield* hub.listen("a", undefined)
      opened[0]?.breakOff()
      yield* settle
      const listening = yield* Effect.forkChild(hub.listen("b", undefined), { startImmediately: true })
      const interruption = yield* Effect.forkChild(Fiber.interrupt(listening), { startImmediately: true })
      yield* settle
      assert.isDefined(interruption.pollUnsafe())
    })
  )
})

describe("a reader of a pool that is interrupted before the server has confirmed", () => {
  it.effect("does not count as a reader", () =>
    Effect.gen(function* () {
      const { hub, opened } = yield* hubWith()
      const others = yield* Scope.make()
      yield* Scope.provide(hub.listen("a", undefined), others)
      const listening = yield* Effect.forkChild(hub.listen("b", undefined), { startImmediately: true })
      yield* Fiber.interrupt(listening)
      yield* settle
      yield* Scope.close(others, Exit.void)
      yield* settle
      assert.isDefined(opened[0]?.session.lost, "the connection has no reader left")
    })
  )
})

describe("readers of a pool that come together", () => {
  it.effect("have one connection opened for all of them, and none after all have left", () =>
    Effect.gen(function* () {
      let connecting = yield* Deferred.make<void>()
      const { hub, notify, opened } = yield* hubAfter(() => Effect.suspend(() => Deferred.await(connecting)))
      const come = Effect.forkChild(Effect.scoped(Effect.andThen(hub.listen("a", undefined), Effect.never)), {
        startImmediately: true
      })
      yield* Effect.flatMap(Effect.all([come, come, come]), Fiber.interruptAll)
      const here = yield* Effect.scope
      const coming = yield* Effect.forEach(["a", "b", "a"], (channel) =>
        Effect.forkChild(Scope.provide(hub.listen(channel, undefined), here), { startImmediately: true })
      )
      const [first, ...others] = coming
      yield* Fiber.interrupt(first ?? assert.fail())
      yield* Deferred.succeed(connecting, undefined)
      connecting = yield* Deferred.make<void>()
      const mailboxes = yield* Fiber.joinAll(others)
      assert.strictEqual(opened.length, 1)
      notify("hello")
      for (const mailbox of mailboxes) assert.deepStrictEqual(yield* heard(mailbox), ["hello"])
    })
  )
})

describe("a reader of a pool that leaves", () => {
  it.effect("does not wait for a reader that is about to listen, however long that takes", () =>
    Effect.gen(function* () {
      const connecting = yield* Deferred.make<void>()
      const { hub, notify, opened } = yield* hubAfter((attempt) =>
        attempt === 1 ? Effect.void : Deferred.await(connecting)
      )
      const first = yield* Scope.make()
      yield* Scope.provide(hub.listen("a", undefined), first)
      opened[0]?.breakOff()
      yield* settle
      const listening = yield* Effect.forkChild(hub.listen("b", undefined), { startImmediately: true })
      yield* settle
      const going = yield* Effect.forkChild(Scope.close(first, Exit.void), { startImmediately: true })
      yield* settle
      assert.isDefined(going.pollUnsafe())
      yield* Deferred.succeed(connecting, undefined)
      const b = yield* Fiber.join(listening)
      notify("hello")
      assert.deepStrictEqual(yield* heard(b), ["hello"])
      assert.isFalse(opened[1]?.session.channels.has("a"))
    })
  )

  it.effect("leaves no connection that was just being opened for it", () =>
    Effect.gen(function* () {
      const connecting = yield* Deferred.make<void>()
      const { hub, opened } = yield* hubAfter((attempt) => (attempt === 1 ? Effect.void : Deferred.await(connecting)))
      const readers = yield* Scope.make()
      yield* Scope.provide(hub.listen("a", undefined), readers)
      opened[0]?.breakOff()
      yield* settle
      yield* Scope.close(readers, Exit.void)
      yield* Deferred.succeed(connecting, undefined)
      yield* settle
      yield* settle
      assert.strictEqual(opened.length, 1)
      const b = yield* hub.listen("b", undefined)
      assert.strictEqual(opened.length, 2)
      assert.deepStrictEqual(yield* heard(b), [])
    })
  )
})

describe("a reader that outlives its pool", () => {
  it.effect("is told that it is closed, also while the connection is lost", () =>
    Effect.gen(function* () {
      for (const isLost of [false, true]) {
        const pool = yield* Scope.make()
        const { hub, notify, opened } = yield* Scope.provide(hubWith(2), pool)
        const a = yield* hub.listen("a", undefined)
        notify("hello")
        if (isLost) opened[0]?.breakOff()
        yield* settle
        yield* Scope.close(pool, Exit.void)
        yield* settle
        const reading = yield* Effect.forkChild(Stream.runCollect(Stream.fromQueue(a.events)), {
          startImmediately: true
        })
        yield* settle
        assert.isDefined(reading.pollUnsafe(), "the reader hangs")
        assert.strictEqual((yield* Effect.flip(Fiber.join(reading)))._tag, "PoolClosedError")
      }
    })
  )
})
