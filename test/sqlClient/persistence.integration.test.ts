/** Compares results that are kept in tables: one for all stores, or one for each. */
import { assert } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Persistence from "effect/persistence/Persistence"
import * as SqlClient from "effect/sql/SqlClient"
import { parity } from "./support/participants.ts"
import { AT, failed, layers, type Measured, mild, type Unknown, Weather } from "./support/persistables.ts"

for (const [name, layer, tableOf] of layers) {
  parity(`results in tables: ${name}`, (it) => {
    let stores = 0
    const makeStore = (
      timeToLive?: (exit: Exit.Exit<unknown, unknown>) => number | "1 hour",
      storeId = `store_${++stores}`
    ) =>
      Effect.flatMap(Layer.build(layer), (context) =>
        Context.get(context, Persistence.Persistence).make({ storeId, ...(timeToLive && { timeToLive }) })
      )

    it.effect("a result is read as it was written, a success and a failure and a defect", () =>
      Effect.gen(function* () {
        const store = yield* makeStore()
        yield* store.set(new Weather({ city: "Graz" }), mild)
        yield* store.set(new Weather({ city: "Nowhere" }), failed)
        yield* store.set(new Weather({ city: "Broken" }), Exit.die("broken"))
        assert.deepStrictEqual(yield* store.get(new Weather({ city: "Graz" })), mild)
        assert.deepStrictEqual(yield* store.get(new Weather({ city: "Nowhere" })), failed)
        const broken = yield* store.get(new Weather({ city: "Broken" }))
        assert.isTrue(broken !== undefined && Exit.hasDies(broken))
        assert.strictEqual(yield* store.get(new Weather({ city: "Missing" })), undefined)
      })
    )

    it.effect("a result is replaced and removed", () =>
      Effect.gen(function* () {
        const store = yield* makeStore()
        const key = new Weather({ city: "Graz'; DROP TABLE" })
        yield* store.set(key, Exit.succeed({ degrees: 1, at: AT }))
        yield* store.set(key, mild)
        assert.deepStrictEqual(yield* store.get(key), mild)
        yield* store.remove(key)
        assert.strictEqual(yield* store.get(key), undefined)
      })
    )

    it.effect("many results are written and read at once, in the order of their keys", () =>
      Effect.gen(function* () {
        const store = yield* makeStore()
        const keys = Array.from({ length: 300 }, (_, n) => new Weather({ city: `city ${n}` }))
        const written = keys.filter((_, n) => n % 3 !== 0)
        yield* store.setMany<typeof Measured, typeof Unknown>(
          written.map((key, n) => [key, Exit.succeed({ degrees: n, at: AT })] as const)
        )
        const exits = yield* store.getMany<typeof Measured, typeof Unknown>(keys)
        assert.strictEqual(exits.length, 300)
        assert.isTrue(exits.every((exit, n) => (exit === undefined) === (n % 3 === 0)))
        assert.deepStrictEqual(exits[1], Exit.succeed({ degrees: 0, at: AT }))
        assert.deepStrictEqual(yield* store.getMany<typeof Measured, typeof Unknown>([]), [])
      })
    )

    it.effect("lists of very many lengths leave few prepared statements on the server", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const store = yield* makeStore()
        for (let length = 1; length <= 60; length++) {
          yield* store.setMany<typeof Measured, typeof Unknown>(
            Array.from({ length }, (_, n) => [new Weather({ city: `city ${n}` }), mild] as const)
          )
        }
        const [row] = yield* sql<{
          n: number
        }>`SELECT count(*)::int AS n FROM pg_prepared_statements WHERE statement LIKE '%ON CONFLICT%'`
        assert.isAtMost(row?.n ?? Infinity, 2)
      })
    )

    it.effect("a result ends with its time to live", () =>
      Effect.gen(function* () {
        const store = yield* makeStore((exit) => (Exit.isSuccess(exit) ? 150 : "1 hour"))
        const [short, long] = [new Weather({ city: "short" }), new Weather({ city: "long" })]
        yield* store.set(short, mild)
        yield* store.set(long, failed)
        assert.deepStrictEqual(yield* store.get(short), mild)
        yield* Effect.sleep("200 millis")
        assert.strictEqual(yield* store.get(short), undefined)
        assert.deepStrictEqual(yield* store.getMany<typeof Measured, typeof Unknown>([short, long]), [
          undefined,
          failed
        ])
      })
    )

    it.effect("stores are apart; clear empties one", () =>
      Effect.gen(function* () {
        const [one, two] = [yield* makeStore(), yield* makeStore()]
        const key = new Weather({ city: "Graz" })
        yield* one.set(key, mild)
        yield* two.set(key, failed)
        assert.deepStrictEqual([yield* one.get(key), yield* two.get(key)], [mild, failed])
        yield* one.clear
        assert.deepStrictEqual([yield* one.get(key), yield* two.get(key)], [undefined, failed])
      })
    )

    it.effect("a store survives its scope", () =>
      Effect.gen(function* () {
        const key = new Weather({ city: "Graz" })
        yield* Effect.scoped(Effect.flatMap(makeStore(undefined, "lasting"), (store) => store.set(key, mild)))
        const store = yield* makeStore(undefined, "lasting")
        assert.deepStrictEqual(yield* store.get(key), mild)
      })
    )

    it.effect("a value that cannot be read is a typed failure, and a missing table too", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const storeId = `broken_${++stores}`
        const store = yield* makeStore(undefined, storeId)
        const key = new Weather({ city: "Graz" })
        yield* store.set(key, mild)
        yield* sql`UPDATE ${sql(tableOf(storeId))} SET value = 'no JSON'`
        assert.strictEqual((yield* Effect.flip(store.get(key)))._tag, "PersistenceError")
        yield* sql`ALTER TABLE ${sql(tableOf(storeId))} RENAME TO elsewhere`
        assert.strictEqual((yield* Effect.flip(store.get(key)))._tag, "PersistenceError")
        yield* sql`ALTER TABLE elsewhere RENAME TO ${sql(tableOf(storeId))}`
        yield* sql`DELETE FROM ${sql(tableOf(storeId))}`
        assert.strictEqual(yield* store.get(key), undefined)
      })
    )

    it.effect("many writers of the same keys all end", () =>
      Effect.gen(function* () {
        const store = yield* makeStore()
        yield* Effect.forEach(
          Array.from({ length: 100 }, (_, n) => n),
          (n) => store.set(new Weather({ city: `city ${n % 5}` }), Exit.succeed({ degrees: n, at: AT })),
          { concurrency: "unbounded", discard: true }
        )
        const exits = yield* store.getMany<typeof Measured, typeof Unknown>(
          [0, 1, 2, 3, 4].map((n) => new Weather({ city: `city ${n}` }))
        )
        assert.isTrue(exits.every((exit) => exit !== undefined && Exit.isSuccess(exit)))
      })
    )
  })
}
