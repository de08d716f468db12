/** A runner of `examples/cluster.ts`, as a process of its own: `node runner.ts <name> <port>`. */
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Layer, Option, References } from "effect"
import { SqlClient } from "effect/sql"
import { Account, cluster } from "./accounts.ts"

const [name = "runner", port] = process.argv.slice(2)

const Accounts = Account.toLayer(
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    return Account.of({
      Deposit: ({ payload: { amount, id } }) =>
        sql`INSERT INTO deposits ${sql.insert({ id, amount, runner: name })}`.pipe(
          Effect.andThen(Effect.sleep("300 millis")),
          Effect.orDie
        )
    })
  })
)

Accounts.pipe(
  Layer.provide(cluster(name, Option.some(Number(port)))),
  Layer.launch,
  Effect.provideService(References.MinimumLogLevel, "Error"),
  NodeRuntime.runMain
)
