/** Tests that the server's answer to COMMIT decides, whatever status it had reported before. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { script, send } from "../../src/session/request/request.ts"
import { TransactionLevel } from "../../src/session/transaction/transactionLevel.ts"
import { answerFirst, begin, establish, failureOf, Say, scriptedServer } from "../support/scriptedServer.ts"

const PLAIN = { begin: "BEGIN", isPlain: true, trackOutcome: false }

/** A transaction whose COMMIT has been sent, and the server that has to answer. */
const committing = Effect.gen(function* () {
  const { peer, session } = yield* establish(yield* scriptedServer)
  const transaction = yield* Effect.forkChild(
    TransactionLevel.root(session).within(PLAIN, (level) => Effect.as(begin(level), "done")),
    {
      startImmediately: true
    }
  )
  yield* answerFirst(peer)
  const commit = yield* peer.message
  assert.strictEqual(commit.body.toString(), "COMMIT\0")
  return { peer, session, transaction }
})

describe("a transaction whose COMMIT is sent", () => {
  it.live("is committed if the server answers COMMIT", () =>
    Effect.gen(function* () {
      const { peer, transaction } = yield* committing
      peer.send(Say.commandComplete("COMMIT"), Say.ready("I"))
      assert.strictEqual(yield* Fiber.join(transaction), "done")
    })
  )

  it.live("is rolled back if the server answers ROLLBACK, and the session lives", () =>
    Effect.gen(function* () {
      const { peer, session, transaction } = yield* committing
      peer.send(Say.commandComplete("ROLLBACK"), Say.ready("I"))
      const error = yield* failureOf(transaction)
      if (error._tag !== "TransactionRolledBackError") return assert.fail(String(error))
      assert.strictEqual(error.outcome, "none")
      const asking = yield* Effect.forkChild(send(session, script("VALUES (1)")), { startImmediately: true })
      assert.strictEqual((yield* peer.message).body.toString(), "VALUES (1)\0")
      peer.send(Say.commandComplete("SELECT 1"), Say.ready("I"))
      assert.deepStrictEqual(yield* Fiber.join(asking), [{ command: "SELECT", rowCount: 1 }])
    })
  )
})
