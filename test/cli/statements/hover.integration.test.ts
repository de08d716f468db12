/** What editors show of a call whose statement is known: its rows, and not how they are computed. */
import { assert, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import { afterAll, beforeAll } from "vitest"
import { makeConsumer } from "../../support/consumer.ts"
import { type Editor, openIn59, openIn7 } from "../../support/editors.ts"

const SETUP_TIMEOUT_MILLIS = 120_000
const SLOW = { timeout: 120_000 }

const SQL = '"SELECT id, name FROM users WHERE active = $1"'

const program = `import type { PgClient } from "effectpg"
declare const pg: PgClient.PgClient
export const users = pg.fetch(${SQL}, [true])
export const one = pg.fetchOne(${SQL}, [true])
export const name = pg.fetchValue(${SQL}, [true], { column: "name" })
export const plain = pg.fetch("SELECT 2", [1])
`

const declarations = `declare module "effectpg/PgSql" {
  interface TypedStatements {
    ${SQL}: {
      readonly parameters: readonly [active: boolean | null]
      readonly row: { readonly id: number; readonly name: string | null }
      readonly tuple: readonly [id: number, name: string | null]
    }
  }
}
export {}
`

let directory: string
let editors: ReadonlyArray<readonly [version: string, Editor]>

beforeAll(async () => {
  directory = await makeConsumer({ "program.ts": program, "effectpg.d.ts": declarations })
  editors = [
    ["5.9", openIn59(directory)],
    ["7", await openIn7(directory)]
  ]
}, SETUP_TIMEOUT_MILLIS)

afterAll(() => {
  for (const [, editor] of editors) editor.close()
  fs.rmSync(directory, { recursive: true, force: true })
})

const ROW = "{ readonly id: number; readonly name: string | null; }"

/** Editors break long types into lines. */
const inOneLine = (text: string): string => text.replaceAll(/\s+/g, " ")

describe("a call with a text that is known", () => {
  it("shows its rows in a hover, in TypeScript 5.9 and 7", SLOW, async () => {
    for (const [version, editor] of editors) {
      const hover = async (name: string): Promise<string> =>
        inOneLine(await editor.hover("program.ts", program.indexOf(`const ${name} =`) + "const ".length))
      assert.deepStrictEqual(await editor.errors("program.ts"), [], version)
      assert.include(await hover("users"), `const users: Effect<readonly ${ROW}[], PgError, never>`, version)
      assert.include(await hover("one"), `const one: Effect<${ROW}, PgError, never>`, version)
      assert.include(await hover("name"), "const name: Effect<Option<string | null>, PgError, never>", version)
      assert.include(
        await hover("plain"),
        "const plain: Effect<readonly Readonly<Record<string, unknown>>[], PgError, never>",
        version
      )
    }
  })

  it("shows its parameters while they are written", SLOW, async () => {
    for (const [version, editor] of editors) {
      const forms = await editor.forms("program.ts", program.indexOf(`fetch(${SQL}`) + `fetch(${SQL}, `.length)
      const form = forms.find((text) => text.includes("active"))
      assert.include(form, "params: readonly [active: boolean | null]", `${version}: ${forms.join("\n")}`)
    }
  })
})
