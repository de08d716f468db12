/** Reads the body of a CommandComplete: which command ran, and how many rows it changed or returned. */
import type { Buffer } from "node:buffer"
import { ProtocolViolation } from "./failure.ts"

export interface CommandTag {
  /** `SELECT`, `INSERT`, `CREATE TABLE`... */
  readonly command: string
  /** How many rows were returned, written or copied; 0 if the command reports no number. */
  readonly rowCount: number
}

const NUL = 0
const SPACE = 0x20
const ZERO = 0x30
const NINE = 0x39

/**
 * ```
 * String command tag: the command; if it counts rows, a space and their number. INSERT has an OID before
 *        the number, which has been 0 since PostgreSQL 12.
 * ```
 */
export const readCommandTag = (bytes: Buffer, start: number, bodyEnd: number): CommandTag => {
  const terminator = bodyEnd - 1
  if (terminator < start || bytes[terminator] !== NUL)
    throw new ProtocolViolation("a command tag without a NUL at its end")
  const counted = beforeNumber(bytes, start, terminator)
  if (counted === terminator) {
    return commonAt(bytes, start, terminator) ?? { command: textAt(bytes, start, terminator), rowCount: 0 }
  }
  let rowCount = 0
  for (let at = counted + 1; at < terminator; at++) rowCount = rowCount * 10 + (bytes[at]! - ZERO)
  if (rowCount > Number.MAX_SAFE_INTEGER) throw new ProtocolViolation("a command tag with too large a number of rows")
  const end = beforeNumber(bytes, start, counted)
  return { command: commonAt(bytes, start, end)?.command ?? textAt(bytes, start, end), rowCount }
}

/** The position of the space before a number that ends at `end`; `end` itself if there is no number. */
const beforeNumber = (bytes: Buffer, start: number, end: number): number => {
  let at = end - 1
  while (at > start && bytes[at]! >= ZERO && bytes[at]! <= NINE) at--
  return at > start && at < end - 1 && bytes[at] === SPACE ? at : end
}

/**
 * Frequent tags, so that reading one allocates no new string, and no new tag if it counts no rows. No two of them have
 * the same length and the same first letter.
 */
const commonTags: ReadonlyMap<number, CommandTag> = new Map(
  [
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "MERGE",
    "COPY",
    "FETCH",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT",
    "RELEASE",
    "SET",
    "RESET",
    "CLOSE CURSOR ALL",
    "UNLISTEN",
    "DISCARD TEMP",
    "DISCARD SEQUENCES"
  ].map((command) => [(command.length << 8) | command.charCodeAt(0), Object.freeze({ command, rowCount: 0 })])
)

const commonAt = (bytes: Buffer, start: number, end: number): CommandTag | undefined => {
  const common = commonTags.get(((end - start) << 8) | bytes[start]!)
  if (common === undefined) return undefined
  const { command } = common
  for (let index = 0; index < command.length; index++) {
    if (bytes[start + index] !== command.charCodeAt(index)) return undefined
  }
  return common
}

const textAt = (bytes: Buffer, start: number, end: number): string => {
  const command = bytes.toString("latin1", start, end)
  if (command.includes("\0")) throw new ProtocolViolation("a command tag with a NUL in its middle")
  return command
}
