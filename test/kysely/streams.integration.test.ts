/** Tests that Kysely's streams read a portal, a page at a time, and give their connection back however they end. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type Kysely, sql } from "kysely"
import { TestDatabase } from "../support/database.ts"
import { assertAllBack, from, library, pgErrorOf, type Tables, titlesIn } from "./library.ts"

/** Numbers, of which the server makes one after the other. Making number `last` fails. */
const numbers = (db: Kysely<Tables>, last: number) =>
  db
    .selectFrom(sql<{ n: number }>`(SELECT n FROM generate_series(1, 1000000) AS n)`.as("series"))
    .select(({ ref }) => sql<number>`${ref("n")} / (CASE ${ref("n")} WHEN ${last} THEN 0 ELSE 1 END)`.as("n"))

const titlesInto = (db: Kysely<Tables>, count: number) =>
  db
    .insertInto("books")
    .columns(["title"])
    .expression(sql`SELECT 'book ' || n FROM generate_series(1, ${sql.lit(count)}) AS n`)

const all = async <A>(rows: AsyncIterable<A>): Promise<ReadonlyArray<A>> => {
  const read: Array<A> = []
  for await (const row of rows) read.push(row)
  return read
}

layer(TestDatabase.layer, { excludeTestServices: true })("a stream of Kysely", (it) => {
  it.effect("asks for a page when the one before is used up, and for no more if the reader leaves", () =>
    Effect.gen(function* () {
      const { db, pool } = yield* library({ maxConnections: 1 })
      const read = yield* from(async () => {
        const seen: Array<number> = []
        // Pages of ten rows: the 21st row would fail.
        for await (const { n } of numbers(db, 21).stream(10)) {
          seen.push(n)
          if (n === 15) break
        }
        return seen
      })
      assert.deepStrictEqual(
        read,
        Array.from({ length: 15 }, (_, at) => at + 1)
      )
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("reads to the end", () =>
    Effect.gen(function* () {
      const { db, pool } = yield* library({ maxConnections: 1 })
      yield* pool.execute("INSERT INTO books (title) SELECT 'book ' || n FROM generate_series(1, 250) AS n")
      const titles = yield* from(() => all(db.selectFrom("books").select("title").orderBy("id").stream()))
      assert.deepStrictEqual(
        titles.map(({ title }) => title),
        yield* titlesIn(pool)
      )
      assert.lengthOf(titles, 250)
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("is rejected with the error of effectpg, before the first row or after some", () =>
    Effect.gen(function* () {
      const { db, pool } = yield* library({ maxConnections: 1 })
      const seen: Array<number> = []
      const read = async (): Promise<void> => {
        for await (const { n } of numbers(db, 25).stream(10)) seen.push(n)
      }
      assert.strictEqual((yield* pgErrorOf(read))._tag, "DivisionByZeroError")
      assert.lengthOf(seen, 20)
      const missing = yield* pgErrorOf(() =>
        all(
          db
            .selectFrom("gone" as "books")
            .selectAll()
            .stream()
        )
      )
      assert.strictEqual(missing._tag, "UndefinedTableError")
      const none = yield* pgErrorOf(() => all(db.selectFrom("books").selectAll().stream(0)))
      assert.strictEqual(none._tag, "InvalidConfigError")
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("commits what it has written, also if the reader leaves", () =>
    Effect.gen(function* () {
      const { db, pool } = yield* library({ maxConnections: 1 })
      yield* from(async () => {
        for await (const _ of titlesInto(db, 30).returning("title").stream(10)) break
      })
      assert.lengthOf(yield* titlesIn(pool), 30)
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("belongs to its transaction, which goes on after it", () =>
    Effect.gen(function* () {
      const { db, pool } = yield* library({ maxConnections: 1 })
      yield* from(() =>
        db.transaction().execute(async (trx) => {
          await titlesInto(trx, 25).execute()
          for await (const { id } of trx.selectFrom("books").select("id").orderBy("id").stream(10)) {
            if (id === 12) break
          }
          assert.lengthOf(await all(trx.selectFrom("books").select("id").stream(10)), 25)
          await trx.deleteFrom("books").where("id", ">", 20).execute()
        })
      )
      assert.lengthOf(yield* titlesIn(pool), 20)
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("leaves its connection to the next query, however it ends", () =>
    Effect.gen(function* () {
      const { db, pool } = yield* library({ maxConnections: 1 })
      yield* from(() =>
        db.connection().execute(async (connection) => {
          for await (const _ of titlesInto(connection, 30).returning("title").stream(10)) break
          assert.lengthOf(await connection.selectFrom("books").select("id").execute(), 30)
          await all(numbers(connection, 25).stream(10)).catch(() => {})
          await connection.deleteFrom("books").where("id", ">", 20).execute()
        })
      )
      assert.lengthOf(yield* titlesIn(pool), 20)
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("takes a Date and a list of texts, whose types the server cannot tell", () =>
    Effect.gen(function* () {
      const { db, pool } = yield* library({ maxConnections: 1 })
      const at = new Date("2026-05-04T03:02:01Z")
      const values = (kysely: Kysely<Tables>) =>
        kysely.selectNoFrom([
          sql<Date>`${at}`.as("at"),
          sql<Array<string>>`${["a", "b"]}`.as("texts"),
          sql<boolean>`${at} IS NOT NULL AND ${["a"]} IS NOT NULL`.as("both")
        ])
      const expected = [{ at, texts: ["a", "b"], both: true }]
      assert.deepStrictEqual(yield* from(() => all(values(db).stream())), expected)
      const inParis = () =>
        db.transaction().execute(async (trx) => {
          await sql`SET LOCAL TimeZone = 'Europe/Paris'`.execute(trx)
          return [await all(values(trx).stream()), await values(trx).execute()]
        })
      assert.deepStrictEqual(yield* from(inParis), [expected, expected])
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )
})
