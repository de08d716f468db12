/** Tests that README.md is true: its code is that of the examples, and it leads to every page, whose tables are whole. */
import { assert, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import { PgError } from "../src/index.ts"
import { optionNames } from "../src/config/source/names.ts"
import { blocks, readme, rowNames } from "./support/readme.ts"

const repository = new URL("../", import.meta.url)
const textOf = (file: string): string => fs.readFileSync(new URL(file, repository), "utf8")
const filesIn = (folder: string): ReadonlyArray<string> => fs.readdirSync(new URL(folder, repository))

/** The examples as their reader would write them; `examples.integration.test.ts` or vitest itself runs each. */
const examples = ["", "testing/"]
  .flatMap((folder) => filesIn(`examples/${folder}`).map((file) => folder + file))
  .filter((file) => file.endsWith(".ts"))
  .map((file) =>
    textOf(`examples/${file}`)
      .replaceAll(/from "[./]*\/src\/index.ts"/g, 'from "effectpg"')
      .replaceAll(/from "[./]*\/src\/(\w+).ts"/g, 'from "effectpg/$1"')
  )

const INDENTS = ["", "  ", "    ", "      "]

const isPartOf = (program: string, block: string): boolean =>
  INDENTS.some((indent) => `\n${program}`.includes(`\n${block.replaceAll(/^(?=.)/gm, indent)}\n`))

describe("the README", () => {
  it("takes its code from examples that are run", () => {
    assert.isAbove(blocks("ts").length, 1)
    for (const block of blocks("ts")) {
      assert.isTrue(
        examples.some((example) => isPartOf(example, block)),
        `in no example:\n${block}`
      )
    }
  })

  it("gives the two commands that package.json has and that .ci/run runs", () => {
    assert.deepStrictEqual(blocks("sh"), [
      "npm install effectpg effect @effect/platform-node",
      "npm install && npm run quickstart",
      "npm install && npm test"
    ])
    const ci = textOf(".ci/run")
    assert.match(ci, /^\(npm install && npm test\)$/m)
    assert.match(ci, /^npm run quickstart$/m)
    const { scripts }: { readonly scripts: Readonly<Record<string, string>> } = JSON.parse(textOf("package.json"))
    assert.strictEqual(scripts["quickstart"], "node examples/quickstart.ts")
    assert.strictEqual(scripts["test"], "vitest run")
    for (const [, script = ""] of readme.matchAll(/`npm run ([\w:]+)/g)) assert.property(scripts, script)
  })

  it("is short", () => {
    assert.isBelow(readme.split("\n").length, 250)
  })

  it("has a row for every page of the guide", () => {
    for (const page of filesIn("docs/guide/")) assert.include(readme, `](docs/guide/${page})`)
  })

  it("links to what is there", () => {
    const targets = Array.from(readme.matchAll(/\]\((?!https:)([^)]+)\)/g), ([, target = ""]) => target)
    assert.isAbove(targets.length, 2)
    for (const target of targets) assert.isTrue(fs.existsSync(new URL(target, repository)), target)
  })
})

describe("the pages of the guide", () => {
  it("have a row for every setting", () => {
    assert.includeMembers([...rowNames(textOf("docs/guide/settings.md"))], [...optionNames])
  })

  it("have a row for every error of the client", () => {
    const tags = Object.entries(PgError)
      .filter(
        ([name, value]) => typeof value === "function" && value.prototype instanceof Error && name !== "PostgresError"
      )
      .map(([name]) => name)
    assert.isAbove(tags.length, 10)
    assert.includeMembers([...rowNames(textOf("docs/guide/errors.md"))], tags)
  })
})
