/** Tests the lookup of types against a server whose answer is wrong. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { pgType } from "../../src/codec/oid.generated.ts"
import { isVisible, StreamTypes } from "../../src/replication/typeLookup.ts"
import { configOf, failureOf, type Peer, Say, scriptedServer } from "../support/scriptedServer.ts"
import { int32 } from "../wire/frames.ts"

const UNKNOWN = 99_999

const untilSync = (peer: Peer): Effect.Effect<void> =>
  Effect.flatMap(peer.message, ({ type }) => (type === "S" ? Effect.void : untilSync(peer)))

describe("a transaction", () => {
  it("is visible in a snapshot unless it is listed, or is later, also after its ID has gone around", () => {
    const cases: ReadonlyArray<readonly [number, string, boolean]> = [
      [761, "760:761:760", false],
      [761, "761:761:", false],
      [761, "761:763:761,762", false],
      [761, "762:763:762", true],
      [761, "763:763:", true],
      // The snapshot has 64 bits of an ID, the transaction only the last 32.
      [4_294_967_290, "4294967299:4294967299:", true],
      [5, "4294967290:4294967299:4294967290", false],
      [2, "4294967290:4294967299:4294967290", true],
      [4_294_967_290, "4294967290:4294967299:4294967290", false]
    ]
    for (const [xid, snapshot, visible] of cases) assert.strictEqual(isVisible(xid, snapshot), visible, snapshot)
  })
})

describe("the types of a replication stream", () => {
  it.live("are not looked up from a description that cannot be read: that is a ProtocolError, and no defect", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const types = new StreamTypes(configOf(server))
      const looking = yield* Effect.forkScoped(types.lookUp([UNKNOWN], false, undefined), { startImmediately: true })
      const peer = yield* server.accept
      yield* peer.startupPacket
      peer.send(Say.authenticationOk, Say.settings)
      yield* untilSync(peer)
      peer.send(Say.described([Say.column("oid", pgType.oid.oid)], { parameters: [pgType.oid.arrayOid] }))
      yield* untilSync(peer)
      peer.send(Say.answered("SELECT 1", { rows: [Say.row(int32(UNKNOWN))] }))
      const error = yield* failureOf(looking)
      assert.strictEqual(error._tag, "ProtocolError")
      assert.include(error.message, "unexpected columns")
    }).pipe(Effect.scoped)
  )
})
