/** A part of an application, which accounts.test.ts tests. */
import { Data, Effect } from "effect"
import { PgClient } from "../../src/index.ts"

export class UnknownAccount extends Data.TaggedError("UnknownAccount")<{ readonly owner: string }> {}

export const balanceOf = Effect.fn("balanceOf")(function* (owner: string) {
  const pg = yield* PgClient.PgClient
  const [row] = yield* pg.fetch("SELECT balance FROM accounts WHERE owner = $1", [owner])
  return row === undefined ? yield* new UnknownAccount({ owner }) : Number(row["balance"])
})

/** Moves money if both accounts exist, or nothing. */
export const transfer = Effect.fn("transfer")(function* (from: string, to: string, amount: number) {
  const pg = yield* PgClient.PgClient
  const change = Effect.fn(function* (owner: string, by: number) {
    const { rowCount } = yield* pg.execute("UPDATE accounts SET balance = balance + $1 WHERE owner = $2", [by, owner])
    if (rowCount === 0) return yield* new UnknownAccount({ owner })
  })
  yield* pg.withTransaction(Effect.andThen(change(from, -amount), change(to, amount)))
})
