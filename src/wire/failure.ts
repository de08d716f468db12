/**
 * The failures that can occur between values and bytes. The pure layers throw them, and they never leave the session,
 * which turns each of them into a `PgError` that also names the statement.
 */
import { constants } from "node:buffer"

/** The server sent bytes that the protocol does not allow here. The session cannot continue. */
export class ProtocolViolation extends Error {
  override readonly name = "ProtocolViolation"
}

/** A value cannot be encoded. Nothing of the request has been written, and the session continues. */
export class Unencodable extends Error {
  override readonly name = "Unencodable"
  /**
   * The number of the offending parameter, from 1; the code that knows the number sets it as the failure passes
   * through.
   */
  parameter: number | undefined = undefined
  /** The kind of the value, if it is of a kind that its type does not accept. */
  readonly kind: string | undefined

  constructor(message: string, kind?: string) {
    super(message)
    this.kind = kind
  }
}

/** For a value that was most likely forgotten: it could mean NULL or no value at all, so nothing is sent for it. */
export const undefinedRefused = (what = "it"): Unencodable => new Unencodable(`${what} is undefined; use null for NULL`)

/** A statement takes another number of parameters. Nothing of the request has been written, and the session continues. */
export class WrongParameterCount extends Error {
  override readonly name = "WrongParameterCount"
  readonly expected: number
  readonly actual: number

  constructor(expected: number, actual: number) {
    super(`the call gives ${actual} values for ${expected} parameters`)
    this.expected = expected
    this.actual = actual
  }
}

/** The bytes of a value are not valid for its type. The query fails, and the session continues. */
export class Undecodable extends Error {
  override readonly name = "Undecodable"
}

/** The maximum length of a JavaScript string in UTF-16 code units: about 512 MB of ASCII. */
const LONGEST_STRING = constants.MAX_STRING_LENGTH.toLocaleString("en-US")

const isTooLong = (thrown: Error): boolean =>
  ("code" in thrown && thrown.code === "ERR_STRING_TOO_LONG") ||
  (thrown instanceof RangeError && thrown.message === "Invalid string length")

const isTooDeep = (thrown: Error): boolean =>
  thrown instanceof RangeError && thrown.message === "Maximum call stack size exceeded"

/** Describes the runtime limit that was exceeded; undefined if something else was thrown. */
export const limitMet = (thrown: unknown): string | undefined => {
  if (!(thrown instanceof Error)) return undefined
  if (isTooLong(thrown)) {
    return `its text has more than the ${LONGEST_STRING} characters that a JavaScript string can hold; send or fetch it in parts`
  }
  return isTooDeep(thrown) ? "it is nested too deeply, or is too long, for the call stack" : undefined
}

/**
 * Describes an error that this library did not throw: the runtime limit that was exceeded, or otherwise only the kind
 * of error, because its message may quote a value.
 */
export const reasonOfThrown = (thrown: unknown, who = "its codec"): string =>
  limitMet(thrown) ?? `${who} threw ${thrown instanceof Error ? thrown.name : `a value of type ${typeof thrown}`}`

/**
 * A value contains types that the client does not know, or knows only in an outdated form. Once the types have been
 * looked up, the same bytes can be read again.
 */
export class UnresolvedType extends Undecodable {
  readonly oids: ReadonlyArray<number>
  /** True if the types are known but have changed since. */
  readonly isOutdated: boolean

  constructor(reason: string, oids: ReadonlyArray<number>, options: { readonly isOutdated: boolean }) {
    super(reason)
    this.oids = oids
    this.isOutdated = options.isOutdated
  }
}
