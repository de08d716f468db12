/** Drizzle's module for Effect on effectpg, which stands in for the client that the module was written for. */
import "./support/databaseUrl.ts"
import { NodeRuntime } from "@effect/platform-node"
import { defineRelations } from "drizzle-orm"
import { makeWithDefaults } from "drizzle-orm/effect-postgres"
import { integer, pgTable, text } from "drizzle-orm/pg-core"
import { Config, Console, Effect, Layer } from "effect"
import { PgClient, PgSqlClient } from "../src/index.ts"

const authors = pgTable("authors", {
  id: integer().primaryKey().generatedAlwaysAsIdentity(),
  name: text().notNull()
})

const books = pgTable("books", {
  authorId: integer("author_id").notNull(),
  title: text().notNull()
})

const relations = defineRelations({ authors, books }, (on) => ({
  authors: { books: on.many.books({ from: on.authors.id, to: on.books.authorId }) }
}))

const program = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  yield* pg.executeScript(`
    CREATE TABLE authors (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);
    CREATE TABLE books (author_id int NOT NULL REFERENCES authors, title text NOT NULL)
  `)
  const db = yield* makeWithDefaults({ relations })
  yield* db.transaction((tx) =>
    Effect.gen(function* () {
      const [author] = yield* tx.insert(authors).values({ name: "Austen" }).returning()
      const titles = ["Emma", "Persuasion"]
      yield* tx.insert(books).values(titles.map((title) => ({ authorId: author?.id ?? 0, title })))
      // A call of the client belongs to the transaction too.
      yield* pg.execute("UPDATE authors SET name = 'Jane Austen'")
    })
  )
  const found = yield* db.query.authors.findMany({ with: { books: { columns: { title: true } } } })
  for (const { books, name } of found) {
    yield* Console.log(`${name}: ${books.map(({ title }) => title).join(", ")}`)
  }
  yield* pg.executeScript("DROP TABLE books; DROP TABLE authors")
})

// #region layer
const Database = PgSqlClient.layerSqlPg.pipe(
  Layer.provideMerge(PgSqlClient.layerConfig({ url: Config.Redacted("DATABASE_URL") }))
)
// #endregion layer

program.pipe(Effect.provide(Database), NodeRuntime.runMain)
