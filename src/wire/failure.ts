/**
 * What can go wrong between values and bytes. These are thrown inside the pure storeys and never leave the session: it
 * turns each of them into a `PgError` that also names the statement.
 */

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

/** What is told of a failure that is none of ours, since its message may quote a value. */
export const kindOfThrown = (thrown: unknown): string => (thrown instanceof Error ? thrown.name : typeof thrown)

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
