/** Tests what is found in sources that are odd, long or deep. The ordinary ones are in `check.integration.test.ts`. */
import { assert, describe, it } from "@effect/vitest"
import * as parser from "oxc-parser"
import { parse } from "../../../../src/cli/statements/finding/ast.ts"
import { type Found, statementsOf } from "../../../../src/cli/statements/finding/statements.ts"

const IMPORT = 'import { PgClient } from "effectpg"\n'

const found = (text: string): Found =>
  statementsOf(parse(parser, { path: "a.ts", text: IMPORT + text }), {
    imported: () => undefined,
    columnOf: (key) => key
  })

/** The texts, with the unknown parts in brackets. */
const textsIn = (text: string): ReadonlyArray<string> =>
  found(text).statements.map(({ sql }) =>
    sql.holes.toReversed().reduce((shown, { end, start }) => `${shown.slice(0, start)}[]${shown.slice(end)}`, sql.text)
  )

describe("the statements of a file", () => {
  it.each([25, 200, 10_000])("have texts of %i pieces, each read once and in its place", (count) => {
    const pieces = Array.from({ length: count - 1 }, (_, index) => `, ${index + 1}`)
    const text = `pg.fetch(${['"SELECT 0"', ...pieces.map((piece) => JSON.stringify(piece))].join(" + ")})`
    const [statement] = found(text).statements
    assert.strictEqual(statement?.sql.text, `SELECT 0${pieces.join("")}`)
    const last = String(count - 1)
    const origin = statement?.sql.originOf(statement.sql.text.length - last.length)
    assert.strictEqual(origin?.offset, IMPORT.length + text.lastIndexOf(last))
  })

  it("have a gap for each piece that is not known, also within other pieces", () => {
    assert.deepStrictEqual(
      textsIn(
        'const from = "FROM " + table\npg.fetch("SELECT 1 " + (from + ` WHERE ${column} = `) + (n + 1) + "::int")'
      ),
      ["SELECT 1 FROM [] WHERE [] = [][]::int"]
    )
  })

  it("follow constants of constants, but not in a circle, and not to a text without end", () => {
    const chain = Array.from({ length: 50 }, (_, index) => `const a${index + 1} = a${index} + ", ${index + 1}"`)
    const [text] = textsIn(`const a0 = "SELECT 0"\n${chain.join("\n")}\npg.fetch(a50)`)
    assert.match(text ?? "", /^SELECT 0, 1, 2, .*, 50$/)
    assert.match(
      textsIn('const a = "SELECT " + b + b\nconst b = a + a\npg.fetch(a)')[0] ?? "",
      /^SELECT SELECT .*\[\]$/
    )
    assert.match(textsIn("const a = sql`SELECT ${b}`\nconst b = sql`${a}`\npg.fetch(a)")[0] ?? "", /^SELECT .*\[\]$/)
    const doubled = Array.from({ length: 50 }, (_, index) => `const a${index + 1} = a${index} + a${index}`)
    const [long = ""] = textsIn(`const a0 = "SELECT 0, "\n${doubled.join("\n")}\npg.fetch(a50)`)
    assert.isBelow(long.length, 200_000)
    assert.match(long, /\[\]$/)
  })

  it("are found behind clients that are made of each other", () => {
    assert.deepStrictEqual(textsIn('const db = db.main\ndb.fetch("SELECT 1")'), ["SELECT 1"])
    assert.deepStrictEqual(textsIn('const a = b()\nconst b = a()\na.fetch("SELECT 1")'), ["SELECT 1"])
  })

  it("are found in a long file, of which a comment keeps one out", () => {
    const calls = Array.from({ length: 20_000 }, (_, index) => `pg.fetch("SELECT ${index}"); //${"-".repeat(40)}`)
    assert.lengthOf(found(`// effectpg-ignore\n${calls.join("\n\n")}`).statements, calls.length - 1)
  })
})
