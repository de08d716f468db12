import { assert, describe, it } from "@effect/vitest"
import { Pooler } from "../../../src/session/pooler/pooler.ts"

describe("what a pool knows of a pooler", () => {
  it("is that it loses no statements, until one is lost", () => {
    const pooler = new Pooler()
    assert.isFalse(pooler.losesStatements)
    pooler.losesStatement()
    assert.isTrue(pooler.losesStatements)
  })

  it("can be cleared of a suspicion, but not of a proof", () => {
    const pooler = new Pooler()
    pooler.suspectLoss()
    assert.isTrue(pooler.losesStatements)
    pooler.clear()
    assert.isFalse(pooler.losesStatements)
    pooler.losesStatement()
    pooler.suspectLoss()
    pooler.clear()
    assert.isTrue(pooler.losesStatements)
  })

  it("is logged once for each finding, where the first session logs", () => {
    const lines: Array<string> = []
    const pooler = new Pooler()
    pooler.logWith((line) => lines.push(line))
    pooler.logWith(() => assert.fail("a second logger"))
    pooler.suspectLoss()
    assert.deepStrictEqual(lines, [])
    pooler.losesStatement()
    pooler.losesStatement()
    pooler.say("another")
    pooler.say("another")
    assert.strictEqual(lines.length, 2)
  })
})
