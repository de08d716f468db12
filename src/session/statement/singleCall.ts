/**
 * Recognizes statements that have no effect if they are the only one that a call runs on a pool. What they begin or set
 * ends when the connection is returned, right after the call.
 */
import * as PgError from "../../PgError.ts"
import { begins, statementStart } from "./beginning.ts"

const ENDINGS = "call withTransaction, or call begin to commit or roll back by hand"
const NESTED = "call withTransaction inside withTransaction"
const INSIDE = "run it inside withTransaction"
const SETTINGS = 'use the setting "settings" for every connection, or run it inside withConnection or withTransaction'
const HAS_EFFECT = undefined

/** What to do instead, by the first word of a statement, or by the first two if they have an entry of their own. */
const INSTEAD: ReadonlyMap<string, string | undefined> = new Map([
  ["abort", ENDINGS],
  ["begin", "call withTransaction, or call begin to end the transaction by hand"],
  ["commit", ENDINGS],
  ["commit prepared", HAS_EFFECT],
  ["deallocate", "close the scope in which you called prepare"],
  ["declare", "call cursor or stream"],
  ["discard", "the pool resets its connections itself; for one connection, run it inside withConnection"],
  ["end", ENDINGS],
  ["listen", "call listen"],
  ["lock", INSIDE],
  ["prepare", "call prepare, or run it inside withConnection"],
  ["prepare transaction", "run the transaction inside withConnection"],
  ["release", NESTED],
  ["reset", SETTINGS],
  ["rollback", ENDINGS],
  ["rollback prepared", HAS_EFFECT],
  ["savepoint", NESTED],
  ["set", SETTINGS],
  ["set constraints", INSIDE],
  ["set local", INSIDE],
  ["set transaction", "call withTransaction, which takes isolation, access and deferrable"],
  ["start", "call withTransaction, or call begin to end the transaction by hand"],
  ["unlisten", "close the scope in which you called listen"]
])

/** How many texts are remembered. */
const MAX_TEXTS = 1_000
/** The longest text that is remembered, in characters. */
const MAX_SQL_LENGTH = 2_000

/** What a call runs. The parameters of a script are undefined. */
interface SingleCall {
  readonly sql: string
  readonly params: ReadonlyArray<unknown> | undefined
}

export class SingleCalls {
  private readonly passed = new Set<string>()
  /** The texts that are known to have an effect. A caller looks here first, which costs less than to read the text. */
  readonly effective: ReadonlySet<string> = this.passed

  /** The error for a call that would have no effect. */
  refusalOf({ params, sql }: SingleCall): PgError.UnsupportedError | undefined {
    const { rest, word } = begins(sql)
    if (!INSTEAD.has(word)) return this.pass(sql)
    const both = `${word} ${begins(rest()).word}`
    const instead = INSTEAD.get(INSTEAD.has(both) ? both : word)
    if (instead === undefined || (params === undefined && mayHaveMore(sql))) return undefined
    const feature = `${word.toUpperCase()} in a single call on a pool, where it has no effect,`
    return new PgError.UnsupportedError({ feature, instead, sql })
  }

  private pass(sql: string): undefined {
    if (sql.length > MAX_SQL_LENGTH) return
    if (this.passed.size >= MAX_TEXTS) this.passed.clear()
    this.passed.add(sql)
  }
}

/** Whether a script may have a second statement. A semicolon within a string counts, so that no such script is refused. */
const mayHaveMore = (sql: string): boolean => {
  const end = sql.indexOf(";")
  return end !== -1 && statementStart(sql, end + 1) < sql.length
}
