/** Tests that everything which ARCHITECTURE.md, CONTRIBUTING.md and the records of decisions name exists. */
import { assert, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import { layers } from "./support/architecture.ts"

const repository = new URL("../", import.meta.url)
const textOf = (file: string): string => fs.readFileSync(new URL(file, repository), "utf8")
const isThere = (file: string): boolean => fs.existsSync(new URL(file, repository))

const GUIDES = ["ARCHITECTURE.md", "CONTRIBUTING.md"]
const DECISIONS = "docs/decisions/"
const records = fs.readdirSync(new URL(DECISIONS, repository)).sort()
const PATH = /(?<![\w./])(?:\.ci|src|test|bench|docs|examples)\/[\w./-]*|(?<![\w./-])[\w-]+\.(?:config\.ts|json)\b/g

/** The paths from the root that stand in backquotes. */
const pathsIn = (text: string): ReadonlyArray<string> =>
  Array.from(text.matchAll(/`([^`]+)`/g), ([, code = ""]) => code.match(PATH) ?? []).flat()

const missingIn = (text: string): ReadonlyArray<string> => pathsIn(text).filter((file) => !isThere(file))

describe.each(GUIDES)("%s", (guide) => {
  const text = textOf(guide)

  it("names files and folders that exist", () => {
    assert.isAbove(pathsIn(text).length, 20)
    assert.deepStrictEqual(missingIn(text), [])
  })

  it("links to what is there", () => {
    for (const [, target = ""] of text.matchAll(/\]\((?!https:)([^)]+)\)/g)) assert.isTrue(isThere(target), target)
  })

  it("names commands that package.json has", () => {
    const { scripts } = JSON.parse(textOf("package.json"))
    for (const [, script = ""] of text.matchAll(/`npm run ([\w:]+)/g)) assert.property(scripts, script)
  })
})

describe("ARCHITECTURE.md", () => {
  it("lists every folder, every public module and every room of the session", () => {
    const paths = new Set(pathsIn(textOf("ARCHITECTURE.md")))
    const parts = layers.flatMap((layer) => layer.parts).map((part) => `src/${part}`)
    const there = fs
      .readdirSync(new URL("src/", repository), { withFileTypes: true })
      .map((entry) => (entry.isDirectory() ? `src/${entry.name}/` : `src/${entry.name}`))
    const missing = [...parts.filter(isThere), ...there].filter((part) => !paths.has(part))
    assert.deepStrictEqual(missing, [])
  })
})

const SECTIONS = ["Context", "Decision", "Consequences", "Where in the code", "Which test holds it"]
const MAX_RECORD_LINES = 45

describe("the records of decisions", () => {
  it("are numbered without gaps, in their names and titles", () => {
    for (const [index, record] of records.entries()) {
      const number = index + 1
      assert.match(record, new RegExp(`^${String(number).padStart(4, "0")}-[a-z][a-z-]*\\.md$`))
      assert.match(textOf(DECISIONS + record), new RegExp(`^# ${number}\\. \\S`))
    }
  })

  it("are all in ARCHITECTURE.md, in their order", () => {
    const links = Array.from(textOf("ARCHITECTURE.md").matchAll(/\]\((docs\/decisions\/[^)]+)\)/g), ([, link]) => link)
    assert.deepStrictEqual(
      links,
      records.map((record) => DECISIONS + record)
    )
  })

  it.each(records)("%s has its sections, is short, and names sources and tests that exist", (record) => {
    const text = textOf(DECISIONS + record)
    assert.deepStrictEqual(
      Array.from(text.matchAll(/^## (.+)$/gm), ([, section]) => section),
      SECTIONS
    )
    assert.isAtMost(text.split("\n").length - 1, MAX_RECORD_LINES)
    assert.deepStrictEqual(missingIn(text), [])
    const [, where = "", tests = ""] = text.split(/^## W.+$/m)
    assert.isTrue(pathsIn(where).some((file) => file.startsWith("src/")))
    assert.isTrue(pathsIn(tests).some((file) => file.startsWith("test/")))
  })
})

describe("the paths in a text", () => {
  it("stand in backquotes and begin at the root", () => {
    const text = "`src/a/b.ts` and `npx node test/x.ts`, `./src/no.ts`, src/not.ts, `vitest.config.ts`, `onQuery`"
    assert.deepStrictEqual(pathsIn(text), ["src/a/b.ts", "test/x.ts", "vitest.config.ts"])
  })
})
