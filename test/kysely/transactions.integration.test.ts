/** Tests Kysely's transactions: what they commit and roll back, and that their connections go back to the pool. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { isAbortedTransactionError, type Kysely, sql, type Transaction } from "kysely"
import * as PgClient from "../../src/PgClient.ts"
import * as PgKysely from "../../src/PgKysely.ts"
import { TestDatabase } from "../support/database.ts"
import { killBackend, livePool } from "../support/live.ts"
import { assertAllBack, from, library, pgErrorOf, rejectionOf, type Tables, titlesIn } from "./library.ts"

const insert = (db: Kysely<Tables>, title: string) => db.insertInto("books").values({ title }).execute()

const backendOf = async (db: Kysely<Tables>): Promise<number> => {
  const { rows } = await sql<{ pid: number }>`SELECT pg_backend_pid() AS pid`.execute(db)
  return rows[0]?.pid ?? 0
}

/** Catches the error of a statement, which has made the transaction fail. */
const swallowing = async (trx: Transaction<Tables>): Promise<void> => {
  await insert(trx, "Emma")
  await insert(trx, "Emma").catch(() => {})
}

const withSamePages = async (trx: Transaction<Tables>): Promise<void> => {
  for (const title of ["a", "b"]) await trx.insertInto("books").values({ title, pages: 1 }).execute()
}

layer(TestDatabase.layer, { excludeTestServices: true })("a transaction of Kysely", (it) => {
  it.effect("is committed if its callback is fulfilled, and rolled back if it is rejected", () =>
    Effect.gen(function* () {
      const { db, pool } = yield* library({ maxConnections: 1 })
      yield* from(() => db.transaction().execute((trx) => insert(trx, "Emma")))
      const reason = new Error("the callback's own")
      const failing = async (trx: Transaction<Tables>): Promise<void> => {
        await insert(trx, "Ulysses")
        throw reason
      }
      assert.strictEqual(yield* rejectionOf(() => db.transaction().execute(failing)), reason)
      const duplicate = yield* pgErrorOf(() => db.transaction().execute((trx) => insert(trx, "Emma")))
      assert.strictEqual(duplicate._tag, "UniqueViolationError")
      assert.deepStrictEqual(yield* titlesIn(pool), ["Emma"])
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("leaves the connection that it was begun on to the next one, however it ends", () =>
    Effect.gen(function* () {
      const { db, pool } = yield* library({ maxConnections: 1 })
      yield* from(() =>
        db.connection().execute(async (connection) => {
          const failing = connection.transaction().execute((trx) => insert(trx, "lost").then(() => insert(trx, "lost")))
          await failing.catch(() => {})
          await connection
            .transaction()
            .execute(swallowing)
            .catch(() => {})
          await insert(connection, "a")
          await connection.transaction().execute((trx) => insert(trx, "b"))
          await insert(connection, "c")
        })
      )
      assert.deepStrictEqual(yield* titlesIn(pool), ["a", "b", "c"])
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("has the isolation and the access that it asks for", () =>
    Effect.gen(function* () {
      const { db, pool } = yield* library({ maxConnections: 1 })
      const modes = sql<{ isolation: string; readOnly: string }>`
        SELECT current_setting('transaction_isolation') AS isolation, current_setting('transaction_read_only') AS "readOnly"`
      const { rows } = yield* from(() =>
        db
          .transaction()
          .setIsolationLevel("serializable")
          .setAccessMode("read only")
          .execute((trx) => modes.execute(trx))
      )
      assert.deepStrictEqual(rows, [{ isolation: "serializable", readOnly: "on" }])
      const plain = yield* from(() => db.transaction().execute((trx) => modes.execute(trx)))
      assert.deepStrictEqual(plain.rows, [{ isolation: "read committed", readOnly: "off" }])
      const snapshot = yield* pgErrorOf(() =>
        db
          .transaction()
          .setIsolationLevel("snapshot")
          .execute((trx) => modes.execute(trx))
      )
      assert.strictEqual(snapshot._tag, "InvalidConfigError")
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("is rejected as aborted, by the error of effectpg, if the server rolls back instead of committing", () =>
    Effect.gen(function* () {
      const { db, pool } = yield* library({ maxConnections: 1 })
      const error = yield* pgErrorOf(() => db.transaction().execute(swallowing))
      assert.strictEqual(error._tag, "TransactionRolledBackError")
      assert.isTrue(isAbortedTransactionError(error))
      const controlled = yield* from(() => db.startTransaction().execute())
      yield* from(() => swallowing(controlled))
      assert.isTrue(isAbortedTransactionError(yield* rejectionOf(() => controlled.commit().execute())))
      assert.isTrue(controlled.isRolledBack)
      assert.deepStrictEqual(yield* titlesIn(pool), [])
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("is rejected with the server's error if that comes with COMMIT", () =>
    Effect.gen(function* () {
      const { db, pool } = yield* library({ maxConnections: 1 })
      yield* pool.execute("ALTER TABLE books ADD CONSTRAINT pages_once UNIQUE (pages) DEFERRABLE INITIALLY DEFERRED")
      const error = yield* pgErrorOf(() => db.transaction().execute(withSamePages))
      assert.strictEqual(error._tag, "UniqueViolationError")
      assert.deepStrictEqual(yield* titlesIn(pool), [])
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("that is controlled goes back to its savepoints by name, even after an error", () =>
    Effect.gen(function* () {
      const { db, pool } = yield* library({ maxConnections: 1 })
      const trx = yield* from(() => db.startTransaction().setIsolationLevel("repeatable read").execute())
      yield* from(() => insert(trx, "a"))
      const first = yield* from(() => trx.savepoint('the "first"').execute())
      yield* from(() => insert(first, "b"))
      const second = yield* from(() => first.savepoint("second").execute())
      yield* from(() => insert(second, "c"))
      yield* pgErrorOf(() => insert(second, "c"))
      const back = yield* from(() => second.rollbackToSavepoint("second").execute())
      yield* from(() => insert(back, "d"))
      yield* from(() => back.releaseSavepoint("second").execute())
      yield* pgErrorOf(() => trx.rollbackToSavepoint("second" as never).execute())
      yield* from(() => first.rollbackToSavepoint('the "first"').execute())
      yield* from(() => insert(first, "e"))
      yield* from(() => trx.commit().execute())
      assert.isTrue(trx.isCommitted)
      assert.deepStrictEqual(yield* titlesIn(pool), ["a", "e"])
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("that is controlled is undone by rollback", () =>
    Effect.gen(function* () {
      const { db, pool } = yield* library({ maxConnections: 1 })
      const trx = yield* from(() => db.startTransaction().execute())
      yield* from(() => insert(trx, "a"))
      yield* from(() => trx.rollback().execute())
      assert.isTrue(trx.isRolledBack)
      assert.deepStrictEqual(yield* titlesIn(pool), [])
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("that loses its connection is rejected, and that connection is not used again", () =>
    Effect.gen(function* () {
      const { db, pool } = yield* library({ maxConnections: 1 })
      const observer = yield* livePool({ maxConnections: 1 })
      let lost = 0
      const error = yield* pgErrorOf(() =>
        db.transaction().execute(async (trx) => {
          lost = await backendOf(trx)
          await insert(trx, "a")
          await Effect.runPromise(killBackend(observer, lost))
          await insert(trx, "b")
        })
      )
      assert.include(["ConnectionLostError", "AdminShutdownError"], error._tag)
      assert.notStrictEqual(yield* from(() => backendOf(db)), lost)
      const controlled = yield* from(() => db.startTransaction().execute())
      yield* killBackend(observer, yield* from(() => backendOf(controlled)))
      yield* pgErrorOf(() => controlled.commit().execute())
      yield* from(() => controlled.rollback().execute())
      assert.deepStrictEqual(yield* titlesIn(pool), [])
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )

  it.effect(
    "is a savepoint if the Kysely was made in a transaction of effectpg, and so are its queries a part of that",
    () =>
      Effect.gen(function* () {
        const { pool } = yield* library({ maxConnections: 1 })
        const body = Effect.gen(function* () {
          const db = yield* PgKysely.make<Tables>()
          yield* from(() => insert(db, "a"))
          yield* from(() => db.transaction().execute((trx) => insert(trx, "b")))
          const failed = yield* pgErrorOf(() => db.transaction().execute((trx) => insert(trx, "a")))
          assert.strictEqual(failed._tag, "UniqueViolationError")
          const seen = yield* from(() => db.selectFrom("books").select("title").orderBy("id").execute())
          assert.deepStrictEqual(seen, [{ title: "a" }, { title: "b" }])
          const serializable = db.transaction().setIsolationLevel("serializable")
          const refused = yield* pgErrorOf(() => serializable.execute((trx) => insert(trx, "c")))
          assert.strictEqual(refused._tag, "InvalidConfigError")
          const waiting = yield* pgErrorOf(() => db.transaction().execute(() => insert(db, "d")))
          assert.strictEqual(waiting._tag, "UnsupportedError")
          return db
        })
        const made = Effect.provideService(Effect.scoped(body), PgClient.PgClient, pool)
        yield* Effect.flip(pool.withTransaction(Effect.andThen(made, Effect.fail("undone"))))
        assert.deepStrictEqual(yield* titlesIn(pool), [])
        yield* pool.withTransaction(made)
        assert.deepStrictEqual(yield* titlesIn(pool), ["a", "b"])
        yield* assertAllBack(pool)
      }).pipe(Effect.scoped)
  )
})
