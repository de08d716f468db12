/** Tests what happens to a query whose types have to be looked up, if the lookup goes wrong. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { Buffer } from "node:buffer"
import { pgType } from "../../../src/codec/oid.generated.ts"
import * as PgError from "../../../src/PgError.ts"
import type { Session } from "../../../src/session/engine/session.ts"
import {
  ask,
  assertHealthy,
  establish,
  failureOf,
  type Peer,
  play,
  Say,
  scriptedServer
} from "../../support/scriptedServer.ts"
import { MAX_REPETITIONS } from "../../../src/session/exchange/repetition.ts"
import { int32 } from "../../wire/frames.ts"

interface Conversation {
  readonly session: Session
  readonly peer: Peer
}

const UNKNOWN = 99_999
const SQL = "SELECT mood"

const catalogueColumns = [
  ["oid", pgType.oid.oid],
  ["schema", pgType.text.oid],
  ["name", pgType.text.oid],
  ["kind", pgType.text.oid],
  ["is_array", pgType.bool.oid],
  ["element", pgType.oid.oid],
  ["delimiter", pgType.text.oid],
  ["base", pgType.oid.oid],
  ["subtype", pgType.oid.oid],
  ["range", pgType.oid.oid],
  ["is_textual", pgType.bool.oid],
  ["names", pgType.text.arrayOid],
  ["oids", pgType.oid.arrayOid]
].map(([name, oid]) => Say.column(String(name), Number(oid)))

const lookupDescribed = Say.described(catalogueColumns, { parameters: [pgType.oid.arrayOid] })
const nothingFound = Say.answered("SELECT 0")
const cancelled = Say.failed({ code: "57014" })
const moodDescribed = Say.described([Say.column("mood", UNKNOWN)])
const sad = Say.answered("SELECT 1", { rows: [Say.row(Buffer.from("sad"))] })

const LEASE_ENDED = new PgError.ConnectionLostError({
  reason: "the lease has ended",
  server: undefined,
  safeToRetry: false,
  outcome: "none"
})

const text = (value: string): Buffer => Buffer.from(value)
const emptyArray = (elementOid: number): Buffer => Buffer.concat([int32(0), int32(0), int32(elementOid)])

/** The catalogue's answer for an enum. */
const moodFound = Say.answered("SELECT 1", {
  rows: [
    Say.row(
      int32(UNKNOWN),
      text("public"),
      text("mood"),
      text("e"),
      Buffer.of(0),
      int32(0),
      text(","),
      int32(0),
      null,
      null,
      Buffer.of(0),
      emptyArray(pgType.text.oid),
      emptyArray(pgType.oid.oid)
    )
  ]
})

/** A record of one field of that type. */
const record = (oid: number): Buffer => Buffer.concat([int32(1), int32(oid), int32(3), text("sad")])

const conversation = Effect.flatMap(scriptedServer, (server) =>
  Effect.map(establish(server), (both) => ({ ...both, server }))
)

/** A query whose first column has an unknown type, up to the point where the lookup has been prepared and runs. */
const lookingUp = ({ peer, session }: Conversation) =>
  Effect.gen(function* () {
    const asking = yield* ask(session, SQL)
    assert.strictEqual(yield* peer.cycleTypes, "PDS")
    peer.send(moodDescribed)
    assert.strictEqual(yield* peer.cycleTypes, "PDS")
    peer.send(lookupDescribed)
    assert.strictEqual(yield* peer.cycleTypes, "BES")
    return asking
  })

/** A query that returns a record, up to the point where the type of its field is looked up. */
const lookingUpRecord = ({ peer, session }: Conversation) =>
  Effect.gen(function* () {
    const asking = yield* ask(session, SQL)
    yield* peer.cycle
    peer.send(Say.described([Say.column("record", pgType.record.oid)]))
    yield* peer.cycle
    const rows = [Say.row(record(pgType.text.oid)), Say.row(record(UNKNOWN)), Say.row(record(pgType.text.oid))]
    peer.send(Say.answered("SELECT 3", { rows }))
    assert.strictEqual(yield* peer.cycleTypes, "PDS")
    return asking
  })

describe("a column of an unknown type", () => {
  it.live("is looked up before anything else is written, and never again", () =>
    Effect.gen(function* () {
      const both = yield* conversation
      const { peer, session } = both
      const asking = yield* lookingUp(both)
      const behind = yield* ask(session, "SELECT behind")
      assert.isTrue(yield* peer.staysQuiet)
      peer.send(moodFound)
      assert.strictEqual(yield* peer.cycleTypes, "BES")
      assert.strictEqual(yield* peer.cycleTypes, "PDS")
      peer.send(sad, Say.described([]))
      assert.deepStrictEqual((yield* Fiber.join(asking)).rows, [["sad"]])
      yield* peer.cycle
      peer.send(Say.answered("SELECT 0"))
      yield* Fiber.join(behind)
      assert.strictEqual((yield* play(both, SQL, { answer: sad })).written, "BES")
      yield* assertHealthy(both)
    }).pipe(Effect.scoped)
  )

  it.live("is read as text if the catalogue does not know it either", () =>
    Effect.gen(function* () {
      const both = yield* conversation
      const { peer } = both
      const asking = yield* lookingUp(both)
      peer.send(nothingFound)
      assert.strictEqual(yield* peer.cycleTypes, "BES")
      peer.send(sad)
      assert.deepStrictEqual((yield* Fiber.join(asking)).rows, [["sad"]])
      yield* assertHealthy(both)
    }).pipe(Effect.scoped)
  )

  it.live("fails with the server's error if it refuses the lookup, and leaves no statement behind", () =>
    Effect.gen(function* () {
      const both = yield* conversation
      const asking = yield* lookingUp(both)
      both.peer.send(cancelled)
      assert.strictEqual((yield* failureOf(asking))._tag, "QueryCanceledError")
      const again = yield* play(both, SQL, { description: Say.described([]) })
      assert.strictEqual(again.written, "CPDS BES")
      yield* assertHealthy(both)
    }).pipe(Effect.scoped)
  )

  it.live("is given up if it is interrupted during the lookup, which is canceled", () =>
    Effect.gen(function* () {
      const both = yield* conversation
      const { peer, server } = both
      const asking = yield* lookingUp(both)
      yield* Fiber.interrupt(asking)
      const cancel = yield* server.accept
      assert.strictEqual((yield* cancel.startupPacket)._tag, "CancelRequest")
      cancel.end()
      peer.send(cancelled)
      const again = yield* play(both, SQL, { description: Say.described([]) })
      assert.strictEqual(again.written, "CPDS BES")
      yield* assertHealthy(both)
    }).pipe(Effect.scoped)
  )

  for (const [when, describedBefore] of [
    ["it is prepared", []],
    ["the lookup is prepared", [moodDescribed]]
  ] as const) {
    it.live(`leaves no statement behind if it is interrupted while ${when}`, () =>
      Effect.gen(function* () {
        const both = yield* conversation
        const { peer, server, session } = both
        const asking = yield* ask(session, SQL)
        yield* peer.cycle
        for (const description of describedBefore) {
          peer.send(description)
          yield* peer.cycle
        }
        yield* Fiber.interrupt(asking)
        const cancel = yield* server.accept
        yield* cancel.startupPacket
        cancel.end()
        peer.send(describedBefore.length === 0 ? moodDescribed : lookupDescribed)
        const again = yield* play(both, SQL, { description: Say.described([]) })
        assert.strictEqual(again.written, "CPDS BES")
        yield* assertHealthy(both)
      }).pipe(Effect.scoped)
    )
  }

  for (const [how, giveUp] of [
    ["it is interrupted", (_session: Session, asking: Fiber.Fiber<unknown, unknown>) => asking.interruptUnsafe()],
    ["the lease ends", (session: Session) => session.abandonAll(LEASE_ENDED)]
  ] as const) {
    it.live(`leaves no statement behind if ${how} before the lookup is written`, () =>
      Effect.gen(function* () {
        const both = yield* conversation
        const { peer, session } = both
        const asking = yield* ask(session, SQL)
        yield* peer.cycle
        session.noticeListeners.add(() => giveUp(session, asking))
        peer.send(Buffer.concat([moodDescribed, Say.notice("it is read before anything is written")]))
        assert.isTrue(Exit.isFailure(yield* Fiber.await(asking)))
        const again = yield* play(both, SQL, { description: Say.described([]) })
        assert.strictEqual(again.written, "CPDS BES")
        yield* assertHealthy(both)
      }).pipe(Effect.scoped)
    )
  }

  it.live("fails if the connection ends, and has not run", () =>
    Effect.gen(function* () {
      const both = yield* conversation
      const asking = yield* lookingUp(both)
      both.peer.destroy()
      assert.deepInclude(yield* failureOf(asking), { _tag: "ConnectionLostError", outcome: "none" })
    }).pipe(Effect.scoped)
  )

  it.live("is described anew if the server has lost its type before it ran, a bounded number of times", () =>
    Effect.gen(function* () {
      const both = yield* conversation
      const { peer } = both
      const asking = yield* lookingUp(both)
      const gone = Say.failed({ code: "XX000", message: "cache lookup failed for type 99999" })
      peer.send(moodFound)
      yield* peer.cycle
      peer.send(gone)
      for (let times = 0; times < MAX_REPETITIONS; times++) {
        assert.strictEqual(yield* peer.cycleTypes, times === 0 ? "CPDS" : "PDS")
        peer.send(...(times === 0 ? [Say.closeComplete] : []), moodDescribed)
        assert.strictEqual(yield* peer.cycleTypes, "BES", "the lookup, prepared before")
        peer.send(moodFound)
        assert.strictEqual(yield* peer.cycleTypes, "PBDES")
        peer.send(gone)
      }
      assert.strictEqual((yield* failureOf(asking))._tag, "InternalServerError")
      yield* assertHealthy(both)
    }).pipe(Effect.scoped)
  )
})

describe("a record with a field of an unknown type", () => {
  it.live("is read with all rows in their order after the type is known", () =>
    Effect.gen(function* () {
      const both = yield* conversation
      const asking = yield* lookingUpRecord(both)
      both.peer.send(lookupDescribed)
      yield* both.peer.cycle
      both.peer.send(moodFound)
      assert.deepStrictEqual((yield* Fiber.join(asking)).rows, [[["sad"]], [["sad"]], [["sad"]]])
      yield* assertHealthy(both)
    }).pipe(Effect.scoped)
  )

  it.live("fails its query if the catalogue does not know it either, and is not looked up again and again", () =>
    Effect.gen(function* () {
      const both = yield* conversation
      const asking = yield* lookingUpRecord(both)
      both.peer.send(lookupDescribed)
      yield* both.peer.cycle
      both.peer.send(nothingFound)
      const error = yield* failureOf(asking)
      assert.deepInclude(error, { _tag: "DecodeError", column: "record", type: "record", outcome: "unknown" })
      assert.include(error.message, "the types of some fields of the record: 99999")
      yield* assertHealthy(both)
    }).pipe(Effect.scoped)
  )

  it.live("leaves the outcome of its query unknown if an error of the lookup is the server's last one", () =>
    Effect.gen(function* () {
      const both = yield* conversation
      const asking = yield* lookingUpRecord(both)
      both.peer.end(Say.error({ code: "57014" }))
      assert.deepInclude(yield* failureOf(asking), { _tag: "QueryCanceledError", outcome: "unknown" })
      assert.strictEqual(both.session.lost?._tag, "ConnectionLostError")
    }).pipe(Effect.scoped)
  )

  it.live("fails its query with that reason if the catalogue cannot be asked", () =>
    Effect.gen(function* () {
      const both = yield* conversation
      const asking = yield* lookingUpRecord(both)
      both.peer.send(Say.failed({ code: "25P02" }, "E"))
      const error = yield* failureOf(asking)
      assert.strictEqual(error._tag, "DecodeError")
      assert.include(error.message, "the client could not look it up on the server")
      yield* assertHealthy(both)
    }).pipe(Effect.scoped)
  )
})
