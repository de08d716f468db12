/** Every way of asking, on a table of books. */
import "../../examples/support/databaseUrl.ts"
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect, Option, Schema, Stream } from "effect"
import { PgClient } from "../../src/index.ts"
import { sql } from "../../src/PgSql.ts"

const program = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  yield* pg.execute("CREATE TABLE books (id int PRIMARY KEY, title text NOT NULL, price numeric NOT NULL, tags text[])")

  // #region write
  const one = yield* pg.execute("INSERT INTO books VALUES ($1, $2, $3, $4)", [1, "Emma", "9.90", ["novel"]])
  yield* Console.log(one)

  // Many runs of one statement, in one round trip, all or nothing.
  const many = yield* pg.executeMany("INSERT INTO books VALUES ($1, $2, $3, $4)", [
    [2, "Persuasion", "7.50", ["novel", "short"]],
    [3, "Middlemarch", "12.00", ["novel", "long"]]
  ])
  yield* Console.log(many)
  // #endregion write

  // #region read
  const novels = yield* pg.fetch("SELECT title, price FROM books WHERE $1 = ANY (tags) ORDER BY id", ["novel"])
  const tuples = yield* pg.fetchTuples("SELECT id, title FROM books ORDER BY id LIMIT 1")
  const first = yield* pg.fetchRow("SELECT title FROM books WHERE id = $1", [2])
  const count = yield* pg.fetchValue("SELECT count(*) FROM books")
  const absent = yield* pg.fetchRow("SELECT title FROM books WHERE id = $1", [99])
  yield* Console.log(novels, tuples, Option.getOrNull(first), Option.getOrNull(count), Option.isNone(absent))
  // #endregion read

  // #region one
  const missing = pg.fetchOne("SELECT title FROM books WHERE id = $1", [99])
  yield* Effect.catchTag(missing, "UnexpectedRowCountError", (error) => Console.log(error.message))
  // #endregion one

  // #region schema
  const Book = Schema.Struct({ title: Schema.NonEmptyString, tags: Schema.Array(Schema.String) })
  const short = yield* pg.fetch("SELECT title, tags FROM books WHERE 'short' = ANY (tags)", { row: Book })
  yield* Console.log(short[0]?.title.toUpperCase())
  // #endregion schema

  // #region template
  const cheaper = (limit: string | undefined, ids: ReadonlyArray<number>) => sql`
    SELECT title FROM books
    WHERE ${limit === undefined ? sql`true` : sql`price < ${limit}`} AND id ${sql.in(ids)}
    ORDER BY ${sql.id("title")}`
  yield* Console.log(yield* pg.fetch(cheaper("10", [1, 2, 3])))
  // #endregion template

  // #region objects
  const books = [
    { id: 4, title: "Silas Marner", price: "6.00" },
    { id: 5, title: "Romola", price: "11.00" }
  ]
  yield* pg.execute(sql`INSERT INTO books ${sql.insert(books)}`)
  yield* pg.execute(sql`UPDATE books SET ${sql.update({ price: "5.50" })} WHERE id = ${4}`)
  yield* pg.execute(sql`INSERT INTO books ${sql.upsert(books, { conflict: ["id"] })}`)
  // #endregion objects

  // #region batch
  const results = yield* pg.batch([
    { sql: "INSERT INTO books VALUES ($1, $2, $3)", params: [6, "Cranford", "8.00"] },
    { sql: "SELECT count(*)::int AS books FROM books" }
  ])
  yield* Console.log(results.map(({ command, rowCount }) => `${command} ${rowCount}`))
  // #endregion batch

  // #region stream
  const lengths = pg.stream("SELECT title FROM books").pipe(Stream.map(({ title }) => String(title).length))
  yield* Console.log(yield* Stream.runSum(lengths))
  // #endregion stream

  // #region timeout
  const slow = pg.fetch("SELECT pg_sleep(60)", [], { timeout: "100 millis" })
  yield* Effect.catchTag(slow, "QueryTimeoutError", (error) => Console.log(error._tag))
  // #endregion timeout
})

const Database = PgClient.layerConfig({ url: Config.Redacted("DATABASE_URL") })

program.pipe(Effect.provide(Database), NodeRuntime.runMain)
