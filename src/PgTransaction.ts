/**
 * Transactions: what an effect does inside `withTransaction` is committed if it succeeds, and rolled back if it fails
 * or is interrupted. A transaction inside a transaction is a savepoint. The methods are those of
 * `PgConnection.Queryable`; this module has their options, and a way to find out whether a transaction was committed.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Queryable } from "./connection/queryable/queryable.ts"
import * as Shape from "./call/shape.ts"
import * as PgError from "./PgError.ts"

export type {
  Access,
  Isolation,
  Transaction,
  TransactionOptions as Options,
  WithTransactionOptions as OptionsWithRetry
} from "./connection/queryable/queryable.ts"

/**
 * How a transaction ended. `unknown` is also the answer if the transaction is too old for the server to remember.
 *
 * @category models
 * @since 0.1.0
 */
export type TransactionOutcome = "committed" | "aborted" | "in progress" | "unknown"

/**
 * Asks the server how a transaction ended whose COMMIT was not answered. The transaction must have been run with
 * `trackOutcome: true`. A transaction that wrote nothing has no ID, so its outcome is `unknown`, which does not matter
 * because there was nothing to commit.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { PgClient, PgTransaction } from "effectpg"
 *
 * export const safely = Effect.gen(function* () {
 *   const pg = yield* PgClient.PgClient
 *   const pay = pg.execute("INSERT INTO payments (amount) VALUES ($1)", [10])
 *   yield* pg.withTransaction(pay, { trackOutcome: true }).pipe(
 *     Effect.catchTag("CommitOutcomeUnknownError", (error) =>
 *       Effect.flatMap(PgTransaction.outcome(pg, error), (outcome) => Effect.logInfo(`the payment is ${outcome}`))
 *     )
 *   )
 * })
 * ```
 * @category getters
 * @since 0.1.0
 */
export const outcome = (
  queryable: Queryable,
  error: PgError.CommitOutcomeUnknownError
): Effect.Effect<TransactionOutcome, PgError.PgError> => {
  const fault = Shape.faultOf("queryable", queryable, Shape.queryable) ?? Shape.faultOf("error", error, UNKNOWN_COMMIT)
  if (fault !== undefined) return Effect.fail(fault)
  if (error.transactionId === undefined) return Effect.succeed("unknown")
  const sql = "SELECT pg_catalog.pg_xact_status($1::pg_catalog.text::pg_catalog.xid8)"
  const status = queryable.fetchValue(sql, [error.transactionId], { readOnly: false })
  return Effect.map(status, (value) => outcomes.find((known) => known === Option.getOrNull(value)) ?? "unknown")
}

const UNKNOWN_COMMIT: Shape.Kind = {
  is: (error) => error instanceof PgError.CommitOutcomeUnknownError,
  takes: "a CommitOutcomeUnknownError"
}

const outcomes: ReadonlyArray<TransactionOutcome> = ["committed", "aborted", "in progress"]
