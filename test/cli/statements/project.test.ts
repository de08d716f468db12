/** Tests how the files of a project are found. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as fs from "node:fs"
import * as path from "node:path"
import { filesOf, readProject } from "../../../src/cli/statements/project.ts"
import { endingOf } from "../../../src/cli/terminal/report.ts"
import { asOrdinaryUser } from "../support/ordinaryUser.ts"
import { makeProject } from "./sample.ts"

const found = (directory: string, given: ReadonlyArray<string> = []) =>
  Effect.runSyncExit(Effect.flatMap(readProject(directory), (settings) => filesOf(settings, given, directory)))

describe("the files of a project", () => {
  it("are those of its folders, but not of folders that hold no sources, unless these are named", () => {
    const { directory, remove } = makeProject({
      "a.ts": "",
      "build/b.js": "",
      ".git/c.ts": "",
      "d/e.d.ts": "",
      "d/f.sql": ""
    })
    fs.symlinkSync("..", path.join(directory, "d", "up"))
    const at = (name: string): string => path.join(directory, name)
    assert.deepStrictEqual(found(directory), Exit.succeed({ sources: [at("a.ts")], sql: [at("d/f.sql")] }))
    assert.deepStrictEqual(
      found(directory, ["build", "build/b.js"]),
      Exit.succeed({ sources: [at("build/b.js")], sql: [] })
    )
    remove()
  })

  it("say which folder cannot be read, and how to leave it out", () => {
    const { directory, remove } = makeProject({ "a.ts": "", "data/base": "" })
    fs.chmodSync(directory, 0o755)
    fs.chmodSync(path.join(directory, "data"), 0o000)
    const ending = asOrdinaryUser(() => endingOf(found(directory), false))
    fs.chmodSync(path.join(directory, "data"), 0o700)
    remove()
    assert.deepStrictEqual(ending, {
      exitCode: 2,
      message:
        `${directory}/data: permission denied. Let this user read and write there, or choose another place.\n` +
        "To leave it out, name what is to be read, here or as sources in package.json."
    })
  })
})
