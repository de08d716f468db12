/**
 * Work in a PostgreSQL database exactly once for each transaction: the position of a transaction is stored in the same
 * database transaction as its effect, and a transaction that is not above the stored position is left out.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { lsnOf } from "../call/lsn.ts"
import * as Shape from "../call/shape.ts"
import type { Queryable } from "../connection/queryable/queryable.ts"
import type * as PgError from "../PgError.ts"
import type { Tables, Transaction } from "./change.ts"
import { quoteTable } from "./preflight.ts"

/**
 * Where a reader keeps its position.
 *
 * @category options
 * @since 0.1.0
 */
export interface PositionOptions {
  /** The name under which the position is kept: that of the slot, or another one that is the reader's own. */
  readonly reader: string
  /**
   * The table, with its schema if a dot is in it. It is made if it is not there.
   *
   * @default "effectpg_replication"
   */
  readonly table?: string | undefined
}

const DEFAULT_TABLE = "effectpg_replication"

const POSITION_OPTIONS: Shape.Kinds = { reader: Shape.text, table: Shape.text }

type Checked = { readonly reader: string; readonly table: string } | PgError.InvalidConfigError

const checked = (target: Queryable, options: PositionOptions): Checked => {
  const wrong = Shape.faultOf("target", target, Shape.queryable)
  if (wrong !== undefined) return wrong
  const known = Shape.read(options, "options", POSITION_OPTIONS)
  if ("_tag" in known) return known
  const fault = Shape.faultOf("reader", known.reader, Shape.text)
  return fault ?? { reader: known.reader, table: quoteTable(known.table ?? DEFAULT_TABLE) }
}

const EXISTS = "SELECT pg_catalog.to_regclass($1) IS NOT NULL"

const makeTable = Effect.fnUntraced(function* (
  target: Queryable,
  table: string
): Effect.fn.Return<void, PgError.PgError> {
  if (Option.getOrUndefined(yield* target.fetchValue(EXISTS, [table])) === true) return
  yield* target.execute(
    `CREATE TABLE IF NOT EXISTS ${table} (reader pg_catalog.text PRIMARY KEY, lsn pg_catalog.pg_lsn NOT NULL)`
  )
})

/** The stored position; undefined if there is none. It stays locked until the transaction ends. */
const stored = (
  target: Queryable,
  table: string,
  reader: string,
  lock = ""
): Effect.Effect<string | undefined, PgError.PgError> =>
  Effect.map(
    target.fetchValue(
      `SELECT p.lsn::pg_catalog.text FROM ${table} AS p WHERE p.reader OPERATOR(pg_catalog.=) $1${lock}`,
      [reader],
      { readOnly: false }
    ),
    (value) => {
      const lsn = Option.getOrUndefined(value)
      return typeof lsn === "string" ? lsn : undefined
    }
  )

/** The position up to which a reader has done its work. */
export const storedPosition = (
  target: Queryable,
  options: PositionOptions
): Effect.Effect<Option.Option<string>, PgError.PgError> => {
  const known = checked(target, options)
  if ("_tag" in known) return Effect.fail(known)
  const { reader, table } = known
  return Effect.flatMap(makeTable(target, table), () =>
    Effect.map(stored(target, table, reader), Option.fromUndefinedOr)
  )
}

/** Makes a handler that does its work exactly once for each transaction. */
export const exactlyOnce = <E, R, T extends Tables>(
  target: Queryable,
  options: PositionOptions,
  handler: (transaction: Transaction<T>) => Effect.Effect<unknown, E, R>
): ((transaction: Transaction<T>) => Effect.Effect<void, E | PgError.PgError, R>) => {
  const known = Shape.faultOf("handler", handler, Shape.callback) ?? checked(target, options)
  let isMade = false
  return (transaction) =>
    Effect.gen(function* () {
      if ("_tag" in known) return yield* known
      const { reader, table } = known
      if (!isMade) {
        yield* makeTable(target, table)
        isMade = true
      }
      yield* target.withTransaction(once(target, table, reader, transaction, handler))
    })
}

const once = <E, R, T extends Tables>(
  target: Queryable,
  table: string,
  reader: string,
  transaction: Transaction<T>,
  handler: (transaction: Transaction<T>) => Effect.Effect<unknown, E, R>
): Effect.Effect<void, E | PgError.PgError, R> =>
  Effect.gen(function* () {
    // The lock makes a second process with the same reader wait, and then leave out what this one has done.
    yield* target.execute(`INSERT INTO ${table} (reader, lsn) VALUES ($1, '0/0') ON CONFLICT (reader) DO NOTHING`, [
      reader
    ])
    const before = lsnOf(yield* stored(target, table, reader, " FOR UPDATE")) ?? 0n
    if ((lsnOf(transaction.commitLsn) ?? 0n) < before) return
    yield* Shape.answerOf("handler", handler(transaction))
    yield* target.execute(
      `UPDATE ${table} SET lsn = $2::pg_catalog.text::pg_catalog.pg_lsn WHERE reader OPERATOR(pg_catalog.=) $1`,
      [reader, yield* transaction.endLsn]
    )
  })
