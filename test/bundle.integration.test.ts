/** Tests that a bundled program works with a server, and what it says if a file of the bundle is missing. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { bundled, type Bundle } from "./support/bundle.ts"
import { TestDatabase } from "./support/database.ts"
import { assertHealthy, backendsOf, eventually, liveConnection, uniqueName } from "./support/live.ts"

/** It interrupts a client that is being opened for the first time, and then uses another one in many ways. */
const PROGRAM = `
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as PgClient from "effectpg/PgClient"
const [, , url, applicationName] = process.argv
const settings = { url, applicationName }
const program = Effect.gen(function* () {
  const interrupted = yield* Effect.forkChild(Effect.scoped(PgClient.make(settings)), { startImmediately: true })
  yield* Fiber.interrupt(interrupted)
  const pg = yield* PgClient.make(settings)
  const two = yield* pg.fetchValue("SELECT 1 + 1")
  const rolledBack = yield* Effect.exit(
    pg.withTransaction(Effect.andThen(pg.execute("CREATE TABLE never (n int4)"), Effect.fail("no")))
  )
  const { rowCount } = yield* pg.withConnection((connection) =>
    Effect.andThen(
      connection.execute("CREATE TEMPORARY TABLE copied (n int4)"),
      connection.copyInRows({ table: "copied" }, [[1], [2]])
    )
  )
  const streamed = yield* Stream.runCollect(pg.stream("SELECT generate_series(1, 3) AS n"))
  const never = yield* pg.fetchValue("SELECT to_regclass('never') IS NULL")
  return [two.value, rolledBack._tag, rowCount, streamed.length, never.value]
})
Effect.runPromise(Effect.scoped(program)).then(
  (result) => console.log(JSON.stringify(result)),
  (error) => console.log("failed:", error.message, "because:", error.cause?.code)
)
`

const WORKED = '[2,"Failure",2,3,true]'

/** Bundles the program into a folder of its own, and removes that at the end of the scope. */
const bundle = (isWhole: boolean) =>
  Effect.gen(function* () {
    const directory = yield* Effect.acquireRelease(
      Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "effectpg-bundle-"))),
      (made) => Effect.sync(() => fs.rmSync(made, { recursive: true }))
    )
    fs.writeFileSync(path.join(directory, "package.json"), '{ "type": "module" }')
    return { directory, ...(yield* Effect.promise(() => bundled(PROGRAM, { directory, isWhole }))) }
  })

const run = (
  { chunks, directory }: Bundle & { readonly directory: string },
  args: ReadonlyArray<string>
): Effect.Effect<string> => {
  const file = path.join(directory, chunks.find(({ isEntry }) => isEntry)?.fileName ?? "")
  return Effect.callback((resume) => {
    const child = execFile(process.execPath, [file, ...args], (_, stdout, stderr) =>
      resume(Effect.succeed(`${stdout}${stderr}`.trim()))
    )
    return Effect.sync(() => child.kill())
  })
}

layer(TestDatabase.layer, { excludeTestServices: true })("a bundled program", (it) => {
  for (const [kind, isWhole] of [
    ["in several files", false],
    ["in one file", true]
  ] as const) {
    it.effect(`${kind} works, also if the first use of a part is interrupted, and leaves nothing on the server`, () =>
      Effect.gen(function* () {
        const { url } = yield* TestDatabase
        const applicationName = uniqueName()
        const made = yield* bundle(isWhole)
        assert.strictEqual(made.chunks.length === 1, isWhole)
        assert.strictEqual(yield* run(made, [url, applicationName]), WORKED)
        yield* eventually(backendsOf(yield* liveConnection(), applicationName), 0, 1_000)
      }).pipe(Effect.scoped)
    )
  }

  it.effect("says which part is missing if one of its files is, and works with the file", () =>
    Effect.gen(function* () {
      const { url } = yield* TestDatabase
      const made = yield* bundle(false)
      const part = made.chunks.find(({ moduleIds }) => moduleIds.some((id) => id.endsWith("sessionPool.ts")))
      const file = path.join(made.directory, part?.fileName ?? assert.fail("the pool is in no file"))
      fs.renameSync(file, `${file}.away`)
      assert.strictEqual(
        yield* run(made, [url]),
        "failed: effectpg cannot load its part for clients, because a file of the package is missing or broken. If you " +
          "bundle the program, deploy all the files that the bundler writes. because: ERR_MODULE_NOT_FOUND"
      )
      fs.renameSync(`${file}.away`, file)
      assert.strictEqual(yield* run(made, [url]), WORKED)
      yield* assertHealthy(yield* liveConnection())
    }).pipe(Effect.scoped)
  )
})
