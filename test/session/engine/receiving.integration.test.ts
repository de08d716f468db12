/** All connections receive into the same memory, one after the other. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { TestDatabase } from "../../support/database.ts"
import { assertHealthy, liveConnection } from "../../support/live.ts"

const CONNECTIONS = 6

layer(TestDatabase.layer, { excludeTestServices: true })("connections that receive at once", (it) => {
  it.effect("each get their own rows, values and COPY data, of any size", () =>
    Effect.gen(function* () {
      const connections = yield* Effect.all(
        Array.from({ length: CONNECTIONS }, () => liveConnection()),
        { concurrency: "unbounded" }
      )
      const each = connections.map((connection, index) =>
        Effect.gen(function* () {
          const letter = "abcdef"[index]!
          for (const bytes of [3, 900, 70_000, 400_000]) {
            const [value] = yield* connection.fetchTuples("SELECT repeat($1, $2::int4), repeat($1, $2)::bytea", [
              letter,
              bytes
            ])
            assert.strictEqual(value?.[0], letter.repeat(bytes))
            assert.strictEqual(String(Buffer.from(value?.[1] as Uint8Array)), letter.repeat(bytes))
          }
          const rows = yield* Stream.runCollect(
            connection.stream("SELECT repeat($1, i % 997) AS text FROM generate_series(1, 3000) AS i", [letter])
          )
          rows.forEach(({ text }, row) => assert.strictEqual(text, letter.repeat((row + 1) % 997)))
          const pieces = yield* Stream.runCollect(
            Stream.tap(
              connection.copyOut({ query: `SELECT repeat('${letter}', 999) FROM generate_series(1, 2000)` }),
              () => Effect.sleep(1)
            )
          )
          assert.strictEqual(String(Buffer.concat(pieces)), `${letter.repeat(999)}\n`.repeat(2000))
          yield* assertHealthy(connection)
        })
      )
      yield* Effect.all(each, { concurrency: "unbounded" })
    }).pipe(Effect.scoped)
  )
})
