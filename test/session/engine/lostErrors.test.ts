import { assert, describe, it } from "@effect/vitest"
import { Desynchronised } from "../../../src/session/engine/exchange.ts"
import { violation } from "../../../src/session/engine/lostErrors.ts"
import { Backend } from "../../../src/wire/backendMessage.ts"
import { ProtocolViolation, Undecodable } from "../../../src/wire/failure.ts"

describe("the error of a session that can read no further", () => {
  it("says what the server sent and what the client expected", () => {
    assert.strictEqual(
      violation(new Desynchronised(Backend.DataRow, "ReadyForQuery")).message,
      "the server sent DataRow, but the client expected ReadyForQuery"
    )
  })

  it.each([
    new ProtocolViolation("a frame of 3 bytes"),
    new Undecodable("a frame of 3 bytes"),
    new RangeError("a frame of 3 bytes")
  ])("blames the server for what it may not send: $name", (failure) => {
    const error = violation(failure)
    assert.strictEqual(
      error.message,
      "the server sent a frame of 3 bytes, but the client expected a message that the protocol allows"
    )
    assert.isUndefined(error.cause)
  })

  it.each([new TypeError("parse is not a function"), "a thrown text"])(
    "does not blame the server for a fault of the client, and keeps its cause: %s",
    (failure) => {
      const error = violation(failure)
      assert.include(error.message, `a message at which the client failed (${String(failure)})`)
      assert.include(error.message, "a fault of effectpg")
      assert.strictEqual(error.cause, failure)
    }
  )
})
