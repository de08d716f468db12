/** Tests many runs behind one Sync: what is written when, and what the server may answer. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Buffer } from "node:buffer"
import { pgType } from "../../../src/codec/oid.generated.ts"
import { whilePrepared } from "../../../src/connection/pipeline/whilePrepared.ts"
import { fromRoot } from "../../../src/connection/connection.ts"
import type * as PgConnection from "../../../src/PgConnection.ts"
import type * as PgError from "../../../src/PgError.ts"
import type { ResolvedConfig } from "../../../src/PgConfig.ts"
import { fetches, Rows } from "../../../src/session/request/manyRequest.ts"
import type { Session } from "../../../src/session/engine/session.ts"
import { TransactionLevel } from "../../../src/session/transaction/transactionLevel.ts"
import { MAX_REPETITIONS } from "../../../src/session/exchange/repetition.ts"
import { assertHealthy, establish, failureOf, type Peer, Say, scriptedServer } from "../../support/scriptedServer.ts"

const SQL = "INSERT"
const DESCRIPTION = Say.described([], { parameters: [pgType.int4.oid] })

const manyOn = (session: Session, rows: Iterable<PgConnection.Parameters>) =>
  Effect.map(fromRoot(TransactionLevel.root(session)).executeMany(SQL, rows), ({ rowCount }) => rowCount)

/** A client that has prepared the statement and now writes its runs. */
const running = (rows: Iterable<PgConnection.Parameters>, settings: Partial<ResolvedConfig> = {}) =>
  Effect.gen(function* () {
    const server = yield* scriptedServer
    const { peer, session } = yield* establish(server, settings)
    const many = yield* Effect.forkChild(manyOn(session, rows), { startImmediately: true })
    assert.strictEqual(yield* peer.cycleTypes, "PDS")
    peer.send(DESCRIPTION)
    return { server, peer, session, many }
  })

const done = Buffer.concat([Say.bindComplete, Say.commandComplete("INSERT 0 1")])

/** Endless rows that count how many were pulled. */
const endless = () => {
  const rows = {
    pulled: 0,
    isClosed: false,
    *[Symbol.iterator](): Generator<PgConnection.Parameters, void> {
      try {
        for (;;) yield [++rows.pulled]
      } finally {
        rows.isClosed = true
      }
    }
  }
  return rows
}

/** Everything that is written up to the Sync, without its bulk. */
const untilSync = (peer: Peer) => Effect.map(peer.cycleTypes, (types) => types.replaceAll(/(BE){3,}/g, "BE...BE"))

describe("executeMany", () => {
  it.live("writes all runs behind each other, and one Sync", () =>
    Effect.gen(function* () {
      const { many, peer, session } = yield* running([[1], [2], [3]])
      assert.strictEqual(yield* peer.cycleTypes, "BEBEBES")
      peer.send(done, done, done, Say.ready())
      assert.strictEqual(yield* Fiber.join(many), 3)
      yield* assertHealthy({ session, peer })
    }).pipe(Effect.scoped)
  )

  it.live("sends only a Sync if there are no rows", () =>
    Effect.gen(function* () {
      const { many, peer } = yield* running([])
      assert.strictEqual(yield* peer.cycleTypes, "S")
      peer.send(Say.ready())
      assert.strictEqual(yield* Fiber.join(many), 0)
    }).pipe(Effect.scoped)
  )

  it.live("parses the unnamed statement at the start of its runs", () =>
    Effect.gen(function* () {
      const statementCache = { mode: "cached", size: 0, lifetimeMillis: 0, maxSqlBytes: 0 } as const
      const { many, peer } = yield* running([[1], [2]], { statementCache })
      assert.strictEqual(yield* peer.cycleTypes, "PBDEBES")
      peer.send(Say.parseComplete, Say.bindComplete, Say.noData, Say.commandComplete("INSERT 0 1"), done, Say.ready())
      assert.strictEqual(yield* Fiber.join(many), 2)
    }).pipe(Effect.scoped)
  )

  it.live("ends with a Sync, and asks for no more rows, once the server has failed", () =>
    Effect.gen(function* () {
      const rows = endless()
      const { many, peer, session } = yield* running(rows)
      yield* peer.something
      peer.send(done, Say.error({ code: "23505" }))
      assert.strictEqual(yield* untilSync(peer), "BE...BES")
      const { pulled } = rows
      peer.send(Say.ready())
      const failure = yield* failureOf(many)
      assert.isTrue(rows.isClosed)
      if (failure._tag !== "UniqueViolationError") return assert.fail(String(failure))
      assert.strictEqual(failure.row, 2)
      assert.strictEqual(rows.pulled, pulled)
      yield* assertHealthy({ session, peer })
    }).pipe(Effect.scoped)
  )

  it.live("waits if the server does not read, however many rows there are", () =>
    Effect.gen(function* () {
      const rows = endless()
      const { many, peer } = yield* running(rows)
      yield* peer.something
      peer.pauseReading()
      let pulled = 0
      while (rows.pulled !== pulled) {
        pulled = rows.pulled
        yield* Effect.sleep("300 millis")
      }
      peer.resumeReading()
      yield* Effect.repeat(Effect.sleep("10 millis"), { while: () => rows.pulled === pulled })
      yield* Effect.forkChild(Fiber.interrupt(many))
      yield* untilSync(peer)
    }).pipe(Effect.scoped)
  )

  it.live("rolls back if it is interrupted in the middle of its rows, because a Sync alone would commit", () =>
    Effect.gen(function* () {
      const rows = endless()
      const { many, peer, server, session } = yield* running(rows)
      yield* peer.something
      yield* Fiber.interrupt(many)
      const messages = yield* peer.cycle
      assert.strictEqual(
        messages
          .slice(-4)
          .map(({ type }) => type)
          .join(""),
        "PBES"
      )
      assert.include(messages.at(-4)?.body.toString("latin1") ?? "", "ROLLBACK")
      const cancel = yield* server.accept
      yield* cancel.startupPacket
      cancel.destroy()
      const runs = messages.filter(({ type }) => type === "B").length - 1
      peer.send(Buffer.concat(Array.from({ length: runs }, () => done)))
      peer.send(
        Say.parseComplete,
        Say.bindComplete,
        Say.notice("no transaction"),
        Say.commandComplete("ROLLBACK"),
        Say.ready()
      )
      yield* assertHealthy({ session, peer })
    }).pipe(Effect.scoped)
  )

  it.live("is written once more, with all its rows, if the server has forgotten the statement", () =>
    Effect.gen(function* () {
      const { many, peer } = yield* running([[1], [2]])
      assert.strictEqual(yield* peer.cycleTypes, "BEBES")
      peer.send(Say.failed({ code: "26000" }))
      assert.strictEqual(yield* peer.cycleTypes, "CPDS")
      peer.send(Say.closeComplete, DESCRIPTION)
      assert.strictEqual(yield* peer.cycleTypes, "PBDEBES")
      peer.send(Say.parseComplete, Say.bindComplete, Say.noData, Say.commandComplete("INSERT 0 1"), done, Say.ready())
      assert.strictEqual(yield* Fiber.join(many), 2)
    }).pipe(Effect.scoped)
  )

  it.live("is written again only a bounded number of times", () =>
    Effect.gen(function* () {
      const { many, peer, session } = yield* running([[1], [2]])
      yield* peer.cycleTypes
      peer.send(Say.failed({ code: "26000" }))
      for (let times = 0; times < MAX_REPETITIONS; times++) {
        assert.strictEqual(yield* peer.cycleTypes, "CPDS")
        peer.send(Say.closeComplete, DESCRIPTION)
        assert.strictEqual(yield* peer.cycleTypes, "PBDEBES")
        peer.send(Say.failed({ code: "26000" }))
      }
      assert.strictEqual((yield* failureOf(many))._tag, "InvalidSQLStatementNameError")
      yield* assertHealthy({ session, peer })
    }).pipe(Effect.scoped)
  )

  it.live("is not written again after a run was done", () =>
    Effect.gen(function* () {
      const { many, peer } = yield* running([[1], [2]])
      yield* peer.cycleTypes
      peer.send(done, Say.failed({ code: "26000" }))
      const failure = yield* failureOf(many)
      if (failure._tag !== "InvalidSQLStatementNameError") return assert.fail(String(failure))
      assert.strictEqual(failure.row, 2)
    }).pipe(Effect.scoped)
  )

  const misplaced: Readonly<Record<string, ReadonlyArray<Buffer>>> = {
    "CommandComplete before BindComplete": [Say.commandComplete("INSERT 0 1")],
    "a row before BindComplete": [Say.row(Buffer.from([0, 0, 0, 1]))],
    "ParseComplete that was not asked for": [Say.parseComplete],
    "CloseComplete that was not asked for": [Say.closeComplete],
    "BindComplete twice": [Say.bindComplete, Say.bindComplete],
    PortalSuspended: [Say.bindComplete, Say.portalSuspended],
    CopyInResponse: [Say.bindComplete, Say.copyIn],
    "ReadyForQuery after one of two runs": [done, Say.ready()],
    "one run too many": [done, done, Say.bindComplete]
  }
  for (const [what, answer] of Object.entries(misplaced)) {
    it.live(`ends the session at ${what}`, () =>
      Effect.gen(function* () {
        const { many, peer, session } = yield* running([[1], [2]])
        yield* peer.cycleTypes
        peer.send(...answer)
        assert.strictEqual((yield* failureOf(many))._tag, "ProtocolError")
        yield* peer.closed
        assert.isDefined(session.lost)
      }).pipe(Effect.scoped)
    )
  }

  it.live("fails and stops pulling if the connection breaks in the middle of its rows", () =>
    Effect.gen(function* () {
      const rows = endless()
      const { many, peer } = yield* running(rows)
      yield* peer.something
      peer.destroy()
      const failure: PgError.PgError = yield* failureOf(many)
      assert.strictEqual(failure._tag, "ConnectionLostError")
      assert.strictEqual(failure.outcome, "unknown")
      assert.isTrue(rows.isClosed)
    }).pipe(Effect.scoped)
  )
})

describe("fetchMany", () => {
  it.live("fails alone with a value that cannot be read, and reads past the rest", () =>
    Effect.gen(function* () {
      const { peer, session } = yield* establish(yield* scriptedServer)
      const fetching = whilePrepared(
        TransactionLevel.root(session),
        [{ sql: "SELECT" }],
        session.statements,
        ([statement]) => fetches({ statement, statements: session.statements }, new Rows([[1], [2]]), 0)
      )
      const many = yield* Effect.forkChild(fetching, { startImmediately: true })
      yield* peer.cycleTypes
      peer.send(Say.described([Say.column("id", pgType.int4.oid)], { parameters: [pgType.int4.oid] }))
      yield* peer.cycleTypes
      const bad = Say.row(Buffer.from([1, 2]))
      const good = Say.row(Say.int4(1))
      peer.send(Say.bindComplete, bad, good, Say.commandComplete("SELECT 2"))
      peer.send(Say.bindComplete, good, Say.commandComplete("SELECT 1"), Say.ready())
      const failure = yield* failureOf(many)
      if (failure._tag !== "DecodeError") return assert.fail(String(failure))
      assert.strictEqual(failure.column, "id")
      yield* assertHealthy({ session, peer })
    }).pipe(Effect.scoped)
  )
})

describe("pulled rows", () => {
  it("can be read again until they are forgotten", () => {
    const rows = new Rows([[1], [2], [3]])
    assert.deepStrictEqual([rows.next(), rows.next()], [[1], [2]])
    rows.rewind()
    assert.deepStrictEqual([rows.next(), rows.next(), rows.next(), rows.next()], [[1], [2], [3], undefined])
    rows.forget()
    assert.strictEqual(rows.next(), undefined)
  })

  it("are all read again if they are forgotten during the second time", () => {
    const rows = new Rows([[1], [2], [3]])
    rows.next()
    rows.next()
    rows.rewind()
    rows.next()
    rows.forget()
    assert.deepStrictEqual([rows.next(), rows.next(), rows.next()], [[2], [3], undefined])
  })

  it("end at the first value that is not a row", () => {
    assert.throws(() => new Rows([{ id: 1 }]).next(), /array of values/)
  })
})
