/** The first query of a newcomer, which can be run again and again. */
import "../../examples/support/databaseUrl.ts"
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect } from "effect"
import { PgClient } from "../../src/index.ts"

// #region program
const program = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  const rows = yield* pg.fetch("SELECT n, n * n AS square FROM generate_series(1, $1) AS n", [3])
  yield* Console.log(rows)
})

const Database = PgClient.layerConfig({ url: Config.Redacted("DATABASE_URL") })

program.pipe(Effect.provide(Database), NodeRuntime.runMain)
// #endregion program
