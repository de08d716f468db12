/** Tests the outcome of a request if the last message about it comes late, or from a sender that cannot know. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Buffer } from "node:buffer"
import { fromRoot } from "../../../src/connection/connection.ts"
import type * as PgError from "../../../src/PgError.ts"
import { script, send } from "../../../src/session/request/request.ts"
import type { Session } from "../../../src/session/engine/session.ts"
import { TransactionLevel } from "../../../src/session/transaction/transactionLevel.ts"
import {
  answerBegin,
  ask,
  assertHealthy,
  establish,
  failureOf,
  type Peer,
  Say,
  scriptedServer
} from "../../support/scriptedServer.ts"

const conversation = Effect.flatMap(scriptedServer, (server) => establish(server))

/** A session that has prepared a statement, which is running. */
const running = Effect.gen(function* () {
  const both = yield* conversation
  const asking = yield* ask(both.session, "INSERT")
  yield* both.peer.cycle
  both.peer.send(Say.described([], { returnsRows: false }))
  yield* both.peer.cycle
  return { ...both, asking }
})

/** As PgBouncer says it: without a place in the source of the server. */
const pooler = (severity: "ERROR" | "FATAL") =>
  Say.error({ severity, code: "08P01", message: "server conn crashed?", routine: null })
const server = Say.error({ severity: "FATAL", code: "57P01", routine: "ProcessInterrupts" })

const said = (error: PgError.PgError): unknown => [
  error._tag,
  error.outcome,
  error._tag === "ConnectionLostError" && error.safeToRetry
]

describe("the last error before a connection is lost", () => {
  for (const [who, lastWord, tag, outcome] of [
    [
      "of the server, before the command was complete, says that it was rolled back",
      server,
      "AdminShutdownError",
      "none"
    ],
    ["of a pooler leaves open what became of it", pooler("FATAL"), "ProtocolViolationError", "unknown"],
    ["of a pooler leaves it open as an ERROR, too", pooler("ERROR"), "ProtocolViolationError", "unknown"]
  ] as const) {
    it.live(who, () =>
      Effect.gen(function* () {
        const { asking, peer, session } = yield* running
        peer.end(Say.bindComplete, lastWord)
        assert.deepStrictEqual(said(yield* failureOf(asking)), [tag, outcome, false])
        assert.strictEqual(session.lost?._tag, "ConnectionLostError")
      }).pipe(Effect.scoped)
    )
  }

  it.live("is a refusal with outcome none if it comes from a pooler that goes on", () =>
    Effect.gen(function* () {
      const { asking, peer, session } = yield* running
      peer.send(pooler("ERROR"), Say.ready())
      assert.deepStrictEqual(said(yield* failureOf(asking)), ["ProtocolViolationError", "none", false])
      yield* assertHealthy({ peer, session })
    }).pipe(Effect.scoped)
  )

  for (const [how, leave, tag] of [
    ["without a word", (peer: Peer) => peer.end(), "ConnectionLostError"],
    ["with that of a pooler", (peer: Peer) => peer.end(pooler("FATAL")), "ProtocolViolationError"]
  ] as const) {
    it.live(`has outcome none if the server had yet to describe the statement: ${how}`, () =>
      Effect.gen(function* () {
        const { peer, session } = yield* conversation
        const asking = yield* ask(session, "INSERT")
        yield* peer.cycle
        leave(peer)
        assert.deepStrictEqual(said(yield* failureOf(asking)), [tag, "none", false])
        assert.strictEqual(session.lost?._tag, "ConnectionLostError")
      }).pipe(Effect.scoped)
    )
  }

  it.live("has outcome unknown for a single statement of a script after the command was complete", () =>
    Effect.gen(function* () {
      const { peer, session } = yield* conversation
      const asking = yield* Effect.forkChild(send(session, script("INSERT;")), { startImmediately: true })
      yield* peer.message
      peer.send(Say.commandComplete("INSERT 0 1"), Say.failed({ code: "XX000" }))
      assert.deepStrictEqual(said(yield* failureOf(asking)), ["InternalServerError", "unknown", false])
      yield* assertHealthy({ peer, session })
    }).pipe(Effect.scoped)
  )

  it.live("has outcome unknown for a COPY after the command was complete", () =>
    Effect.gen(function* () {
      const { peer, session } = yield* conversation
      const connection = fromRoot(TransactionLevel.root(session))
      const copy = connection.copyIn({ table: "t" }, [Buffer.from("1\n")])
      const copying = yield* Effect.forkChild(copy, { startImmediately: true })
      yield* peer.message
      peer.send(Say.copyIn)
      yield* peer.message
      yield* peer.message
      peer.send(Say.commandComplete("COPY 1"), Say.failed({ code: "XX000" }))
      assert.deepStrictEqual(said(yield* failureOf(copying)), ["InternalServerError", "unknown", false])
      yield* assertHealthy({ peer, session })
    }).pipe(Effect.scoped)
  )
})

describe("a connection that is lost inside a transaction", () => {
  /** A transaction of one statement, which has been written. */
  const within = (sql: string, use: (session: Session, statement: Effect.Effect<unknown, PgError.PgError>) => Lost) =>
    Effect.gen(function* () {
      const { peer, session } = yield* conversation
      const connection = fromRoot(TransactionLevel.root(session))
      const asking = yield* Effect.forkChild(connection.withTransaction(use(session, connection.executeScript(sql))), {
        startImmediately: true
      })
      yield* answerBegin(peer)
      yield* peer.message
      peer.end()
      return said(yield* failureOf(asking))
    }).pipe(Effect.scoped)

  type Lost = Effect.Effect<unknown, PgError.PgError>
  const plainly = (_session: Session, statement: Lost): Lost => statement
  const caught = (_session: Session, statement: Lost): Lost => Effect.exit(statement)

  it.live("has outcome none, because the server rolls back", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* within("INSERT", plainly), ["ConnectionLostError", "none", false])
      assert.deepStrictEqual(yield* within("INSERT", caught), ["ConnectionLostError", "none", false])
      assert.deepStrictEqual(yield* within("SELECT CASE 1 END", caught), ["ConnectionLostError", "none", false])
    })
  )

  for (const sql of ["COMMIT", "/* all */ end", ";COMMIT", "INSERT; COMMIT", "ROLLBACK", "PREPARE TRANSACTION 'x'"]) {
    it.live(`has outcome unknown if a statement that may have ended it was not answered: ${sql}`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* within(sql, plainly), ["ConnectionLostError", "unknown", false])
        assert.deepStrictEqual(yield* within(sql, caught), ["TransactionClosedError", "unknown", false])
      })
    )
  }
})
