/* eslint-disable */
/**
 * The parameters and rows of this project's statements, by their text. `effectpg types` has written this file; do not
 * change it. Commit it, so that the project compiles without a database.
 */
import type * as PgTypes from "effectpg/PgTypes"

declare module "effectpg/PgSql" {
  interface TypedStatements {
    "\n    SELECT b.title, a.name AS author, a.born, b.title || ' by ' || a.name AS label\n    FROM books AS b\n    JOIN authors AS a ON a.id = b.author_id\n  ": {
      readonly parameters: readonly []
      readonly row: { readonly title: string; readonly author: string; readonly born: string | null; readonly label: string }
      readonly tuple: readonly [title: string, author: string, born: string | null, label: string]
    }
    "\n    SELECT c.email, c.name, o.id AS order_id, o.placed_at, coalesce(o.note, 'none') AS note\n    FROM customers AS c\n    LEFT JOIN orders AS o ON o.customer_id = c.id\n  ": {
      readonly parameters: readonly []
      readonly row: { readonly email: string; readonly name: string | null; readonly order_id: number | null; readonly placed_at: Date | null; readonly note: string }
      readonly tuple: readonly [email: string, name: string | null, order_id: number | null, placed_at: Date | null, note: string]
    }
    "\n    SELECT c.email, last.id, last.placed_at\n    FROM customers AS c\n    LEFT JOIN LATERAL (SELECT id, placed_at FROM orders WHERE customer_id = c.id ORDER BY id DESC LIMIT 1) AS last ON true\n  ": {
      readonly parameters: readonly []
      readonly row: { readonly email: string; readonly id: number | null; readonly placed_at: Date | null }
      readonly tuple: readonly [email: string, id: number | null, placed_at: Date | null]
    }
    "\n    SELECT customer_id, o.id AS order_id, r.id AS review_id\n    FROM orders AS o FULL JOIN reviews AS r USING (customer_id)\n  ": {
      readonly parameters: readonly []
      readonly row: { readonly customer_id: number | null; readonly order_id: number | null; readonly review_id: number | null }
      readonly tuple: readonly [customer_id: number | null, order_id: number | null, review_id: number | null]
    }
    "\n    SELECT genre, count(*) AS books, min(price) AS cheapest, sum(pages) AS pages, array_agg(title) AS titles,\n      max(price) FILTER (WHERE pages > 100) AS dearest_long\n    FROM books GROUP BY genre\n  ": {
      readonly parameters: readonly []
      readonly row: { readonly genre: "fiction" | "science" | "travel"; readonly books: number; readonly cheapest: string; readonly pages: number | null; readonly titles: ReadonlyArray<string>; readonly dearest_long: string | null }
      readonly tuple: readonly [genre: "fiction" | "science" | "travel", books: number, cheapest: string, pages: number | null, titles: ReadonlyArray<string>, dearest_long: string | null]
    }
    "\n    SELECT sum(quantity) AS sold, jsonb_agg(book_id) AS books -- @column sold!, @column books: ReadonlyArray<number>\n    FROM order_lines WHERE quantity > $1 -- @param 1: 0 | 1\n  ": {
      readonly parameters: readonly [quantity: 0 | 1]
      readonly row: { readonly sold: number; readonly books: ReadonlyArray<number> }
      readonly tuple: readonly [sold: number, books: ReadonlyArray<number>]
    }
    "\n    SELECT title,\n      CASE WHEN pages > 300 THEN 'long' ELSE 'short' END AS size,\n      CASE WHEN pages > 300 THEN 'long' END AS only_long,\n      pages IS NULL AS is_unknown,\n      pages > 300 AS is_long,\n      nullif(title, '') AS title_or_null,\n      greatest(pages, 1) AS pages,\n      upper(title) AS loud,\n      length(subtitle) AS subtitle_length,\n      price * 2 AS twice,\n      details ->> 'color' AS color,\n      ARRAY[title, isbn] AS both_texts,\n      ARRAY(SELECT stars FROM reviews AS r WHERE r.book_id = b.id) AS stars,\n      EXISTS (SELECT FROM reviews AS r WHERE r.book_id = b.id) AS is_reviewed,\n      (SELECT body FROM reviews AS r WHERE r.book_id = b.id LIMIT 1) AS review,\n      genre IN ('fiction', 'travel') AS is_light,\n      now() AS read_at\n    FROM books AS b\n  ": {
      readonly parameters: readonly []
      readonly row: { readonly title: string; readonly size: string; readonly only_long: string | null; readonly is_unknown: boolean; readonly is_long: boolean | null; readonly title_or_null: string | null; readonly pages: number; readonly loud: string; readonly subtitle_length: number | null; readonly twice: string; readonly color: string | null; readonly both_texts: ReadonlyArray<string>; readonly stars: ReadonlyArray<number>; readonly is_reviewed: boolean; readonly review: string | null; readonly is_light: boolean; readonly read_at: Date }
      readonly tuple: readonly [title: string, size: string, only_long: string | null, is_unknown: boolean, is_long: boolean | null, title_or_null: string | null, pages: number, loud: string, subtitle_length: number | null, twice: string, color: string | null, both_texts: ReadonlyArray<string>, stars: ReadonlyArray<number>, is_reviewed: boolean, review: string | null, is_light: boolean, read_at: Date]
    }
    "\n    SELECT title, row_number() OVER w AS number, rank() OVER w AS rank, lag(title) OVER w AS previous,\n      lag(title, 1, '') OVER w AS previous_or_none, first_value(title) OVER w AS first, sum(price) OVER w AS running\n    FROM books WINDOW w AS (ORDER BY price)\n  ": {
      readonly parameters: readonly []
      readonly row: { readonly title: string; readonly number: number; readonly rank: number; readonly previous: string | null; readonly previous_or_none: string; readonly first: string; readonly running: string }
      readonly tuple: readonly [title: string, number: number, rank: number, previous: string | null, previous_or_none: string, first: string, running: string]
    }
    "\n    WITH RECURSIVE days (number, name) AS (\n      SELECT 1, 'day 1'\n      UNION ALL\n      SELECT number + 1, 'day ' || (number + 1) FROM days WHERE number < 7\n    )\n    SELECT number, name FROM days\n  ": {
      readonly parameters: readonly []
      readonly row: { readonly number: number; readonly name: string }
      readonly tuple: readonly [number: number, name: string]
    }
    "DELETE FROM books WHERE id = $1 RETURNING title, subtitle": {
      readonly parameters: readonly [id: number | null]
      readonly row: { readonly title: string; readonly subtitle: string | null }
      readonly tuple: readonly [title: string, subtitle: string | null]
    }
    "INSERT INTO authors (name, born) VALUES ($1, $2) RETURNING id, born": {
      readonly parameters: readonly [name: string | null, born: string | Date | null]
      readonly row: { readonly id: number; readonly born: string | null }
      readonly tuple: readonly [id: number, born: string | null]
    }
    "INSERT INTO authors (name, homepage) VALUES ($1, $2) ON CONFLICT DO NOTHING": {
      readonly parameters: readonly [name: string | null, homepage: string | null]
      readonly row: {}
      readonly tuple: readonly []
    }
    "INSERT INTO books (isbn, title, author_id, genre, price, tags)\n    VALUES ($1, $2, $3, $4, $5, $6) RETURNING id, isbn, subtitle, price": {
      readonly parameters: readonly [isbn: string | null, title: string | null, author_id: number | null, genre: "fiction" | "science" | "travel" | null, price: string | number | bigint | null, tags: ReadonlyArray<string | null> | null]
      readonly row: { readonly id: number; readonly isbn: string; readonly subtitle: string | null; readonly price: string }
      readonly tuple: readonly [id: number, isbn: string, subtitle: string | null, price: string]
    }
    "MERGE INTO authors AS a USING (VALUES ('Ada', 'https://example.org')) AS v (name, homepage) ON a.name = v.name\n    WHEN MATCHED THEN UPDATE SET homepage = v.homepage\n    WHEN NOT MATCHED THEN INSERT (name, homepage) VALUES (v.name, v.homepage)": {
      readonly parameters: readonly []
      readonly row: {}
      readonly tuple: readonly []
    }
    "SELECT * FROM book_list WHERE genre = $1": {
      readonly parameters: readonly [genre: "fiction" | "science" | "travel" | null]
      readonly row: { readonly id: number; readonly title: string; readonly subtitle: string | null; readonly genre: "fiction" | "science" | "travel"; readonly author: string }
      readonly tuple: readonly [id: number, title: string, subtitle: string | null, genre: "fiction" | "science" | "travel", author: string]
    }
    "SELECT * FROM book_sales ORDER BY book_id": {
      readonly parameters: readonly []
      readonly row: { readonly book_id: number; readonly title: string; readonly orders: number; readonly sold: number | null; readonly last_sold: Date | null }
      readonly tuple: readonly [book_id: number, title: string, orders: number, sold: number | null, last_sold: Date | null]
    }
    "SELECT a, b FROM (VALUES (1, 'one'), (2, NULL)) AS v (a, b)": {
      readonly parameters: readonly []
      readonly row: { readonly a: number; readonly b: string | null }
      readonly tuple: readonly [a: number, b: string | null]
    }
    "SELECT a.name AS author, g AS number FROM authors AS a CROSS JOIN generate_series(1, 3) AS g": {
      readonly parameters: readonly []
      readonly row: { readonly author: string; readonly number: number }
      readonly tuple: readonly [author: string, number: number]
    }
    "SELECT b.id, t.tag, t.number FROM books AS b, unnest(b.tags) WITH ORDINALITY AS t (tag, number)": {
      readonly parameters: readonly []
      readonly row: { readonly id: number; readonly tag: string | null; readonly number: number }
      readonly tuple: readonly [id: number, tag: string | null, number: number]
    }
    "SELECT b.title, l.quantity, l.discount, o.placed_at\n    FROM books AS b\n    LEFT JOIN order_lines AS l ON l.book_id = b.id\n    LEFT JOIN orders AS o ON o.id = l.order_id\n    WHERE o.placed_at > $1": {
      readonly parameters: readonly [placed_at: Date | string | null]
      readonly row: { readonly title: string; readonly quantity: number; readonly discount: string | null; readonly placed_at: Date }
      readonly tuple: readonly [title: string, quantity: number, discount: string | null, placed_at: Date]
    }
    "SELECT c.email, o.id FROM orders AS o RIGHT JOIN customers AS c ON c.id = o.customer_id": {
      readonly parameters: readonly []
      readonly row: { readonly email: string; readonly id: number | null }
      readonly tuple: readonly [email: string, id: number | null]
    }
    "SELECT count(*) AS books, sum(pages) AS pages, max(price) AS dearest FROM books": {
      readonly parameters: readonly []
      readonly row: { readonly books: number; readonly pages: number | null; readonly dearest: string | null }
      readonly tuple: readonly [books: number, pages: number | null, dearest: string | null]
    }
    "SELECT count(*) FROM orders": {
      readonly parameters: readonly []
      readonly row: { readonly count: number }
      readonly tuple: readonly [count: number]
    }
    "SELECT email, home FROM customers ORDER BY email": {
      readonly parameters: readonly []
      readonly row: { readonly email: string; readonly home: { readonly street: string | null; readonly city: string | null; readonly zip: string | null } | null }
      readonly tuple: readonly [email: string, home: { readonly street: string | null; readonly city: string | null; readonly zip: string | null } | null]
    }
    "SELECT genre, author_id, count(*) AS books FROM books GROUP BY ROLLUP (genre, author_id)": {
      readonly parameters: readonly []
      readonly row: { readonly genre: "fiction" | "science" | "travel" | null; readonly author_id: number | null; readonly books: number }
      readonly tuple: readonly [genre: "fiction" | "science" | "travel" | null, author_id: number | null, books: number]
    }
    "SELECT id FROM books EXCEPT SELECT book_id FROM order_lines": {
      readonly parameters: readonly []
      readonly row: { readonly id: number }
      readonly tuple: readonly [id: number]
    }
    "SELECT id, isbn, title, subtitle, genre, price, pages, tags, lent, details FROM books WHERE id = $1": {
      readonly parameters: readonly [id: number | null]
      readonly row: { readonly id: number; readonly isbn: string; readonly title: string; readonly subtitle: string | null; readonly genre: "fiction" | "science" | "travel"; readonly price: string; readonly pages: number | null; readonly tags: ReadonlyArray<string | null>; readonly lent: PgTypes.PgRange<string> | null; readonly details: unknown }
      readonly tuple: readonly [id: number, isbn: string, title: string, subtitle: string | null, genre: "fiction" | "science" | "travel", price: string, pages: number | null, tags: ReadonlyArray<string | null>, lent: PgTypes.PgRange<string> | null, details: unknown]
    }
    "SELECT id, note FROM orders WHERE note IS NOT NULL": {
      readonly parameters: readonly []
      readonly row: { readonly id: number; readonly note: string }
      readonly tuple: readonly [id: number, note: string]
    }
    "SELECT id, title, pages FROM books ORDER BY title": {
      readonly parameters: readonly []
      readonly row: { readonly id: number; readonly title: string; readonly pages: number | null }
      readonly tuple: readonly [id: number, title: string, pages: number | null]
    }
    "SELECT id::int8 AS id FROM books INTERSECT SELECT customer_id FROM reviews": {
      readonly parameters: readonly []
      readonly row: { readonly id: number }
      readonly tuple: readonly [id: number]
    }
    "SELECT name, 'author' AS kind FROM authors UNION ALL SELECT name, 'customer' FROM customers": {
      readonly parameters: readonly []
      readonly row: { readonly name: string | null; readonly kind: string }
      readonly tuple: readonly [name: string | null, kind: string]
    }
    "SELECT name, email FROM customers WHERE id = $1": {
      readonly parameters: readonly [id: number | bigint | null]
      readonly row: { readonly name: string | null; readonly email: string }
      readonly tuple: readonly [name: string | null, email: string]
    }
    "SELECT title FROM books": {
      readonly parameters: readonly []
      readonly row: { readonly title: string }
      readonly tuple: readonly [title: string]
    }
    "SELECT title, pages FROM books WHERE pages > $1": {
      readonly parameters: readonly [pages: number | null]
      readonly row: { readonly title: string; readonly pages: number }
      readonly tuple: readonly [title: string, pages: number]
    }
    "UPDATE books SET price = $1 WHERE id = $2 RETURNING title": {
      readonly parameters: readonly [price: string | number | bigint | null, id: number | null]
      readonly row: { readonly title: string }
      readonly tuple: readonly [title: string]
    }
    "UPDATE books SET price = price * (1 + $1::numeric / 100) RETURNING id, price, pages": {
      readonly parameters: readonly [$1: string | number | bigint | null]
      readonly row: { readonly id: number; readonly price: string; readonly pages: number | null }
      readonly tuple: readonly [id: number, price: string, pages: number | null]
    }
    "UPDATE books SET tags = array_append(tags, $1) WHERE id = ANY ($2)": {
      readonly parameters: readonly [$1: string | null, id: ReadonlyArray<number | null> | null]
      readonly row: {}
      readonly tuple: readonly []
    }
    "WITH placed AS (INSERT INTO orders (customer_id, note) VALUES ($1, $2) RETURNING id, placed_at)\n    SELECT id, placed_at, (SELECT count(*) FROM orders) AS before FROM placed": {
      readonly parameters: readonly [customer_id: number | bigint | null, note: string | null]
      readonly row: { readonly id: number; readonly placed_at: Date; readonly before: number }
      readonly tuple: readonly [id: number, placed_at: Date, before: number]
    }
  }
}

export {}
