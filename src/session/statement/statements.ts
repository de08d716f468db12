/** Where a request finds its statement: in the cache of its session, or in a held statement. */
import type { PreparedStatement } from "./preparedStatement.ts"
import type { StatementKind } from "./statementKind.ts"

export interface Statements {
  /** The kind of its statements. By default, their text decides. */
  readonly kind?: StatementKind | undefined
  get(key: string, now: number): PreparedStatement | undefined
  /** The name to prepare a statement under; empty for the unnamed statement. */
  nameFor(key: string, sql: string): string
  add(statement: PreparedStatement): void
  /** Whether the statement is kept, and no Close of it was asked for. */
  has(statement: PreparedStatement): boolean
  /** Drops a statement and asks for its Close. */
  evict(statement: PreparedStatement): void
}

/** Keeps nothing: each run prepares its statement anew, without a name, and the cache of the session is left alone. */
export const UNKEPT: Statements = {
  get: () => undefined,
  nameFor: () => "",
  add: () => {},
  has: () => false,
  evict: () => {}
}

/**
 * The key of a statement: its text, and the types that the caller names, if any. NUL can separate them, because no text
 * that can be sent contains it.
 */
export const statementKey = (sql: string, namedTypes: ReadonlyArray<number>): string =>
  namedTypes.length === 0 ? sql : `${sql}\0${namedTypes.join(" ")}`
