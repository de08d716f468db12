import { assert, describe, it } from "@effect/vitest"
import { Buffer } from "node:buffer"
import { ByteWriter } from "../../../src/wire/byteWriter.ts"
import { ProtocolViolation } from "../../../src/wire/failure.ts"
import { readReplicationData, writeStatus } from "../../../src/wire/copyData/copyBoth.ts"
import { bytes, hex } from "../frames.ts"

const read = (message: Uint8Array) => {
  const padded = Buffer.concat([hex("eeee"), message, hex("eeee")])
  return readReplicationData(padded, 2, 2 + message.length)
}

const XLOG_DATA = hex("77 0000000000000001 ffffffffffffffff 0002d07da1b4c000 4201")
const KEEPALIVE = hex("6b 000000016b374d48 ffffffffffffffff 01")

describe("readReplicationData", () => {
  it("reads XLogData, and says where its data begin", () => {
    assert.deepStrictEqual(read(XLOG_DATA), {
      _tag: "XLogData",
      startLsn: 1n,
      serverEnd: 2n ** 64n - 1n,
      time: 0x0002_d07d_a1b4_c000n,
      dataStart: 2 + 25
    })
  })

  it("reads a keepalive that wants an answer, and one that does not", () => {
    const keepalive = { _tag: "Keepalive", serverEnd: 0x1_6b37_4d48n, time: -1n } as const
    assert.deepStrictEqual(read(KEEPALIVE), { ...keepalive, wantsReply: true })
    assert.deepStrictEqual(read(hex("6b 000000016b374d48 ffffffffffffffff 00")), { ...keepalive, wantsReply: false })
  })

  it("refuses what is cut short, what is too long, and every other type", () => {
    for (let end = 0; end < 25; end++) assert.throws(() => read(XLOG_DATA.subarray(0, end)), ProtocolViolation)
    for (let end = 0; end < KEEPALIVE.length; end++) {
      assert.throws(() => read(KEEPALIVE.subarray(0, end)), ProtocolViolation)
    }
    assert.throws(() => read(Buffer.concat([KEEPALIVE, hex("00")])), ProtocolViolation, "too many")
    assert.throws(() => read(hex("78 00")), ProtocolViolation, "type 0x78")
  })

  it.prop(
    "throws nothing but ProtocolViolation for any bytes",
    [bytes(40)],
    ([any]) => {
      try {
        assert.include(["XLogData", "Keepalive"], read(any)._tag)
      } catch (failure) {
        assert.instanceOf(failure, ProtocolViolation)
      }
    },
    { arbitrary: { runs: 2000 } }
  )
})

describe("writeStatus", () => {
  it("writes the positions into a CopyData", () => {
    const writer = new ByteWriter()
    writeStatus(writer, { received: 2n ** 64n - 1n, flushed: 0x1_6b37_4d48n, time: -2n, wantsReply: true })
    assert.strictEqual(
      writer.take().toString("hex"),
      hex("64 00000026 72 ffffffffffffffff 000000016b374d48 000000016b374d48 fffffffffffffffe 01").toString("hex")
    )
  })
})
