/** Faults that are planted into `examples/typed-sql`, each with the place and the message that `effectpg check` has to print. */

export interface PlantedFault {
  readonly file: string
  /** What is replaced, and by what. */
  readonly from: string
  readonly to: string
  /** A part of the file with all its faults, which is there once. The fault is behind the `^`. */
  readonly at: string
  /** The beginning of the message, with its SQLSTATE if the server has found it. */
  readonly message: string
}

const inFile =
  (file: string) =>
  (from: string, to: string, at: string, message: string): PlantedFault => ({ file, from, to, at, message })

const books = inFile("src/books.ts")
const orders = inFile("src/orders.ts")
const reports = inFile("src/reports.ts")
const search = inFile("src/search.ts")
const reviews = inFile("src/reviews.sql")

export const plantedFaults: ReadonlyArray<PlantedFault> = [
  // Names that are not there.
  books(
    "subtitle, genre, price",
    "subtitle, gender, price",
    "subtitle, ^gender",
    '42703: column "gender" does not exist'
  ),
  books("JOIN authors AS a", "JOIN author AS a", "JOIN ^author AS a", '42P01: relation "author" does not exist'),
  books("FROM book_list", "FROM book_lists", "FROM ^book_lists", '42P01: relation "book_lists" does not exist'),
  books(
    "array_append(",
    "array_appendix(",
    "tags = ^array_appendix",
    "42883: function array_appendix(text[], unknown)"
  ),
  books(
    "authors (name, born)",
    "authors (name, birth)",
    "(name, ^birth)",
    '42703: column "birth" of relation "authors"'
  ),
  orders("email, home FROM", "email, house FROM", "email, ^house", '42703: column "house" does not exist'),
  orders(
    "email, last.id",
    "email, latest.id",
    "email, ^latest.id",
    '42P01: missing FROM-clause entry for table "latest"'
  ),
  reports("'day ' || (number + 1)", "'day ' || (n + 1)", "|| (^n + 1)", '42703: column "n" does not exist'),
  // Types that do not fit.
  books(
    "pages FROM books WHERE pages > $1",
    "pages FROM books WHERE tags > 1",
    "tags ^> 1",
    "42883: operator does not exist"
  ),
  books("SET price = $1", "SET price = true OR $1", "price = ^true OR", '42804: column "price" is of type numeric but'),
  books(
    "title, pages FROM books ORDER",
    "title, pages + 'x' FROM books ORDER",
    "pages + ^'x'",
    "22P02: invalid input syntax"
  ),
  reports(
    "IN ('fiction', 'travel')",
    "IN ('fiction', 'poetry')",
    "'fiction', ^'poetry'",
    "22P02: invalid input value for enum"
  ),
  reports(
    "SELECT name, 'customer'",
    "SELECT id, 'customer'",
    "SELECT ^id, 'customer'",
    "42804: UNION types text and bigint"
  ),
  // Syntax.
  books("DELETE FROM books", "DELETE FORM books", "DELETE ^FORM", '42601: syntax error at or near "FORM"'),
  orders("orders WHERE note IS", "orders WHERE AND note IS", "WHERE ^AND note", '42601: syntax error at or near "AND"'),
  reports(
    '"SELECT count(*) AS books',
    '"SELEC count(*) AS books',
    '"^SELEC count',
    '42601: syntax error at or near "SELEC"'
  ),
  reports("AS v (a, b)", "AS v (a, b", 'AS v (a, b^"', "42601: syntax error at end of input"),
  // Rules of SQL.
  reports(
    "FROM books GROUP BY genre",
    "FROM books GROUP BY pages",
    "SELECT ^genre, count(*) AS books, min",
    "42803: column"
  ),
  reports(
    "t.tag, t.number FROM",
    "t.tag, max(t.number) FROM",
    "SELECT ^b.id, t.tag, max",
    '42803: column "b.id" must appear'
  ),
  // Numbers of values.
  books(
    'price, pages", [percent])',
    'price, pages")',
    'fetch(^"UPDATE books SET price = price',
    "the statement has 1 parameter, but no"
  ),
  orders(
    'customers WHERE id = $1", [id]',
    'customers WHERE id = $1", [id, 1]',
    '$1", ^[id, 1]',
    "the statement has 1 parameter, but 2"
  ),
  // Templates, files of statements, and other calls.
  search("title ILIKE", "name ILIKE", "WHERE ^name ILIKE", '42703: column "name" does not exist'),
  search("{ book_id: book,", "{ book: book,", "reviews ${^sql.insert", '42703: column "book" of relation "reviews"'),
  search("reviews WHERE stars", "reviews WHERE points", "WHERE ^points", '42703: column "points" does not exist'),
  search(
    "FROM books ORDER BY ${",
    "FROM book ORDER BY ${",
    "FROM ^book ORDER",
    '42P01: relation "book" does not exist'
  ),
  reviews("SELECT r.stars, r.body", "SELECT r.stars, r.text", "r.stars, ^r.text", "42703: column r.text does not exist")
]
