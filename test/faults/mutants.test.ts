import { assert, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import { mutants } from "./mutants/mutants.ts"

const read = (path: string): string => fs.readFileSync(new URL(path, import.meta.url), "utf8")

describe("a client that is broken on purpose", () => {
  it.each(mutants)("can still be broken so that it $what", ({ edits, test }) => {
    for (const { file, find, replace } of edits) {
      assert.strictEqual(read(`../../src/${file}`).split(find).length, 2, `occurrences in ${file} of ${find}`)
      assert.notStrictEqual(replace, find)
    }
    assert.isNotEmpty(read(`../../${test}`))
  })
})
