/** Tests what a person reads if the system refuses a file. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterAll } from "vitest"
import { readText, withFiles } from "../../../src/cli/terminal/files.ts"
import { asOrdinaryUser } from "../support/ordinaryUser.ts"
import { endingOf } from "../../../src/cli/terminal/report.ts"

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "effectpg-files-"))
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

const at = (name: string): string => path.join(folder, name)

const endingWith = (work: () => unknown) => endingOf(Effect.runSyncExit(withFiles(work)), false)

describe("what the system refuses", () => {
  it("is a wrong call, and the message names the file and what to do", () => {
    fs.writeFileSync(at("file"), "")
    fs.mkdirSync(at("folder"))
    fs.symlinkSync("circle", at("circle"))
    for (const [work, message] of [
      [() => fs.writeFileSync(at("gone/x"), ""), `${at("gone/x")}: there is no such file or folder. Correct`],
      [() => fs.writeFileSync(at("file/x"), ""), `${at("file/x")}: a part of this path is a file, where a folder is`],
      [() => fs.mkdirSync(at("file"), { recursive: true }), `${at("file")}: a part of this path is a file, where`],
      [
        () => fs.writeFileSync(at("folder"), ""),
        `${at("folder")}: this is a folder, where a file is expected. Correct`
      ],
      [() => readText(at("folder")), `${at("folder")}: this is a folder, where a file is expected. Correct`],
      [() => readText(at("circle")), `${at("circle")}: its symbolic links lead in a circle. Mend them`],
      [() => readText(at("x".repeat(5_000))), `${at("x".repeat(5_000))}: ENAMETOOLONG: `]
    ] as const) {
      const { exitCode, message: said = "" } = endingWith(work)
      assert.strictEqual(exitCode, 2)
      assert.strictEqual(said.slice(0, message.length), message)
      assert.match(said, /\. [A-Z][^\n]+\.$/)
    }
  })

  it("is also what this user may not do", () => {
    fs.writeFileSync(at("secret"), "", { mode: 0o000 })
    fs.mkdirSync(at("closed"), { mode: 0o555 })
    fs.chmodSync(folder, 0o755)
    for (const [work, file] of [
      [() => readText(at("secret")), at("secret")],
      [() => fs.writeFileSync(at("closed/x"), ""), at("closed/x")]
    ] as const) {
      assert.deepStrictEqual(
        asOrdinaryUser(() => endingWith(work)),
        {
          exitCode: 2,
          message: `${file}: permission denied. Let this user read and write there, or choose another place.`
        }
      )
    }
  })

  it("is no bug, but what else is thrown is one", () => {
    assert.strictEqual(endingWith(() => JSON.parse("x")).exitCode, 70)
    assert.deepStrictEqual(Effect.runSyncExit(withFiles(() => 7)), Exit.succeed(7))
  })
})

describe("the text of a file", () => {
  it("has no byte order mark, and line feeds alone", () => {
    fs.writeFileSync(at("text"), "\uFEFFa\r\nb\rc\n\r\n")
    assert.strictEqual(readText(at("text")), "a\nb\nc\n\n")
    fs.writeFileSync(at("empty"), "")
    assert.strictEqual(readText(at("empty")), "")
  })
})
