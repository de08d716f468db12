/** A held statement: the server keeps it under a name of its own until it is closed. */
import * as PgError from "../../PgError.ts"
import type { Statements } from "./statements.ts"
import { OUR_PREFIX } from "../../wire/sqlText.ts"
import { type PreparedStatement, unnamed } from "./preparedStatement.ts"
import type { StatementCache } from "./statementCache.ts"
import type { StatementKind } from "./statementKind.ts"

export class OwnStatement implements Statements {
  private readonly cache: StatementCache
  readonly name: string
  readonly kind: StatementKind | undefined
  private held: PreparedStatement | undefined
  private closed = false

  /** If the name is empty, only the description is kept, and each run prepares the statement again. */
  constructor(cache: StatementCache, name: string, kind?: StatementKind) {
    this.cache = cache
    this.name = name
    this.kind = kind
  }

  get(): PreparedStatement | undefined {
    const { held, hasLostName } = this
    if (held === undefined || held.name === "" || !hasLostName) return held
    this.cache.close(held.name)
    return (this.held = unnamed(held))
  }

  /** Whether no statement keeps its name, for which the client has not been asked. */
  private get hasLostName(): boolean {
    return !this.cache.keepsNames && this.name.startsWith(OUR_PREFIX)
  }

  nameFor(_key: string, sql: string): string {
    if (this.closed) {
      throw new PgError.UnsupportedError({
        feature: "a prepared statement whose scope has ended",
        instead: "prepare it again, in a scope that lasts longer",
        sql
      })
    }
    return this.hasLostName ? "" : this.name
  }

  add(statement: PreparedStatement): void {
    if (this.closed) this.cache.close(this.name)
    else this.held = statement
  }

  has(statement: PreparedStatement): boolean {
    return this.held === statement
  }

  evict(statement: PreparedStatement): void {
    if (!this.has(statement)) return
    this.held = undefined
    this.cache.close(this.name)
  }

  /** Asks for its Close, which travels with the next request. */
  close(): void {
    this.closed = true
    if (this.held !== undefined) this.evict(this.held)
  }
}
