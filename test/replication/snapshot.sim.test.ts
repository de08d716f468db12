/** Tests what a copy checks before it begins, against a server that is older than what the tests run on. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Buffer } from "node:buffer"
import { pgType } from "../../src/codec/oid.generated.ts"
import * as PgReplication from "../../src/PgReplication.ts"
import { failureOf, Say, scriptedServer } from "../support/scriptedServer.ts"

const COLUMNS = ["wal_level", "timeout", "system", "position"].map((name) => Say.column(name, pgType.text.oid))

describe("snapshotThenStream with failover", () => {
  it.live("fails on a server without failover slots before it copies anything", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const events = PgReplication.snapshotThenStream({
        connection: { host: server.host, port: server.port, user: "u", sslMode: "disable" },
        slot: "s",
        publications: ["p"],
        failover: true
      })
      const reading = yield* Effect.forkScoped(Stream.runDrain(events), { startImmediately: true })
      const peer = yield* server.accept
      yield* peer.startupPacket
      peer.send(Say.authenticationOk, Say.settings, Say.parameterStatus("server_version", "16.4"))
      assert.strictEqual((yield* peer.message).type, "Q")
      const values = ["logical", "60000", "1", "0/1"].map((value) => Buffer.from(value))
      peer.send(Say.rowDescription(COLUMNS), Say.row(...values), Say.commandComplete("SELECT 1"), Say.ready())
      const error = yield* failureOf(reading)
      assert.strictEqual(error._tag, "ReplicationSetupError")
      assert.include(error.message, "survives a failover needs PostgreSQL 17, and the server is 16.4")
    }).pipe(Effect.scoped)
  )
})
