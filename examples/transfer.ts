/** Moves money in one transaction or not at all; the types list what can go wrong. */
import "./support/databaseUrl.ts"
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Data, Effect, Schedule } from "effect"
import { PgClient } from "../src/index.ts"

class InsufficientFunds extends Data.TaggedError("InsufficientFunds")<{ readonly owner: string }> {}
class UnknownAccount extends Data.TaggedError("UnknownAccount")<{ readonly owner: string }> {}

const change = Effect.fn("change")(function* (owner: string, amount: string) {
  const pg = yield* PgClient.PgClient
  const { rowCount } = yield* pg.execute("UPDATE accounts SET balance = balance + $1 WHERE owner = $2", [amount, owner])
  if (rowCount === 0) return yield* new UnknownAccount({ owner })
})

const transfer = Effect.fn("transfer")(function* (from: string, to: string, amount: string) {
  const pg = yield* PgClient.PgClient
  const move = Effect.andThen(change(to, amount), change(from, `-${amount}`))
  // Two concurrent transfers may conflict; this one is then run again.
  const moved = pg.withTransaction(move, { isolation: "serializable", retry: Schedule.recurs(3) })
  yield* Effect.catchTag(moved, "CheckViolationError", () => Effect.fail(new InsufficientFunds({ owner: from })))
})

const attempt = (from: string, to: string, amount: string) =>
  transfer(from, to, amount).pipe(
    Effect.andThen(Console.log(`${from} -> ${to}: ${amount}`)),
    Effect.catchTag("InsufficientFunds", ({ owner }) => Console.log(`${owner} has not got ${amount}`)),
    Effect.catchTag("UnknownAccount", ({ owner }) => Console.log(`nobody is called ${owner}`))
  )

const program = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  yield* pg.executeScript(`
    CREATE TABLE accounts (owner text PRIMARY KEY, balance numeric NOT NULL CHECK (balance >= 0));
    INSERT INTO accounts VALUES ('ada', 100.00), ('grace', 20.00)
  `)

  yield* attempt("ada", "grace", "30.50")
  yield* attempt("grace", "ada", "1000.00") // Ada's balance had already been raised: rolled back
  yield* attempt("ada", "charles", "1.00")

  yield* Console.log(yield* pg.fetch("SELECT owner, balance FROM accounts ORDER BY owner"))
})

const Database = PgClient.layerConfig({ url: Config.Redacted("DATABASE_URL") })

program.pipe(Effect.provide(Database), NodeRuntime.runMain)
