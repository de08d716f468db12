import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import { Buffer } from "node:buffer"
import { unchanged } from "../../src/codec/columnNames.ts"
import { DatabaseTypes } from "../../src/codec/databaseTypes.ts"
import { pgType } from "../../src/codec/oid.generated.ts"
import * as PgError from "../../src/PgError.ts"
import { Acknowledgements } from "../../src/replication/acknowledgements.ts"
import { Assembler, type Received } from "../../src/replication/assembler.ts"
import { TableReader } from "../../src/replication/tableReader.ts"
import { ByteWriter } from "../../src/wire/byteWriter.ts"
import { ProtocolViolation, UnresolvedType } from "../../src/wire/failure.ts"
import { cstring, hex, int, int16, int32 } from "../wire/frames.ts"

const int64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(value)
  return bytes
}

/** The columns of a table, each with a value. */
const columns: ReadonlyArray<readonly [name: string, oid: number, value: unknown]> = [
  ["id", pgType.int4.oid, 7],
  ["large", pgType.int8.oid, 2n ** 60n],
  ["name", pgType.text.oid, "Ada Lovelace"],
  ["price", pgType.numeric.oid, "-12345.6789"],
  ["data", pgType.jsonb.oid, { a: [1, null] }],
  ["born", pgType.date.oid, "1815-12-10"],
  ["at", pgType.timestamptz.oid, new Date(0)],
  ["tags", pgType.text.arrayOid, ["a", "b"]],
  ["ids", pgType.int4.arrayOid, [[1, 2]]],
  ["uuid", pgType.uuid.oid, "00112233-4455-6677-8899-aabbccddeeff"],
  ["range", pgType.int4range.oid, "[1,5)"],
  ["address", pgType.inet.oid, "10.0.0.1/8"],
  ["span", pgType.interval.oid, "1 day"],
  ["bits", pgType.varbit.oid, "1011"],
  ["box", pgType.box.oid, "(1,2),(3,4)"],
  ["words", pgType.tsvector.oid, "'a':1 'b':2"]
]

const types = new DatabaseTypes()

/** The bytes of a value; none if the codec writes only what is not a string. */
const encoded = (oid: number, value: unknown): Buffer | undefined => {
  const writer = new ByteWriter()
  try {
    types.codec(oid)?.write(writer, value)
    return writer.take()
  } catch {
    return undefined
  }
}

const tuple = (): Buffer =>
  Buffer.concat([
    int16(columns.length),
    ...columns.flatMap(([, oid, value]) => {
      const bytes = encoded(oid, value)
      return bytes === undefined ? [hex("6e")] : [hex("62"), int32(bytes.length), bytes]
    })
  ])

const TABLE = 0x4001
const begin = (lsn: bigint): Buffer => Buffer.concat([hex("42"), int64(lsn), int64(0n), int32(745)])
const commit = (lsn: bigint): Buffer => Buffer.concat([hex("43 00"), int64(lsn), int64(lsn + 8n), int64(0n)])
const relation = Buffer.concat([
  hex("52"),
  int32(TABLE),
  cstring("public"),
  cstring("t"),
  hex("66"),
  int16(columns.length),
  ...columns.flatMap(([name, oid], index) => [Buffer.of(index === 0 ? 1 : 0), cstring(name), int32(oid), int32(-1)])
])
const insert = Buffer.concat([hex("49"), int32(TABLE), hex("4e"), tuple()])
const update = Buffer.concat([hex("55"), int32(TABLE), hex("4f"), tuple(), hex("4e"), tuple()])
const remove = Buffer.concat([hex("44"), int32(TABLE), hex("4f"), tuple()])
const truncate = Buffer.concat([hex("54"), int32(1), hex("00"), int32(TABLE)])
const transaction = (lsn: bigint): ReadonlyArray<Buffer> => [
  begin(lsn),
  relation,
  insert,
  update,
  remove,
  truncate,
  commit(lsn)
]

class Harness {
  readonly acknowledgements = new Acknowledgements(0n, () => {})
  readonly assembler: Assembler
  readonly received: Array<Received> = []

  constructor(floor = 0n) {
    this.assembler = new Assembler(
      (message) => {
        const unknown = types.unknownAmong(message.columns.map(({ typeOid }) => typeOid))
        if (unknown.length > 0) throw new UnresolvedType("unknown", unknown, { isOutdated: false })
        return new TableReader(message, types, unchanged, "")
      },
      this.acknowledgements,
      floor
    )
  }

  take(...messages: ReadonlyArray<Buffer>): void {
    for (const message of messages) {
      this.assembler.take(message, 0n)
      if (this.assembler.ready !== undefined) this.received.push(this.assembler.ready)
      this.assembler.ready = undefined
    }
  }

  get tags(): ReadonlyArray<ReadonlyArray<string>> {
    return this.received.map(({ pending }) => pending.map(({ change }) => change._tag))
  }
}

describe("Assembler", () => {
  it("hands a transaction over when it is complete, with its values", () => {
    const harness = new Harness()
    harness.take(...transaction(100n))
    assert.deepStrictEqual(harness.tags, [["Insert", "Update", "Delete", "Truncate"]])
    const [first] = harness.received[0]!.pending
    assert.isTrue(first?.change._tag === "Insert")
    if (first?.change._tag !== "Insert") return
    const { row } = first.change
    assert.strictEqual(row["id"], 7)
    assert.strictEqual(row["price"], "-12345.6789")
    assert.deepStrictEqual(row["data"], { a: [1, null] })
    assert.deepStrictEqual(row["ids"], [[1, 2]])
  })

  it("leaves out what it has handed over when the server begins again, and goes on within a transaction", () => {
    const harness = new Harness()
    harness.take(...transaction(100n), begin(200n), relation, insert)
    harness.assembler.restart()
    harness.take(...transaction(100n), ...transaction(200n), ...transaction(300n))
    assert.deepStrictEqual(
      harness.received.map(({ commitLsn }) => commitLsn),
      [100n, 200n, 300n]
    )
    const large = new Harness()
    large.take(begin(100n), relation, ...Array.from({ length: 1_500 }, () => insert))
    const [received] = large.received
    assert.strictEqual(received?.pending.length, 1_500)
    large.assembler.restart()
    assert.isFalse(large.assembler.isBetween)
    // The second connection is lost before it comes to what the first one has brought.
    large.take(begin(100n), relation, ...Array.from({ length: 500 }, () => insert))
    large.assembler.restart()
    large.take(begin(100n), relation, ...Array.from({ length: 1_600 }, () => insert), commit(100n))
    assert.strictEqual(received?.pending.length, 1_600)
    assert.strictEqual(received?.endLsn, 108n)
    assert.strictEqual(large.received.length, 1)
    assert.isTrue(large.assembler.isBetween)
  })

  it("does not go on with another transaction than the one that was interrupted", () => {
    const harness = new Harness()
    harness.take(begin(100n), relation, ...Array.from({ length: 1_500 }, () => insert))
    harness.assembler.restart()
    assert.throws(() => harness.take(begin(200n)), ProtocolViolation, "another transaction")
  })

  it("passes over transactions without changes, and acknowledges them", () => {
    const harness = new Harness()
    harness.take(begin(100n), commit(100n))
    assert.deepStrictEqual(harness.received, [])
    assert.strictEqual(harness.acknowledgements.flushed, 108n)
    harness.assembler.caughtUp(200n)
    assert.strictEqual(harness.acknowledgements.flushed, 200n)
    harness.take(begin(300n))
    harness.assembler.caughtUp(400n)
    assert.strictEqual(harness.acknowledgements.flushed, 200n)
  })

  it.each([
    ["a Begin within a transaction", [begin(1n), begin(2n)], "a Begin within"],
    ["a Commit that ends nothing", [commit(1n)], "a Commit that does not end"],
    ["a Commit of another transaction", [begin(1n), commit(2n)], "a Commit that does not end"],
    ["a change outside of a transaction", [relation, insert], "outside of a transaction"],
    ["a change of a table that was not described", [begin(1n), insert], "not described"],
    ["a streamed transaction", [hex("53 00000001 01")], "not asked for"],
    ["a row of another width", [begin(1n), relation, hex("49 00004001 4e 0001 6e")], "a row of 1 columns"]
  ])("refuses %s", (_, messages, reason) => {
    assert.throws(() => new Harness().take(...messages), ProtocolViolation, reason)
  })

  const changes = Arbitrary.array(Arbitrary.all([int(0, 1_000_000), int(0, 255)]), { minLength: 1, maxLength: 5 })

  it.prop(
    "throws nothing but ProtocolViolation, DecodeError and what asks for types, whatever becomes of the bytes",
    [int(0, 6), changes],
    ([which, mutations]) => {
      const messages = transaction(100n).map((message) => Buffer.from(message))
      const damaged = messages[which]!
      for (const [at, value] of mutations) damaged[at % damaged.length] = value
      try {
        new Harness().take(...messages)
      } catch (failure) {
        if (failure instanceof ProtocolViolation || failure instanceof UnresolvedType) return
        assert.isTrue(PgError.isPgError(failure), String(failure))
        if (PgError.isPgError(failure)) assert.strictEqual(failure._tag, "DecodeError")
      }
    },
    { arbitrary: { runs: 6_000 } }
  )

  it.prop(
    "takes a message that was cut short for what it is",
    [int(0, 6), int(1, 1_000)],
    ([which, cut]) => {
      const messages = transaction(100n).map((message, index) =>
        index === which ? message.subarray(0, Math.max(0, message.length - cut)) : message
      )
      assert.throws(() => new Harness().take(...messages), ProtocolViolation)
    },
    { arbitrary: { runs: 500 } }
  )
})

describe("Acknowledgements", () => {
  it("do not take the end of a transaction for the commit of the next one, which may be at the same position", () => {
    const acknowledgements = new Acknowledgements(0n, () => {})
    acknowledgements.add(10n, 20n)
    acknowledgements.add(20n, 30n)
    acknowledgements.upTo(20n)
    assert.strictEqual(acknowledgements.unacknowledged, 1)
    assert.strictEqual(acknowledgements.flushed, 20n)
    acknowledgements.upTo(20n)
    assert.strictEqual(acknowledgements.unacknowledged, 0)
    assert.strictEqual(acknowledgements.flushed, 30n)
  })

  it("advance over what is done, up to the first that is not, and over the idle log behind the last", () => {
    const told: Array<bigint> = []
    const acknowledgements: Acknowledgements = new Acknowledgements(5n, () => told.push(acknowledgements.flushed))
    const [first, second, third] = [10n, 20n, 30n].map((lsn) => acknowledgements.add(lsn, lsn + 5n))
    acknowledgements.done(third!)
    acknowledgements.caughtUp(50n)
    acknowledgements.done(second!)
    assert.deepStrictEqual(told, [])
    acknowledgements.done(first!)
    assert.deepStrictEqual(told, [50n])
    const large = acknowledgements.add(60n, undefined)
    acknowledgements.done(large)
    assert.strictEqual(acknowledgements.flushed, 50n)
    acknowledgements.ended(large, 70n)
    assert.strictEqual(acknowledgements.flushed, 70n)
    acknowledgements.add(80n, 85n)
    acknowledgements.add(90n, 95n)
    acknowledgements.upTo(80n)
    assert.strictEqual(acknowledgements.flushed, 85n)
    assert.strictEqual(acknowledgements.unacknowledged, 1)
  })
})
