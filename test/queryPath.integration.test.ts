/** Tests that the way of a query to the socket stays short: how many functions and files a warm query of one row visits. */
import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

const script = fileURLToPath(new URL("../bench/scripts/queryPath.ts", import.meta.url))

const MAX_FUNCTIONS = 75
const MAX_FILES = 20
/** A pool lends a session besides, and times one of eight statements, to know which of them may share a connection. */
const MAX_POOL_FUNCTIONS = 95
const MAX_POOL_FILES = 26

const TIMEOUT_MILLIS = 120_000

describe("a warm query of one row", () => {
  it(
    `visits at most ${MAX_FUNCTIONS} functions in ${MAX_FILES} files`,
    async () => {
      const { stdout } = await promisify(execFile)(process.execPath, [script], { env: process.env })
      const visitsOf = (name: string): readonly [functions: number, files: number] => {
        const [, functions, files] =
          new RegExp(`^effectpg, ${name}: (\\d+) functions in (\\d+) files$`, "m").exec(stdout) ?? []
        return [Number(functions), Number(files)]
      }
      const [functions, files] = visitsOf("a connection")
      assert.isAtMost(functions, MAX_FUNCTIONS, stdout)
      assert.isAtMost(files, MAX_FILES, stdout)
      const [poolFunctions, poolFiles] = visitsOf("a pool")
      assert.isAtMost(poolFunctions, MAX_POOL_FUNCTIONS, stdout)
      assert.isAtMost(poolFiles, MAX_POOL_FILES, stdout)
    },
    TIMEOUT_MILLIS
  )
})
