/**
 * Keeps what a session knows of statements whose text has a comment of the program. A comment with the id of a trace
 * makes each text unique: if each were prepared under a name, it would drive the others out of the cache, and cost a
 * round trip. Therefore a text that is seen for the first time is prepared without a name, in the round trip that runs
 * it, with what is known of the statement without its comment. Seen again, it is a statement like any other.
 */
import type { PreparedStatement } from "./preparedStatement.ts"
import type { StatementCache } from "./statementCache.ts"
import type { Statements } from "./statements.ts"

/** How many texts a session remembers to have seen. */
const MAX_SEEN = 500
/** A longer text is not remembered. */
const MAX_LENGTH = 10_000

const ofSessions = new WeakMap<StatementCache, CommentedStatements>()

/** Returns where a session keeps a statement with a comment. Undefined means its cache. */
export const statementsFor = (cache: StatementCache, sql: string, text: string): Statements | undefined => {
  const known = ofSessions.get(cache) ?? new CommentedStatements(cache)
  ofSessions.set(cache, known)
  return known.saw(text) ? undefined : new CommentedStatement(known.descriptions, sql, text)
}

class CommentedStatements {
  readonly descriptions: StatementCache
  /** From the least to the most recently seen, because a Set keeps the order of insertion. */
  private readonly seen = new Set<string>()

  constructor(cache: StatementCache) {
    this.descriptions = cache.withoutNames()
  }

  /** Notes a text, and tells whether it was seen before. */
  saw(text: string): boolean {
    if (text.length > MAX_LENGTH) return false
    const isKnown = this.seen.delete(text)
    this.seen.add(text)
    if (this.seen.size > MAX_SEEN) {
      const [oldest = ""] = this.seen
      this.seen.delete(oldest)
    }
    return isKnown
  }
}

/** One run of a text with a comment. */
class CommentedStatement implements Statements {
  private readonly descriptions: StatementCache
  private readonly sql: string
  private readonly text: string

  constructor(descriptions: StatementCache, sql: string, text: string) {
    this.descriptions = descriptions
    this.sql = sql
    this.text = text
  }

  get(key: string, now: number): PreparedStatement | undefined {
    const found = this.descriptions.get(this.plain(key), now)
    return found && { ...found, key, sql: this.text }
  }

  nameFor(): string {
    return ""
  }

  add(statement: PreparedStatement): void {
    this.descriptions.add({ ...statement, key: this.plain(statement.key) })
  }

  has(statement: PreparedStatement): boolean {
    return this.descriptions.get(this.plain(statement.key), performance.now()) !== undefined
  }

  evict(statement: PreparedStatement): void {
    const kept = this.descriptions.get(this.plain(statement.key), performance.now())
    if (kept !== undefined) this.descriptions.evict(kept)
  }

  /** A key is the text, with the types that the caller names behind it. */
  private plain(key: string): string {
    return this.sql + key.slice(this.text.length)
  }
}
