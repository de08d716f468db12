/**
 * What the statements of `examples/typed-sql` return, as the compiler sees it: a row of this table for each column. It is
 * compiled by `test/cli/statements/types.integration.test.ts`, and not run.
 */
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Stream from "effect/Stream"
import type { PgClient, PgConnection, PgTypes } from "effectpg"
import { expectTypeOf } from "vitest"
import type * as Books from "../../../../examples/typed-sql/src/books.ts"
import type * as Orders from "../../../../examples/typed-sql/src/orders.ts"
import type * as Reports from "../../../../examples/typed-sql/src/reports.ts"
import type * as Reviews from "../../../../examples/typed-sql/src/reviews.sql.ts"
import type * as Search from "../../../../examples/typed-sql/src/search.ts"

type Result<E> = E extends Effect.Effect<infer A, infer _E, infer _R> ? A : never
/** A row of a list, of an Option, or the only one. */
type RowIn<A> = A extends ReadonlyArray<infer Row> ? Row : A extends Option.Option<infer Row> ? Row : A
type Row<E> = RowIn<Result<E>>
type Called<F extends (...args: never) => unknown> = Row<ReturnType<F>>

type Genre = "fiction" | "science" | "travel"

// ----------------------------------------------------------------------------------------------- columns of tables
type Book = Called<typeof Books.book>
expectTypeOf<Book["id"]>().toEqualTypeOf<number>()
expectTypeOf<Book["isbn"]>().toEqualTypeOf<string>()
expectTypeOf<Book["title"]>().toEqualTypeOf<string>()
expectTypeOf<Book["subtitle"]>().toEqualTypeOf<string | null>()
expectTypeOf<Book["genre"]>().toEqualTypeOf<Genre>()
expectTypeOf<Book["price"]>().toEqualTypeOf<string>()
expectTypeOf<Book["pages"]>().toEqualTypeOf<number | null>()
expectTypeOf<Book["tags"]>().toEqualTypeOf<ReadonlyArray<string | null>>()
expectTypeOf<Book["lent"]>().toEqualTypeOf<PgTypes.PgRange<string> | null>()
expectTypeOf<Book["details"]>().toEqualTypeOf<unknown>()
expectTypeOf<Row<typeof Books.titles>>().toEqualTypeOf<readonly [id: number, title: string, pages: number | null]>()
type Home = NonNullable<Row<typeof Orders.homes>["home"]>
expectTypeOf<Row<typeof Orders.homes>["home"]>().toEqualTypeOf<Home | null>()
expectTypeOf<Home["street"]>().toEqualTypeOf<string | null>()
expectTypeOf<Home["zip"]>().toEqualTypeOf<string | null>()

// ------------------------------------------------------------------------------------------------------ conditions
expectTypeOf<Row<typeof Books.longBooks>["pages"]>().toEqualTypeOf<number>()
expectTypeOf<Row<typeof Orders.withNotes>["note"]>().toEqualTypeOf<string>()

// ----------------------------------------------------------------------------------------------------------- joins
expectTypeOf<Row<typeof Books.withAuthor>["author"]>().toEqualTypeOf<string>()
expectTypeOf<Row<typeof Books.withAuthor>["born"]>().toEqualTypeOf<string | null>()
expectTypeOf<Row<typeof Books.withAuthor>["label"]>().toEqualTypeOf<string>()
type OfCustomer = Row<typeof Orders.ofCustomers>
expectTypeOf<OfCustomer["email"]>().toEqualTypeOf<string>()
expectTypeOf<OfCustomer["name"]>().toEqualTypeOf<string | null>()
expectTypeOf<OfCustomer["order_id"]>().toEqualTypeOf<number | null>()
expectTypeOf<OfCustomer["placed_at"]>().toEqualTypeOf<Date | null>()
expectTypeOf<OfCustomer["note"]>().toEqualTypeOf<string>()
expectTypeOf<Row<typeof Orders.reversed>["email"]>().toEqualTypeOf<string>()
expectTypeOf<Row<typeof Orders.reversed>["id"]>().toEqualTypeOf<number | null>()
expectTypeOf<Row<typeof Orders.reviewsAndOrders>["customer_id"]>().toEqualTypeOf<number | null>()
expectTypeOf<Row<typeof Orders.reviewsAndOrders>["order_id"]>().toEqualTypeOf<number | null>()
expectTypeOf<Row<typeof Orders.reviewsAndOrders>["review_id"]>().toEqualTypeOf<number | null>()
type OfBook = Row<typeof Orders.ofBooks>
expectTypeOf<OfBook["title"]>().toEqualTypeOf<string>()
expectTypeOf<OfBook["quantity"]>().toEqualTypeOf<number>()
expectTypeOf<OfBook["discount"]>().toEqualTypeOf<string | null>()
expectTypeOf<OfBook["placed_at"]>().toEqualTypeOf<Date>()
expectTypeOf<Row<typeof Orders.pairs>["author"]>().toEqualTypeOf<string>()
expectTypeOf<Row<typeof Orders.latest>["email"]>().toEqualTypeOf<string>()
expectTypeOf<Row<typeof Orders.latest>["id"]>().toEqualTypeOf<number | null>()
expectTypeOf<Row<typeof Orders.latest>["placed_at"]>().toEqualTypeOf<Date | null>()

// ---------------------------------------------------------------------------------------------------------- writes
expectTypeOf<Called<typeof Books.add>["id"]>().toEqualTypeOf<number>()
expectTypeOf<Called<typeof Books.add>["isbn"]>().toEqualTypeOf<string>()
expectTypeOf<Called<typeof Books.add>["subtitle"]>().toEqualTypeOf<string | null>()
expectTypeOf<RowIn<Row<typeof Books.addAuthors>>["id"]>().toEqualTypeOf<number>()
expectTypeOf<RowIn<Row<typeof Books.addAuthors>>["born"]>().toEqualTypeOf<string | null>()
expectTypeOf<Called<typeof Books.raise>["price"]>().toEqualTypeOf<string>()
expectTypeOf<Called<typeof Books.raise>["pages"]>().toEqualTypeOf<number | null>()
expectTypeOf<Called<typeof Books.remove>["title"]>().toEqualTypeOf<string>()
expectTypeOf<Called<typeof Books.remove>["subtitle"]>().toEqualTypeOf<string | null>()
expectTypeOf<Row<typeof Books.reprice>["title"]>().toEqualTypeOf<string>()
expectTypeOf<Row<typeof Books.upsertAuthor>>().toEqualTypeOf<PgConnection.ManyResult>()

// ------------------------------------------------------------------------------------- subqueries and common tables
type Placed = Called<typeof Orders.place>
expectTypeOf<Placed["id"]>().toEqualTypeOf<number>()
expectTypeOf<Placed["placed_at"]>().toEqualTypeOf<Date>()
expectTypeOf<Placed["before"]>().toEqualTypeOf<number>()
expectTypeOf<Row<typeof Reports.days>["number"]>().toEqualTypeOf<number>()
expectTypeOf<Row<typeof Reports.days>["name"]>().toEqualTypeOf<string>()

// ------------------------------------------------------------------------------------------------------ aggregates
type Totals = Row<typeof Reports.totals>
expectTypeOf<Totals["books"]>().toEqualTypeOf<number>()
expectTypeOf<Totals["pages"]>().toEqualTypeOf<number | null>()
expectTypeOf<Totals["dearest"]>().toEqualTypeOf<string | null>()
type PerGenre = Row<typeof Reports.perGenre>
expectTypeOf<PerGenre["genre"]>().toEqualTypeOf<Genre>()
expectTypeOf<PerGenre["books"]>().toEqualTypeOf<number>()
expectTypeOf<PerGenre["cheapest"]>().toEqualTypeOf<string>()
expectTypeOf<PerGenre["pages"]>().toEqualTypeOf<number | null>()
expectTypeOf<PerGenre["titles"]>().toEqualTypeOf<ReadonlyArray<string>>()
expectTypeOf<PerGenre["dearest_long"]>().toEqualTypeOf<string | null>()
expectTypeOf<Row<typeof Reports.rolledUp>["genre"]>().toEqualTypeOf<Genre | null>()
expectTypeOf<Row<typeof Reports.rolledUp>["books"]>().toEqualTypeOf<number>()
expectTypeOf<Row<typeof Orders.count>>().toEqualTypeOf<number>()

// -------------------------------------------------------------------------------------------------------- windows
type Ranked = Row<typeof Reports.ranks>
expectTypeOf<Ranked["number"]>().toEqualTypeOf<number>()
expectTypeOf<Ranked["rank"]>().toEqualTypeOf<number>()
expectTypeOf<Ranked["previous"]>().toEqualTypeOf<string | null>()
expectTypeOf<Ranked["previous_or_none"]>().toEqualTypeOf<string>()
expectTypeOf<Ranked["first"]>().toEqualTypeOf<string>()
expectTypeOf<Ranked["running"]>().toEqualTypeOf<string>()

// ------------------------------------------------------------------------------------------------- views and unions
type Listed = Called<typeof Books.listed>
expectTypeOf<Listed["author"]>().toEqualTypeOf<string>()
expectTypeOf<Listed["subtitle"]>().toEqualTypeOf<string | null>()
type Sales = Row<typeof Reports.sales>
expectTypeOf<Sales["book_id"]>().toEqualTypeOf<number>()
expectTypeOf<Sales["orders"]>().toEqualTypeOf<number>()
expectTypeOf<Sales["sold"]>().toEqualTypeOf<number | null>()
expectTypeOf<Sales["last_sold"]>().toEqualTypeOf<Date | null>()
expectTypeOf<Row<typeof Reports.names>["name"]>().toEqualTypeOf<string | null>()
expectTypeOf<Row<typeof Reports.names>["kind"]>().toEqualTypeOf<string>()
expectTypeOf<Row<typeof Reports.bothSides>["id"]>().toEqualTypeOf<number>()
expectTypeOf<Row<typeof Reports.without>["id"]>().toEqualTypeOf<number>()

// ------------------------------------------------------------------------------------------------ computed columns
type Computed = Row<typeof Reports.computed>
expectTypeOf<Computed["size"]>().toEqualTypeOf<string>()
expectTypeOf<Computed["only_long"]>().toEqualTypeOf<string | null>()
expectTypeOf<Computed["is_unknown"]>().toEqualTypeOf<boolean>()
expectTypeOf<Computed["is_long"]>().toEqualTypeOf<boolean | null>()
expectTypeOf<Computed["title_or_null"]>().toEqualTypeOf<string | null>()
expectTypeOf<Computed["pages"]>().toEqualTypeOf<number>()
expectTypeOf<Computed["loud"]>().toEqualTypeOf<string>()
expectTypeOf<Computed["subtitle_length"]>().toEqualTypeOf<number | null>()
expectTypeOf<Computed["twice"]>().toEqualTypeOf<string>()
expectTypeOf<Computed["color"]>().toEqualTypeOf<string | null>()
expectTypeOf<Computed["both_texts"]>().toEqualTypeOf<ReadonlyArray<string>>()
expectTypeOf<Computed["stars"]>().toEqualTypeOf<ReadonlyArray<number>>()
expectTypeOf<Computed["is_reviewed"]>().toEqualTypeOf<boolean>()
expectTypeOf<Computed["review"]>().toEqualTypeOf<string | null>()
expectTypeOf<Computed["is_light"]>().toEqualTypeOf<boolean>()
expectTypeOf<Computed["read_at"]>().toEqualTypeOf<Date>()

// -------------------------------------------------------------------------------- values, sets of rows, comments
expectTypeOf<Row<typeof Reports.values>["a"]>().toEqualTypeOf<number>()
expectTypeOf<Row<typeof Reports.values>["b"]>().toEqualTypeOf<string | null>()
expectTypeOf<Row<typeof Reports.tags>["tag"]>().toEqualTypeOf<string | null>()
expectTypeOf<Row<typeof Reports.tags>["number"]>().toEqualTypeOf<number>()
expectTypeOf<Row<typeof Orders.pairs>["number"]>().toEqualTypeOf<number>()
expectTypeOf<Row<typeof Reports.settled>["sold"]>().toEqualTypeOf<number>()
expectTypeOf<Row<typeof Reports.settled>["books"]>().toEqualTypeOf<ReadonlyArray<number>>()

// ---------------------------------------------------------------------------------------- other calls, and templates
expectTypeOf<Called<typeof Orders.emailOf>>().toEqualTypeOf<string>()
type Streamed<S> = S extends Stream.Stream<infer A, infer _E, infer _R> ? A : never
expectTypeOf<Streamed<typeof Books.everyTitle>["title"]>().toEqualTypeOf<string>()
expectTypeOf<Called<typeof Search.search>>().toEqualTypeOf<PgConnection.Row>()
expectTypeOf<Called<typeof Search.sorted>>().toEqualTypeOf<PgConnection.Row>()
expectTypeOf<Called<typeof Reviews.reviewsOf>["body"]>().toEqualTypeOf<string | null>()
expectTypeOf<Called<typeof Reviews.reviewById>["email"]>().toEqualTypeOf<string | null>()
expectTypeOf<Called<typeof Reviews.averageStars>>().toEqualTypeOf<string | null>()

// ----------------------------------------------------------------------------------------------------- parameters
export const wrong = (pg: PgClient.PgClient) => [
  // @ts-expect-error a number is no genre
  pg.fetch("SELECT * FROM book_list WHERE genre = $1", [1]),
  // @ts-expect-error there is no such genre
  pg.fetch("SELECT * FROM book_list WHERE genre = $1", ["poetry"]),
  // @ts-expect-error there is a parameter
  pg.fetch("SELECT * FROM book_list WHERE genre = $1"),
  // @ts-expect-error there is one parameter
  pg.fetch("SELECT * FROM book_list WHERE genre = $1", ["travel", 2]),
  // @ts-expect-error there is no parameter
  pg.fetchValue("SELECT count(*) FROM orders", [1]),
  // @ts-expect-error there is no such column
  pg.fetchValue("SELECT name, email FROM customers WHERE id = $1", [1], { column: "mail" }),
  // @ts-expect-error a text is no number, also in a list of runs
  pg.executeMany("INSERT INTO authors (name, homepage) VALUES ($1, $2) ON CONFLICT DO NOTHING", [[1, null]])
]
