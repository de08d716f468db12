/** Transactions: nested ones, retries, what runs afterwards, and what an error inside leaves. */
import "../../examples/support/databaseUrl.ts"
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Data, Effect, Schedule } from "effect"
import { PgClient } from "../../src/index.ts"

// #region transfer
class NotEnough extends Data.TaggedError("NotEnough")<{ readonly owner: string }> {}

const transfer = Effect.fn("transfer")(function* (from: string, to: string, amount: number) {
  const pg = yield* PgClient.PgClient
  const change = (owner: string, by: number) =>
    pg.execute("UPDATE accounts SET balance = balance + $1 WHERE owner = $2", [by, owner])

  const both = Effect.andThen(change(to, amount), change(from, -amount))
  yield* pg
    .withTransaction(both)
    .pipe(Effect.catchTag("CheckViolationError", () => Effect.fail(new NotEnough({ owner: from }))))
})
// #endregion transfer

const program = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  yield* pg.execute("CREATE TABLE accounts (owner text PRIMARY KEY, balance int NOT NULL CHECK (balance >= 0))")
  yield* pg.execute("INSERT INTO accounts VALUES ('ada', 100), ('grace', 0)")
  const balances = pg.fetch("SELECT owner, balance FROM accounts ORDER BY owner")

  yield* transfer("ada", "grace", 30)
  yield* Effect.catchTag(transfer("ada", "grace", 500), "NotEnough", ({ owner }) =>
    Console.log(`${owner} has too little`)
  )
  yield* Console.log(yield* balances)

  // #region savepoint
  yield* pg.withTransaction(
    Effect.gen(function* () {
      yield* pg.execute("UPDATE accounts SET balance = balance + 1 WHERE owner = 'ada'")
      // The inner transaction is a savepoint: only its own work is undone.
      const again = pg.withTransaction(pg.execute("INSERT INTO accounts VALUES ('ada', 5)"))
      yield* Effect.catchTag(again, "UniqueViolationError", () => Console.log("ada has an account"))
    })
  )
  // #endregion savepoint

  // #region caught
  const careless = pg.withTransaction(
    Effect.gen(function* () {
      yield* pg.execute("UPDATE accounts SET balance = 0")
      // Without a savepoint the server refuses everything that follows, and the transaction cannot be committed.
      yield* Effect.ignore(pg.execute("INSERT INTO accounts VALUES ('ada', 5)"))
    })
  )
  yield* Effect.catchTag(careless, "TransactionRolledBackError", (error) => Console.log(error._tag))
  // #endregion caught

  // #region retry
  const raise = pg.withTransaction(pg.execute("UPDATE accounts SET balance = balance + 1"), {
    isolation: "serializable",
    // After a serialization failure or a deadlock, the whole transaction runs again.
    retry: Schedule.recurs(3)
  })
  yield* raise
  // #endregion retry

  // #region afterCommit
  yield* pg.withTransaction(
    Effect.gen(function* () {
      yield* pg.execute("UPDATE accounts SET balance = balance + 1 WHERE owner = 'grace'")
      yield* pg.afterCommit(Console.log("tell Grace"))
    })
  )
  // #endregion afterCommit

  // #region begin
  yield* Effect.scoped(
    Effect.gen(function* () {
      const transaction = yield* pg.begin({ access: "read only" })
      yield* Console.log(yield* transaction.fetch("SELECT sum(balance) AS total FROM accounts"))
      yield* transaction.commit
    })
  )
  // #endregion begin
})

const Database = PgClient.layerConfig({ url: Config.Redacted("DATABASE_URL") })

program.pipe(Effect.provide(Database), NodeRuntime.runMain)
