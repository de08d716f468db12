/**
 * A tour of effectpg on a small bookshop: `npm run quickstart`. It starts the PostgreSQL server that npm installed, or
 * uses the one in EFFECTPG_TEST_URL, and leaves nothing behind.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Duration, Effect, Layer, Option, Redacted } from "effect"
import { PgClient } from "../src/index.ts"
import { database } from "./support/database.ts"
import { chapter, say, table } from "./support/print.ts"

const APPLICATION = "effectpg quickstart"

const openBookshop = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  yield* pg.executeScript(`
    CREATE TABLE books (
      title     text PRIMARY KEY,
      author    text NOT NULL,
      published date,
      price     numeric(6, 2) CHECK (price > 0),
      tags      text[] NOT NULL DEFAULT '{}'
    );
    CREATE TABLE journal (entry text);
    INSERT INTO books VALUES
      ('Solaris', 'Stanisław Lem', '1961-01-01', 11.90, '{novel, science fiction}'),
      ('Ficciones', 'Jorge Luis Borges', '1944-01-01', 9.50, '{stories}'),
      ('The Left Hand of Darkness', 'Ursula K. Le Guin', '1969-03-01', 12.00, '{novel, science fiction}'),
      ('Le città invisibili', 'Italo Calvino', '1972-11-01', 10.80, '{novel}'),
      ('Snow Country', 'Yasunari Kawabata', '1948-12-01', 8.40, '{novel}')
  `)
})

const rows = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  yield* chapter("Rows")

  const novels = yield* pg.fetch(
    "SELECT title, author, published, price, tags FROM books WHERE $1 = ANY (tags) ORDER BY published",
    ["novel"]
  )
  yield* table(novels)

  const count = yield* pg.fetchValue("SELECT count(*) FROM books") // Option.some(5n)
  const cheapest = yield* pg.fetchRow("SELECT title, price FROM books ORDER BY price LIMIT 1")
  const absent = yield* pg.fetchRow("SELECT title FROM books WHERE author = $1", ["Nobody"]) // Option.none()
  yield* say(`\ncount:    ${count}\ncheapest: ${cheapest}\nabsent:   ${absent}`)
})

const transactions = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  yield* chapter("A transaction, and in it a savepoint that is rolled back")

  const note = (entry: string) => pg.execute("INSERT INTO journal VALUES ($1)", [entry])
  const shelve = (title: string, author: string) =>
    pg.withTransaction(
      Effect.gen(function* () {
        yield* note(`shelved ${title}`)
        yield* pg.execute("INSERT INTO books (title, author) VALUES ($1, $2)", [title, author])
      })
    )

  yield* pg.withTransaction(
    Effect.gen(function* () {
      yield* note("a delivery came")
      yield* shelve("Die Wand", "Marlen Haushofer")
      yield* shelve("Solaris", "Stanisław Lem").pipe(
        Effect.catchTag("UniqueViolationError", (error) => say(`caught ${error._tag}: ${error.detail}\n`))
      )
      yield* note("the delivery is on the shelves")
    }),
    { isolation: "serializable" }
  )

  yield* table(yield* pg.fetch("SELECT entry FROM journal"))
})

const errors = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  yield* chapter("An error that says where it is")

  const misspelt = pg.fetch("SELECT title, author, prise\nFROM books\nWHERE published < $1", ["1950-01-01"])
  yield* Effect.catchTag(misspelt, "UndefinedColumnError", (error) => say(error.report))

  yield* chapter("A value that does not fit is not sent")

  const forgotten = pg.fetch("SELECT title FROM books WHERE author = $1", [Effect.succeed("Jane Austen")])
  yield* Effect.catchTag(forgotten, "EncodeError", (error) => say(String(error)))
})

const interruption = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  yield* chapter("A query that takes too long")

  const sleep = pg.fetch("SELECT pg_sleep(60)").pipe(Effect.timeoutOption("250 millis"))
  const [patience] = yield* Effect.timed(sleep)
  yield* say(`pg_sleep(60) was interrupted after ${Duration.toMillis(patience).toFixed()} ms`)

  const asleep = pg.fetch(
    "SELECT pid FROM pg_stat_activity WHERE query = $1 AND state = 'active' AND application_name = $2",
    ["SELECT pg_sleep(60)", APPLICATION]
  )
  const awake = asleep.pipe(Effect.repeat({ until: (backends) => backends.length === 0 }), Effect.timeout("5 seconds"))
  const [delay] = yield* Effect.timed(awake)
  yield* say(`the server was seen to have stopped it ${Duration.toMillis(delay).toFixed()} ms later`)
})

const Database = Layer.unwrap(
  Effect.map(database, (url) => PgClient.layer({ url: Redacted.make(url), applicationName: APPLICATION }))
)

const tour = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  yield* openBookshop
  const version = yield* pg.fetchValue("SELECT current_setting('server_version')")
  yield* say(`PostgreSQL ${Option.getOrThrow(version)} is there, and on it a small bookshop.`)

  yield* rows
  yield* transactions
  yield* errors
  yield* interruption
})

Effect.gen(function* () {
  yield* say("effectpg quickstart: looking for PostgreSQL ...")
  yield* Effect.provide(tour, Database)
  yield* say("\nAll is closed again, and nothing is left behind.")
}).pipe(NodeRuntime.runMain)
