/**
 * Rows as plain objects: the columns of the database are in snake_case, the properties of the program in camelCase, and
 * nothing maps them by hand.
 */
import "./support/databaseUrl.ts"
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect } from "effect"
import { PgClient } from "../src/index.ts"
import { sql } from "../src/PgSql.ts"

interface Book {
  readonly isbn: string
  readonly title: string
  readonly pageCount: number
}

const program = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  yield* pg.execute(`CREATE TABLE books (
    isbn text PRIMARY KEY, title text NOT NULL, page_count int NOT NULL, created_on date DEFAULT '2026-03-01'
  )`)

  const books: ReadonlyArray<Book> = [
    { isbn: "9780141439587", title: "Emma", pageCount: 474 },
    { isbn: "9780141439686", title: "Persuasion", pageCount: 249 }
  ]
  const added = yield* pg.fetch(sql`INSERT INTO books ${sql.insert(books)} RETURNING title, created_on`)
  yield* Console.log(added) // [{ title: "Emma", createdOn: "2026-03-01" }, ...]

  yield* pg.execute(sql`UPDATE books SET ${sql.update({ pageCount: 480 })} WHERE isbn = ${"9780141439587"}`)

  // A book that exists gets the new page count. A new book is inserted.
  const delivery: ReadonlyArray<Book> = [
    { isbn: "9780141439686", title: "Persuasion", pageCount: 256 },
    { isbn: "9780141439518", title: "Pride and Prejudice", pageCount: 435 }
  ]
  yield* pg.execute(sql`INSERT INTO books ${sql.upsert(delivery, { conflict: ["isbn"], update: ["pageCount"] })}`)

  // The type of the rows is a claim that nothing checks. `{ row: Schema }` would check it.
  const long = yield* pg.fetch<Book>(
    "SELECT isbn, title, page_count FROM books WHERE page_count > $1 ORDER BY title",
    [400]
  )
  yield* Console.log(long.map(({ pageCount, title }) => `${title}: ${pageCount} pages`).join("\n"))

  // COPY finds the columns in the same way, for any number of rows.
  const reprints = books.map((book) => ({ ...book, isbn: `${book.isbn}-2` }))
  const { rowCount } = yield* pg.copyInRows({ table: "books" }, reprints)
  yield* Console.log(`${rowCount} reprints`)
})

const Database = PgClient.layerConfig({
  url: Config.Redacted("DATABASE_URL"),
  names: Config.succeed("camelCase")
})

program.pipe(Effect.provide(Database), NodeRuntime.runMain)
