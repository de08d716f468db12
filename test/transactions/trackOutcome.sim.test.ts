/**
 * Tests that the question of `trackOutcome` before COMMIT is not part of COMMIT: it can be interrupted, and the
 * transaction is rolled back if it fails.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { TransactionLevel } from "../../src/session/transaction/transactionLevel.ts"
import { answerFirst, begin, establish, Say, scriptedServer } from "../support/scriptedServer.ts"

const TRACKED = { begin: "BEGIN", isPlain: false, trackOutcome: true }
const CANCEL_TIMEOUT_MILLIS = 200

describe("a transaction whose outcome is tracked", () => {
  it.live("can be interrupted while a silent server is asked for its id, and ends its session", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const { peer, session } = yield* establish(server, { cancelTimeoutMillis: CANCEL_TIMEOUT_MILLIS })
      const running = yield* Effect.forkChild(TransactionLevel.root(session).within(TRACKED, begin), {
        startImmediately: true
      })
      yield* answerFirst(peer)
      yield* peer.message
      const began = performance.now()
      yield* Effect.timeout(Fiber.interrupt(running), "3 seconds")
      assert.isBelow(performance.now() - began, CANCEL_TIMEOUT_MILLIS + 1000)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(running)))
      assert.isDefined(session.lost)
    })
  )

  it.live("is rolled back if its id cannot be read", () =>
    Effect.gen(function* () {
      const { peer, session } = yield* establish(yield* scriptedServer)
      const running = yield* Effect.forkChild(TransactionLevel.root(session).within(TRACKED, begin), {
        startImmediately: true
      })
      yield* answerFirst(peer)
      yield* peer.cycle
      peer.send(Say.failed({ code: "42883", message: "no such function" }, "E"))
      const rollback = yield* peer.message
      assert.strictEqual(rollback.body.toString(), "ROLLBACK\0")
      peer.send(Say.commandComplete("ROLLBACK"), Say.ready("I"))
      assert.strictEqual((yield* Effect.flip(Fiber.join(running)))._tag, "UndefinedFunctionError")
      assert.isUndefined(session.lost)
    })
  )
})
