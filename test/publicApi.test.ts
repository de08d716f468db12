import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { generatePublicApi } from "./fixtures/generatePublicApi.ts"

describe("the listing of the public API", () => {
  it("equals the exports of the public modules; if not, run its generator and review the change", () => {
    const checkedIn = readFileSync(new URL("fixtures/publicApi.generated.ts", import.meta.url), "utf8")
    assert.strictEqual(checkedIn, generatePublicApi())
  })
})
