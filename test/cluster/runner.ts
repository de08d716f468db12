/** A runner of the long run, as a process of its own, until it is killed: `node runner.ts <port>`. */
import { NodeRuntime } from "@effect/platform-node"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import { SqlClient } from "effect/sql"
import { Account, cluster } from "./account.ts"

const Handlers = Account.toLayer(
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const write = (kind: string, id: string) =>
      Effect.orDie(sql`INSERT INTO effects ${sql.insert({ kind, message: id, runner: process.pid })}`)
    return Account.of({
      AtLeastOnce: ({ payload }) => Effect.asVoid(write("at least once", payload.id)),
      Once: ({ payload }) => Effect.asVoid(write("once", payload.id))
    })
  })
)

Handlers.pipe(
  Layer.provide(cluster(false, Number(process.argv[2]))),
  Layer.launch,
  Effect.provideService(References.MinimumLogLevel, "Warn"),
  NodeRuntime.runMain
)
