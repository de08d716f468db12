import { assert, describe, it } from "@effect/vitest"
import { DatabaseTypes } from "../../../src/codec/databaseTypes.ts"
import { isForgotten, mayComeOfPlan, verdictOn } from "../../../src/session/statement/stalePlan.ts"
import { errorFields } from "../../fixtures/errorFields.ts"

const NO_TYPES = { types: undefined }

describe("the verdict on an error before a run", () => {
  it.each([
    ["26000", undefined, "wrong"],
    ["0A000", "RevalidateCachedQuery", "wrong"],
    ["0A000", "another_routine", "right"],
    ["08P01", "exec_bind_message", "wrong"],
    ["08P01", "PortalSetResultFormat", "wrong"],
    ["08P01", "another_routine", "right"],
    ["42883", undefined, "doubtful"],
    ["42804", undefined, "doubtful"],
    ["22P02", "record_in", "doubtful"],
    ["23505", undefined, "right"],
    ["57014", undefined, "right"]
  ])("with code %s from %s is %s", (code, routine, verdict) => {
    assert.strictEqual(verdictOn(errorFields({ code, routine }), NO_TYPES, [{}]), verdict)
  })
})

describe("the verdict on an error of a statement whose types were looked up", () => {
  it.each([
    ["42804", undefined, [], "wrong"],
    ["XX000", undefined, [], "wrong"],
    ["22P02", "record_in", [1, { a: 1 }], "wrong"],
    ["22P02", "record_in", ["(1)"], "doubtful"],
    ["22P02", "int4in", [{ a: 1 }], "doubtful"],
    ["42704", "lookup_type_cache", [], "wrong"],
    ["42704", "another_routine", [], "doubtful"],
    ["23505", undefined, [{ a: 1 }], "right"]
  ])("with code %s from %s and the values %j is %s", (code, routine, values, verdict) => {
    assert.strictEqual(verdictOn(errorFields({ code, routine }), { types: new DatabaseTypes() }, values), verdict)
  })
})

describe("an error of the server", () => {
  it("means that the statement is forgotten only with code 26000", () => {
    assert.isTrue(isForgotten(errorFields({ code: "26000" })))
    assert.isFalse(isForgotten(errorFields({ code: "0A000" })))
  })

  it("may come from a kept plan with the codes XX000 and 42804", () => {
    const codes = ["XX000", "42804", "26000", "22012"]
    assert.deepStrictEqual(
      codes.filter((code) => mayComeOfPlan(errorFields({ code }))),
      ["XX000", "42804"]
    )
  })
})
