/** Tests which comments of a statement speak of its types. */
import { assert, describe, it } from "@effect/vitest"
import { overridesOf } from "../../../../src/cli/statements/writing/overrides.ts"

const namesIn = (sql: string): ReadonlyArray<string> => overridesOf(sql).map(({ of }) => of)

describe("the comments of a statement", () => {
  it("are told from strings, names and dollar quotes, as the server tells them", () => {
    assert.deepStrictEqual(namesIn("SELECT '-- @column a!' AS a, \"/* @column b! */\" -- @column c!"), ["c"])
    assert.deepStrictEqual(namesIn("SELECT E'\\' -- @column a!' -- @column b!"), ["b"])
    assert.deepStrictEqual(namesIn("SELECT $x$ -- @column a! $$ $x$ /* @column b! */"), ["b"])
    assert.deepStrictEqual(namesIn("SELECT 1 /* @column a! /* @column b! */ @column c! */"), ["a", "b", "c"])
  })

  it("go on to the end of the line or of the comment, also if that is missing", () => {
    assert.deepStrictEqual(
      overridesOf("SELECT a -- @column a: string | null\nFROM t /* @param 1: number").map(({ type }) => type),
      ["string | null", "number"]
    )
    assert.deepStrictEqual(overridesOf(""), [])
  })
})
