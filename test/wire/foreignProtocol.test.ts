import { assert, describe, it } from "@effect/vitest"
import { Buffer } from "node:buffer"
import { foreignProtocol } from "../../src/wire/foreignProtocol.ts"
import * as Say from "../support/scriptedServer/say.ts"
import { foreignAnswers } from "../support/scriptedServer/foreignAnswers.ts"

const errorOf = (length: number) => Say.error({ severity: "FATAL", code: "28000", message: "x".repeat(length) })

const protocolOf = (bytes: Buffer) => foreignProtocol(bytes, bytes.length)

describe("the protocol of a foreign server", () => {
  it.each(foreignAnswers)("is recognized by %s", (_, protocol, bytes) => {
    assert.strictEqual(protocolOf(bytes), protocol)
  })

  it("is not looked for behind the bytes that have been received", () => {
    assert.isUndefined(foreignProtocol(Buffer.from("HTTP/1.1"), 4))
    assert.isUndefined(foreignProtocol(Buffer.from([0x15, 3]), 1))
  })

  it("is not seen in what PostgreSQL may answer", () => {
    for (const answer of [
      Buffer.from("S"),
      Buffer.from("N"),
      Say.authenticationOk,
      Say.sasl("SCRAM-SHA-256"),
      ...Array.from({ length: 2000 }, (_, length) => errorOf(length))
    ]) {
      assert.isUndefined(protocolOf(answer))
    }
  })
})
