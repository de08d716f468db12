/** Tests how much memory a value of 100 MB takes on its way between the client and the server. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { wayNames } from "../../fixtures/largeValueProgram.ts"
import { TestDatabase } from "../../support/database.ts"

const PROGRAM = fileURLToPath(new URL("../../fixtures/largeValueProgram.ts", import.meta.url))

/** Only Linux tells the peak of a process, and lets it be reset. */
const tellsPeak = fs.existsSync("/proc/self/clear_refs")

/** The value as it was received, the value that the reader gets, and a half for all that is small. */
const MAX_LENGTHS = 2.5

layer(TestDatabase.layer, { excludeTestServices: true })(
  "a value of 100 MB takes at most 2.5 times its length",
  (it) => {
    for (const name of wayNames) {
      it.effect(name, () =>
        Effect.gen(function* () {
          const { url } = yield* TestDatabase
          const { stdout } = yield* Effect.promise(() =>
            promisify(execFile)(process.execPath, ["--expose-gc", PROGRAM, name, url])
          )
          const { grown, isHealthy } = JSON.parse(stdout)
          assert.isTrue(isHealthy)
          if (tellsPeak) assert.isBelow(grown, MAX_LENGTHS)
        })
      )
    }
  }
)
