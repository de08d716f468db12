/** Tests how a session watches that control statements are answered. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { submitControl } from "../../../src/session/transaction/control.ts"
import type { Session } from "../../../src/session/engine/session.ts"
import { establish, Say, scriptedServer } from "../../support/scriptedServer.ts"

const BOUND_MILLIS = 400

const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length

const answered = (session: Session): Effect.Effect<void> =>
  Effect.callback((resume) => submitControl(session, { operation: "the question", sql: "" }, () => resume(Effect.void)))

const endOf = (session: Session): Effect.Effect<string> =>
  Effect.callback((resume) => void session.onEnd((error) => resume(Effect.succeed(error.message))))

const established = Effect.flatMap(scriptedServer, (server) => establish(server, { cancelTimeoutMillis: BOUND_MILLIS }))

describe("the watch over control statements", () => {
  it.live("takes one timer for any number of them, and none once the session has ended", () =>
    Effect.gen(function* () {
      const { peer, session } = yield* established
      const before = timers()
      for (let count = 0; count < 20; count++) {
        const answer = yield* Effect.forkChild(answered(session), { startImmediately: true })
        yield* peer.message
        peer.send(Say.emptyQuery, Say.ready())
        yield* Fiber.join(answer)
      }
      assert.isAtMost(timers() - before, 1)
      session.terminate()
      assert.isAtMost(timers(), before)
      // A statement that comes too late is refused, and not watched.
      yield* answered(session)
      assert.isAtMost(timers(), before)
    }).pipe(Effect.scoped)
  )

  it.live("gives each statement the whole bound, however long ago the watch began", () =>
    Effect.gen(function* () {
      const { peer, session } = yield* established
      const first = yield* Effect.forkChild(answered(session), { startImmediately: true })
      yield* peer.message
      peer.send(Say.emptyQuery, Say.ready())
      yield* Fiber.join(first)
      yield* Effect.sleep(BOUND_MILLIS * 0.75)
      const askedAt = performance.now()
      yield* Effect.forkChild(answered(session), { startImmediately: true })
      assert.include(yield* endOf(session), `the server did not answer the question within ${BOUND_MILLIS} ms`)
      assert.isAtLeast(performance.now() - askedAt, BOUND_MILLIS - 5)
    }).pipe(Effect.scoped)
  )

  it.live("does not count the time in which another request stands before it", () =>
    Effect.gen(function* () {
      const { peer, session } = yield* established
      const askedAt = performance.now()
      submitControl(session, { operation: "the first", sql: "" }, () => {})
      submitControl(session, { operation: "the second", sql: "" }, () => {})
      yield* peer.message
      yield* Effect.sleep(BOUND_MILLIS / 2)
      const firstAnsweredAt = performance.now()
      peer.send(Say.emptyQuery, Say.ready())
      assert.include(yield* endOf(session), "the server did not answer the second")
      assert.isAtLeast(performance.now() - firstAnsweredAt, BOUND_MILLIS / 2)
      assert.isAbove(performance.now() - askedAt, BOUND_MILLIS)
    }).pipe(Effect.scoped)
  )
})
