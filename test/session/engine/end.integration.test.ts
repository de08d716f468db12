/** Tests that a program which has closed its scopes ends by itself, and leaves nothing on the server. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import * as net from "node:net"
import { fileURLToPath } from "node:url"
import { programNames } from "../../fixtures/endingProgram.ts"
import { TestDatabase } from "../../support/database.ts"
import { assertHealthy, backendsOf, eventually, liveConnection, uniqueName } from "../../support/live.ts"

/** Longer than any program needs, and shorter than the query for which one would wait. */
const PATIENCE_MILLIS = 20_000

interface Ended {
  readonly code: number | null
  /** What would have kept the process alive when its scopes were closed, or its error output. */
  readonly said: string
}

const run = (name: string, settings: object): Effect.Effect<Ended> =>
  Effect.callback((resume) => {
    const file = fileURLToPath(new URL("../../fixtures/endingProgram.ts", import.meta.url))
    const child = spawn(process.execPath, [file, name, JSON.stringify(settings)], {
      stdio: ["ignore", "pipe", "pipe"],
      timeout: PATIENCE_MILLIS
    })
    let said = ""
    for (const output of [child.stdout, child.stderr]) output.on("data", (bytes: Buffer) => (said += bytes.toString()))
    child.once("close", (code) => resume(Effect.succeed({ code, said })))
    return Effect.sync(() => child.kill())
  })

/** A server that accepts every connection and never answers. */
const silentServer = Effect.acquireRelease(
  Effect.callback<net.Server>((resume) => {
    const server = net.createServer((socket) => socket.on("error", () => {}).resume())
    server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  }),
  (server) => Effect.sync(() => server.close())
)

const portOf = (server: net.Server): number => {
  const address = server.address()
  return typeof address === "object" && address !== null ? address.port : assert.fail("it does not listen")
}

layer(TestDatabase.layer, { excludeTestServices: true })("a process ends by itself after", (it) => {
  for (const name of programNames) {
    it.effect(`a ${name}`, () =>
      Effect.gen(function* () {
        const { url } = yield* TestDatabase
        const applicationName = uniqueName()
        const observer = yield* liveConnection()
        const silent = { host: "127.0.0.1", port: portOf(yield* silentServer), sslMode: "prefer" }
        const settings = { url, applicationName, ...(name.includes("while connecting") ? silent : {}) }
        assert.deepStrictEqual(yield* run(name, settings), { code: 0, said: "[]" })
        yield* eventually(backendsOf(observer, applicationName), 0, 1_000)
        yield* assertHealthy(observer)
      })
    )
  }
})
