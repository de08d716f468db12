/** Changes how types are read: with ready-made codecs, and with one made by hand. */
import "./support/databaseUrl.ts"
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect } from "effect"
import { PgClient, PgTypes } from "../src/index.ts"

// #region types
// Reads json as the server's text, for programs that pass it on.
const jsonText = PgTypes.codec({ name: "json", format: "text", decode: (text) => text, encode: String })

const Database = PgClient.layerConfig({
  url: Config.Redacted("DATABASE_URL"),
  types: [PgTypes.int8AsNumber, PgTypes.numericAsBigDecimal, PgTypes.hstore, jsonText]
})
// #endregion types

const program = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  yield* Console.log(yield* pg.fetchOne("SELECT count(*) AS total FROM generate_series(1, 3)"))
  yield* Console.log(yield* pg.fetchOne(`SELECT 12.50 AS price, '{ "kept":  "as it is" }'::json AS document`))
})

program.pipe(Effect.provide(Database), NodeRuntime.runMain)
