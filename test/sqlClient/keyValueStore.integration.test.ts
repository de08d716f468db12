/** Compares the key-value store in a table. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Schema from "effect/Schema"
import * as String from "effect/String"
import { clientOf, parity } from "./support/participants.ts"

const BYTES = Uint8Array.from({ length: 256 }, (_, n) => n)

parity("KeyValueStore.layerSql", (it, participant) => {
  let tables = 0
  /** A store in a table of its own. */
  const withStore = <A, E, R>(
    f: (store: KeyValueStore.KeyValueStore) => Effect.Effect<A, E, R>,
    table = `store_${++tables}`
  ) => Effect.provide(Effect.flatMap(KeyValueStore.KeyValueStore, f), KeyValueStore.layerSql({ table }))

  it.effect("keeps strings and bytes as they are", () =>
    withStore((store) =>
      Effect.gen(function* () {
        yield* store.set("string", "naïve 🐘 'quoted' \\ %")
        yield* store.set("empty", "")
        yield* store.set("bytes", BYTES)
        assert.strictEqual(yield* store.get("string"), "naïve 🐘 'quoted' \\ %")
        assert.strictEqual(yield* store.get("empty"), "")
        const bytes = yield* store.getUint8Array("bytes")
        assert.deepStrictEqual(bytes && Uint8Array.from(bytes), BYTES)
        assert.strictEqual(yield* store.get("missing"), undefined)
        assert.strictEqual(yield* store.getUint8Array("missing"), undefined)
      })
    )
  )

  it.effect("a string can be read as bytes, and bytes as base64", () =>
    withStore((store) =>
      Effect.gen(function* () {
        yield* store.set("string", "é")
        yield* store.set("bytes", Uint8Array.of(1, 2, 3))
        const bytes = yield* store.getUint8Array("string")
        assert.deepStrictEqual(bytes && Array.from(bytes), [0xc3, 0xa9])
        assert.strictEqual(yield* store.get("bytes"), "AQID")
      })
    )
  )

  it.effect("replaces, counts, lists and removes", () =>
    withStore((store) =>
      Effect.gen(function* () {
        assert.isTrue(yield* store.isEmpty)
        yield* store.set("a", "1")
        yield* store.set("a", "2")
        yield* store.set("b", "3")
        assert.strictEqual(yield* store.get("a"), "2")
        assert.strictEqual(yield* store.size, 2)
        assert.deepStrictEqual([...(yield* store.keys)].sort(), ["a", "b"])
        yield* store.remove("a")
        assert.isFalse(yield* store.has("a"))
        assert.isTrue(yield* store.has("b"))
        yield* store.clear
        assert.isTrue(yield* store.isEmpty)
      })
    )
  )

  it.effect("modify changes what is there, and nothing else", () =>
    withStore((store) =>
      Effect.gen(function* () {
        yield* store.set("n", "1")
        assert.strictEqual(yield* store.modify("n", (n) => `${Number(n) + 1}`), "2")
        assert.strictEqual(yield* store.get("n"), "2")
        assert.strictEqual(yield* store.modify("missing", (n) => n), undefined)
        yield* store.set("bytes", Uint8Array.of(1))
        const changed = yield* store.modifyUint8Array("bytes", (bytes) => Uint8Array.of(...bytes, 2))
        assert.deepStrictEqual(changed && Array.from(changed), [1, 2])
      })
    )
  )

  it.effect("clearPrefix takes the characters of a pattern as they are", () =>
    withStore((store) =>
      Effect.gen(function* () {
        for (const key of ["a%1", "a%2", "ab1", "a_1"]) yield* store.set(key, key)
        yield* store.clearPrefix("a%")
        assert.deepStrictEqual([...(yield* store.keys)].sort(), ["a_1", "ab1"])
      })
    )
  )

  it.effect("takes many writers of one key and of many keys", () =>
    withStore((store) =>
      Effect.gen(function* () {
        const keys = Array.from({ length: 100 }, (_, n) => `key ${n % 20}`)
        yield* Effect.forEach(keys, (key, n) => store.set(key, `${n}`), { concurrency: "unbounded", discard: true })
        assert.strictEqual(yield* store.size, 20)
        const values = yield* Effect.forEach(keys, store.get, { concurrency: "unbounded" })
        assert.isTrue(values.every((value) => value !== undefined))
      })
    )
  )

  it.effect("keeps values of a schema", () =>
    withStore((store) =>
      Effect.gen(function* () {
        const people = KeyValueStore.toSchemaStore(
          store,
          Schema.Struct({ name: Schema.String, born: Schema.DateFromString })
        )
        const ada = { name: "Ada", born: new Date("1815-12-10T00:00:00.000Z") }
        yield* people.set("ada", ada)
        assert.deepStrictEqual(
          yield* Effect.map(people.get("ada"), (option) => ("value" in option ? option.value : undefined)),
          ada
        )
      })
    )
  )

  it.effect("survives its layer, and is there for a client that changes names", () =>
    Effect.gen(function* () {
      const table = "keptStore"
      yield* withStore((store) => store.set("key", "value"), table)
      assert.strictEqual(yield* withStore((store) => store.get("key"), table), "value")
      const settings = { transformQueryNames: String.camelToSnake, transformResultNames: String.snakeToCamel }
      const other = Layer.provide(KeyValueStore.layerSql({ table }), clientOf(participant, settings))
      const read = Effect.flatMap(KeyValueStore.KeyValueStore, (store) => store.get("key"))
      assert.strictEqual(yield* Effect.provide(read, other), "value")
    })
  )
})
