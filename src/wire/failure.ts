/**
 * What can go wrong between values and bytes. These are thrown inside the pure storeys and never leave the session: it
 * turns each of them into a `PgError` that also names the statement.
 */
import { constants } from "node:buffer"

/** The server sent bytes that the protocol does not allow here. The session that reads them must die. */
export class ProtocolViolation extends Error {
  override readonly name = "ProtocolViolation"
}

/** A value cannot be put on the wire. Nothing of the request has been written; the session goes on. */
export class Unencodable extends Error {
  override readonly name = "Unencodable"
  /** The number of the parameter that is to blame, from 1; whoever knows it sets it on the way up. */
  parameter: number | undefined = undefined
}

/** The bytes of one value are not a value of its type. That query fails; the session goes on. */
export class Undecodable extends Error {
  override readonly name = "Undecodable"
}

/** The most UTF-16 code units that a JavaScript string can have, as the runtime says it: some 512 MB of ASCII. */
const LONGEST_STRING = constants.MAX_STRING_LENGTH.toLocaleString("en-US")

const isTooLong = (thrown: Error): boolean =>
  ("code" in thrown && thrown.code === "ERR_STRING_TOO_LONG") ||
  (thrown instanceof RangeError && thrown.message === "Invalid string length")

const isTooDeep = (thrown: Error): boolean =>
  thrown instanceof RangeError && thrown.message === "Maximum call stack size exceeded"

/** That a limit of the runtime was met, where that is what was thrown. */
export const limitMet = (thrown: unknown): string | undefined => {
  if (!(thrown instanceof Error)) return undefined
  if (isTooLong(thrown)) {
    return `its text has more than the ${LONGEST_STRING} characters that a JavaScript string can hold; send or ask for it in parts`
  }
  return isTooDeep(thrown) ? "it is nested too deep, or too long, for the stack" : undefined
}

/**
 * What is told of a failure that none of ours is the reason for: which limit of the runtime was met, or else its kind
 * only, since its message may quote a value.
 */
export const reasonOfThrown = (thrown: unknown, who = "its codec"): string =>
  limitMet(thrown) ?? `${who} threw ${thrown instanceof Error ? thrown.name : typeof thrown}`

/**
 * A value holds types that the client does not know, or not as they are now. Once they have been looked up the same
 * bytes can be read again.
 */
export class UnresolvedType extends Undecodable {
  readonly oids: ReadonlyArray<number>
  /** True where the types are known and have changed since. */
  readonly isOutdated: boolean

  constructor(reason: string, oids: ReadonlyArray<number>, options: { readonly isOutdated: boolean }) {
    super(reason)
    this.oids = oids
    this.isOutdated = options.isOutdated
  }
}
