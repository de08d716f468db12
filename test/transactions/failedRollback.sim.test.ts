/** Tests a server that does not roll back: the session is lost, and the caller receives the first error. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { script, send } from "../../src/session/request/request.ts"
import { PLAIN_LEVEL, TransactionLevel } from "../../src/session/transaction/transactionLevel.ts"
import {
  answerFirst,
  begin,
  establish,
  expectQuery,
  failureOf,
  Say,
  scriptedServer
} from "../support/scriptedServer.ts"
import type { Session } from "../../src/session/engine/session.ts"

const CANCEL_TIMEOUT_MILLIS = 100
const FIRST_ERROR = "the body's own failure"

/** A transaction whose body has failed, at this depth, and the server that is asked to undo it. */
const failing = (depth: 1 | 2) =>
  Effect.gen(function* () {
    const { peer, session } = yield* establish(yield* scriptedServer, { cancelTimeoutMillis: CANCEL_TIMEOUT_MILLIS })
    const fail = Effect.fail(FIRST_ERROR)
    const transaction = yield* Effect.forkChild(
      TransactionLevel.root(session).within(PLAIN_LEVEL, (level) =>
        Effect.andThen(begin(level), () => (depth === 1 ? fail : level.within(PLAIN_LEVEL, () => fail)))
      ),
      { startImmediately: true }
    )
    yield* answerFirst(peer)
    if (depth === 2) {
      yield* expectQuery(peer, "SAVEPOINT effectpg_1")
      peer.send(Say.commandComplete("SAVEPOINT"), Say.ready("T"))
    }
    yield* expectQuery(
      peer,
      depth === 1 ? "ROLLBACK" : "ROLLBACK TO SAVEPOINT effectpg_1; RELEASE SAVEPOINT effectpg_1"
    )
    return { peer, session, transaction }
  })

/** Shows that the session takes no more requests, and why. */
const assertLost = (session: Session) =>
  Effect.gen(function* () {
    const { lost } = session
    if (lost?._tag !== "ConnectionLostError") return assert.fail(`not lost: ${lost}`)
    assert.strictEqual(lost.safeToRetry, false)
    const asking = yield* Effect.forkChild(send(session, script("VALUES (1)")), { startImmediately: true })
    const error = yield* failureOf(asking)
    assert.strictEqual(error._tag, "ConnectionLostError")
    assert.strictEqual(error.outcome, "none")
    return lost.message
  })

for (const [depth, what] of [
  [1, "a transaction"],
  [2, "a savepoint"]
] as const) {
  describe(`${what} that has to be rolled back`, () => {
    it.live("ends its session if the server refuses, and keeps the first error", () =>
      Effect.gen(function* () {
        const { peer, session, transaction } = yield* failing(depth)
        peer.send(Say.error({ code: "XX000", message: "out of luck" }), Say.ready("E"))
        assert.strictEqual(yield* failureOf(transaction), FIRST_ERROR)
        const message = yield* assertLost(session)
        assert.include(message, "a rollback failed")
        assert.include(message, "out of luck")
      })
    )

    it.live("ends its session if the server does not answer in time, and keeps the first error", () =>
      Effect.gen(function* () {
        const { session, transaction } = yield* failing(depth)
        const startedAt = performance.now()
        assert.strictEqual(yield* failureOf(transaction), FIRST_ERROR)
        assert.isAtLeast(performance.now() - startedAt, CANCEL_TIMEOUT_MILLIS / 2)
        const message = yield* assertLost(session)
        assert.include(message, "the server did not answer ROLLBACK")
        assert.include(message, `within ${CANCEL_TIMEOUT_MILLIS} ms`)
      })
    )

    it.live("keeps the first error if the server closes the connection instead", () =>
      Effect.gen(function* () {
        const { peer, session, transaction } = yield* failing(depth)
        peer.destroy()
        assert.strictEqual(yield* failureOf(transaction), FIRST_ERROR)
        yield* assertLost(session)
      })
    )
  })
}

describe("a transaction that is rolled back by interruption", () => {
  it.live("ends with its interruption alone if the server refuses", () =>
    Effect.gen(function* () {
      const { peer, session } = yield* establish(yield* scriptedServer)
      const transaction = yield* Effect.forkChild(
        TransactionLevel.root(session).within(PLAIN_LEVEL, (level) => Effect.andThen(begin(level), Effect.never)),
        { startImmediately: true }
      )
      yield* answerFirst(peer)
      yield* Effect.sleep("20 millis")
      const interrupting = yield* Effect.forkChild(Fiber.interrupt(transaction), { startImmediately: true })
      yield* expectQuery(peer, "ROLLBACK")
      peer.send(Say.error({ code: "XX000", message: "out of luck" }), Say.ready("E"))
      yield* Fiber.join(interrupting)
      const exit = yield* Fiber.await(transaction)
      assert.isTrue(Cause.hasInterruptsOnly(Exit.isFailure(exit) ? exit.cause : Cause.empty))
      assert.include(yield* assertLost(session), "a rollback failed")
    })
  )
})
