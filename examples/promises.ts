/** Promises at the edges: code that does not know Effect calls the database, and is called inside of a transaction. */
import "./support/databaseUrl.ts"
import { Config, Effect, ManagedRuntime } from "effect"
import { PgClient, PgError } from "../src/index.ts"

const Database = PgClient.layerConfig({ url: Config.Redacted("DATABASE_URL") })

// #region runtime
// One runtime for the whole program. It opens the pool at the first call, and closes it when it is disposed of.
const runtime = ManagedRuntime.make(Database)

/** Runs an effect as a promise. If the signal is aborted, its query is canceled. */
const run = <A, E>(effect: Effect.Effect<A, E, PgClient.PgClient>, signal?: AbortSignal): Promise<A> =>
  runtime.runPromise(effect, signal && { signal })
// #endregion runtime

// #region functions
// What the rest of the program calls. It sees functions that return promises, and nothing of Effect.
const createShelf = () =>
  run(PgClient.PgClient.use((pg) => pg.execute("CREATE TABLE shelf (title text NOT NULL CHECK (title <> ''))")))

const titles = () => run(PgClient.PgClient.use((pg) => pg.fetch("SELECT title FROM shelf ORDER BY title")))

const addBook = (title: string) =>
  run(PgClient.PgClient.use((pg) => pg.execute("INSERT INTO shelf VALUES ($1)", [title])))

const sleep = (seconds: number, signal: AbortSignal) =>
  run(
    PgClient.PgClient.use((pg) => pg.execute("SELECT pg_sleep($1)", [seconds])),
    signal
  )
// #endregion functions

// #region inside
/** A library function that is given a function to run SQL with. */
const importBooks = async (titles: ReadonlyArray<string>, run: (title: string) => Promise<unknown>) => {
  for (const title of titles) await run(title)
  return titles.length
}

/** Runs code of promises inside of a transaction: their queries are part of it. */
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
// #endregion inside

const main = async () => {
  await createShelf()
  console.log(`${await run(imported(["Emma", "Persuasion"]))} books are on the shelf`)
  await run(imported(["Ulysses", ""])).catch(() => console.log("a book without a title: none of these is"))

  // A promise is rejected with the error itself, so it still has its name and says whether anything has happened.
  await addBook("").catch((error: unknown) => {
    if (!PgError.isCheckViolation(error)) throw error
    console.log(`${error._tag} of ${error.constraintName}, outcome: ${error.outcome}`)
  })

  // An aborted call is rejected when its fiber has ended. Nobody waits for a minute.
  await sleep(60, AbortSignal.timeout(200)).catch(() => console.log("the query was canceled"))
  console.log(await titles())
}

await main().finally(() => runtime.dispose())
