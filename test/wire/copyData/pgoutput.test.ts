import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import { Buffer } from "node:buffer"
import { ProtocolViolation } from "../../../src/wire/failure.ts"
import type { LogicalMessage, Tuple } from "../../../src/wire/copyData/logicalMessage.ts"
import { PgoutputDecoder } from "../../../src/wire/copyData/pgoutput.ts"
import { bytes, hex, int } from "../frames.ts"

/** A tuple as a list: null, "unchanged", or the format and the hex of the value. */
const columnsOf = ({ bytes, ends, kinds, starts }: Tuple): ReadonlyArray<unknown> =>
  kinds.map((kind, index) => {
    if (kind === 0x6e) return null
    if (kind === 0x75) return "unchanged"
    return [String.fromCharCode(kind), bytes.toString("hex", starts[index], ends[index])]
  })

/** A message with its tuples as lists and its content as hex. */
const shown = (message: LogicalMessage): Readonly<Record<string, unknown>> => {
  switch (message._tag) {
    case "Insert":
      return { ...message, row: columnsOf(message.row) }
    case "Update": {
      const { old, row } = message
      return { ...message, old: old && { of: old.of, tuple: columnsOf(old.tuple) }, row: columnsOf(row) }
    }
    case "Delete":
      return { ...message, old: { of: message.old.of, tuple: columnsOf(message.old.tuple) } }
    case "Message":
      return { ...message, content: message.content.toString("hex") }
    default:
      return { ...message }
  }
}

/** Decodes a message that lies in the middle of other bytes, behind `before`. */
const decode = (message: Uint8Array, before: ReadonlyArray<Uint8Array> = []): Readonly<Record<string, unknown>> => {
  const decoder = new PgoutputDecoder()
  for (const each of before) decoder.decode(Buffer.from(each), 0, each.length)
  const padded = Buffer.concat([hex("eeeeee"), message, hex("eeeeeeeeeeeeeeee")])
  return shown(decoder.decode(padded, 3, 3 + message.length))
}

const LSN = "00000001 6b374d48"
const END = "00000001 6b374d80"
const TIME = "0002d07da1b4c000"
const lsn = 0x1_6b37_4d48n
const endLsn = 0x1_6b37_4d80n
const time = 0x0002_d07d_a1b4_c000n
const STREAM_START = hex("53 000002e9 01")
const ROW = "0005 6e 75 74 00000002 6869 62 00000004 0000002a 62 00000000"
const row = [null, "unchanged", ["t", "6869"], ["b", "0000002a"], ["b", ""]]

interface Case {
  readonly name: string
  readonly message: Buffer
  readonly value: Readonly<Record<string, unknown>>
  readonly before?: ReadonlyArray<Uint8Array>
}

const cases: ReadonlyArray<Case> = [
  { name: "B", message: hex(`42 ${LSN} ${TIME} 000002e9`), value: { _tag: "Begin", finalLsn: lsn, time, xid: 745 } },
  {
    name: "B with the largest numbers and a time before 2000",
    message: hex("42 ffffffffffffffff ffffffffffffffff ffffffff"),
    value: { _tag: "Begin", finalLsn: 2n ** 64n - 1n, time: -1n, xid: 0xffffffff }
  },
  { name: "C", message: hex(`43 00 ${LSN} ${END} ${TIME}`), value: { _tag: "Commit", commitLsn: lsn, endLsn, time } },
  { name: "O", message: hex(`4f ${LSN} 6e6f646500`), value: { _tag: "Origin", commitLsn: lsn, name: "node" } },
  {
    name: "R with identity default",
    message: hex(
      "52 00004001 7075626c696300 757365727300 64 0002 01 696400 00000017 ffffffff 00 6e616d6500 00000413 00000024"
    ),
    value: {
      _tag: "Relation",
      xid: undefined,
      oid: 0x4001,
      schema: "public",
      name: "users",
      identity: "default",
      columns: [
        { name: "id", isKey: true, typeOid: 23, typeModifier: -1 },
        { name: "name", isKey: false, typeOid: 1043, typeModifier: 36 }
      ]
    }
  },
  ...(["nothing", "full", "index"] as const).map((identity, index) => ({
    name: `R with identity ${identity}, without columns, in pg_catalog`,
    message: hex(`52 00004001 00 7400 ${["6e", "66", "69"][index] ?? ""} 0000`),
    value: { _tag: "Relation", xid: undefined, oid: 0x4001, schema: "pg_catalog", name: "t", identity, columns: [] }
  })),
  {
    name: "Y",
    message: hex("59 ffffff00 7075626c696300 6d6f6f6400"),
    value: { _tag: "Type", xid: undefined, oid: 0xffffff00, schema: "public", name: "mood" }
  },
  {
    name: "I with every kind of column",
    message: hex(`49 00004001 4e ${ROW}`),
    value: { _tag: "Insert", xid: undefined, relation: 0x4001, row }
  },
  {
    name: "I without columns",
    message: hex("49 00004001 4e 0000"),
    value: { _tag: "Insert", xid: undefined, relation: 0x4001, row: [] }
  },
  {
    name: "U without an old row",
    message: hex(`55 00004001 4e ${ROW}`),
    value: { _tag: "Update", xid: undefined, relation: 0x4001, old: undefined, row }
  },
  {
    name: "U with an old key",
    message: hex(`55 00004001 4b 0002 62 00000001 07 6e 4e ${ROW}`),
    value: { _tag: "Update", xid: undefined, relation: 0x4001, old: { of: "key", tuple: [["b", "07"], null] }, row }
  },
  {
    name: "U with an old row",
    message: hex(`55 00004001 4f ${ROW} 4e ${ROW}`),
    value: { _tag: "Update", xid: undefined, relation: 0x4001, old: { of: "row", tuple: row }, row }
  },
  {
    name: "D with an old key",
    message: hex("44 00004001 4b 0001 74 00000001 37"),
    value: { _tag: "Delete", xid: undefined, relation: 0x4001, old: { of: "key", tuple: [["t", "37"]] } }
  },
  {
    name: "D with an old row",
    message: hex(`44 00004001 4f ${ROW}`),
    value: { _tag: "Delete", xid: undefined, relation: 0x4001, old: { of: "row", tuple: row } }
  },
  {
    name: "T of two tables with both options",
    message: hex("54 00000002 03 00004001 00004002"),
    value: {
      _tag: "Truncate",
      xid: undefined,
      relations: [0x4001, 0x4002],
      cascade: true,
      restartIdentity: true
    }
  },
  {
    name: "T with one option",
    message: hex("54 00000001 02 00004001"),
    value: { _tag: "Truncate", xid: undefined, relations: [0x4001], cascade: false, restartIdentity: true }
  },
  {
    name: "M within a transaction",
    message: hex(`4d 01 ${LSN} 6f7574626f7800 00000002 cafe`),
    value: { _tag: "Message", xid: undefined, isTransactional: true, lsn, prefix: "outbox", content: "cafe" }
  },
  {
    name: "M outside of a transaction, empty",
    message: hex(`4d 00 ${LSN} 00 00000000`),
    value: { _tag: "Message", xid: undefined, isTransactional: false, lsn, prefix: "", content: "" }
  },
  { name: "S", message: STREAM_START, value: { _tag: "StreamStart", xid: 745, isFirst: true } },
  { name: "S, later", message: hex("53 000002e9 00"), value: { _tag: "StreamStart", xid: 745, isFirst: false } },
  { name: "E", message: hex("45"), before: [STREAM_START], value: { _tag: "StreamStop" } },
  {
    name: "I within a streamed transaction",
    message: hex(`49 000002ea 00004001 4e ${ROW}`),
    before: [STREAM_START],
    value: { _tag: "Insert", xid: 746, relation: 0x4001, row }
  },
  {
    name: "U within a streamed transaction",
    message: hex(`55 000002ea 00004001 4e ${ROW}`),
    before: [STREAM_START],
    value: { _tag: "Update", xid: 746, relation: 0x4001, old: undefined, row }
  },
  {
    name: "D within a streamed transaction",
    message: hex("44 000002ea 00004001 4b 0000"),
    before: [STREAM_START],
    value: { _tag: "Delete", xid: 746, relation: 0x4001, old: { of: "key", tuple: [] } }
  },
  {
    name: "T within a streamed transaction",
    message: hex("54 000002ea 00000001 00 00004001"),
    before: [STREAM_START],
    value: { _tag: "Truncate", xid: 746, relations: [0x4001], cascade: false, restartIdentity: false }
  },
  {
    name: "R within a streamed transaction",
    message: hex("52 000002ea 00004001 7300 7400 64 0000"),
    before: [STREAM_START],
    value: { _tag: "Relation", xid: 746, oid: 0x4001, schema: "s", name: "t", identity: "default", columns: [] }
  },
  {
    name: "Y within a streamed transaction",
    message: hex("59 000002ea 00004001 7300 7400"),
    before: [STREAM_START],
    value: { _tag: "Type", xid: 746, oid: 0x4001, schema: "s", name: "t" }
  },
  {
    name: "M within a streamed transaction",
    message: hex(`4d 000002ea 01 ${LSN} 7000 00000001 00`),
    before: [STREAM_START],
    value: { _tag: "Message", xid: 746, isTransactional: true, lsn, prefix: "p", content: "00" }
  },
  {
    name: "I behind a streamed block, without an ID",
    message: hex("49 00004001 4e 0000"),
    before: [STREAM_START, hex("45")],
    value: { _tag: "Insert", xid: undefined, relation: 0x4001, row: [] }
  },
  {
    name: "c",
    message: hex(`63 000002e9 00 ${LSN} ${END} ${TIME}`),
    value: { _tag: "StreamCommit", xid: 745, commitLsn: lsn, endLsn, time }
  },
  {
    name: "A of versions 2 and 3",
    message: hex("41 000002e9 000002ea"),
    value: { _tag: "StreamAbort", xid: 745, subxid: 746, abortLsn: undefined, time: undefined }
  },
  {
    name: "A of version 4",
    message: hex(`41 000002e9 000002ea ${LSN} ${TIME}`),
    value: { _tag: "StreamAbort", xid: 745, subxid: 746, abortLsn: lsn, time }
  },
  {
    name: "b",
    message: hex(`62 ${LSN} ${END} ${TIME} 000002e9 67696400`),
    value: { _tag: "BeginPrepare", prepareLsn: lsn, endLsn, time, xid: 745, gid: "gid" }
  },
  {
    name: "P",
    message: hex(`50 00 ${LSN} ${END} ${TIME} 000002e9 67696400`),
    value: { _tag: "Prepare", prepareLsn: lsn, endLsn, time, xid: 745, gid: "gid" }
  },
  {
    name: "p",
    message: hex(`70 00 ${LSN} ${END} ${TIME} 000002e9 67696400`),
    value: { _tag: "StreamPrepare", prepareLsn: lsn, endLsn, time, xid: 745, gid: "gid" }
  },
  {
    name: "K",
    message: hex(`4b 00 ${LSN} ${END} ${TIME} 000002e9 67696400`),
    value: { _tag: "CommitPrepared", commitLsn: lsn, endLsn, time, xid: 745, gid: "gid" }
  },
  {
    name: "r",
    message: hex(`72 00 ${LSN} ${END} ${TIME} 0000000000000001 000002e9 67696400`),
    value: {
      _tag: "RollbackPrepared",
      prepareEndLsn: lsn,
      rollbackEndLsn: endLsn,
      prepareTime: time,
      rollbackTime: 1n,
      xid: 745,
      gid: "gid"
    }
  }
]

const TAGS =
  "Begin Commit Origin Relation Type Insert Update Delete Truncate Message StreamStart StreamStop StreamCommit " +
  "StreamAbort BeginPrepare Prepare CommitPrepared RollbackPrepared StreamPrepare"

describe("PgoutputDecoder", () => {
  it.each(cases)("decodes $name", ({ before, message, value }) => {
    assert.deepStrictEqual(decode(message, before), value)
  })

  it("is tested with every message of the protocol", () => {
    assert.sameMembers([...new Set(cases.map(({ value }) => value["_tag"]))], TAGS.split(" "))
  })

  it.each(cases)("refuses every beginning of $name, and one byte too many", ({ before, message }) => {
    // The message of a rolled back stream may end in two places.
    const ends = message[0] === 0x41 ? [9] : []
    for (let end = 0; end < message.length; end++) {
      if (!ends.includes(end)) assert.throws(() => decode(message.subarray(0, end), before), ProtocolViolation)
    }
    assert.throws(() => decode(Buffer.concat([message, hex("00")]), before), ProtocolViolation)
  })

  it.each([
    ["an unknown type", "7a 00", "unknown message"],
    ["an unknown identity", "52 00004001 00 7400 7a 0000", "replica identity"],
    ["an unknown kind of column", "49 00004001 4e 0001 7a", "unknown kind 0x7a"],
    ["a negative length of a column", "49 00004001 4e 0001 74 ffffffff", "where it needs -1"],
    ["a length of a column that is too large", "49 00004001 4e 0001 74 7fffffff 00", "where it needs 2147483647"],
    ["an Insert with an old row", "49 00004001 4f 0000", "without a new row"],
    ["an Update that ends with its old row", "55 00004001 4f 0000 4b 0000", "without a new row"],
    ["a Delete with a new row", "44 00004001 4e 0000", "without an old row"],
    ["a false number of tables", "54 ffffffff 00 00004001", "number of tables"],
    ["a negative length of a content", `4d 00 ${LSN} 00 ffffffff`, "where it needs -1"],
    ["the end of a stream that has not begun", "45", "outside of a streamed transaction"]
  ])("refuses %s", (_, message, reason) => {
    assert.throws(() => decode(hex(message)), ProtocolViolation, reason)
  })

  it("refuses a streamed block within another", () => {
    assert.throws(() => decode(STREAM_START, [STREAM_START]), ProtocolViolation, "within a block")
  })

  const mutations = Arbitrary.array(Arbitrary.all([int(0, 10_000), int(0, 255)]), { minLength: 1, maxLength: 4 })

  it.prop(
    "throws nothing but ProtocolViolation, whatever has become of a message",
    [int(0, cases.length - 1), mutations, int(0, 20)],
    ([which, changes, cut]) => {
      const { before, message } = cases[which]!
      const damaged = Buffer.from(message)
      for (const [at, value] of changes) damaged[at % damaged.length] = value
      refusedOnlyAsViolation(damaged.subarray(0, Math.max(0, damaged.length - (cut > 10 ? cut - 10 : 0))), before)
    },
    { arbitrary: { runs: 5000 } }
  )

  it.prop(
    "throws nothing but ProtocolViolation for any bytes",
    [bytes(60)],
    ([any]) => refusedOnlyAsViolation(any, []),
    { arbitrary: { runs: 3000 } }
  )
})

/** A message that can be decoded lies within its bytes. */
const refusedOnlyAsViolation = (message: Buffer, before: ReadonlyArray<Uint8Array> = []): void => {
  const decoder = new PgoutputDecoder()
  for (const each of before) decoder.decode(Buffer.from(each), 0, each.length)
  const padded = Buffer.concat([hex("eeeeee"), message, hex("eeeeeeeeeeeeeeee")])
  try {
    const value = decoder.decode(padded, 3, 3 + message.length)
    if ("row" in value) assert.isTrue(value.row.ends.every((end) => end <= 3 + message.length))
    if (value._tag === "Message") assert.isAtMost(value.content.length, message.length)
  } catch (failure) {
    assert.instanceOf(failure, ProtocolViolation)
  }
}
