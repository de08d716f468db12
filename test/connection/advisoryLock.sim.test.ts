/** Tests a lock that is granted just after its fiber was interrupted: it must not stay with the session. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Buffer } from "node:buffer"
import { pgType } from "../../src/codec/oid.generated.ts"
import { fromRoot } from "../../src/connection/connection.ts"
import { TransactionLevel } from "../../src/session/transaction/transactionLevel.ts"
import { assertHealthy, establish, Say, scriptedServer } from "../support/scriptedServer.ts"

const granted = Say.answered("SELECT 1", { rows: [Say.row(Buffer.alloc(0))] })
const cancelled = Say.failed({ code: "57014", message: "canceling statement due to user request" })
const released = Buffer.concat([Say.commandComplete("SELECT 1"), Say.ready()])

/** A fiber that waits for a lock, interrupted before the server answers. */
const interrupted = Effect.gen(function* () {
  const server = yield* scriptedServer
  const both = yield* establish(server)
  const connection = fromRoot(TransactionLevel.root(both.session))
  const waiting = yield* Effect.forkChild(connection.withAdvisoryLock(7, Effect.die("it has run")), {
    startImmediately: true
  })
  yield* both.peer.cycle
  both.peer.send(Say.described([Say.column("pg_advisory_lock", pgType.void.oid)], { parameters: [pgType.int8.oid] }))
  assert.strictEqual(yield* both.peer.cycleTypes, "BES")
  yield* Fiber.interrupt(waiting)
  const side = yield* server.accept
  yield* side.startupPacket
  return both
})

describe("an advisory lock whose fiber has been interrupted", () => {
  it.live("is released if the server had granted it before the cancel came", () =>
    Effect.gen(function* () {
      const both = yield* interrupted
      both.peer.send(granted)
      const { body, type } = yield* both.peer.message
      assert.strictEqual(type, "Q")
      assert.strictEqual(body.toString(), "SELECT pg_catalog.pg_advisory_unlock('7'::pg_catalog.int8)\0")
      both.peer.send(released)
      yield* assertHealthy(both)
    }).pipe(Effect.scoped)
  )

  it.live("is not released if the cancel came first, because the session may hold it for another reason", () =>
    Effect.gen(function* () {
      const both = yield* interrupted
      both.peer.send(cancelled)
      assert.isTrue(yield* both.peer.staysQuiet)
      yield* assertHealthy(both)
    }).pipe(Effect.scoped)
  )
})
