/** Tests a server that closes the connection at once, and gives the reason only in a notice, if at all. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { script, send } from "../../src/session/request/request.ts"
import { establish, failureOf, Say, scriptedServer } from "../support/scriptedServer.ts"

const parting = Say.error({ severity: "WARNING", code: "57P01", message: "terminating connection" })
// A notice has the fields of an error, and only another type.
parting[0] = "N".charCodeAt(0)

const conversation = Effect.gen(function* () {
  const { peer, session } = yield* establish(yield* scriptedServer)
  const ask = Effect.forkChild(send(session, script("VALUES (1)")), { startImmediately: true })
  return { ask, peer }
})

describe("the loss of a connection", () => {
  it.live("carries the notice that the server sent before it", () =>
    Effect.gen(function* () {
      const { ask, peer } = yield* conversation
      const asking = yield* ask
      yield* peer.message
      peer.end(parting)
      const error = yield* failureOf(asking)
      if (error._tag !== "ConnectionLostError") return assert.fail(String(error))
      assert.strictEqual(error.server?.code, "57P01")
      assert.deepStrictEqual([error.outcome, error.safeToRetry], ["unknown", false])
      assert.include(error.message, "terminating connection")
    })
  )

  it.live("carries nothing if the server has answered since", () =>
    Effect.gen(function* () {
      const { ask, peer } = yield* conversation
      yield* ask
      yield* peer.message
      peer.send(parting, Say.commandComplete("SELECT 1"), Say.ready())
      const asking = yield* ask
      yield* peer.message
      peer.end()
      const error = yield* failureOf(asking)
      if (error._tag !== "ConnectionLostError") return assert.fail(String(error))
      assert.isUndefined(error.server)
    })
  )
})
