/** Reports: aggregates, window functions, unions, recursion and other queries that compute their columns. */
import { PgClient } from "effectpg"

export const totals = PgClient.PgClient.use((pg) =>
  pg.fetchOne("SELECT count(*) AS books, sum(pages) AS pages, max(price) AS dearest FROM books")
)

export const perGenre = PgClient.PgClient.use((pg) =>
  pg.fetch(`
    SELECT genre, count(*) AS books, min(price) AS cheapest, sum(pages) AS pages, array_agg(title) AS titles,
      max(price) FILTER (WHERE pages > 100) AS dearest_long
    FROM books GROUP BY genre
  `)
)

export const rolledUp = PgClient.PgClient.use((pg) =>
  pg.fetch("SELECT genre, author_id, count(*) AS books FROM books GROUP BY ROLLUP (genre, author_id)")
)

export const sales = PgClient.PgClient.use((pg) => pg.fetch("SELECT * FROM book_sales ORDER BY book_id"))

export const ranks = PgClient.PgClient.use((pg) =>
  pg.fetch(`
    SELECT title, row_number() OVER w AS number, rank() OVER w AS rank, lag(title) OVER w AS previous,
      lag(title, 1, '') OVER w AS previous_or_none, first_value(title) OVER w AS first, sum(price) OVER w AS running
    FROM books WINDOW w AS (ORDER BY price)
  `)
)

export const names = PgClient.PgClient.use((pg) =>
  pg.fetch("SELECT name, 'author' AS kind FROM authors UNION ALL SELECT name, 'customer' FROM customers")
)

export const bothSides = PgClient.PgClient.use((pg) =>
  pg.fetch("SELECT id::int8 AS id FROM books INTERSECT SELECT customer_id FROM reviews")
)

export const without = PgClient.PgClient.use((pg) =>
  pg.fetch("SELECT id FROM books EXCEPT SELECT book_id FROM order_lines")
)

export const days = PgClient.PgClient.use((pg) =>
  pg.fetch(`
    WITH RECURSIVE days (number, name) AS (
      SELECT 1, 'day 1'
      UNION ALL
      SELECT number + 1, 'day ' || (number + 1) FROM days WHERE number < 7
    )
    SELECT number, name FROM days
  `)
)

export const computed = PgClient.PgClient.use((pg) =>
  pg.fetch(`
    SELECT title,
      CASE WHEN pages > 300 THEN 'long' ELSE 'short' END AS size,
      CASE WHEN pages > 300 THEN 'long' END AS only_long,
      pages IS NULL AS is_unknown,
      pages > 300 AS is_long,
      nullif(title, '') AS title_or_null,
      greatest(pages, 1) AS pages,
      upper(title) AS loud,
      length(subtitle) AS subtitle_length,
      price * 2 AS twice,
      details ->> 'color' AS color,
      ARRAY[title, isbn] AS both_texts,
      ARRAY(SELECT stars FROM reviews AS r WHERE r.book_id = b.id) AS stars,
      EXISTS (SELECT FROM reviews AS r WHERE r.book_id = b.id) AS is_reviewed,
      (SELECT body FROM reviews AS r WHERE r.book_id = b.id LIMIT 1) AS review,
      genre IN ('fiction', 'travel') AS is_light,
      now() AS read_at
    FROM books AS b
  `)
)

export const values = PgClient.PgClient.use((pg) =>
  pg.fetch("SELECT a, b FROM (VALUES (1, 'one'), (2, NULL)) AS v (a, b)")
)

export const tags = PgClient.PgClient.use((pg) =>
  pg.fetch("SELECT b.id, t.tag, t.number FROM books AS b, unnest(b.tags) WITH ORDINALITY AS t (tag, number)")
)

export const settled = PgClient.PgClient.use((pg) =>
  pg.fetchOne(
    `
    SELECT sum(quantity) AS sold, jsonb_agg(book_id) AS books -- @column sold!, @column books: ReadonlyArray<number>
    FROM order_lines WHERE quantity > $1 -- @param 1: 0 | 1
  `,
    [0]
  )
)
