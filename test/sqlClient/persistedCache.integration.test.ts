/** Compares the cache that keeps its results in tables. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PersistedCache from "effect/persistence/PersistedCache"
import { parity } from "./support/participants.ts"
import { AT, layers, Weather } from "./support/persistables.ts"

/** A cache, and the cities that it has looked up. */
const makeCache = (storeId: string, layer: (typeof layers)[number][1]) =>
  Effect.gen(function* () {
    const looked: Array<string> = []
    const cache = yield* PersistedCache.make(
      ({ city }: Weather) =>
        Effect.suspend(() => {
          looked.push(city)
          return city === "Nowhere"
            ? Effect.fail("unknown city" as const)
            : Effect.succeed({ degrees: city.length, at: AT })
        }),
      { storeId, timeToLive: () => "1 hour" }
    )
    return { cache, looked }
  }).pipe((cache) => Effect.flatMap(Layer.build(layer), (context) => Effect.provideContext(cache, context)))

for (const [name, layer] of layers) {
  parity(`PersistedCache on ${name}`, (it) => {
    it.effect("looks up once, in memory and over a restart, what succeeds and what fails", () =>
      Effect.gen(function* () {
        const [graz, nowhere] = [new Weather({ city: "Graz" }), new Weather({ city: "Nowhere" })]
        for (const expected of [["Graz", "Nowhere"], []]) {
          const { cache, looked } = yield* makeCache("cities", layer)
          for (let run = 0; run < 2; run++) {
            assert.deepStrictEqual(yield* cache.get(graz), { degrees: 4, at: AT })
            assert.strictEqual(yield* Effect.flip(cache.get(nowhere)), "unknown city")
          }
          assert.deepStrictEqual(looked, expected)
        }
      })
    )

    it.effect("looks up once for many fibers, and again after invalidate", () =>
      Effect.gen(function* () {
        const { cache, looked } = yield* makeCache("shared", layer)
        const graz = new Weather({ city: "Graz" })
        yield* Effect.all(
          Array.from({ length: 50 }, () => cache.get(graz)),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(looked, ["Graz"])
        yield* cache.invalidate(graz)
        yield* cache.get(graz)
        assert.deepStrictEqual(looked, ["Graz", "Graz"])
      })
    )
  })
}
