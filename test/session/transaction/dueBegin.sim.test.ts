/**
 * Tests what is written for the BEGIN of a transaction, and when, and what follows if it fails, is given up or is not
 * answered.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { Buffer } from "node:buffer"
import { pgType } from "../../../src/codec/oid.generated.ts"
import { fromRoot } from "../../../src/connection/connection.ts"
import type { ResolvedConfig } from "../../../src/PgConfig.ts"
import type * as PgError from "../../../src/PgError.ts"
import { preparation, type Request, rows, script, send } from "../../../src/session/request/request.ts"
import type { Session } from "../../../src/session/engine/session.ts"
import { PLAIN_LEVEL, TransactionLevel } from "../../../src/session/transaction/transactionLevel.ts"
import {
  answerBegin,
  ask,
  assertHealthy,
  establish,
  expectQuery,
  failureOf,
  type FrontendMessage,
  type Peer,
  play,
  Say,
  type ScriptedServer,
  scriptedServer
} from "../../support/scriptedServer.ts"

const SQL = "SELECT id FROM t"
const COLUMNS = [Say.column("id", pgType.int4.oid)]
const ROWS = { rows: [Say.row(Say.int4(7))] }
const refused = { code: "53200", message: "out of memory" }
const cancelled = { code: "57014", message: "canceling statement due to user request" }
const immediately = { startImmediately: true } as const

interface Conversation {
  readonly server: ScriptedServer
  readonly session: Session
  readonly peer: Peer
}

const conversation = (settings: Partial<ResolvedConfig> = {}) =>
  Effect.gen(function* () {
    const server = yield* scriptedServer
    return { server, ...(yield* establish(server, settings)) }
  })

/** A session that knows the statement. */
const knowing = (settings: Partial<ResolvedConfig> = {}) =>
  Effect.tap(conversation(settings), (both) => play(both, SQL, { description: Say.described(COLUMNS) }))

type Body<A> = (level: TransactionLevel) => Effect.Effect<A, PgError.PgError>

/** A transaction whose body has begun. */
const transaction = <A>({ session }: Conversation, body: Body<A>) =>
  Effect.forkChild(TransactionLevel.root(session).within(PLAIN_LEVEL, body), immediately)

const running = <A>(level: TransactionLevel, request: Request<A>) => Effect.forkChild(level.run(request), immediately)

const query = rows(SQL, [])
const types = (messages: ReadonlyArray<FrontendMessage>) => messages.map(({ type }) => type).join("")
/** What the messages close. */
const names = (messages: ReadonlyArray<FrontendMessage>) =>
  messages.filter(({ type }) => type === "C").map(({ body }) => body.toString())
const said = (error: PgError.PgError): unknown => [error._tag, error.outcome]
const textIn = (message: FrontendMessage | undefined) => message?.body.toString() ?? ""

/** Reads the end of a transaction and answers it. */
const answerEnd = (peer: Peer, sql: "COMMIT" | "ROLLBACK") =>
  Effect.map(expectQuery(peer, sql), () => peer.send(Say.commandComplete(sql), Say.ready()))

const answerCommit = (peer: Peer) => answerEnd(peer, "COMMIT")
const answerRollback = (peer: Peer) => answerEnd(peer, "ROLLBACK")

/** Accepts the CancelRequest, and says that the server has dealt with it. */
const acceptCancel = ({ server }: Conversation) =>
  Effect.gen(function* () {
    const connection = yield* server.accept
    assert.strictEqual((yield* connection.startupPacket)._tag, "CancelRequest")
  })

describe("the BEGIN of a transaction", () => {
  it.live("is written together with the first request, under one Sync and in one write", () =>
    Effect.gen(function* () {
      const all = yield* knowing()
      const { peer } = all
      const writes = peer.chunks.length
      const work = yield* transaction(all, (level) => level.run(query))
      const messages = yield* peer.cycle
      assert.strictEqual(types(messages), "PBEBES")
      assert.strictEqual(textIn(messages[0]), "\0BEGIN\0\0\0")
      assert.strictEqual(peer.chunks.length, writes + 1)
      peer.send(Say.begun, Say.answered("SELECT 1", { ...ROWS, status: "T" }))
      yield* answerCommit(peer)
      assert.deepStrictEqual(yield* Fiber.join(work), [{ id: 7 }])
      yield* assertHealthy(all)
    }).pipe(Effect.scoped)
  )

  it.live("is written together with the question for the description, if the first statement is not known", () =>
    Effect.gen(function* () {
      const all = yield* conversation()
      const { peer } = all
      const work = yield* transaction(all, (level) => level.run(query))
      assert.strictEqual(yield* peer.cycleTypes, "PBEPDS")
      peer.send(Say.begun, Say.described(COLUMNS, { status: "T" }))
      assert.strictEqual(yield* peer.cycleTypes, "BES")
      peer.send(Say.answered("SELECT 1", { ...ROWS, status: "T" }))
      yield* answerCommit(peer)
      assert.deepStrictEqual(yield* Fiber.join(work), [{ id: 7 }])
      yield* assertHealthy(all)
    }).pipe(Effect.scoped)
  )

  it.live("is not written behind the first request", () =>
    Effect.gen(function* () {
      const all = yield* knowing()
      const { peer } = all
      const work = yield* transaction(all, (level) => Effect.andThen(level.run(query), level.run(query)))
      assert.strictEqual(yield* peer.cycleTypes, "PBEBES")
      peer.send(Say.begun, Say.answered("SELECT 0", { status: "T" }))
      assert.strictEqual(yield* peer.cycleTypes, "BES")
      peer.send(Say.answered("SELECT 0", { status: "T" }))
      yield* answerCommit(peer)
      yield* Fiber.join(work)
      yield* assertHealthy(all)
    }).pipe(Effect.scoped)
  )

  it.live("is never written if there is no request, and neither is an end", () =>
    Effect.gen(function* () {
      const all = yield* conversation()
      const connection = fromRoot(TransactionLevel.root(all.session))
      const ran: Array<string> = []
      const note = (what: string) => Effect.sync(() => void ran.push(what))
      const body = Effect.andThen(
        connection.afterCommit(note("committed")),
        connection.afterRollback(note("rolled back"))
      )
      yield* connection.withTransaction(body)
      yield* connection.withTransaction(body, { isolation: "serializable", trackOutcome: true })
      assert.strictEqual(yield* Effect.flip(connection.withTransaction(Effect.andThen(body, Effect.fail("no")))), "no")
      yield* Effect.scoped(Effect.flatMap(connection.begin(), ({ commit }) => commit))
      yield* Effect.scoped(Effect.flatMap(connection.begin(), ({ rollback }) => rollback))
      yield* Effect.scoped(connection.begin())
      const never = yield* Effect.forkChild(connection.withTransaction(Effect.never), immediately)
      yield* Fiber.interrupt(never)
      assert.deepStrictEqual(ran, ["committed", "committed", "rolled back"])
      assert.isTrue(yield* all.peer.staysQuiet)
      yield* assertHealthy(all)
    }).pipe(Effect.scoped)
  )

  it.live("stands alone in front of a request that the server would not skip, until it is answered", () =>
    Effect.gen(function* () {
      const all = yield* conversation()
      const { peer, session } = all
      const connection = fromRoot(TransactionLevel.root(session))
      const data = [Buffer.from("1\n")]
      const firsts: ReadonlyArray<
        readonly [sql: string, first: Effect.Effect<unknown, PgError.PgError>, answer: ReadonlyArray<Uint8Array>]
      > = [
        ["INSERT", connection.executeScript("INSERT"), [Say.commandComplete("INSERT 0 1")]],
        ['COPY "t" FROM STDIN', connection.copyIn({ table: "t" }, data), [Say.copyIn, Say.commandComplete("COPY 1")]],
        [
          'COPY "t" TO STDOUT',
          Stream.runDrain(connection.copyOut({ table: "t" })),
          [Say.copyOut, Say.copyDone, Say.commandComplete("COPY 0")]
        ]
      ]
      for (const [sql, first, answer] of firsts) {
        const work = yield* Effect.forkChild(connection.withTransaction(first), immediately)
        assert.strictEqual(yield* peer.cycleTypes, "PBES")
        assert.isTrue(yield* peer.staysQuiet)
        peer.send(Say.begun, Say.ready("T"))
        yield* expectQuery(peer, sql)
        peer.send(...answer, Say.ready("T"))
        if (sql.includes("STDIN")) for (const type of "dc") assert.strictEqual((yield* peer.message).type, type)
        yield* answerCommit(peer)
        yield* Fiber.join(work)
      }
      yield* assertHealthy(all)
    }).pipe(Effect.scoped)
  )

  it.live("stands in one text with the savepoint that comes first", () =>
    Effect.gen(function* () {
      const all = yield* knowing()
      const { peer } = all
      const work = yield* transaction(all, (level) => level.within(PLAIN_LEVEL, (inner) => inner.run(query)))
      yield* expectQuery(peer, "BEGIN; SAVEPOINT effectpg_1")
      peer.send(Say.commandComplete("BEGIN"), Say.commandComplete("SAVEPOINT"), Say.ready("T"))
      assert.strictEqual(yield* peer.cycleTypes, "BES")
      peer.send(Say.answered("SELECT 1", { ...ROWS, status: "T" }))
      yield* expectQuery(peer, "RELEASE SAVEPOINT effectpg_1")
      peer.send(Say.commandComplete("RELEASE"), Say.ready("T"))
      yield* answerCommit(peer)
      assert.deepStrictEqual(yield* Fiber.join(work), [{ id: 7 }])
      yield* assertHealthy(all)
    }).pipe(Effect.scoped)
  )

  for (const begin of [
    "BEGIN",
    " begin work;",
    "START TRANSACTION READ WRITE",
    "BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE",
    "Begin Transaction Isolation Level Repeatable Read , Not Deferrable ; "
  ]) {
    it.live(`waits for the first request if it is one statement that begins a transaction: ${begin}`, () =>
      Effect.gen(function* () {
        const all = yield* knowing()
        const { peer, session } = all
        const level = TransactionLevel.root(session)
        yield* level.within({ ...PLAIN_LEVEL, begin }, () => Effect.void)
        assert.isTrue(yield* peer.staysQuiet)
        const work = yield* Effect.forkChild(
          level.within({ ...PLAIN_LEVEL, begin }, (inner) => inner.run(query)),
          immediately
        )
        const messages = yield* peer.cycle
        assert.strictEqual(types(messages), "PBEBES")
        assert.strictEqual(textIn(messages[0]), `\0${begin}\0\0\0`)
        peer.send(Say.begun, Say.answered("SELECT 0", { status: "T" }))
        yield* answerCommit(peer)
        yield* Fiber.join(work)
        yield* assertHealthy(all)
      }).pipe(Effect.scoped)
    )
  }

  for (const begin of ["BEGIN; SET LOCAL role TO 'reader'", "BEGIN -- a comment", "BEGIN NONSENSE", "SELECT 1"]) {
    it.live(`is sent at once, as it is, if the program gives another text for it: ${begin}`, () =>
      Effect.gen(function* () {
        const all = yield* conversation()
        const { peer, session } = all
        const level = TransactionLevel.root(session)
        const work = yield* Effect.forkChild(
          level.within({ ...PLAIN_LEVEL, begin }, () => Effect.void),
          immediately
        )
        yield* expectQuery(peer, begin)
        peer.send(Say.commandComplete("BEGIN"), Say.commandComplete("SET"), Say.ready("T"))
        yield* answerCommit(peer)
        yield* Fiber.join(work)
        yield* assertHealthy(all)
      }).pipe(Effect.scoped)
    )
  }

  it.live("is refused at once if the connection has ended, and the body does not run", () =>
    Effect.gen(function* () {
      const all = yield* conversation()
      all.peer.end()
      yield* Effect.callback<void>((resume) => void all.session.onEnd(() => resume(Effect.void)))
      let hasRun = false
      const error = yield* Effect.flip(
        TransactionLevel.root(all.session).within(PLAIN_LEVEL, () => Effect.sync(() => (hasRun = true)))
      )
      assert.deepStrictEqual([error._tag, error.outcome, hasRun], ["ConnectionLostError", "none", false])
    }).pipe(Effect.scoped)
  )
})

/** Answers BEGIN with an error: the server skips everything before the Sync. */
const refuse = (peer: Peer) => peer.send(Say.failed(refused))

const assertRefusal = (error: PgError.PgError) => {
  if (error._tag !== "OutOfMemoryError") return assert.fail(`another error: ${error._tag}`)
  assert.deepStrictEqual([error.sql, error.outcome], ["BEGIN", "none"])
}

describe("a transaction whose BEGIN fails", () => {
  for (const [what, first, written] of [
    ["a known statement", query, "PBEBES"],
    ["a statement that is not known", rows("SELECT other", []), "PBEPDS"],
    ["a script", script("INSERT"), "PBES"]
  ] as const) {
    it.live(`fails with its error, and so does each request, and nothing else is written: ${what}`, () =>
      Effect.gen(function* () {
        const all = yield* knowing()
        const { peer } = all
        const errors: Array<PgError.PgError> = []
        const work = yield* transaction(all, (level) =>
          Effect.gen(function* () {
            errors.push(yield* Effect.flip<unknown, PgError.PgError, never>(level.run<unknown>(first)))
            errors.push(yield* Effect.flip(level.run(query)))
            errors.push(yield* Effect.flip(level.within(PLAIN_LEVEL, () => Effect.void)))
          }).pipe(Effect.orDie)
        )
        assert.strictEqual(yield* peer.cycleTypes, written)
        refuse(peer)
        errors.push(yield* failureOf(work))
        for (const error of errors) assertRefusal(error)
        assert.strictEqual(errors.length, 4)
        assert.isTrue(yield* peer.staysQuiet)
        yield* assertHealthy(all)
        const again = yield* ask(all.session, "SELECT other")
        assert.strictEqual(yield* peer.cycleTypes, "PDS")
        peer.send(Say.described(COLUMNS))
        yield* peer.cycle
        peer.send(Say.answered("SELECT 0"))
        yield* Fiber.join(again)
      }).pipe(Effect.scoped)
    )
  }

  it.live("runs its callbacks as one that was rolled back, and lets the next one begin", () =>
    Effect.gen(function* () {
      const all = yield* knowing()
      const { peer, session } = all
      const connection = fromRoot(TransactionLevel.root(session))
      const ran: Array<string> = []
      const body = Effect.gen(function* () {
        yield* connection.afterCommit(Effect.sync(() => void ran.push("committed")))
        yield* connection.afterRollback(Effect.sync(() => void ran.push("rolled back")))
        yield* Effect.ignore(connection.fetch(SQL))
      })
      const work = yield* Effect.forkChild(connection.withTransaction(body), immediately)
      const next = yield* Effect.forkChild(connection.withTransaction(connection.fetch(SQL)), immediately)
      assert.strictEqual(yield* peer.cycleTypes, "PBEBES")
      refuse(peer)
      assertRefusal(yield* failureOf(work))
      assert.deepStrictEqual(ran, ["rolled back"])
      assert.strictEqual(yield* peer.cycleTypes, "PBEBES")
      peer.send(Say.begun, Say.answered("SELECT 0", { status: "T" }))
      yield* answerCommit(peer)
      assert.deepStrictEqual(yield* Fiber.join(next), [])
    }).pipe(Effect.scoped)
  )

  it.live("by hand refuses its commit with the same error", () =>
    Effect.gen(function* () {
      const all = yield* knowing()
      const connection = fromRoot(TransactionLevel.root(all.session))
      const work = yield* Effect.forkChild(
        Effect.scoped(
          Effect.gen(function* () {
            const byHand = yield* connection.begin()
            return [yield* Effect.flip(byHand.fetch(SQL)), yield* Effect.flip(byHand.commit)]
          })
        ),
        immediately
      )
      assert.strictEqual(yield* all.peer.cycleTypes, "PBEBES")
      refuse(all.peer)
      for (const error of yield* Fiber.join(work)) assertRefusal(error)
      assert.isTrue(yield* all.peer.staysQuiet)
      yield* assertHealthy(all)
    }).pipe(Effect.scoped)
  )

  it.live("in front of a savepoint fails with its error", () =>
    Effect.gen(function* () {
      const all = yield* conversation()
      const { peer } = all
      let hasRun = false
      const work = yield* transaction(all, (level) =>
        Effect.ignore(level.within(PLAIN_LEVEL, () => Effect.sync(() => (hasRun = true))))
      )
      yield* expectQuery(peer, "BEGIN; SAVEPOINT effectpg_1")
      peer.send(Say.failed(refused))
      const error = yield* failureOf(work)
      assert.deepStrictEqual([error._tag, error.outcome, hasRun], ["OutOfMemoryError", "none", false])
      assert.isTrue(yield* peer.staysQuiet)
      yield* assertHealthy(all)
    }).pipe(Effect.scoped)
  )

  it.live("is rolled back if BEGIN has succeeded and the savepoint behind it failed", () =>
    Effect.gen(function* () {
      const all = yield* conversation()
      const { peer } = all
      const work = yield* transaction(all, (level) => level.within(PLAIN_LEVEL, () => Effect.void))
      yield* expectQuery(peer, "BEGIN; SAVEPOINT effectpg_1")
      peer.send(Say.commandComplete("BEGIN"), Say.failed(refused, "E"))
      yield* answerRollback(peer)
      assert.strictEqual((yield* failureOf(work))._tag, "OutOfMemoryError")
      yield* assertHealthy(all)
    }).pipe(Effect.scoped)
  )

  it.live("closes what its first request was to close with a later request, because the server has skipped that", () =>
    Effect.gen(function* () {
      const statementCache = { mode: "cached", size: 1, lifetimeMillis: 0, maxSqlBytes: 0 } as const
      const all = yield* knowing({ statementCache })
      const { peer } = all
      const preparing = yield* Effect.forkChild(send(all.session, preparation("SELECT second")), immediately)
      assert.strictEqual(yield* peer.cycleTypes, "PDS")
      peer.send(Say.described(COLUMNS))
      yield* Fiber.join(preparing)
      const work = yield* transaction(all, (level) => level.run(rows("SELECT second", [])))
      const written = yield* peer.cycle
      assert.strictEqual(types(written), "PBECBES")
      refuse(peer)
      assertRefusal(yield* failureOf(work))
      const again = yield* ask(all.session, "SELECT second")
      const later = yield* peer.cycle
      assert.strictEqual(types(later), "CBES")
      assert.deepStrictEqual(names(later), names(written))
      peer.send(Say.closeComplete, Say.answered("SELECT 0"))
      yield* Fiber.join(again)
    }).pipe(Effect.scoped)
  )
})

describe("a fiber that asks while BEGIN is not answered", () => {
  /** Two fibers in one transaction. The first has sent its statement. */
  const two = Effect.gen(function* () {
    const all = yield* knowing()
    const { peer } = all
    const asked: Array<Fiber.Fiber<ReadonlyArray<unknown>, PgError.PgError>> = []
    const work = yield* transaction(all, (level) =>
      Effect.gen(function* () {
        asked.push(yield* running(level, query), yield* running(level, query))
        yield* Effect.forEach(asked, Fiber.await)
      })
    )
    assert.strictEqual(yield* peer.cycleTypes, "PBEBES")
    assert.isTrue(yield* peer.staysQuiet)
    const [first, second] = asked
    if (first === undefined || second === undefined) throw new Error("the body has not begun")
    return { ...all, work, first, second }
  })

  it.live("is served once it has succeeded", () =>
    Effect.gen(function* () {
      const { first, peer, second, work, ...all } = yield* two
      peer.send(Say.begun, Say.answered("SELECT 0", { status: "T" }))
      assert.strictEqual(yield* peer.cycleTypes, "BES")
      peer.send(Say.answered("SELECT 1", { ...ROWS, status: "T" }))
      yield* answerCommit(peer)
      assert.deepStrictEqual([yield* Fiber.join(first), yield* Fiber.join(second)], [[], [{ id: 7 }]])
      yield* Fiber.join(work)
      yield* assertHealthy({ peer, ...all })
    }).pipe(Effect.scoped)
  )

  it.live("is refused if it has failed", () =>
    Effect.gen(function* () {
      const { first, peer, second, work, ...all } = yield* two
      peer.send(Say.failed(refused))
      for (const fiber of [first, second, work]) {
        const error = yield* failureOf<unknown, PgError.PgError>(fiber)
        assert.deepStrictEqual([error._tag, error.outcome], ["OutOfMemoryError", "none"])
      }
      assert.isTrue(yield* peer.staysQuiet)
      yield* assertHealthy({ peer, ...all })
    }).pipe(Effect.scoped)
  )

  it.live("is answered if the connection is lost, even if the first fiber has been interrupted", () =>
    Effect.gen(function* () {
      const { first, peer, second, work } = yield* two
      yield* Fiber.interrupt(first)
      peer.end()
      const error = yield* Effect.timeout(failureOf(second), "1 second")
      assert.deepStrictEqual([error._tag, error.outcome], ["ConnectionLostError", "none"])
      assert.strictEqual((yield* failureOf(work)).outcome, "none")
    }).pipe(Effect.scoped)
  )

  it.live("goes on in the transaction if the first fiber is interrupted and BEGIN had been answered", () =>
    Effect.gen(function* () {
      const { first, peer, second, work, ...all } = yield* two
      yield* Fiber.interrupt(first)
      yield* acceptCancel({ peer, ...all })
      peer.send(Say.begun, Say.failed(cancelled, "E"))
      assert.strictEqual(yield* peer.cycleTypes, "BES")
      peer.send(Say.failed({ code: "25P02" }, "E"))
      assert.strictEqual((yield* failureOf(second))._tag, "InFailedSQLTransactionError")
      yield* answerRollback(peer)
      assert.strictEqual((yield* failureOf(work))._tag, "TransactionRolledBackError")
      yield* assertHealthy({ peer, ...all })
    }).pipe(Effect.scoped)
  )

  it.live("is refused if the first fiber is interrupted and the cancel has hit BEGIN", () =>
    Effect.gen(function* () {
      const { first, peer, second, work, ...all } = yield* two
      yield* Fiber.interrupt(first)
      yield* acceptCancel({ peer, ...all })
      peer.send(Say.failed(cancelled))
      assert.strictEqual((yield* failureOf(second))._tag, "TransactionRolledBackError")
      assert.strictEqual((yield* failureOf(work))._tag, "TransactionRolledBackError")
      assert.isTrue(yield* peer.staysQuiet)
      yield* assertHealthy({ peer, ...all })
    }).pipe(Effect.scoped)
  )
})

describe("a first request that is given up", () => {
  it.live("before it is written leaves BEGIN to the next one", () =>
    Effect.gen(function* () {
      const all = yield* knowing()
      const { peer } = all
      const work = yield* transaction(all, (level) =>
        Effect.gen(function* () {
          const first = yield* running(level, rows("SELECT given_up", []))
          const second = yield* running(level, query)
          first.interruptUnsafe()
          return yield* Fiber.join(second)
        })
      )
      const messages = yield* peer.cycle
      assert.strictEqual(types(messages), "PBEBES")
      peer.send(Say.begun, Say.answered("SELECT 1", { ...ROWS, status: "T" }))
      yield* answerCommit(peer)
      assert.deepStrictEqual(yield* Fiber.join(work), [{ id: 7 }])
      yield* assertHealthy(all)
    }).pipe(Effect.scoped)
  )

  it.live("before it is written leaves a transaction that sends nothing, if it was the only one", () =>
    Effect.gen(function* () {
      const all = yield* knowing()
      const work = yield* transaction(all, (level) =>
        Effect.flatMap(running(level, query), (fiber) => {
          fiber.interruptUnsafe()
          return Effect.exit(Fiber.join(fiber))
        })
      )
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.join(work)))
      assert.isTrue(yield* all.peer.staysQuiet)
      yield* assertHealthy(all)
    }).pipe(Effect.scoped)
  )

  for (const [what, request, written, answer] of [
    ["with BEGIN", query, "PBEBES", [Say.failed(cancelled)]],
    ["behind BEGIN", query, "PBEBES", [Say.begun, Say.failed(cancelled, "E")]],
    ["too late", query, "PBEBES", [Say.begun, Say.answered("SELECT 0", { status: "T" })]],
    ["while BEGIN is alone", script("INSERT"), "PBES", [Say.begun, Say.ready("T")]]
  ] as const) {
    it.live(`is canceled ${what}, and the transaction is rolled back before anything else`, () =>
      Effect.gen(function* () {
        const all = yield* knowing()
        const { peer, session } = all
        const work = yield* transaction(all, (level) => level.run<unknown>(request))
        assert.strictEqual(yield* peer.cycleTypes, written)
        const interrupting = yield* Effect.forkChild(Fiber.interrupt(work), immediately)
        yield* acceptCancel(all)
        const next = yield* ask(session, SQL)
        assert.isTrue(yield* peer.staysQuiet)
        peer.send(...answer)
        yield* answerRollback(peer)
        assert.strictEqual(yield* peer.cycleTypes, "BES")
        peer.send(Say.answered("SELECT 0"))
        yield* Fiber.join(interrupting)
        yield* Fiber.join(next)
        assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(work)))
        yield* assertHealthy(all)
      }).pipe(Effect.scoped)
    )
  }

  it.live("in its later round trip does not close a statement that the cache then has", () =>
    Effect.gen(function* () {
      const all = yield* conversation()
      const { peer, session } = all
      const sql = "SELECT id FROM t WHERE id = $1"
      const bound = Say.described(COLUMNS, { parameters: [pgType.int4.oid] })
      yield* Effect.gen(function* () {
        const asking = yield* ask(session, sql, [1])
        yield* peer.cycle
        peer.send(bound)
        yield* peer.cycle
        peer.send(Say.answered("SELECT 0"))
        yield* Fiber.join(asking)
      })
      const work = yield* transaction(all, (level) => level.run(rows(sql, [3_000_000_000])))
      assert.strictEqual(yield* peer.cycleTypes, "PBES")
      peer.send(Say.begun, Say.ready("T"))
      assert.strictEqual(yield* peer.cycleTypes, "PDS")
      peer.send(Say.described(COLUMNS, { parameters: [pgType.int8.oid], status: "T" }))
      assert.strictEqual(yield* peer.cycleTypes, "CPBDES")
      const interrupting = yield* Effect.forkChild(Fiber.interrupt(work), immediately)
      yield* acceptCancel(all)
      peer.send(Say.closeComplete, Say.parseComplete, Say.bindComplete, Say.rowDescription(COLUMNS))
      peer.send(Say.failed(cancelled, "E"))
      yield* answerRollback(peer)
      yield* Fiber.join(interrupting)
      const again = yield* ask(session, sql, [1])
      assert.strictEqual(yield* peer.cycleTypes, "BES")
      peer.send(Say.answered("SELECT 0"))
      yield* Fiber.join(again)
    }).pipe(Effect.scoped)
  )
})

describe("a first request whose value cannot be encoded", () => {
  it.live("fails alone, and the transaction goes on", () =>
    Effect.gen(function* () {
      const all = yield* knowing()
      const { peer } = all
      const work = yield* transaction(all, (level) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(level.run(rows("SELECT \0", [])))
          assert.deepStrictEqual([error._tag, error.outcome], ["EncodeError", "none"])
          return yield* level.run(query)
        }).pipe(Effect.orDie)
      )
      yield* answerBegin(peer)
      assert.strictEqual(yield* peer.cycleTypes, "BES")
      peer.send(Say.answered("SELECT 1", { ...ROWS, status: "T" }))
      yield* answerCommit(peer)
      assert.deepStrictEqual(yield* Fiber.join(work), [{ id: 7 }])
      yield* assertHealthy(all)
    }).pipe(Effect.scoped)
  )
})

describe("a connection that is lost", () => {
  const fatal = { severity: "FATAL", code: "57P01", routine: "ProcessInterrupts" }
  const pooler = { severity: "FATAL", code: "08P01", message: "server conn crashed?", routine: null }

  for (const [when, request, answer, error] of [
    ["while BEGIN is not answered", query, [], "ConnectionLostError"],
    ["after BEGIN", query, [Say.begun], "ConnectionLostError"],
    ["after the answer, which was not the last", query, [Say.begun, Say.bindComplete], "ConnectionLostError"],
    ["with an error for BEGIN", query, [Say.error(fatal)], "AdminShutdownError"],
    ["with the word of a pooler for BEGIN", query, [Say.error(pooler)], "ProtocolViolationError"],
    ["with an error behind BEGIN", query, [Say.begun, Say.error(fatal)], "AdminShutdownError"],
    ["before a script is written", script("CREATE DATABASE d"), [], "ConnectionLostError"],
    ["when a script is about to be written", script("VACUUM; COMMIT"), [Say.begun], "ConnectionLostError"],
    [
      "with an error before a script is written",
      script("CALL p()"),
      [Say.begun, Say.error(fatal)],
      "AdminShutdownError"
    ]
  ] as const) {
    it.live(`${when} has outcome none, because the server rolls back`, () =>
      Effect.gen(function* () {
        const all = yield* knowing()
        const { peer } = all
        let first: PgError.PgError | undefined
        const work = yield* transaction(all, (level) =>
          Effect.ignore(Effect.tapError(level.run<unknown>(request), (error) => Effect.sync(() => (first = error))))
        )
        yield* peer.cycle
        peer.end(...answer)
        const whole = yield* failureOf(work)
        assert.deepStrictEqual(first && said(first), [error, "none"])
        assert.strictEqual(whole.outcome, request.sql.includes("COMMIT") ? "unknown" : "none")
      }).pipe(Effect.scoped)
    )
  }

  it.live("has outcome unknown if the first request may have ended the transaction", () =>
    Effect.gen(function* () {
      const all = yield* conversation()
      const work = yield* transaction(all, (level) => level.run(rows("PREPARE TRANSACTION 'x'", [])))
      assert.strictEqual(yield* all.peer.cycleTypes, "PBEPBDES")
      all.peer.end()
      assert.deepStrictEqual(said(yield* failureOf(work)), ["ConnectionLostError", "unknown"])
    }).pipe(Effect.scoped)
  )

  it.live("before the first request has outcome none, for the request and for the transaction", () =>
    Effect.gen(function* () {
      const all = yield* conversation()
      const { peer, session } = all
      const work = yield* transaction(all, (level) =>
        Effect.gen(function* () {
          peer.end()
          yield* Effect.callback<void>((resume) => void session.onEnd(() => resume(Effect.void)))
          return yield* Effect.flip(level.run(query))
        }).pipe(
          Effect.tap((error) => Effect.sync(() => assert.deepStrictEqual(said(error), LOST))),
          Effect.orDie
        )
      )
      assert.deepStrictEqual(said(yield* failureOf(work)), LOST)
    }).pipe(Effect.scoped)
  )

  it.live("while BEGIN and a savepoint are not answered has outcome none, for the transaction", () =>
    Effect.gen(function* () {
      const all = yield* conversation()
      const { peer } = all
      const work = yield* transaction(all, (level) => Effect.ignore(level.within(PLAIN_LEVEL, () => Effect.void)))
      yield* expectQuery(peer, "BEGIN; SAVEPOINT effectpg_1")
      peer.end()
      assert.deepStrictEqual(said(yield* failureOf(work)), LOST)
    }).pipe(Effect.scoped)
  )

  const LOST = ["ConnectionLostError", "none"]
})

describe("a server that breaks the protocol", () => {
  const messages: ReadonlyArray<readonly [name: string, bytes: Buffer]> = [
    ["ParseComplete", Say.parseComplete],
    ["BindComplete", Say.bindComplete],
    ["CommandComplete", Say.commandComplete("BEGIN")],
    ["DataRow", Say.row(Say.int4(7))],
    ["NoData", Say.noData],
    ["EmptyQueryResponse", Say.emptyQuery],
    ["PortalSuspended", Say.portalSuspended],
    ["CopyInResponse", Say.copyIn],
    ["CopyData", Say.copyData("x")],
    ["CloseComplete", Say.closeComplete],
    ["ReadyForQuery", Say.ready("T")]
  ]
  const bytesOf = (name: string) => messages.filter(([each]) => each === name).map(([, bytes]) => bytes)
  const orders = ["ParseComplete", "BindComplete", "CommandComplete"]

  it.live("in the answer to BEGIN loses the connection, whatever it says and wherever", () =>
    Effect.gen(function* () {
      for (const request of [query, script("INSERT")]) {
        const right = [...orders, request === query ? "BindComplete" : "ReadyForQuery"]
        for (const [at, expected] of right.entries()) {
          for (const [name, bytes] of messages.filter(([each]) => each !== expected)) {
            const all = yield* knowing()
            const work = yield* transaction(all, (level) => level.run<unknown>(request))
            yield* all.peer.cycle
            all.peer.send(...right.slice(0, at).flatMap(bytesOf), bytes)
            const error = yield* Effect.timeout(failureOf(work), "1 second")
            const what = `${name} instead of ${expected}`
            assert.deepStrictEqual([error._tag, all.session.lost?._tag], ["ProtocolError", "ProtocolError"], what)
          }
        }
      }
    }).pipe(Effect.scoped)
  )
})
