/** Orders and customers: joins of each kind, and what they leave without a row. */
import * as Effect from "effect/Effect"
import { PgClient } from "effectpg"

export const withNotes = PgClient.PgClient.use((pg) => pg.fetch("SELECT id, note FROM orders WHERE note IS NOT NULL"))

export const ofCustomers = PgClient.PgClient.use((pg) =>
  pg.fetch(`
    SELECT c.email, c.name, o.id AS order_id, o.placed_at, coalesce(o.note, 'none') AS note
    FROM customers AS c
    LEFT JOIN orders AS o ON o.customer_id = c.id
  `)
)

export const reversed = PgClient.PgClient.use((pg) =>
  pg.fetch("SELECT c.email, o.id FROM orders AS o RIGHT JOIN customers AS c ON c.id = o.customer_id")
)

export const reviewsAndOrders = PgClient.PgClient.use((pg) =>
  pg.fetch(`
    SELECT customer_id, o.id AS order_id, r.id AS review_id
    FROM orders AS o FULL JOIN reviews AS r USING (customer_id)
  `)
)

export const ofBooks = PgClient.PgClient.use((pg) =>
  // The condition on the order leaves no row that has none.
  pg.fetch(
    `SELECT b.title, l.quantity, l.discount, o.placed_at
    FROM books AS b
    LEFT JOIN order_lines AS l ON l.book_id = b.id
    LEFT JOIN orders AS o ON o.id = l.order_id
    WHERE o.placed_at > $1`,
    [new Date(0)]
  )
)

export const pairs = PgClient.PgClient.use((pg) =>
  pg.fetch("SELECT a.name AS author, g AS number FROM authors AS a CROSS JOIN generate_series(1, 3) AS g")
)

export const latest = PgClient.PgClient.use((pg) =>
  pg.fetch(`
    SELECT c.email, last.id, last.placed_at
    FROM customers AS c
    LEFT JOIN LATERAL (SELECT id, placed_at FROM orders WHERE customer_id = c.id ORDER BY id DESC LIMIT 1) AS last ON true
  `)
)

export const homes = PgClient.PgClient.use((pg) => pg.fetch("SELECT email, home FROM customers ORDER BY email"))

export const count = PgClient.PgClient.use((pg) => pg.fetchValue("SELECT count(*) FROM orders"))

export const emailOf = (id: number) =>
  PgClient.PgClient.use((pg) =>
    pg.fetchValue("SELECT name, email FROM customers WHERE id = $1", [id], { column: "email" })
  )

export const place = Effect.fn(function* (customer: number, note: string | null) {
  const pg = yield* PgClient.PgClient
  return yield* pg.fetchOne(
    `WITH placed AS (INSERT INTO orders (customer_id, note) VALUES ($1, $2) RETURNING id, placed_at)
    SELECT id, placed_at, (SELECT count(*) FROM orders) AS before FROM placed`,
    [customer, note]
  )
})
