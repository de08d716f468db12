/** Tests malformed rows with every kind of call: met at once, or late, if rows are kept until their types are known. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import { Buffer } from "node:buffer"
import { pgType } from "../../src/codec/oid.generated.ts"
import { fromRoot } from "../../src/connection/connection.ts"
import type { PgConnection } from "../../src/PgConnection.ts"
import * as PgError from "../../src/PgError.ts"
import { TransactionLevel } from "../../src/session/transaction/transactionLevel.ts"
import { dataRow } from "../fixtures/dataRow.ts"
import { answering, establish, Say, scriptedServer, type Statement } from "../support/scriptedServer.ts"
import { hex, int16, int32 } from "../wire/frames.ts"

const UNKNOWN_TYPE = 99_999

/** A record that holds a value of an unknown type: it is kept until the catalogue has been asked. */
const unknownRecord = Buffer.concat([int32(1), int32(UNKNOWN_TYPE), int32(1), Buffer.of(7)])

const plain: Statement = {
  columns: [Say.column("r", pgType.int4.oid), Say.column("n", pgType.int4.oid)],
  rows: [dataRow([Say.int4(1), Say.int4(2)])]
}
const late: Statement = {
  columns: [Say.column("r", pgType.record.oid), Say.column("n", pgType.int4.oid)],
  rows: [dataRow([unknownRecord, Say.int4(2)])]
}

const malformed: ReadonlyArray<readonly [what: string, body: Buffer]> = [
  ["nothing at all", Buffer.alloc(0)],
  ["half a number of columns", hex("00")],
  ["no columns", hex("0000")],
  ["fewer columns than were described", Buffer.concat([int16(1), int32(-1)])],
  ["more columns than were described", Buffer.concat([int16(3), int32(-1), int32(-1), int32(-1)])],
  ["more columns than it holds", Buffer.concat([int16(2), int32(-1)])],
  ["a negative length", Buffer.concat([int16(2), int32(-1), int32(-5)])],
  ["a length beyond its end", Buffer.concat([int16(2), int32(-1), int32(8), Say.int4(1)])],
  ["bytes behind its last value", Buffer.concat([int16(2), int32(-1), int32(-1), Buffer.of(1)])]
]

type Call = (pg: PgConnection) => Effect.Effect<unknown, PgError.PgError>

/** Each kind of call that reads all rows. */
const calls: Readonly<Record<string, Call>> = {
  fetch: (pg) => pg.fetch("SELECT rows"),
  fetchTuples: (pg) => pg.fetchTuples("SELECT rows"),
  fetchOne: (pg) => pg.fetchOne("SELECT rows"),
  fetchMany: (pg) => pg.fetchMany("SELECT rows", [[], []]),
  "fetchMany of a Stream": (pg) => pg.fetchMany("SELECT rows", Stream.make([], [])),
  batch: (pg) => pg.batch([{ sql: "SELECT rows" }, { sql: "SELECT sound" }]),
  "batch of one transaction": (pg) => pg.withTransaction(pg.batch([{ sql: "SELECT sound" }, { sql: "SELECT rows" }])),
  stream: (pg) => Stream.runCollect(pg.stream("SELECT rows")),
  cursor: (pg) => Effect.scoped(Effect.flatMap(pg.cursor("SELECT rows"), (cursor) => cursor.fetch(10))),
  "a prepared statement": (pg) => Effect.scoped(Effect.flatMap(pg.prepare("SELECT rows"), (each) => each.fetch([]))),
  "a prepared statement of many": (pg) =>
    Effect.scoped(Effect.flatMap(pg.prepare("SELECT rows"), (each) => each.fetchMany([[], []])))
}

const copyOutRows: Call = (pg) => Stream.runCollect(pg.copyOutRows({ query: "SELECT rows" }))

/** Runs a call: it fails with a typed error, and the connection is lost or serves the next call. */
const outcomeOf = (call: Call, statement: Statement, catalogue: Statement = {}) =>
  Effect.gen(function* () {
    const server = yield* scriptedServer
    const { peer, session } = yield* establish(server)
    const sound: Statement = { columns: [Say.column("n", pgType.int4.oid)], rows: [dataRow([Say.int4(1)])] }
    const statements = [
      ["SELECT rows", statement],
      ["SELECT sound", sound],
      ["WITH RECURSIVE", catalogue]
    ] as const
    yield* answering(peer, { statements })
    const pg = fromRoot(TransactionLevel.root(session))
    const exit = yield* Effect.exit(Effect.timeout(call(pg), "5 seconds"))
    if (Exit.isSuccess(exit)) return assert.fail("a row that is none was read")
    assert.isFalse(Cause.hasDies(exit.cause), Cause.pretty(exit.cause))
    const error = Cause.squash(exit.cause)
    if (!PgError.isPgError(error)) return assert.fail(`failed with ${String(error)}`)
    if (session.lost === undefined) assert.deepStrictEqual(yield* pg.fetch("SELECT sound"), [{ n: 1 }])
    return { error, isLost: session.lost !== undefined }
  })

/** In a COPY, only the lengths within the data say where a row ends. */
const isEvident = ([what, body]: (typeof malformed)[number]): boolean => body.length > 1 && !what.includes("beyond")

describe("a malformed row", () => {
  for (const [name, call] of Object.entries(calls)) {
    for (const [what, body] of malformed) {
      it.live(`ends ${name} and the connection with a ProtocolError if it has ${what}`, () =>
        Effect.gen(function* () {
          const { error, isLost } = yield* outcomeOf(call, { ...plain, rows: [...plain.rows!, body] })
          assert.strictEqual(error._tag, "ProtocolError")
          assert.isTrue(isLost)
        })
      )

      it.live(`ends ${name} and the connection also behind a row that is kept, if it has ${what}`, () =>
        Effect.gen(function* () {
          const { error, isLost } = yield* outcomeOf(call, { ...late, rows: [...late.rows!, body] })
          assert.strictEqual(error._tag, "ProtocolError")
          assert.isTrue(isLost)
        })
      )
    }

    it.live(`ends ${name} with a typed error if the catalogue answers with other columns`, () =>
      Effect.gen(function* () {
        const { error } = yield* outcomeOf(call, late, {
          columns: [Say.column("x", pgType.int4.oid)],
          rows: [dataRow([Say.int4(1)])]
        })
        assert.include(["ProtocolError", "DecodeError"], error._tag)
      })
    )
  }

  for (const [what, body] of malformed.filter(isEvident)) {
    it.live(`ends copyOutRows with a ProtocolError if it has ${what}`, () =>
      Effect.gen(function* () {
        const { error } = yield* outcomeOf(copyOutRows, { ...plain, rows: [...plain.rows!, body, plain.rows![0]!] })
        assert.strictEqual(error._tag, "ProtocolError")
      })
    )
  }

  it.live("does not cause an endless lookup if it is part of the catalogue's answer", () =>
    Effect.gen(function* () {
      const { error, isLost } = yield* outcomeOf(calls["fetch"]!, late, {
        columns: [Say.column("x", UNKNOWN_TYPE)],
        rows: []
      })
      assert.strictEqual(error._tag, "ProtocolError")
      assert.isTrue(isLost)
    })
  )

  it.live("ends a page of a cursor that has more rows than the client asked for", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const { peer, session } = yield* establish(server)
      const { rows = [] } = plain
      yield* answering(peer, {
        statements: [["SELECT rows", plain]],
        // Each row three times.
        tamper: (frames) => frames.flatMap((each) => (each[0] === 0x44 ? [each, each, each] : [each]))
      })
      assert.strictEqual(rows.length, 1)
      const pg = fromRoot(TransactionLevel.root(session))
      const reading = Effect.scoped(Effect.flatMap(pg.cursor("SELECT rows"), (cursor) => cursor.fetch(2)))
      const exit = yield* Effect.exit(reading)
      assert.isTrue(Exit.isFailure(exit) && !Cause.hasDies(exit.cause))
      assert.strictEqual(session.lost?._tag, "ProtocolError")
    })
  )
})

describe("withAdvisoryLock", () => {
  for (const key of [{}, [], [1], "x", null, undefined, { length: 2 }]) {
    it.live(`refuses the key ${JSON.stringify(key)} with a typed error, and the connection goes on`, () =>
      Effect.gen(function* () {
        const server = yield* scriptedServer
        const { peer, session } = yield* establish(server)
        yield* answering(peer, { statements: [["SELECT sound", plain]] })
        const pg = fromRoot(TransactionLevel.root(session))
        // Keys that a caller without types may give.
        const exit = yield* Effect.exit(pg.withAdvisoryLock(key as unknown as number, Effect.void))
        assert.isTrue(Exit.isFailure(exit) && !Cause.hasDies(exit.cause) && Cause.hasFails(exit.cause))
        assert.lengthOf(yield* pg.fetch("SELECT sound"), 1)
      })
    )
  }
})
