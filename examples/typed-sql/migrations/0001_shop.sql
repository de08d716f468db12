CREATE TYPE genre AS ENUM ('fiction', 'science', 'travel');
CREATE TYPE address AS (street text, city text, zip text);
CREATE DOMAIN isbn AS text CHECK (VALUE ~ '^[0-9]{13}$');

CREATE TABLE authors (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL,
  born date,
  homepage text
);

CREATE TABLE books (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  isbn isbn NOT NULL UNIQUE,
  title text NOT NULL,
  subtitle text,
  author_id int NOT NULL REFERENCES authors,
  genre genre NOT NULL,
  price numeric(8, 2) NOT NULL,
  pages int,
  tags text[] NOT NULL DEFAULT '{}',
  lent daterange,
  details jsonb NOT NULL DEFAULT '{}'
);

CREATE TABLE customers (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  email text NOT NULL UNIQUE,
  name text,
  home address,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE orders (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  customer_id bigint NOT NULL REFERENCES customers,
  placed_at timestamptz NOT NULL DEFAULT now(),
  note text
);

CREATE TABLE order_lines (
  order_id bigint NOT NULL REFERENCES orders,
  book_id int NOT NULL REFERENCES books,
  quantity int NOT NULL,
  discount numeric(4, 2),
  PRIMARY KEY (order_id, book_id)
);

CREATE TABLE reviews (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  book_id int NOT NULL REFERENCES books,
  customer_id bigint REFERENCES customers,
  stars int NOT NULL,
  body text
);

CREATE VIEW book_list AS
  SELECT b.id, b.title, b.subtitle, b.genre, a.name AS author
  FROM books AS b JOIN authors AS a ON a.id = b.author_id;

CREATE VIEW book_sales AS
  SELECT b.id AS book_id, b.title, count(l.order_id) AS orders, sum(l.quantity) AS sold, max(o.placed_at) AS last_sold
  FROM books AS b
  LEFT JOIN order_lines AS l ON l.book_id = b.id
  LEFT JOIN orders AS o ON o.id = l.order_id
  GROUP BY b.id;
