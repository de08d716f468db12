/** The server's part at the beginning of a transaction. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { script } from "../../../src/session/request/request.ts"
import type { TransactionLevel } from "../../../src/session/transaction/transactionLevel.ts"
import type { Peer } from "./peer.ts"
import * as Say from "./say.ts"

/** Reads a BEGIN that is sent alone, because no extended query follows it, and answers it. */
export const answerBegin = (peer: Peer, begin = "BEGIN") =>
  Effect.map(peer.cycle, (messages) => {
    assert.strictEqual(messages.map(({ type }) => type).join(""), "PBES")
    assert.include(messages[0]?.body.toString() ?? "", `\0${begin}\0`)
    peer.send(Say.begun, Say.ready("T"))
  })

/** Reads a statement of the simple protocol. */
export const expectQuery = (peer: Peer, sql: string) =>
  Effect.map(peer.message, ({ body, type }) => {
    assert.strictEqual(type, "Q")
    assert.strictEqual(body.toString(), `${sql}\0`)
  })

const FIRST = "VALUES ('first')"

/** Has the server receive BEGIN, which it does with the first request of a transaction. */
export const begin = (level: TransactionLevel) => level.run(script(FIRST))

/** Reads and answers BEGIN and the script of `begin`. */
export const answerFirst = (peer: Peer) =>
  Effect.gen(function* () {
    yield* answerBegin(peer)
    yield* expectQuery(peer, FIRST)
    peer.send(Say.commandComplete("SELECT 1"), Say.ready("T"))
  })
