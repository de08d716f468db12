/** A client in the startup conversation: greeted, accepted or refused. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import { inspect } from "node:util"
import type { ResolvedConfig } from "../../../src/PgConfig.ts"
import type * as PgError from "../../../src/PgError.ts"
import { connect } from "../../../src/session/opening/connect.ts"
import type { Session } from "../../../src/session/engine/session.ts"
import type { ScriptedServer } from "../scriptedServer.ts"
import { configOf, failureOf } from "./client.ts"
import type { Peer } from "./peer.ts"
import * as Say from "./say.ts"

export const PASSWORD = "open sesame \u00e9"

/** A client that has sent its startup packet, and the server that it waits for. */
export const greeted = (server: ScriptedServer, settings: Partial<ResolvedConfig> = {}) =>
  Effect.gen(function* () {
    const config = configOf(server, { password: Effect.succeed(Redacted.make(PASSWORD)), ...settings })
    const connecting = yield* Effect.forkScoped(connect(config), { startImmediately: true })
    const peer = yield* server.accept
    const hello = yield* peer.startupPacket
    return { connecting, peer, hello }
  })

/** The client is accepted, and has taken the server's parameters. */
export const assertLetIn = (connecting: Fiber.Fiber<Session, PgError.PgError>, peer: Peer) =>
  Effect.gen(function* () {
    peer.send(Say.authenticationOk, Say.settings)
    const session = yield* Fiber.join(connecting)
    assert.strictEqual(session.processId, Say.PROCESS_ID)
    assert.strictEqual(session.lost, undefined)
  })

/** The client gives up, closes the connection, has sent nothing more and shows nothing secret. */
export const assertRefused = <Tag extends PgError.PgError["_tag"]>(
  connecting: Fiber.Fiber<Session, PgError.PgError>,
  peer: Peer,
  tag: Tag
) =>
  Effect.gen(function* () {
    const error = yield* failureOf(connecting)
    assert.strictEqual(error._tag, tag)
    yield* peer.closed
    assert.isFalse(peer.hasUnread)
    assert.notInclude(inspect(error, { depth: 10, showHidden: true }), PASSWORD)
    return error.message
  })
