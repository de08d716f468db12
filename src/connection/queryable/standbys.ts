/** The calls of pools and clients that have to do with standbys. Only a client with the setting `reads` uses any. */
import * as Effect from "effect/Effect"
import type { ReadOnlyOptions } from "../../call/call.ts"
import { endOfLog } from "../../call/lsn.ts"
import { READ_ONLY_OPTIONS } from "../../call/options.ts"
import * as Shape from "../../call/shape.ts"
import * as PgError from "../../PgError.ts"
import { ownTupleRows } from "../../session/request/request.ts"
import type { Router } from "../router.ts"

/** The calls of a pool that have to do with standbys. */
export interface OfStandbys {
  /**
   * Runs an effect whose reads may run on a standby, in a client with the setting `reads`; without it, on the primary
   * like all calls. A standby may be a little behind the primary. With `after` a read sees whatever was committed before
   * that position of the log, which `currentLsn` returns: it waits up to `wait` for a standby to be there, and then runs
   * on the primary.
   *
   * These calls of the effect may run on a standby: those whose SQL begins with `SELECT`, `VALUES`, `TABLE`, `SHOW`,
   * `EXPLAIN`, or with a `WITH` that changes nothing, in streams, cursors, held statements and batches too; `copyOut` and
   * `copyOutRows`; and transactions with `access: "read only"` that are not `serializable`. A cursor, a held statement
   * and a transaction stay on the server on which they began. All other calls run on the primary: other SQL, scripts,
   * other transactions, `copyIn`, `notify`, `listen`, advisory locks, and `connection`. A call inside of a transaction
   * runs there, and a call with the option `readOnly: false` on the primary.
   *
   * A query that writes all the same, by a function or with `FOR UPDATE`, fails on a standby with
   * `ReadOnlySQLTransactionError`. To have it fail everywhere, also on one server for development, give `reads` the
   * `settings` `{ default_transaction_read_only: "on" }`.
   *
   * Fails as the effect does, and with `InvalidConfigError` for wrong options.
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { PgClient } from "effectpg"
   *
   * export const rename = Effect.fn(function* (id: number, name: string) {
   *   const pg = yield* PgClient.PgClient
   *   yield* pg.execute("UPDATE users SET name = $1 WHERE id = $2", [name, id])
   *   const after = yield* pg.currentLsn
   *   // It runs on a standby, and sees the new name.
   *   return yield* pg.readOnly(pg.fetch("SELECT id, name FROM users ORDER BY name"), { after })
   * })
   * ```
   * @since 0.1.0
   */
  readonly readOnly: <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: ReadOnlyOptions
  ) => Effect.Effect<A, E | PgError.PgError, R>
  /**
   * Tells where the log of the primary is now, such as `16/B374D848`. All that was committed until now is before it. Give
   * it to a later read as `after`, in another request or another process too. Inside of a transaction, which is not yet
   * committed, it fails with `UnsupportedError`; otherwise it fails as every call of `Queryable` does.
   *
   * @since 0.1.0
   */
  readonly currentLsn: Effect.Effect<string, PgError.PgError>
}

/** @internal */
export const readOnlyOn = <A, E, R>(
  router: Router,
  effect: Effect.Effect<A, E, R>,
  options: ReadOnlyOptions | undefined
): Effect.Effect<A, E | PgError.PgError, R> =>
  Shape.unless(Shape.faultOf("effect", effect, Shape.effect), () =>
    Shape.withOptions(options, READ_ONLY_OPTIONS, (known = {}) => router.region(effect, known))
  )

/** @internal */
export const currentLsnOf = (router: Router): Effect.Effect<string, PgError.PgError> =>
  router.inTransaction<string, PgError.PgError, never>(
    () => Effect.fail(new PgError.UnsupportedError(IN_TRANSACTION)),
    () =>
      Effect.map(router.run("currentLsn", ownTupleRows(SQL), { readOnly: false }), ([row]) =>
        endOfLog(String(row?.[0]))
      )
  )

/**
 * The position at which the log goes on. If `synchronous_commit` is off, what was committed may be behind the position up
 * to which the log is written.
 */
const SQL = "SELECT pg_catalog.pg_current_wal_insert_lsn()"

const IN_TRANSACTION = {
  feature: "currentLsn inside of a transaction, which is not yet committed,",
  instead: "use it after withTransaction",
  sql: SQL
}
