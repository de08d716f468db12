/** The connection of a pool that listens, over sessions that break and a server that is out of reach for a while. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as TestClock from "effect/testing/TestClock"
import type { Mailbox } from "../../src/connection/listening.ts"
import * as PgError from "../../src/PgError.ts"
import { NotificationHub } from "../../src/pool/notificationHub.ts"
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

/** A hub whose attempts to connect fail where they are listed, counted from 1. */
const hubWith = (...failing: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const opened: Array<InMemorySession> = []
    let attempts = 0
    const connect = Effect.suspend(() => {
      if (failing.includes(++attempts)) return Effect.fail(outOfReach)
      const next = inMemorySession()
      opened.push(next)
      return Effect.succeed(next.session)
    })
    const notify = (payload: string): void => {
      for (const channel of ["a", "b"]) {
        opened.at(-1)?.session.channels.deliver({ channel, payload, processId: 1 })
      }
    }
    return { hub: new NotificationHub(connect, yield* Effect.scope), notify, opened }
  })

describe("the readers of a pool", () => {
  it.effect("hear again, and are told of the gap, when a new reader opens the connection before they do", () =>
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

  it.effect("hear again, and are told of the gap, once the server is back", () =>
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
