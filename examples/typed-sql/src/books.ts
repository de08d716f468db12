/** The books of the shop: plain reads, writes and views. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { PgClient } from "effectpg"

const BOOK = "SELECT id, isbn, title, subtitle, genre, price, pages, tags, lent, details FROM books WHERE id = $1"

export const book = (id: number) => PgClient.PgClient.use((pg) => pg.fetchRow(BOOK, [id]))

export const titles = PgClient.PgClient.use((pg) => pg.fetchTuples("SELECT id, title, pages FROM books ORDER BY title"))

// #region typed
export const longBooks = PgClient.PgClient.use((pg) =>
  // Whoever is compared with a number is there.
  pg.fetch("SELECT title, pages FROM books WHERE pages > $1", [500])
)
// #endregion typed

export const withAuthor = PgClient.PgClient.use((pg) =>
  pg.fetch(`
    SELECT b.title, a.name AS author, a.born, b.title || ' by ' || a.name AS label
    FROM books AS b
    JOIN authors AS a ON a.id = b.author_id
  `)
)

export const listed = (genre: "fiction" | "science" | "travel") =>
  PgClient.PgClient.use((pg) => pg.fetch("SELECT * FROM book_list WHERE genre = $1", [genre]))

export const add = Effect.fn(function* (title: string, author: number) {
  const pg = yield* PgClient.PgClient
  return yield* pg.fetchOne(
    `INSERT INTO books (isbn, title, author_id, genre, price, tags)
    VALUES ($1, $2, $3, $4, $5, $6) RETURNING id, isbn, subtitle, price`,
    ["9780141439587", title, author, "fiction", "9.99", ["new"]]
  )
})

export const addAuthors = PgClient.PgClient.use((pg) =>
  pg.fetchMany("INSERT INTO authors (name, born) VALUES ($1, $2) RETURNING id, born", [
    ["Mary Shelley", "1797-08-30"],
    ["Homer", null]
  ])
)

export const tag = (ids: ReadonlyArray<number>) =>
  PgClient.PgClient.use((pg) =>
    pg.execute("UPDATE books SET tags = array_append(tags, $1) WHERE id = ANY ($2)", ["sale", ids])
  )

export const raise = (percent: number) =>
  PgClient.PgClient.use((pg) =>
    pg.fetch("UPDATE books SET price = price * (1 + $1::numeric / 100) RETURNING id, price, pages", [percent])
  )

export const remove = (id: number) =>
  PgClient.PgClient.use((pg) => pg.fetchRow("DELETE FROM books WHERE id = $1 RETURNING title, subtitle", [id]))

export const everyTitle = Stream.unwrap(
  PgClient.PgClient.use((pg) => Effect.succeed(pg.stream("SELECT title FROM books", { fetchSize: 100 })))
)

export const reprice = Effect.scoped(
  Effect.gen(function* () {
    const pg = yield* PgClient.PgClient
    const statement = yield* pg.prepare("UPDATE books SET price = $1 WHERE id = $2 RETURNING title")
    return yield* statement.fetchRow(["12.50", 7])
  })
)

export const upsertAuthor = PgClient.PgClient.use((pg) =>
  pg.executeMany("INSERT INTO authors (name, homepage) VALUES ($1, $2) ON CONFLICT DO NOTHING", [["Ada", null]])
)

export const merged = PgClient.PgClient.use((pg) =>
  pg.execute(
    `MERGE INTO authors AS a USING (VALUES ('Ada', 'https://example.org')) AS v (name, homepage) ON a.name = v.name
    WHEN MATCHED THEN UPDATE SET homepage = v.homepage
    WHEN NOT MATCHED THEN INSERT (name, homepage) VALUES (v.name, v.homepage)`
  )
)
