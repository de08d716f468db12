/** Reads and writes positions in the write-ahead log, which are two halves in hexadecimal: `16/B374D848`. */

const LSN = /^([\da-f]{1,8})\/([\da-f]{1,8})$/i
const LOW_BITS = 32n

/** The position as a number, which can be compared; undefined if the value is none. */
export const lsnOf = (value: unknown): bigint | undefined => {
  if (typeof value !== "string") return undefined
  const [, high, low] = LSN.exec(value) ?? []
  return high === undefined || low === undefined ? undefined : (BigInt(`0x${high}`) << LOW_BITS) | BigInt(`0x${low}`)
}

const half = (value: bigint): string => value.toString(16).toUpperCase()

export const formatLsn = (lsn: bigint): string => `${half(lsn >> LOW_BITS)}/${half(lsn & ((1n << LOW_BITS) - 1n))}`

const PAGE_BYTES = 8192n
/** The sizes of the header with which a page of the log begins, and with which a file of it does. */
const HEADERS: ReadonlyArray<bigint> = [24n, 40n]

/**
 * The end of the last record before the position at which the next one will begin. They differ only at the end of a page:
 * the next record begins behind the header of the next page, but a standby that has replayed all is at the end of this
 * one. No record is as short as the header, so that none ends between the two.
 */
export const endOfLog = (next: string): string => {
  const lsn = lsnOf(next)
  if (lsn === undefined) return next
  const inPage = lsn % PAGE_BYTES
  return HEADERS.includes(inPage) ? formatLsn(lsn - inPage) : next
}
