/**
 * Which statements may share a connection with others: those that cannot change the session, and that have shown by
 * their last runs that they are short. How long the line takes does not count: sharing pays most where it is slow.
 */

/** What takes longer holds others up for longer than it would cost to give it a connection of its own. */
const MAX_SHORT_MILLIS = 5
/** How many statements are remembered; the one that was added first goes first. */
const MAX_STATEMENTS = 1000
/** A longer text is not remembered, in characters. */
const MAX_SQL_LENGTH = 8_192
/** The most that the parameters of a shared statement may hold, in characters and bytes. */
const MAX_PARAMETER_SIZE = 16_384

/** Everything else may begin a transaction, or leave a setting or a lock behind. */
const SHAREABLE = /^\s*(select|insert|update|delete|merge|values|table|with)\b/i
/** Session state that a SELECT can change. */
const CHANGES_SESSION = /\bset_config\b|advisory|\bsetseed\b|\binto\s+((local|global)\s+)?temp(orary)?\b/i
/** What can wait for a lock that another transaction holds on a row, wherever it stands in the text. */
const LOCKS_ROWS = /\b(insert|update|delete|merge|share|into)\b/i

/** What is known of a statement that may be shared. */
export interface ShareableStatement {
  /**
   * Whether it may have to wait for another transaction, which may itself wait for somebody behind this statement. The
   * server does not see such a circle, so nothing is sent behind this statement before it is answered.
   */
  readonly locksRows: boolean
}

interface Known extends ShareableStatement {
  isShareable: boolean
  /** How long the server had it, in its last runs. */
  millis: number
}

export class ShortStatements {
  private readonly statements = new Map<string, Known>()

  /** A statement that may be shared, with these parameters; undefined if it may not. */
  find(sql: string, params: ReadonlyArray<unknown> | undefined): ShareableStatement | undefined {
    const known = this.statements.get(sql)
    if (known === undefined || !known.isShareable || known.millis > MAX_SHORT_MILLIS) return undefined
    return params !== undefined && isKnownToBeSmall(params) ? known : undefined
  }

  /** Takes note of how long a run took the server, on a line that takes so long there and back. */
  ran(sql: string, millis: number, roundTripMillis: number): void {
    const known = this.statements.get(sql)
    if (known === undefined) return void this.add(sql, millis)
    // It may have been prepared first, which takes the line once more.
    if (millis > MAX_SHORT_MILLIS && millis <= MAX_SHORT_MILLIS + roundTripMillis) return
    // One late answer says little: the machine may have been busy. Several make a statement long.
    known.millis = Math.min(millis, known.millis * 2 + 1)
  }

  /** Takes note that a run has left something on its session: that one is to be shared with nobody. */
  soils(sql: string): void {
    const known = this.statements.get(sql) ?? this.add(sql, Infinity)
    if (known !== undefined) known.isShareable = false
  }

  private add(sql: string, millis: number): Known | undefined {
    if (sql.length > MAX_SQL_LENGTH) return undefined
    if (this.statements.size >= MAX_STATEMENTS) this.statements.delete(this.statements.keys().next().value ?? sql)
    const isShareable = SHAREABLE.test(sql) && !CHANGES_SESSION.test(sql)
    const known: Known = { isShareable, locksRows: LOCKS_ROWS.test(sql), millis }
    this.statements.set(sql, known)
    return known
  }
}

/** What cannot even be looked at is refused by the session that is to have it, and by that session alone. */
const isKnownToBeSmall = (params: ReadonlyArray<unknown>): boolean => {
  try {
    return isSmall(params)
  } catch {
    return false
  }
}

const isSmall = (params: ReadonlyArray<unknown>): boolean => {
  let size = 0
  for (const value of params) {
    if (typeof value === "string") size += value.length
    else if (value instanceof Uint8Array) size += value.byteLength
    else if (typeof value === "object" && value !== null && !(value instanceof Date)) return false
  }
  return size <= MAX_PARAMETER_SIZE
}
