/** Receives notifications with LISTEN and sends them with NOTIFY; a schema decodes the payloads. */
import "./support/databaseUrl.ts"
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect, Schema, Stream } from "effect"
import { PgClient } from "../src/index.ts"

const Order = Schema.Struct({ id: Schema.Number, item: Schema.String })

const program = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient

  // #region listen
  const events = yield* pg.listen("orders", { payload: Schema.fromJsonString(Order) })
  yield* pg.notify("orders", JSON.stringify({ id: 7, item: "tea" }))

  yield* events.pipe(
    Stream.take(1),
    Stream.runForEach((event) => {
      switch (event._tag) {
        case "Notification":
          return Console.log(event.payload)
        case "Undecodable":
          return Console.log(`no order: ${event.error.message}`)
        // If you derive state from notifications, read that state again after a gap.
        case "Gap":
          return Console.log(`missed some: ${event.reason}`)
      }
    })
  )
  // #endregion listen
}).pipe(Effect.scoped)

const Database = PgClient.layerConfig({ url: Config.Redacted("DATABASE_URL") })

program.pipe(Effect.provide(Database), NodeRuntime.runMain)
