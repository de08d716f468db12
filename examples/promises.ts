/** Runs code that does not know Effect inside a transaction: the queries of its promises belong to the transaction. */
import "./support/databaseUrl.ts"
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect } from "effect"
import { PgClient } from "../src/index.ts"

/** A library function that is given a function to run SQL with. */
const importBooks = async (titles: ReadonlyArray<string>, run: (title: string) => Promise<unknown>) => {
  for (const title of titles) await run(title)
  return titles.length
}

const imported = Effect.fn("imported")(function* (titles: ReadonlyArray<string>) {
  const pg = yield* PgClient.PgClient
  const body = Effect.gen(function* () {
    // The transaction is in the context of the fiber. A plain `Effect.runPromise` has no context and would run outside
    // of it.
    const run = Effect.runPromiseWith(yield* Effect.context())
    return yield* Effect.tryPromise((signal) =>
      importBooks(titles, (title) => run(pg.execute("INSERT INTO shelf VALUES ($1)", [title]), { signal }))
    )
  })
  return yield* pg.withTransaction(body)
})

const program = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  yield* pg.execute("CREATE TABLE shelf (title text NOT NULL CHECK (title <> ''))")
  yield* Console.log(`${yield* imported(["Emma", "Persuasion"])} books are on the shelf`)
  yield* Effect.catch(imported(["Ulysses", ""]), () => Console.log("a book without a title: none of these is"))
  yield* Console.log(yield* pg.fetch("SELECT title FROM shelf ORDER BY title"))
  yield* pg.execute("DROP TABLE shelf")
})

const Database = PgClient.layerConfig({ url: Config.Redacted("DATABASE_URL") })

program.pipe(Effect.provide(Database), NodeRuntime.runMain)
