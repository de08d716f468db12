/** Kysely builds the queries, with types for the tables, and effectpg runs them: as effects, or as promises. */
import "./support/databaseUrl.ts"
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Context, Effect, Layer, Stream } from "effect"
import { type Generated, type Kysely, sql } from "kysely"
import { PgClient } from "../src/index.ts"
import * as PgKysely from "../src/PgKysely.ts"

// #region kysely
interface Tables {
  readonly books: { readonly id: Generated<number>; readonly title: string }
}

class Database extends Context.Service<Database, Kysely<Tables>>()("app/Database") {
  static readonly layer = Layer.effect(Database, PgKysely.make<Tables>())
}

/** Both queries belong to the transaction, and so would a call of the client. */
const replace = Effect.fn("replace")(function* (from: string, to: string) {
  const pg = yield* PgClient.PgClient
  const db = yield* Database
  const both = Effect.gen(function* () {
    yield* PgKysely.execute(db.deleteFrom("books").where("title", "=", from))
    return yield* PgKysely.executeTakeFirst(db.insertInto("books").values({ title: to }).returning("id"))
  })
  return yield* pg.withTransaction(both)
})
// #endregion kysely

const program = Effect.gen(function* () {
  const db = yield* Database
  yield* PgKysely.execute(
    db.schema
      .createTable("books")
      .addColumn("id", "integer", (column) => column.primaryKey().generatedAlwaysAsIdentity())
      .addColumn("title", "text", (column) => column.notNull().check(sql`title <> ''`))
  )
  const titles = ["Emma", "Ulysses", "Persuasion"]
  yield* PgKysely.execute(db.insertInto("books").values(titles.map((title) => ({ title }))))
  yield* Console.log(yield* replace("Ulysses", "Middlemarch"))
  yield* replace("Emma", "").pipe(
    Effect.catchTag("CheckViolationError", () => Console.log("a book without a title: the other one stays"))
  )
  const books = PgKysely.stream(db.selectFrom("books").select(["id", "title"]).orderBy("title"))
  yield* Stream.runForEach(books, ({ id, title }) => Console.log(`${id}: ${title}`))

  // Code that does not know Effect uses the Kysely and its promises as they are.
  const removed = yield* Effect.promise(() =>
    db.transaction().execute((transaction) => transaction.deleteFrom("books").executeTakeFirst())
  )
  yield* Console.log(`removed: ${removed.numDeletedRows}`)
  yield* PgKysely.execute(db.schema.dropTable("books"))
})

const Live = Layer.provideMerge(Database.layer, PgClient.layerConfig({ url: Config.Redacted("DATABASE_URL") }))

program.pipe(Effect.provide(Live), NodeRuntime.runMain)
