/** Statements that are put together when the program runs: they are checked, and their rows have the general type. */
import * as Effect from "effect/Effect"
import { PgClient } from "effectpg"
import { sql } from "effectpg/PgSql"

export const search = Effect.fn(function* (text: string, genre: string | undefined) {
  const pg = yield* PgClient.PgClient
  const ofGenre = genre === undefined ? sql`true` : sql`genre = ${genre}::genre`
  return yield* pg.fetch(sql`SELECT id, title FROM books WHERE title ILIKE ${`%${text}%`} AND ${ofGenre}`)
})

export const byIds = (ids: ReadonlyArray<number>) =>
  PgClient.PgClient.use((pg) => pg.fetch(sql`SELECT id, title FROM books WHERE id ${sql.in(ids)}`))

const stars = sql`SELECT avg(r.stars) FROM reviews AS r WHERE r.book_id = b.id`

export const rated = PgClient.PgClient.use((pg) => pg.fetch(sql`SELECT b.title, (${stars}) AS stars FROM books AS b`))

export const review = (book: number, text: string) =>
  PgClient.PgClient.use((pg) =>
    pg.fetchOne(sql`INSERT INTO reviews ${sql.insert({ book_id: book, stars: 5, body: text })} RETURNING id`)
  )

export const sorted = (column: "title" | "price") =>
  PgClient.PgClient.use((pg) => pg.fetch(`SELECT id, title FROM books ORDER BY ${column}`))

export const clear = PgClient.PgClient.use((pg) =>
  pg.batch([
    { sql: "DELETE FROM reviews WHERE stars < $1", params: [1] },
    sql`DELETE FROM orders WHERE note = ${"test"}`
  ])
)

export const exported = PgClient.PgClient.use((pg) =>
  Effect.succeed(pg.copyOutRows({ query: "SELECT title, price FROM books WHERE genre = $1", params: ["travel"] }))
)

export const analyze = PgClient.PgClient.use((pg) => pg.executeScript("ANALYZE books; ANALYZE orders"))
