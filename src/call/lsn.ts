/** Reads positions in the write-ahead log, which are two halves in hexadecimal: `16/B374D848`. */

const LSN = /^([\da-f]{1,8})\/([\da-f]{1,8})$/i
const LOW_BITS = 32n

/** The position as a number, which can be compared; undefined if the value is none. */
export const lsnOf = (value: unknown): bigint | undefined => {
  if (typeof value !== "string") return undefined
  const [, high, low] = LSN.exec(value) ?? []
  return high === undefined || low === undefined ? undefined : (BigInt(`0x${high}`) << LOW_BITS) | BigInt(`0x${low}`)
}
