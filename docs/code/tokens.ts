/** A password that is asked for anew for each connection, as cloud providers want it. */
import "../../examples/support/databaseUrl.ts"
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect, Layer, Redacted } from "effect"
import { PgClient } from "../../src/index.ts"

/** Stands in for the signer of a provider, such as `new Signer(...).getAuthToken()` of `@aws-sdk/rds-signer`. */
const signer = {
  made: 0,
  getAuthToken: async () => {
    signer.made++
    return new URL(String(process.env["DATABASE_URL"])).password
  }
}

// #region layer
const Database = Layer.unwrap(
  Effect.gen(function* () {
    const url = yield* Config.Redacted("DATABASE_URL")
    return PgClient.layer({
      url,
      // Runs for each connection that the pool opens, so that no token is too old.
      password: Effect.promise(async () => Redacted.make(await signer.getAuthToken())),
      maxLifetime: "12 hours"
    })
  })
)
// #endregion layer

const program = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  const pids = yield* Effect.all(
    Array.from({ length: 3 }, () =>
      pg.withConnection((connection) => Effect.delay(Effect.succeed(connection.processId), "50 millis"))
    ),
    { concurrency: "unbounded" }
  )
  yield* Console.log(`${new Set(pids).size} connections, ${signer.made} tokens`)
})

program.pipe(Effect.provide(Database), NodeRuntime.runMain)
