/** What a program learns if another kind of server answers on its host and port. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Buffer } from "node:buffer"
import * as http from "node:http"
import type { SslMode } from "../../../src/PgConfig.ts"
import type * as PgError from "../../../src/PgError.ts"
import * as PgPool from "../../../src/PgPool.ts"
import { connect } from "../../../src/session/opening/connect.ts"
import {
  addressOf,
  configOf,
  failureOf,
  Say,
  type ScriptedServer,
  scriptedServer
} from "../../support/scriptedServer.ts"
import { foreignAnswers } from "../../support/scriptedServer/foreignAnswers.ts"

/** A server that answers the first message of each client with these bytes, and then closes. */
const answering = (bytes: Uint8Array) =>
  Effect.tap(scriptedServer, (server) =>
    server.accept.pipe(
      Effect.tap((peer) => peer.startupPacket),
      Effect.flatMap((peer) => Effect.sync(() => peer.end(bytes))),
      Effect.forever,
      Effect.forkScoped
    )
  )

const refusalBy = (server: ScriptedServer, sslMode: SslMode) =>
  Effect.flip(Effect.scoped(connect(configOf(server, { sslMode }))))

const assertForeign = (error: PgError.PgError, protocol: string) => {
  if (error._tag !== "ConnectError") return assert.fail(`${String(error)} is no ConnectError`)
  assert.strictEqual(error.stage, "startup")
  assert.strictEqual(error.attempts.at(-1)?.protocol, protocol)
  assert.include(error.message, `a server that speaks ${protocol}, not PostgreSQL, answers there`)
}

describe("a server that is not PostgreSQL", () => {
  for (const [what, protocol, bytes] of foreignAnswers) {
    for (const sslMode of ["disable", "prefer", "verify-full"] as const) {
      it.live(`is recognized by ${what}, sslMode ${sslMode}`, () =>
        Effect.gen(function* () {
          const server = yield* answering(bytes)
          assertForeign(yield* refusalBy(server, sslMode), protocol)
          assert.strictEqual(server.peers.length, 1)
        }).pipe(Effect.scoped)
      )
    }
  }

  it.live("is recognized if it speaks first", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const connecting = yield* Effect.forkScoped(connect(configOf(server)), { startImmediately: true })
      const peer = yield* server.accept
      peer.send(Buffer.from("SSH-2.0-OpenSSH_9.6\r\n"))
      assertForeign(yield* failureOf(connecting), "SSH")
    }).pipe(Effect.scoped)
  )

  it.live("is recognized in Node's own HTTP server", () =>
    Effect.gen(function* () {
      const server = yield* Effect.acquireRelease(
        Effect.callback<http.Server>((resume) => {
          const server = http.createServer()
          server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.sync(() => server.close())
      )
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      const error = yield* Effect.flip(PgPool.make({ host: "127.0.0.1", port, user: "app", database: "app" }))
      assertForeign(error, "HTTP")
      assert.include(error.message, `cannot connect to 127.0.0.1:${port}, startup: `)
    }).pipe(Effect.scoped)
  )

  it.live("is passed over for the next host", () =>
    Effect.gen(function* () {
      const server = yield* answering(Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"))
      const next = yield* scriptedServer
      const hosts = [addressOf(server), addressOf(next)]
      const connecting = yield* Effect.forkScoped(connect(configOf(server, { hosts })), { startImmediately: true })
      const peer = yield* next.accept
      yield* peer.startupPacket
      peer.send(Say.authenticationOk, Say.settings)
      assert.isUndefined((yield* Fiber.join(connecting)).lost)
    }).pipe(Effect.scoped)
  )

  it.live("makes a pool's call fail at once, because it will be no PostgreSQL in a moment either", () =>
    Effect.gen(function* () {
      const { host, port } = yield* answering(Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"))
      const settings = { host, port, user: "app", database: "app", minConnections: 0 }
      const pool = yield* PgPool.make(settings)
      assertForeign(yield* Effect.flip(pool.fetch("SELECT 1")), "HTTP")
    }).pipe(Effect.scoped)
  )
})
