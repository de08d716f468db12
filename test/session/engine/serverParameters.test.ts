import { assert, describe, it } from "@effect/vitest"
import { Buffer } from "node:buffer"
import { readParameterStatus } from "../../../src/session/engine/serverParameters.ts"
import { ProtocolViolation } from "../../../src/wire/failure.ts"

const read = (parameters: Map<string, string>, name: string, value: string): void => {
  const body = Buffer.from(`${name}\0${value}\0`)
  readParameterStatus(parameters, body, 0, body.length)
}

describe("the parameters that a server reports", () => {
  it("have the last value of each", () => {
    const parameters = new Map<string, string>()
    read(parameters, "TimeZone", "UTC")
    read(parameters, "client_encoding", "UTF8")
    read(parameters, "TimeZone", "Europe/Berlin")
    assert.deepStrictEqual(
      [...parameters],
      [
        ["TimeZone", "Europe/Berlin"],
        ["client_encoding", "UTF8"]
      ]
    )
  })

  it("violate the protocol with an encoding other than UTF8", () => {
    assert.throws(() => read(new Map(), "client_encoding", "LATIN1"), ProtocolViolation, "LATIN1")
  })

  it("violate the protocol if there are more than 1,000", () => {
    const parameters = new Map<string, string>()
    for (let n = 1; n <= 1_000; n++) read(parameters, `p${n}`, "on")
    read(parameters, "p1", "off")
    assert.throws(() => read(parameters, "p1001", "on"), ProtocolViolation, "more than 1000")
  })
})
