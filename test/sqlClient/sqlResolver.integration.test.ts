/** Compares batches of requests: which answers belong to whom, and that no batch mixes transactions. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import * as SqlResolver from "effect/sql/SqlResolver"
import { parity } from "./support/participants.ts"

const Item = Schema.Struct({ id: Schema.Number, kind: Schema.String })

const items = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`DROP TABLE IF EXISTS items`
  yield* sql`CREATE TABLE items (id serial PRIMARY KEY, kind text CHECK (kind <> 'refused'))`
  const sizes: Array<number> = []
  const noted = <A extends ReadonlyArray<unknown>>(requests: A) => {
    sizes.push(requests.length)
    return requests
  }
  return {
    sql,
    sizes,
    insert: SqlResolver.ordered({
      Request: Schema.String,
      Result: Item,
      execute: (kinds) => {
        const [first, ...rest] = noted(kinds)
        return sql`INSERT INTO items ${sql.insert([{ kind: first }, ...rest.map((kind) => ({ kind }))]).returning("*")}`
      }
    }),
    find: SqlResolver.findById({
      Id: Schema.Number,
      Result: Item,
      ResultId: ({ id }) => id,
      execute: (ids) => sql`SELECT * FROM items WHERE ${sql.in("id", noted(ids))}`
    }),
    ofKind: SqlResolver.grouped({
      Request: Schema.String,
      RequestGroupKey: (kind) => kind,
      Result: Item,
      ResultGroupKey: ({ kind }) => kind,
      execute: (kinds) => sql`SELECT * FROM items WHERE ${sql.in("kind", noted(kinds))} ORDER BY id`
    }),
    remove: SqlResolver.void({
      Request: Schema.Number,
      execute: (ids) => sql`DELETE FROM items WHERE ${sql.in("id", noted(ids))}`
    })
  }
})

const together = { concurrency: "unbounded" } as const

parity("SqlResolver", (it) => {
  it.effect("ordered answers each request with the row of its place", () =>
    Effect.gen(function* () {
      const { insert, sizes } = yield* items
      const kinds = Array.from({ length: 100 }, (_, n) => `kind ${n}`)
      const rows = yield* Effect.forEach(kinds, (kind) => SqlResolver.request(kind, insert), together)
      assert.deepStrictEqual(
        rows,
        kinds.map((kind, n) => ({ id: n + 1, kind }))
      )
      assert.deepStrictEqual(sizes, [100])
    })
  )

  it.effect("findById answers each request with its row, or that there is none", () =>
    Effect.gen(function* () {
      const { find, sizes, sql } = yield* items
      yield* sql`INSERT INTO items (kind) VALUES ('a'), ('b')`
      const exits = yield* Effect.forEach([2, 9, 1, 2], (id) => Effect.result(SqlResolver.request(id, find)), together)
      assert.deepStrictEqual(
        exits.map((exit) => (exit._tag === "Success" ? exit.success.kind : exit.failure._tag)),
        ["b", "NoSuchElementError", "a", "b"]
      )
      assert.deepStrictEqual(sizes, [3])
    })
  )

  it.effect("grouped answers each request with the rows of its group", () =>
    Effect.gen(function* () {
      const { ofKind, sql } = yield* items
      yield* sql`INSERT INTO items (kind) VALUES ('a'), ('b'), ('a')`
      const [a, b] = yield* Effect.forEach(["a", "b"], (kind) => SqlResolver.request(kind, ofKind), together)
      assert.deepStrictEqual(a, [
        { id: 1, kind: "a" },
        { id: 3, kind: "a" }
      ])
      assert.deepStrictEqual(b, [{ id: 2, kind: "b" }])
      assert.strictEqual((yield* Effect.flip(SqlResolver.request("c", ofKind)))._tag, "NoSuchElementError")
    })
  )

  it.effect("void runs one statement for all requests", () =>
    Effect.gen(function* () {
      const { remove, sizes, sql } = yield* items
      yield* sql`INSERT INTO items (kind) VALUES ('a'), ('b'), ('c')`
      yield* Effect.forEach([1, 3], (id) => SqlResolver.request(id, remove), together)
      assert.deepStrictEqual(yield* sql`SELECT id FROM items`, [{ id: 2 }])
      assert.deepStrictEqual(sizes, [2])
    })
  )

  it.effect("the error of a batch is that of each of its requests", () =>
    Effect.gen(function* () {
      const { insert, sql } = yield* items
      const tags = yield* Effect.forEach(
        ["a", "refused"],
        (kind) => Effect.map(Effect.flip(SqlResolver.request(kind, insert)), ({ _tag }) => _tag),
        together
      )
      assert.deepStrictEqual(tags, ["SqlError", "SqlError"])
      assert.deepStrictEqual(yield* sql`SELECT count(*)::int AS n FROM items`, [{ n: 0 }])
    })
  )

  it.effect("requests of different transactions, and of none, share no batch", () =>
    Effect.gen(function* () {
      const { insert, sizes, sql } = yield* items
      const two = (kind: string) => Effect.forEach([kind, kind], (each) => SqlResolver.request(each, insert), together)
      const rolledBack = (kind: string) =>
        Effect.flip(sql.withTransaction(Effect.andThen(two(kind), Effect.fail("no"))))
      yield* Effect.all(
        [two("none"), sql.withTransaction(two("kept")), rolledBack("lost"), sql.withTransaction(two("kept too"))],
        together
      )
      assert.deepStrictEqual(sizes, [2, 2, 2, 2])
      assert.deepStrictEqual(yield* sql`SELECT kind, count(*)::int AS n FROM items GROUP BY kind ORDER BY kind`, [
        { kind: "kept", n: 2 },
        { kind: "kept too", n: 2 },
        { kind: "none", n: 2 }
      ])
    })
  )

  it.effect("requests of a savepoint and of the transaction around it share no batch", () =>
    Effect.gen(function* () {
      const { insert, sizes, sql } = yield* items
      yield* sql.withTransaction(
        Effect.all(
          [
            SqlResolver.request("outer", insert),
            Effect.flip(sql.withTransaction(Effect.andThen(SqlResolver.request("inner", insert), Effect.fail("no"))))
          ],
          together
        )
      )
      assert.deepStrictEqual(sizes, [1, 1])
      assert.deepStrictEqual(yield* sql`SELECT kind FROM items WHERE kind = 'inner'`, [])
    })
  )
})
