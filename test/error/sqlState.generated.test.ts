import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { sqlStates } from "../../src/error/sqlState.generated.ts"
import { generateFrequentErrors, generateSqlStateGuards, generateSqlStates } from "../fixtures/generateSqlStates.ts"

const source = (file: string): string => readFileSync(new URL(`../../src/${file}`, import.meta.url), "utf8")

const conditions = Object.entries(sqlStates).flatMap(([sqlStateClass, codes]) =>
  Object.entries(codes).map(([code, tag]) => ({ sqlStateClass, code, tag }))
)

describe("the generated SQLSTATEs", () => {
  it("are those that PostgreSQL lists", () => {
    assert.strictEqual(source("error/sqlState.generated.ts"), generateSqlStates())
    assert.strictEqual(source("error/sqlStateGuards.generated.ts"), generateSqlStateGuards())
    assert.strictEqual(source("error/frequentErrors.generated.ts"), generateFrequentErrors())
  })

  it("leave out success, warnings and no data, which are no errors", () => {
    for (const sqlStateClass of ["00", "01", "02"]) assert.notProperty(sqlStates, sqlStateClass)
  })

  it("are two characters of the class and three more, each under its class", () => {
    for (const { sqlStateClass, code } of conditions) {
      assert.match(code, /^[0-9A-Z]{5}$/)
      assert.strictEqual(code.slice(0, 2), sqlStateClass)
    }
  })

  it("have a tag each, which no other has", () => {
    assert.strictEqual(new Set(conditions.map(({ tag }) => tag)).size, conditions.length)
  })

  it("begin each class with its general code, where it has one", () => {
    for (const [sqlStateClass, codes] of Object.entries(sqlStates)) {
      const listed = Object.keys(codes)
      const general = `${sqlStateClass}000`
      if (listed.includes(general)) assert.strictEqual(listed[0], general)
      else assert.lengthOf(listed, 1)
    }
  })
})
