/**
 * The statements that this session knows: least recently used first out, bounded in count, in age and in the length of
 * the SQL text. It is pure, the time is passed in; what is evicted is told by its name, and the session closes it with
 * its next request.
 */
import { createHash } from "node:crypto"
import type { StatementMode } from "../../PgConfig.ts"
import type { PreparedStatement } from "./preparedStatement.ts"
import type { Statements } from "./statements.ts"

export interface StatementCacheLimits {
  /** Whether what is kept has a name on the server. */
  readonly mode: StatementMode
  /** How many statements are kept; 0 keeps none. */
  readonly size: number
  /** How long one is kept, in milliseconds; 0 is for ever. */
  readonly lifetimeMillis: number
  /** The longest text that is kept, in UTF-16 code units, which bounds its bytes from below; 0 is without bound. */
  readonly maxSqlBytes: number
}

export class StatementCache implements Statements {
  private readonly limits: StatementCacheLimits
  private readonly namespace: string
  /** In order of use: a Map keeps the order of insertion. */
  private readonly statements = new Map<string, PreparedStatement>()
  private newest: PreparedStatement | undefined
  /** Names to close with the next request. They stay until `evictionsWritten`. */
  evictions: Array<string> = []
  private ownNames = 0

  /** `namespace` is unique to the session: behind a pooler two sessions may meet on one server connection. */
  constructor(limits: StatementCacheLimits, namespace: string) {
    this.limits = limits
    this.namespace = namespace
  }

  get(key: string, now: number): PreparedStatement | undefined {
    const { newest } = this
    const found = newest !== undefined && newest.key === key ? newest : this.statements.get(key)
    if (found === undefined) return undefined
    if (this.limits.lifetimeMillis > 0 && now - found.preparedAt > this.limits.lifetimeMillis) {
      this.evict(found)
      return undefined
    }
    if (found !== newest) {
      this.statements.delete(key)
      this.statements.set(key, found)
      this.newest = found
    }
    return found
  }

  /** The name to prepare a statement under: made of its content, or the unnamed one where the text is not kept. */
  nameFor(key: string): string {
    if (this.limits.mode === "unnamed" || !this.admits(key)) return ""
    return `effectpg_${this.namespace}_${createHash("sha256").update(key).digest("hex").slice(0, 32)}`
  }

  /** A name for a statement that is not kept here; the unnamed statement where none are to be kept at all. */
  ownName(): string {
    const { mode, size } = this.limits
    return mode === "unnamed" || size === 0 ? "" : `effectpg_${this.namespace}_own_${this.ownNames++}`
  }

  add(statement: PreparedStatement): void {
    if (!this.admits(statement.key)) return
    this.statements.set(statement.key, statement)
    this.newest = statement
    if (this.statements.size > this.limits.size) {
      const oldest = this.statements.values().next().value
      if (oldest !== undefined) this.evict(oldest)
    }
  }

  has(statement: PreparedStatement): boolean {
    return this.statements.get(statement.key) === statement
  }

  /** Drops a statement and asks for its Close; nothing happens if another has taken its place. */
  evict(statement: PreparedStatement): void {
    if (!this.has(statement)) return
    this.statements.delete(statement.key)
    if (this.newest === statement) this.newest = undefined
    this.close(statement.name)
  }

  /** Asks for the Close of a statement that was prepared and is not kept. */
  close(name: string): void {
    if (name !== "") this.evictions.push(name)
  }

  /** Drops everything: the server has deallocated all its statements. */
  clear(): void {
    this.statements.clear()
    this.newest = undefined
    this.evictions = []
  }

  evictionsWritten(): void {
    this.evictions = []
  }

  private admits(key: string): boolean {
    const { maxSqlBytes, size } = this.limits
    return size > 0 && (maxSqlBytes === 0 || key.length <= maxSqlBytes)
  }
}
