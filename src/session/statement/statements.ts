/** Where a request finds its statement: in the cache of its session, or in one that somebody holds. */
import type { PreparedStatement } from "./preparedStatement.ts"
import type { StatementKind } from "./statementKind.ts"

/** Where a request looks for its statement, and leaves it once that is prepared. */
export interface Statements {
  /** What its statements are taken for; by default what their text says. */
  readonly kind?: StatementKind | undefined
  get(key: string, now: number): PreparedStatement | undefined
  /** The name to prepare a statement under; empty for the unnamed statement. */
  nameFor(key: string, sql: string): string
  add(statement: PreparedStatement): void
  /** Whether it is kept, and the server has not been asked to close it. */
  has(statement: PreparedStatement): boolean
  /** Drops a statement and asks for its Close. */
  evict(statement: PreparedStatement): void
}

/**
 * What tells a statement from others: its text, and the types that the caller names, none where that is left to the
 * server. No text that can be sent holds a NUL.
 */
export const statementKey = (sql: string, namedTypes: ReadonlyArray<number>): string =>
  namedTypes.length === 0 ? sql : `${sql}\0${namedTypes.join(" ")}`
