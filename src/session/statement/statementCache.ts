/**
 * Keeps the statements that a session knows, up to a limit of number, age and text length, and evicts the least
 * recently used one. The cache is pure: callers pass the time in, and it only collects the names of evicted statements.
 * The session closes them with its next request.
 */
import { createHash } from "node:crypto"
import type { StatementMode } from "../../PgConfig.ts"
import type { ErrorFields } from "../../wire/errorFields.ts"
import { OUR_PREFIX } from "../../wire/sqlText.ts"
import { Pooler } from "../pooler/pooler.ts"
import { type PreparedStatement, unnamed } from "./preparedStatement.ts"
import { concernsName } from "./stalePlan.ts"
import { kindOf } from "./statementKind.ts"
import type { Statements } from "./statements.ts"

export interface StatementCacheLimits {
  /** Whether kept statements have names on the server. */
  readonly mode: StatementMode
  readonly size: number
  /** How long a statement is kept, in milliseconds. 0 means forever. */
  readonly lifetimeMillis: number
  /** The longest text that is kept, in UTF-16 code units; its bytes are at least as many. 0 means no limit. */
  readonly maxSqlBytes: number
}

/** What a session opens its cache with. */
export interface CacheOptions {
  readonly statementCache: StatementCacheLimits
  /** A prefix for the names of its statements that no other session uses. */
  readonly namespace: string
  /** Says whether a pooler loses statements. */
  readonly pooler?: Pooler | undefined
  /** Counts what is found in the cache. */
  readonly counter?: StatementCounter | undefined
}

export class StatementCache implements Statements {
  protected readonly limits: StatementCacheLimits
  protected readonly namespace: string
  readonly pooler: Pooler
  /** From the least to the most recently used, because a Map keeps the order of insertion. */
  private readonly statements = new Map<string, PreparedStatement>()
  private newest: PreparedStatement | undefined
  /** Names to close with the next request. They stay until `evictionsWritten`. */
  evictions: Array<string> = []
  private ownNames = 0
  private knownRepeated: RepeatedStatements | undefined

  /** `namespace` is unique to the session, because behind a pooler two sessions may share one server connection. */
  constructor(limits: StatementCacheLimits, namespace: string, pooler = new Pooler()) {
    this.limits = limits
    this.namespace = namespace
    this.pooler = pooler
  }

  /** Whether statements are prepared under names. */
  get keepsNames(): boolean {
    const { mode } = this.limits
    return mode === "cached" || (mode === "auto" && !this.pooler.losesStatements)
  }

  /**
   * Whether a name is worth a try only where the client can help itself if the server lacks it. In a transaction and in a
   * pipeline it cannot.
   */
  get isWaryOfNames(): boolean {
    return this.pooler.isThere && this.limits.mode === "auto"
  }

  /**
   * Whether an error says that the server lacks a statement of that name, or has one already, because the session may be
   * on another server process than before, and whether the mode leaves it to the client to help itself.
   */
  isMisplaced(error: ErrorFields, name: string): boolean {
    const isOurs = name.startsWith(OUR_PREFIX) && error.message.includes(name)
    return isOurs && this.limits.mode === "auto" && concernsName(error)
  }

  /** Returns an empty cache with these limits that keeps descriptions, and prepares nothing under a name. */
  withoutNames(): StatementCache {
    return new StatementCache({ ...this.limits, mode: "unnamed" }, this.namespace)
  }

  get(key: string, now: number): PreparedStatement | undefined {
    const { newest } = this
    const found = newest !== undefined && newest.key === key ? newest : this.statements.get(key)
    if (found === undefined) return undefined
    if (this.limits.lifetimeMillis > 0 && now - found.preparedAt > this.limits.lifetimeMillis) {
      this.evict(found)
      return undefined
    }
    // No calls here, because every query passes.
    if (this.pooler.losesStatements && found.name !== "" && this.limits.mode === "auto") return this.withoutName(found)
    if (found !== newest) {
      this.statements.delete(key)
      this.statements.set(key, found)
      this.newest = found
    }
    return found
  }

  /** Takes its name from a statement, of which the description is still true. */
  private withoutName(named: PreparedStatement): PreparedStatement {
    const statement = unnamed(named)
    this.evict(named)
    this.add(statement)
    return statement
  }

  /** Returns the name to prepare a statement under, a hash of its key, or the empty name if it is not kept. */
  nameFor(key: string): string {
    if (!this.keepsNames || !this.admits(key)) return ""
    return `${OUR_PREFIX}${this.namespace}_${createHash("sha256").update(key).digest("hex").slice(0, 32)}`
  }

  /** Returns a name for a held statement, or the empty name if the settings allow no named statements. */
  ownName(): string {
    return !this.keepsNames || this.limits.size === 0 ? "" : `${OUR_PREFIX}${this.namespace}_own_${this.ownNames++}`
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

  /** Drops a statement and asks for its Close. Does nothing if another one has taken its place. */
  evict(statement: PreparedStatement): void {
    if (!this.has(statement)) return
    this.statements.delete(statement.key)
    if (this.newest === statement) this.newest = undefined
    this.close(statement.name)
  }

  /** Asks for the Close of a prepared statement that is not kept. */
  close(name: string): void {
    if (name !== "") this.evictions.push(name)
  }

  /** The cache for statements that are kept only if their text comes again. */
  get repeated(): Statements {
    return (this.knownRepeated ??= new RepeatedStatements(this, this.limits.size))
  }

  /** Drops everything, because the server has deallocated all its statements. */
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

/**
 * Keeps a statement, and prepares it under a name, only when its text comes for the second time. Many programs write a
 * new text for each call, with values or lists in it; such texts would push out the statements that come again.
 */
class RepeatedStatements implements Statements {
  private readonly cache: StatementCache
  private readonly size: number
  /** Texts that came once. When there are enough of them, they become the older ones, and the older ones are forgotten. */
  private seen = new Set<string>()
  private older = new Set<string>()

  constructor(cache: StatementCache, size: number) {
    this.cache = cache
    this.size = size
  }

  get(key: string, now: number): PreparedStatement | undefined {
    return this.cache.get(key, now)
  }

  nameFor(key: string): string {
    if (this.seen.delete(key) || this.older.delete(key)) return this.cache.nameFor(key)
    if (this.seen.size >= this.size) {
      this.older = this.seen
      this.seen = new Set()
    }
    this.seen.add(key)
    return ""
  }

  add(statement: PreparedStatement): void {
    if (!this.seen.has(statement.key) && !this.older.has(statement.key)) this.cache.add(statement)
  }

  has(statement: PreparedStatement): boolean {
    return this.cache.has(statement)
  }

  evict(statement: PreparedStatement): void {
    this.cache.evict(statement)
  }
}

/** Hears what a session finds in its cache. */
export interface StatementCounter {
  readonly found: () => void
  readonly missed: () => void
}

/** A cache that counts. It is another class, so that a session without metrics does not pay for it. */
class CountedStatements extends StatementCache {
  private readonly counter: StatementCounter

  constructor(limits: StatementCacheLimits, namespace: string, counter: StatementCounter, pooler?: Pooler) {
    super(limits, namespace, pooler)
    this.counter = counter
  }

  /** What has no name has to be prepared for each run. */
  override withoutNames(): StatementCache {
    const { missed } = this.counter
    return new CountedStatements({ ...this.limits, mode: "unnamed" }, this.namespace, { found: missed, missed })
  }

  override get(key: string, now: number): PreparedStatement | undefined {
    const found = super.get(key, now)
    if (found !== undefined) this.counter.found()
    // A statement of another kind is never kept.
    else if (kindOf(key) === "planned") this.counter.missed()
    return found
  }
}

export const openCache = ({ counter, namespace, pooler, statementCache }: CacheOptions): StatementCache =>
  counter === undefined
    ? new StatementCache(statementCache, namespace, pooler)
    : new CountedStatements(statementCache, namespace, counter, pooler)
