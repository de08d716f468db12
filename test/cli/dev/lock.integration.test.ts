/** Tests the lock of a development server's folder among processes that take it from dead ones. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { afterEach, beforeEach } from "vitest"
import { tryLock } from "../../../src/cli/dev/lock.ts"

const contender = fileURLToPath(new URL("./contender.ts", import.meta.url))
const CONTENDERS = 4
const MILLIS = 4_000

const DEAD = JSON.stringify({ pid: 2 ** 30, beginning: "long ago" })

let folder = ""
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "effectpg-lock-"))
})
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }))

describe("the lock of a folder", () => {
  it("has one owner, however many take it from a dead one at once", { timeout: 120_000 }, async () => {
    const told = await Promise.all(
      Array.from({ length: CONTENDERS }, async () => {
        const { stdout } = await promisify(execFile)(process.execPath, [contender, folder, String(MILLIS)])
        const { shared, taken }: { readonly shared: number; readonly taken: number } = JSON.parse(stdout)
        return { shared, taken }
      })
    )
    assert.isAbove(
      told.reduce((sum, { taken }) => sum + taken, 0),
      CONTENDERS * 10
    )
    assert.deepStrictEqual(
      told.map(({ shared }) => shared),
      told.map(() => 0)
    )
    assert.deepStrictEqual(fs.readdirSync(folder), ["lock"])
  })

  it("is taken from processes that died while they took it, and goes when its owner ends", () => {
    for (const name of ["lock", "lock.next", "lock.next.next"]) fs.writeFileSync(path.join(folder, name), DEAD)
    assert.isTrue(
      Effect.runSync(
        Effect.scoped(
          Effect.gen(function* () {
            const isTaken = yield* tryLock(folder)
            assert.deepStrictEqual(fs.readdirSync(folder), ["lock"])
            assert.isFalse(yield* tryLock(folder))
            return isTaken
          })
        )
      )
    )
    assert.deepStrictEqual(fs.readdirSync(folder), [])
  })

  it("is not taken from a process that lives, nor while another one takes it from a dead one", () => {
    const own = Effect.scoped(
      Effect.andThen(
        tryLock(folder),
        Effect.sync(() => fs.readFileSync(path.join(folder, "lock")))
      )
    )
    const alive = Effect.runSync(own)
    fs.writeFileSync(path.join(folder, "lock"), DEAD)
    fs.writeFileSync(path.join(folder, "lock.next"), alive)
    assert.isFalse(Effect.runSync(Effect.scoped(tryLock(folder))))
    assert.strictEqual(fs.readFileSync(path.join(folder, "lock"), "utf8"), DEAD)
    fs.rmSync(path.join(folder, "lock.next"))
    assert.isTrue(Effect.runSync(Effect.scoped(tryLock(folder))))
  })
})
