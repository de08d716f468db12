/** Copies a query into a CSV file, and the file into another table. COPY and files are both streams. */
import "./support/databaseUrl.ts"
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Config, Console, Effect, FileSystem, Layer, Stream } from "effect"
import { PgClient } from "../src/index.ts"

const program = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  const files = yield* FileSystem.FileSystem
  const file = `${yield* files.makeTempDirectoryScoped()}/orders.csv`
  yield* pg.executeScript(`
    CREATE TABLE orders (id int, customer text, total numeric, ordered_at date);
    INSERT INTO orders SELECT n, 'customer ' || n % 7, n * 1.25, date '2026-01-01' + n FROM generate_series(1, 300) AS n;
    CREATE TABLE archive (LIKE orders)
  `)

  // #region out
  const spring = { query: "SELECT * FROM orders WHERE ordered_at < $1 ORDER BY id", params: ["2026-06-01"] }
  yield* Stream.run(pg.copyOut(spring, { format: "csv", header: true }), files.sink(file))
  // #endregion out
  const [header, first] = (yield* files.readFileString(file)).split("\n")
  yield* Console.log(`${header}\n${first}\n...`)

  // #region in
  const { rowCount } = yield* pg.copyIn({ table: "archive" }, files.stream(file), { format: "csv", header: "match" })
  yield* Console.log(`${rowCount} orders are in the archive`)
  // #endregion in

  // #region rows
  // `copyOutRows` gives the rows themselves, with their types.
  const large = pg.copyOutRows({ query: "SELECT customer, total FROM archive WHERE total > 180" })
  yield* Stream.runForEach(large, (order) => Console.log(order))
  // #endregion rows
}).pipe(Effect.scoped)

const Database = PgClient.layerConfig({ url: Config.Redacted("DATABASE_URL") })

program.pipe(Effect.provide(Layer.mergeAll(Database, NodeServices.layer)), NodeRuntime.runMain)
