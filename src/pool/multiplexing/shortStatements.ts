/**
 * Decides which statements may share a connection with others: those that cannot change the session, and whose last
 * runs were short. The network round trip does not count, because sharing pays off most on a slow network.
 */

/** A statement that takes longer delays others by more than a connection of its own would cost. */
export const MAX_SHORT_MILLIS = 5
/** A run that takes longer is late. Everything that was sent behind it waits. */
const LATE_MILLIS = 20
/** The share of late runs with which a statement is still shared: it is long for some parameters if there are more. */
const MAX_LATE_SHARE = 0.02
/** How much one run counts in that share. A single late one is forgiven, because the machine may have been busy. */
const RUN_WEIGHT = 1 / 64
/** After so many runs in a row that may have been long, a statement is taken to be long. */
const MAX_UNTOLD_RUNS = 3
/** How many statements are remembered; the oldest entry is dropped first. */
const MAX_STATEMENTS = 1000
/** The longest text that is remembered, in characters. */
const MAX_SQL_LENGTH = 8_192
/** The maximum size of the parameters of a shared statement, in characters and bytes. */
const MAX_PARAMETER_SIZE = 16_384

/** Any other statement may begin a transaction, or leave a setting or a lock behind. */
const SHAREABLE = /^\s*(select|insert|update|delete|merge|values|table|with)\b/i
/** Session state that a SELECT can change. */
const CHANGES_SESSION = /\bset_config\b|advisory|\bsetseed\b|\binto\s+((local|global)\s+)?temp(orary)?\b/i
/** Words of statements that may wait for a row lock of another transaction, anywhere in the text. */
const LOCKS_ROWS = /\b(insert|update|delete|merge|share|into)\b/i

/** What is known about a statement that may be shared. */
export interface ShareableStatement {
  /**
   * Whether the statement may have to wait for another transaction, which may itself wait for a call behind this
   * statement. The server cannot detect such a deadlock, so nothing is sent behind this statement until it is answered.
   */
  readonly locksRows: boolean
}

interface Known {
  /** Undefined until the text has been looked at: many texts come once, and are never looked for. */
  isShareable: boolean | undefined
  /** Known together with `isShareable`. */
  locksRows: boolean
  /** How long the server took in the last runs. */
  millis: number
  /** The share of late runs, of which the last ones count most. */
  lateShare: number
  /** How many of the last runs in a row may have been long, or may have prepared the statement. */
  untold: number
}

export class ShortStatements {
  private readonly statements = new Map<string, Known>()

  /** The statement, if it may be shared with these parameters; otherwise undefined. */
  find(sql: string, params: ReadonlyArray<unknown> | undefined): ShareableStatement | undefined {
    const known = this.statements.get(sql)
    if (!isShort(known)) return undefined
    if (known.isShareable === undefined) {
      known.isShareable = SHAREABLE.test(sql) && !CHANGES_SESSION.test(sql)
      known.locksRows = LOCKS_ROWS.test(sql)
    }
    if (!known.isShareable) return undefined
    return params !== undefined && isKnownToBeSmall(params) ? known : undefined
  }

  /**
   * Records how long the server took for a run on a connection with that network round trip. Returns whether the
   * statement has thereby become short.
   */
  ran(sql: string, millis: number, roundTripMillis: number): boolean {
    const known = this.statements.get(sql)
    if (known === undefined) return isShort(this.add(sql, millis))
    const wasShort = isShort(known)
    // The statement may have been prepared first, which takes another round trip. It is not prepared again and again.
    if (millis > MAX_SHORT_MILLIS && millis <= MAX_SHORT_MILLIS + roundTripMillis) {
      if (++known.untold < MAX_UNTOLD_RUNS) return false
    } else {
      known.untold = 0
      known.lateShare += ((millis > LATE_MILLIS ? 1 : 0) - known.lateShare) * RUN_WEIGHT
    }
    // One answer says little, because the machine may have been busy. Several mark the statement as long.
    known.millis = Math.min(millis, known.millis * 2 + 1)
    return !wasShort && isShort(known)
  }

  /** Records that a run changed its session, so the statement is never shared again. */
  soils(sql: string): void {
    const known = this.statements.get(sql) ?? this.add(sql, Infinity)
    if (known !== undefined) known.isShareable = false
  }

  private add(sql: string, millis: number): Known | undefined {
    if (sql.length > MAX_SQL_LENGTH) return undefined
    if (this.statements.size >= MAX_STATEMENTS) this.statements.delete(this.statements.keys().next().value ?? sql)
    const known: Known = { isShareable: undefined, locksRows: false, millis, lateShare: 0, untold: 0 }
    this.statements.set(sql, known)
    return known
  }
}

const isShort = (known: Known | undefined): known is Known =>
  known !== undefined && known.millis <= MAX_SHORT_MILLIS && known.lateShare <= MAX_LATE_SHARE

/** A value that throws when inspected is refused by the session that is to send it, and only there. */
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
