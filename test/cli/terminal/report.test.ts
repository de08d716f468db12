/** Tests what a person reads when a command ends, and the exit code of the process. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { CliFailure, ExitWith, loadPackage } from "../../../src/cli/terminal/failure.ts"
import { explainLoading } from "../../../src/cli/terminal/packages.ts"
import { endingOf } from "../../../src/cli/terminal/report.ts"
import * as PgError from "../../../src/PgError.ts"

describe("the ending of a command", () => {
  it("is silent for a success, an interruption, and a command that has said everything", () => {
    assert.deepStrictEqual(endingOf(Exit.void, false), { exitCode: 0, message: undefined })
    assert.deepStrictEqual(endingOf(Exit.interrupt(1), false), { exitCode: 130, message: undefined })
    assert.deepStrictEqual(endingOf(Exit.fail(new ExitWith({ exitCode: 7 })), true), {
      exitCode: 7,
      message: undefined
    })
  })

  it("is the message of a failure, and with --verbose also what is behind it", () => {
    const failed = Exit.fail(new CliFailure({ message: "It cannot be.", exitCode: 1 }))
    assert.deepStrictEqual(endingOf(failed, false), { exitCode: 1, message: "It cannot be." })
    assert.match(endingOf(failed, true).message ?? "", /^It cannot be\.\n\n[^]*report\.test\.ts/)
  })

  it("is a wrong call if a setting is wrong", () => {
    const invalid = Exit.fail(new PgError.InvalidConfigError({ setting: "url", reason: "is wrong" }))
    assert.deepStrictEqual(endingOf(invalid, false), { exitCode: 2, message: "url: is wrong" })
  })

  it("is one line about a defect and one about where to report it, and the trace only with --verbose", () => {
    const died = Exit.die(new TypeError("x is undefined\nand more"))
    const { exitCode, message } = endingOf(died, false)
    assert.strictEqual(exitCode, 70)
    assert.match(message ?? "", /^effectpg has a bug: TypeError: x is undefined\nPlease report it [^\n]+$/)
    assert.include(endingOf(died, true).message, "report.test.ts")
    assert.strictEqual(endingOf(Exit.fail({ odd: true }), false).exitCode, 70)
  })
})

const missing = (specifier: string): Error =>
  Object.assign(new Error(`Cannot find package '${specifier}' imported from /app/x.js`), {
    code: "ERR_MODULE_NOT_FOUND"
  })

const tooOld = Object.assign(
  new Error(`Package subpath './cli' is not defined by "exports" in /app/node_modules/effect/package.json`),
  { code: "ERR_PACKAGE_PATH_NOT_EXPORTED" }
)

describe("a package that is not there", () => {
  it.effect("is named with the command that installs it", () =>
    Effect.gen(function* () {
      assert.include(
        explainLoading(missing("@effect/platform-node/NodeRuntime"), false).message,
        '"@effect/platform-node@^4.1.0"'
      )
      assert.include(explainLoading(tooOld, false).message, '"effect@^4.1.0"')
      const refused = yield* Effect.flip(loadPackage("effectpg check", () => Promise.reject(missing("oxc-parser"))))
      assert.strictEqual(refused.exitCode, 2)
      assert.match(
        refused.message,
        /^effectpg check needs the package oxc-parser, [^]*\n {2}npm install --save-dev "oxc-parser@>=0\.159\.0"$/
      )
      assert.strictEqual(yield* loadPackage("effectpg check", () => Promise.resolve(1)), 1)
    })
  )

  it.effect("is not to blame for another failure", () =>
    Effect.gen(function* () {
      const failure = new Error("broken")
      const explained = explainLoading(failure, false)
      assert.strictEqual(explained.exitCode, 70)
      assert.match(explained.message, /^effectpg has a bug: Error: broken\nPlease report it [^\n]+$/)
      assert.include(explainLoading(failure, true).message, "report.test.ts")
      const exit = yield* Effect.exit(loadPackage("effectpg check", () => Promise.reject(failure)))
      assert.isTrue(Exit.isFailure(exit) && Exit.hasDies(exit))
    })
  )
})
