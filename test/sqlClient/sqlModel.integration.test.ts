/** Compares repositories made from a model: the columns that the database makes, JSON, bytes, dates, soft deletes, batches. */
import { assert } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Model from "effect/schema/Model"
import * as SqlClient from "effect/sql/SqlClient"
import * as SqlModel from "effect/sql/SqlModel"
import * as SqlResolver from "effect/sql/SqlResolver"
import { parity } from "./support/participants.ts"

/** A key that the database makes, by which a row is updated. */
const Id = Model.Field({ select: Schema.Number, update: Schema.Number, json: Schema.Number })

class Book extends Model.Class<Book>("Book")({
  id: Id,
  title: Schema.String,
  price: Schema.FiniteFromString,
  cover: Model.Uint8Array,
  details: Model.JsonFromString(Schema.Struct({ tags: Schema.Array(Schema.String) })),
  published: Model.FieldOption(Schema.Date),
  createdAt: Model.DateTimeInsertFromDate,
  updatedAt: Model.DateTimeUpdateFromDate
}) {}

class Note extends Model.Class<Note>("Note")({
  id: Id,
  body: Schema.String,
  deletedAt: Model.GeneratedByDb(Schema.NullOr(Schema.Date))
}) {}

const PUBLISHED = new Date("1999-12-31T23:59:59.999Z")

const books = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`DROP TABLE IF EXISTS books`
  yield* sql`CREATE TABLE books (id serial PRIMARY KEY, title text UNIQUE, price numeric, cover bytea, details text,
    published timestamptz, "createdAt" timestamptz, "updatedAt" timestamptz)`
  const options = { tableName: "books", spanPrefix: "Book", idColumn: "id" } as const
  const repository = yield* SqlModel.makeRepository(Book, options)
  const resolvers = yield* SqlModel.makeResolvers(Book, options)
  return { sql, repository, resolvers }
})

const notes = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`DROP TABLE IF EXISTS notes`
  yield* sql`CREATE TABLE notes (id serial PRIMARY KEY, body text, "deletedAt" timestamptz)`
  const options = { tableName: "notes", spanPrefix: "Note", idColumn: "id", softDeleteColumn: "deletedAt" } as const
  const repository = yield* SqlModel.makeRepository(Note, options)
  return { sql, repository, resolvers: yield* SqlModel.makeResolvers(Note, options) }
})

const draft = (title: string, published: Option.Option<Date> = Option.none()) =>
  Book.insert.make({ title, price: 12.5, cover: Uint8Array.of(1, 2, 3), details: { tags: ["a", "b"] }, published })

parity("SqlModel", (it) => {
  it.effect("insert gives back what the database has made of a row, and findById finds it", () =>
    Effect.gen(function* () {
      const { repository } = yield* books
      const before = Date.now()
      const book = yield* repository.insert(draft("first", Option.some(PUBLISHED)))
      assert.containsSubset(book, { id: 1, title: "first", price: 12.5, details: { tags: ["a", "b"] } })
      assert.deepStrictEqual(book.cover, Uint8Array.of(1, 2, 3))
      assert.deepStrictEqual(book.published, Option.some(PUBLISHED))
      const created = DateTime.toEpochMillis(book.createdAt)
      assert.isAtLeast(created, before)
      assert.isAtMost(created, Date.now())
      assert.deepStrictEqual(yield* repository.findById(1), book)
    })
  )

  it.effect("update changes a row and says so, in full or not at all", () =>
    Effect.gen(function* () {
      const { repository } = yield* books
      const book = yield* repository.insert(draft("first", Option.some(PUBLISHED)))
      const change = Book.update.make({ ...book, title: "second", published: Option.none(), updatedAt: undefined })
      const updated = yield* repository.update(change)
      assert.containsSubset(updated, { id: 1, title: "second", price: 12.5 })
      assert.deepStrictEqual(updated.published, Option.none())
      yield* repository.updateVoid(Book.update.make({ ...updated, price: 0.25, updatedAt: undefined }))
      assert.containsSubset(yield* repository.findById(1), { title: "second", price: 0.25 })
    })
  )

  it.effect("a row that is not there is a NoSuchElementError, also after it was deleted", () =>
    Effect.gen(function* () {
      const { repository } = yield* books
      yield* repository.insertVoid(draft("first"))
      assert.strictEqual((yield* repository.findById(1)).title, "first")
      yield* repository.delete(1)
      assert.strictEqual((yield* Effect.flip(repository.findById(1)))._tag, "NoSuchElementError")
    })
  )

  it.effect("a duplicate is a SqlError with the reason UniqueViolation", () =>
    Effect.gen(function* () {
      const { repository } = yield* books
      yield* repository.insert(draft("first"))
      const error = yield* Effect.flip(repository.insert(draft("first")))
      assert.containsSubset(error, {
        _tag: "SqlError",
        reason: { _tag: "UniqueViolation", constraint: "books_title_key" }
      })
    })
  )

  it.effect("the resolvers insert and find many in one statement each, every caller with its own", () =>
    Effect.gen(function* () {
      const { resolvers, sql } = yield* books
      const titles = Array.from({ length: 50 }, (_, n) => `title ${n}`)
      const inserted = yield* Effect.forEach(titles, (title) => SqlResolver.request(draft(title), resolvers.insert), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(
        inserted.map(({ title }) => title),
        titles
      )
      assert.deepStrictEqual(yield* sql`SELECT count(DISTINCT xmin::text)::int AS statements FROM books`, [
        { statements: 1 }
      ])
      const found = yield* Effect.forEach([7, 3, 7, 50], (id) => SqlResolver.request(id, resolvers.findById), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(
        found.map(({ id }) => id),
        [7, 3, 7, 50]
      )
      yield* Effect.forEach([1, 2], (id) => SqlResolver.request(id, resolvers.delete), { concurrency: "unbounded" })
      const gone = yield* Effect.flip(SqlResolver.request(1, resolvers.findById))
      assert.strictEqual(gone._tag, "NoSuchElementError")
    })
  )

  it.effect("a soft delete hides a row and keeps it", () =>
    Effect.gen(function* () {
      const { repository, resolvers, sql } = yield* notes
      const note = yield* repository.insert(Note.insert.make({ body: "kept" }))
      assert.isNull(note.deletedAt)
      yield* repository.delete(note.id)
      assert.strictEqual((yield* Effect.flip(repository.findById(note.id)))._tag, "NoSuchElementError")
      const update = repository.update(Note.update.make({ id: note.id, body: "changed" }))
      assert.isTrue(Exit.hasDies(yield* Effect.exit(update)), "effect takes an update of nothing for a defect")
      const request = SqlResolver.request(note.id, resolvers.findById)
      assert.strictEqual((yield* Effect.flip(request))._tag, "NoSuchElementError")
      assert.deepStrictEqual(yield* sql`SELECT body, "deletedAt" IS NOT NULL AS deleted FROM notes`, [
        { body: "kept", deleted: true }
      ])
    })
  )

  it.effect("a repository takes part in a transaction", () =>
    Effect.gen(function* () {
      const { repository, sql } = yield* books
      yield* Effect.ignore(
        sql.withTransaction(Effect.andThen(repository.insert(draft("lost")), Effect.fail("rolled back")))
      )
      assert.deepStrictEqual(yield* sql`SELECT title FROM books`, [])
    })
  )
})
