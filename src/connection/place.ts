/** Where that runs which needs a session for longer than a call: what a requester tells of its fibers' levels. */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as PgError from "../PgError.ts"
import type { TransactionLevel } from "../session/transaction/transactionLevel.ts"

export interface Place {
  /** The level that a fiber's work belongs to, lent for the scope. */
  readonly scopedLevel: Effect.Effect<TransactionLevel, PgError.PgError, Scope.Scope>
  /** The same, for as long as `use` runs. */
  readonly onLevel: <A, E, R>(
    use: (level: TransactionLevel) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | PgError.PgError, R>
  /** For what is bound to a session: the fiber's level there, or else the one that it was made on. */
  readonly levelFrom: (made: TransactionLevel) => Effect.Effect<TransactionLevel>
  /** Runs an operation under the eyes of whoever watches. */
  readonly observed: <A>(
    operation: string,
    sql: string,
    answer: Effect.Effect<A, PgError.PgError>
  ) => Effect.Effect<A, PgError.PgError>
  /** Makes a level the one that an effect's work belongs to. */
  readonly within: <A, E, R>(level: TransactionLevel, effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}
