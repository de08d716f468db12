/** Tests that everything which ARCHITECTURE.md and CONTRIBUTING.md name exists. */
import { assert, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import { layers } from "./support/architecture.ts"

const repository = new URL("../", import.meta.url)
const textOf = (file: string): string => fs.readFileSync(new URL(file, repository), "utf8")
const isThere = (file: string): boolean => fs.existsSync(new URL(file, repository))

const GUIDES = ["ARCHITECTURE.md", "CONTRIBUTING.md"]
const PATH = /(?<![\w./])(?:\.ci|src|test|bench|examples)\/[\w./-]*|(?<![\w./-])[\w-]+\.(?:config\.ts|json)\b/g

/** The paths from the root that stand in backquotes. */
const pathsIn = (text: string): ReadonlyArray<string> =>
  Array.from(text.matchAll(/`([^`]+)`/g), ([, code = ""]) => code.match(PATH) ?? []).flat()

describe.each(GUIDES)("%s", (guide) => {
  const text = textOf(guide)

  it("names files and folders that exist", () => {
    const paths = pathsIn(text)
    assert.isAbove(paths.length, 20)
    assert.deepStrictEqual(
      paths.filter((file) => !isThere(file)),
      []
    )
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

describe("the paths in a text", () => {
  it("stand in backquotes and begin at the root", () => {
    const text = "`src/a/b.ts` and `npx node test/x.ts`, `./src/no.ts`, src/not.ts, `vitest.config.ts`, `onQuery`"
    assert.deepStrictEqual(pathsIn(text), ["src/a/b.ts", "test/x.ts", "vitest.config.ts"])
  })
})
