import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as PgReplication from "../../src/PgReplication.ts"
import { published, Source } from "./source.ts"
import { collectGarbage } from "../support/liveBytes.ts"

const ROWS = 300_000
const MEGABYTE = 1_048_576
const TIMEOUT_MILLIS = 120_000

/** The memory that is in use, in bytes. */
const inUse = (): number => {
  collectGarbage()
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

layer(Source.layer, { excludeTestServices: true })("a large transaction", (it) => {
  it.effect(
    "takes as little memory as a small one, whether it is read or passed over",
    () =>
      Effect.gen(function* () {
        const { name, options, pg } = yield* published("CREATE TABLE $.t (id int PRIMARY KEY, text text)")
        yield* pg.execute(`INSERT INTO ${name}.t SELECT i, repeat('x', 100) FROM generate_series(1, ${ROWS}) AS i`)
        yield* pg.execute(`INSERT INTO ${name}.t VALUES (0)`)
        const before = inUse()
        let most = 0
        let rows = 0
        const look = (): void => {
          most = Math.max(most, inUse() - before)
        }
        yield* PgReplication.stream(options).pipe(
          Stream.take(1),
          Stream.runForEach(({ changes }) =>
            Stream.runForEachArray(changes, (some) =>
              Effect.sync(() => {
                if (Math.floor((rows + some.length) / 20_000) > Math.floor(rows / 20_000)) look()
                rows += some.length
              })
            )
          )
        )
        assert.strictEqual(rows, ROWS)
        const reading = most
        most = 0
        const [, second] = yield* Stream.runCollect(Stream.take(PgReplication.stream(options), 2))
        look()
        assert.strictEqual((yield* second!.allChanges).length, 1)
        // All rows together take more than 50 MB.
        assert.isBelow(Math.max(reading, most), 16 * MEGABYTE)
      }),
    TIMEOUT_MILLIS
  )
})
