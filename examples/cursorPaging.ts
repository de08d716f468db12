/** Reads a long list page by page: forward, backward and at its end; then all of it as a stream in constant memory. */
import "./support/databaseUrl.ts"
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect, Option, Stream } from "effect"
import { PgClient, type PgConnection } from "../src/index.ts"

const PAGE = 5

const show = (title: string, rows: ReadonlyArray<PgConnection.Row>) =>
  Console.log(`${title}: ${rows.map(({ word }) => word).join(" ")}`)

// #region pages
const browse = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  const cursor = yield* pg.cursor("SELECT word FROM words ORDER BY id", { scroll: true })

  yield* show("first page", yield* cursor.fetch(PAGE))
  yield* show("second page", yield* cursor.fetch(PAGE))
  yield* cursor.backward(2 * PAGE)
  yield* show("back to the first", yield* cursor.fetch(PAGE))
  yield* cursor.forward(2 * PAGE)
  yield* show("skipping two", yield* cursor.fetch(PAGE))
  yield* show("the last word", Option.toArray(yield* cursor.last))
})
// #endregion pages

// #region stream
const summarise = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  const words = pg.stream("SELECT word FROM words WHERE id > $1 ORDER BY id", [100], { fetchSize: 1_000 })
  const letters = Stream.runFold(
    words,
    () => 0,
    (total, { word }) => total + String(word).length
  )
  yield* Console.log(`${yield* letters} letters in all`)
})
// #endregion stream

const program = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  yield* pg.execute("CREATE TABLE words (id int PRIMARY KEY, word text NOT NULL)")
  const rows = Array.from({ length: 20_000 }, (_, at) => [at + 1, `word${at + 1}`])
  const { rowCount } = yield* pg.executeMany("INSERT INTO words VALUES ($1, $2)", rows)
  yield* Console.log(`${rowCount} words`)

  // The cursor lives as long as this scope.
  yield* Effect.scoped(browse)
  yield* summarise
})

const Database = PgClient.layerConfig({ url: Config.Redacted("DATABASE_URL") })

program.pipe(Effect.provide(Database), NodeRuntime.runMain)
