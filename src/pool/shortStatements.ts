/**
 * Which statements may share a connection with others: those that cannot change the session, and that have shown by
 * their last runs that they are short.
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
const CHANGES_SESSION = /\b(set_config|pg_(try_)?advisory_lock\w*|setseed|into\s+((local|global)\s+)?temp(orary)?)\b/i

export class ShortStatements {
  private readonly millis = new Map<string, number>()

  has(sql: string, params: ReadonlyArray<unknown> | undefined): boolean {
    const last = this.millis.get(sql)
    return last !== undefined && last <= MAX_SHORT_MILLIS && params !== undefined && isKnownToBeSmall(params)
  }

  /** Takes note of how long a run took. */
  ran(sql: string, millis: number): void {
    if (sql.length > MAX_SQL_LENGTH) return
    if (!this.millis.has(sql)) {
      if (this.millis.size >= MAX_STATEMENTS) this.millis.delete(this.millis.keys().next().value ?? sql)
      if (!SHAREABLE.test(sql) || CHANGES_SESSION.test(sql)) {
        this.millis.set(sql, Infinity)
        return
      }
    }
    const before = this.millis.get(sql) ?? millis
    // One late answer says little: the machine may have been busy. Several make a statement long.
    if (before !== Infinity) this.millis.set(sql, Math.min(millis, before * 2 + 1))
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
