import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as PgClient from "../src/PgClient.ts"
import * as PgLargeObject from "../src/PgLargeObject.ts"
import * as PgTest from "../src/PgTest.ts"
import { assertHealthy, refusalOf, valueOf } from "./support/live.ts"

const pattern = (length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (index * 31 + seed) & 0xff)

const joined = (parts: ReadonlyArray<Uint8Array>): Buffer => Buffer.concat(parts)

layer(PgTest.layer())("a large object", (it) => {
  it.effect("is read as it was written, in parts that need not be those of the writer", () =>
    Effect.gen(function* () {
      const pool = yield* PgClient.PgClient
      for (const written of [
        [],
        [pattern(0, 1)],
        [pattern(1, 2)],
        [pattern(700_000, 3), pattern(10, 4), pattern(262_144, 5)]
      ]) {
        const oid = yield* PgLargeObject.write(pool, Stream.fromIterable(written))
        const parts = yield* Stream.runCollect(PgLargeObject.read(pool, oid))
        assert.isTrue(joined(parts).equals(joined(written)))
        for (const part of parts) assert.isAtMost(part.length, 262_144)
        yield* PgLargeObject.remove(pool, oid)
        assert.strictEqual(
          (yield* refusalOf(Stream.runDrain(PgLargeObject.read(pool, oid))))._tag,
          "UndefinedObjectError"
        )
      }
      yield* assertHealthy(pool)
    })
  )

  it.effect("does not exist if its source fails, and the write fails with the failure of the source", () =>
    Effect.gen(function* () {
      const pool = yield* PgClient.PgClient
      const count = valueOf(pool, "SELECT count(*)::int FROM pg_largeobject_metadata")
      const before = yield* count
      const source = Stream.concat(Stream.make(pattern(300_000, 6)), Stream.fail("the disk is full"))
      assert.strictEqual(yield* Effect.flip(PgLargeObject.write(pool, source)), "the disk is full")
      assert.strictEqual(yield* count, before)
      yield* assertHealthy(pool)
    })
  )

  it.effect("is part of the transaction in which it is written", () =>
    Effect.gen(function* () {
      const pool = yield* PgClient.PgClient
      const count = valueOf(pool, "SELECT count(*)::int FROM pg_largeobject_metadata")
      const before = yield* count
      yield* Effect.ignore(
        pool.withTransaction(Effect.andThen(PgLargeObject.write(pool, Stream.make(pattern(5, 7))), Effect.fail("no")))
      )
      assert.strictEqual(yield* count, before)
      yield* assertHealthy(pool)
    })
  )
})
