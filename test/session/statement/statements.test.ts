import { assert, describe, it } from "@effect/vitest"
import { statementKey } from "../../../src/session/statement/statements.ts"

describe("the key of a statement", () => {
  it("is its text if the caller names no types", () => {
    assert.strictEqual(statementKey("SELECT $1", []), "SELECT $1")
  })

  it("differs with every list of types", () => {
    const keys = [[], [2], [23], [2, 3], [23, 0], [0, 23]].map((types) => statementKey("SELECT $1", types))
    assert.strictEqual(new Set(keys).size, keys.length)
  })
})
