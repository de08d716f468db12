/**
 * What client and server send each other in CopyData while the server streams its write-ahead log. Positions are
 * bigints, times are microseconds since 2000-01-01 UTC.
 *
 * ```
 * XLogData   Byte1 'w', Int64 start of the data, Int64 end of the log on the server, Int64 time, the data
 * keepalive  Byte1 'k', Int64 end of the log on the server, Int64 time, Byte1 whether to answer at once
 * status     Byte1 'r', Int64 written, Int64 flushed, Int64 applied, Int64 time, Byte1 whether to answer at once
 * ```
 */
import type { Buffer } from "node:buffer"
import { ByteReader } from "../byteReader.ts"
import type { ByteWriter } from "../byteWriter.ts"
import { ProtocolViolation } from "../failure.ts"
import { beginCopyData } from "../frontendEncoder.ts"

const XLOG_DATA = 0x77 // w
const KEEPALIVE = 0x6b // k
const STATUS = 0x72 // r

/** A piece of the log: for a logical slot, one message of its plugin, in `bytes[dataStart, end)` of what was read. */
export interface XLogData {
  readonly _tag: "XLogData"
  readonly startLsn: bigint
  readonly serverEnd: bigint
  readonly time: bigint
  readonly dataStart: number
}

export interface Keepalive {
  readonly _tag: "Keepalive"
  readonly serverEnd: bigint
  readonly time: bigint
  readonly wantsReply: boolean
}

/** Reads the content of a CopyData in `bytes[start, end)`. Throws `ProtocolViolation` if it is neither of the two. */
export const readReplicationData = (bytes: Buffer, start: number, end: number): XLogData | Keepalive => {
  const reader = new ByteReader(bytes, start, end)
  const type = reader.uint8()
  switch (type) {
    case XLOG_DATA: {
      const [startLsn, serverEnd, time] = [reader.uint64(), reader.uint64(), reader.int64()]
      return { _tag: "XLogData", startLsn, serverEnd, time, dataStart: end - reader.left }
    }
    case KEEPALIVE: {
      const [serverEnd, time, wantsReply] = [reader.uint64(), reader.int64(), reader.uint8() === 1]
      reader.expectEnd("a keepalive of replication")
      return { _tag: "Keepalive", serverEnd, time, wantsReply }
    }
    default:
      throw new ProtocolViolation(`an unknown message of replication (type 0x${type.toString(16)})`)
  }
}

/** What the client reports. The server may drop its log up to `flushed`. */
export interface Status {
  readonly received: bigint
  readonly flushed: bigint
  readonly time: bigint
  readonly wantsReply: boolean
}

export const writeStatus = (writer: ByteWriter, { flushed, received, time, wantsReply }: Status): void => {
  const mark = beginCopyData(writer)
  writer.uint8(STATUS)
  writer.int64(BigInt.asIntN(64, received))
  writer.int64(BigInt.asIntN(64, flushed))
  writer.int64(BigInt.asIntN(64, flushed))
  writer.int64(time)
  writer.uint8(wantsReply ? 1 : 0)
  writer.endMessage(mark)
}
