/**
 * Tests that the pages of the documentation are true: their code stands in programs that run, and what a page says that
 * a program prints is what it prints.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import { sqlStates } from "../src/error/sqlState.generated.ts"
import * as effectpg from "../src/index.ts"
import { PROGRAM_TIMEOUT_MILLIS, runProgram } from "./support/runProgram.ts"

const guide = new URL("../docs/guide/", import.meta.url)
const code = new URL("../docs/code/", import.meta.url)
const programs = fs.readdirSync(code).filter((file) => file.endsWith(".ts"))
const pages = fs
  .readdirSync(guide)
  .filter((file) => file.endsWith(".md"))
  .map((file) => ({ file, text: fs.readFileSync(new URL(file, guide), "utf8") }))

interface Include {
  readonly target: URL
  readonly region: string | undefined
}

/** `<<< ../code/errors.ts#caught` */
const includesOf = (text: string): ReadonlyArray<Include> =>
  Array.from(text.matchAll(/^ *<<< (\S+?)(?:#(\w+))?(?:\{.*\})?(?: \[.*\])?$/gm), ([, target = "", region]) => ({
    target: new URL(target, guide),
    region
  }))

/** The names of a class, and of errors of Effect, that pages mention. */
const OTHER_NAMES = ["PgError", "SqlError", "MigrationError", "ConfigError"]

const names: ReadonlySet<string> = new Set([
  ...OTHER_NAMES,
  ...Object.keys(effectpg.PgError),
  ...Object.values(sqlStates).flatMap((tags) => Object.values(tags))
])

const modules: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  Object.entries(effectpg).map(([module, members]) => [module, new Set(Object.keys(members))])
)

describe("a program of the documentation", () => {
  it.each(programs)(
    "%s runs to its end, leaves nothing, and prints what its page says",
    async (program) => {
      const { result, leftovers } = await runProgram(new URL(program, code))
      assert.match(result, /^exit 0\n./, result)
      assert.isEmpty(leftovers)
      const printed = new URL(program.replace(/\.ts$/, ".out"), code)
      if (fs.existsSync(printed)) assert.strictEqual(result, `exit 0\n${fs.readFileSync(printed, "utf8")}`)
    },
    PROGRAM_TIMEOUT_MILLIS
  )

  it("is shown on a page, and so is what it prints", () => {
    const shown = new Set(pages.flatMap(({ text }) => includesOf(text).map(({ target }) => target.href)))
    const forgotten = fs
      .readdirSync(code)
      .filter((file) => /\.(ts|out)$/.test(file) && !shown.has(new URL(file, code).href))
    assert.deepStrictEqual(forgotten, [])
  })
})

describe.each(pages)("the page $file", ({ text }) => {
  it("has no TypeScript of its own", () => {
    assert.notMatch(text, /^ *```(ts|typescript|js|javascript)\b/m)
  })

  it("names errors that exist", () => {
    const mentioned = Array.from(text.matchAll(/`(\w+Error)`/g), ([, name = ""]) => name)
    assert.deepStrictEqual(
      mentioned.filter((name) => !names.has(name)),
      []
    )
  })

  it("names members of modules that exist", () => {
    const missing = Array.from(text.matchAll(/`(Pg\w+)\.(\w+)/g)).filter(([, module = "", member = ""]) => {
      const members = modules.get(module)
      return members !== undefined && !members.has(member)
    })
    assert.deepStrictEqual(
      missing.map(([mention]) => mention),
      []
    )
  })

  it("includes files and regions that exist, of programs that run", () => {
    for (const { target, region } of includesOf(text)) {
      assert.match(target.pathname, /\/(docs\/code|examples)\/[\w./-]+$/)
      assert.isTrue(fs.existsSync(target), target.pathname)
      if (region !== undefined) {
        const lines = fs
          .readFileSync(target, "utf8")
          .split("\n")
          .map((line) => line.trim())
        const mark = target.pathname.endsWith(".py") ? "# " : "// #"
        assert.include(lines, `${mark}region ${region}`)
        assert.include(lines, `${mark}endregion ${region}`)
      }
    }
  })
})
