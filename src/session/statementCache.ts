/**
 * The prepared statements that this session knows: least recently used first out, bounded in count, in age and in the
 * length of the SQL text. It is pure, the time is passed in; what is evicted is told by its name, and the session
 * closes it with its next request.
 */
import { createHash } from "node:crypto"
import type { RowShape } from "../codec/rowReader.ts"
import type { TypedParameterEncoder } from "../codec/parameters.ts"
import type { Provenance } from "./catalogue.ts"

/** All that has to be known of a statement to run it again without asking the server. */
export interface PreparedStatement extends Provenance {
  readonly sql: string
  /** Empty for the unnamed statement, which lives until the next Parse. */
  readonly name: string
  /** The name as the Bind message carries it, with its terminator. */
  readonly nameBytes: Uint8Array
  readonly parameters: ReadonlyArray<TypedParameterEncoder>
  readonly parameterOids: ReadonlyArray<number>
  /** The rows that it returns; undefined where it returns none. */
  readonly rowShape: RowShape | undefined
  /** The result formats as the Bind message carries them. */
  readonly resultFormats: Uint8Array
  /** Whether it may start a COPY: then nothing may be written behind it before it is answered. */
  readonly mayCopy: boolean
  /** The clock of `get`, in milliseconds. */
  readonly preparedAt: number
}

/** Where a request looks for its statement, and leaves it once that is prepared. */
export interface Statements {
  get(sql: string, now: number): PreparedStatement | undefined
  /** The name to prepare a text under; empty for the unnamed statement. */
  nameFor(sql: string): string
  add(statement: PreparedStatement): void
  /** Drops a statement and asks for its Close. */
  evict(statement: PreparedStatement): void
}

export interface StatementCacheLimits {
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
  private evicted: Array<string> = []
  private ownNames = 0

  /** `namespace` is unique to the session: behind a pooler two sessions may meet on one server connection. */
  constructor(limits: StatementCacheLimits, namespace: string) {
    this.limits = limits
    this.namespace = namespace
  }

  get(sql: string, now: number): PreparedStatement | undefined {
    const { newest } = this
    const found = newest !== undefined && newest.sql === sql ? newest : this.statements.get(sql)
    if (found === undefined) return undefined
    if (this.limits.lifetimeMillis > 0 && now - found.preparedAt > this.limits.lifetimeMillis) {
      this.evict(found)
      return undefined
    }
    if (found !== newest) {
      this.statements.delete(sql)
      this.statements.set(sql, found)
      this.newest = found
    }
    return found
  }

  /** The name to prepare a text under: made of its content, or the unnamed statement where the text is not kept. */
  nameFor(sql: string): string {
    if (!this.admits(sql)) return ""
    return `effectpg_${this.namespace}_${createHash("sha256").update(sql).digest("hex").slice(0, 32)}`
  }

  /** A name for a statement that is not kept here; the unnamed statement where none are to be kept at all. */
  ownName(): string {
    return this.limits.size === 0 ? "" : `effectpg_${this.namespace}_own_${this.ownNames++}`
  }

  add(statement: PreparedStatement): void {
    if (statement.name === "") return
    this.statements.set(statement.sql, statement)
    this.newest = statement
    if (this.statements.size > this.limits.size) {
      const oldest = this.statements.values().next().value
      if (oldest !== undefined) this.evict(oldest)
    }
  }

  /** Drops a statement and asks for its Close; nothing happens where another has taken its place. */
  evict(statement: PreparedStatement): void {
    if (this.statements.get(statement.sql) !== statement) return
    this.statements.delete(statement.sql)
    if (this.newest === statement) this.newest = undefined
    this.evicted.push(statement.name)
  }

  /** Asks for the Close of a statement that was prepared and is not kept. */
  close(name: string): void {
    if (name !== "") this.evicted.push(name)
  }

  /** Drops everything: the server has deallocated all its statements. */
  clear(): void {
    this.statements.clear()
    this.newest = undefined
    this.evicted = []
  }

  /** Names to close with the next request. They stay until `evictionsWritten`. */
  get evictions(): ReadonlyArray<string> {
    return this.evicted
  }

  evictionsWritten(): void {
    if (this.evicted.length > 0) this.evicted = []
  }

  private admits(sql: string): boolean {
    const { maxSqlBytes, size } = this.limits
    return size > 0 && (maxSqlBytes === 0 || sql.length <= maxSqlBytes)
  }
}
