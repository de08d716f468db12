import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { generatePublicApi } from "./fixtures/generatePublicApi.ts"

describe("the listing of the public API", () => {
  it("is what the public modules export; if not, run its generator and read what changed", () => {
    const checkedIn = readFileSync(new URL("fixtures/publicApi.generated.ts", import.meta.url), "utf8")
    assert.strictEqual(checkedIn, generatePublicApi())
  })
})
