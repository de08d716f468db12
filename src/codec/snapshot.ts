/**
 * pg_snapshot, which lists the running transactions; before PostgreSQL 13 it was called txid_snapshot.
 *
 * ```
 * Int32  number of running transactions
 * Int64  xmin
 * Int64  xmax
 * for each running transaction: Int64
 * ```
 * Text: `10:20:10,14,15`.
 */
import { Undecodable, Unencodable } from "../wire/failure.ts"
import { int32At, int64At } from "./bigEndian.ts"
import { type Codec, refusedKind } from "./codec.ts"

/**
 * The transactions that a snapshot sees: all below `xmin`, none from `xmax` on, and between the two all but those that
 * were running.
 *
 * @category models
 * @since 0.1.0
 */
export interface PgSnapshot {
  /** The oldest transaction that was still running. */
  readonly xmin: bigint
  /** One past the latest completed transaction. */
  readonly xmax: bigint
  /** The transactions that were running, in ascending order. */
  readonly xip: ReadonlyArray<bigint>
}

const HEADER_BYTES = 20
const XID_BYTES = 8
const MAX_XID = 2n ** 63n - 1n

const FORM = /^(\d{1,20}):(\d{1,20}):([\d,]*)$/
const XID = /^\d{1,20}$/

const WANTED = "{ xmin, xmax, xip } with bigints"

const snapshot = (name: string): Codec<PgSnapshot> => {
  const checkedXid = (value: unknown): bigint => {
    if (typeof value !== "bigint") throw refusedKind(name, WANTED, value)
    if (value < 0n || value > MAX_XID)
      throw new Unencodable(`the value is out of range for ${name}, which takes 0 to 2^63 - 1`)
    return value
  }
  const taken = (value: unknown): PgSnapshot => {
    const isSnapshot =
      typeof value === "object" && value !== null && "xmin" in value && "xmax" in value && "xip" in value
    if (!isSnapshot || !Array.isArray(value.xip)) throw refusedKind(name, WANTED, value)
    return { xmin: checkedXid(value.xmin), xmax: checkedXid(value.xmax), xip: Array.from(value.xip, checkedXid) }
  }
  return {
    name,
    read: (bytes, start, end) => {
      const count = end - start < HEADER_BYTES ? -1 : int32At(bytes, start)
      if (count < 0 || end - start - HEADER_BYTES !== count * XID_BYTES) {
        throw new Undecodable(`the length of the ${name} does not match the number of its transactions`)
      }
      return {
        xmin: int64At(bytes, start + 4),
        xmax: int64At(bytes, start + 12),
        xip: Array.from({ length: count }, (_, index) => int64At(bytes, start + HEADER_BYTES + index * XID_BYTES))
      }
    },
    write: (writer, value) => {
      const { xip, xmax, xmin } = taken(value)
      writer.int32(xip.length)
      writer.int64(xmin)
      writer.int64(xmax)
      for (const xid of xip) writer.int64(xid)
    },
    writesStrings: false,
    textOf: (value) => {
      const { xip, xmax, xmin } = taken(value)
      return `${xmin}:${xmax}:${xip.join(",")}`
    },
    ofText: (text) => {
      const [, xmin, xmax, xip] = FORM.exec(text) ?? []
      const xids = xip === undefined || xip === "" ? [] : xip.split(",")
      if (xmin === undefined || xmax === undefined || !xids.every((xid) => XID.test(xid))) {
        throw new Undecodable(`the text of ${name} is malformed`)
      }
      return { xmin: BigInt(xmin), xmax: BigInt(xmax), xip: xids.map(BigInt) }
    }
  }
}

/** @internal */
export const pgSnapshot: Codec<PgSnapshot> = snapshot("pg_snapshot")
/** @internal */
export const txidSnapshot: Codec<PgSnapshot> = snapshot("txid_snapshot")
