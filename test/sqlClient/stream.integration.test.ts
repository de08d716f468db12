/** Compares streams of rows: their memory, their connection, their end, and what may run between their rows. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import * as Stream from "effect/Stream"
import { named, parity } from "./support/participants.ts"

/** Fails if it does not end in time. */
const inTime = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.timeoutOrElse(effect, { duration: "3 seconds", orElse: () => Effect.die(new Error("it does not end")) })

parity(
  "streams of a pool of two",
  (it, participant) => {
    const assertHealthy = Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const both = yield* inTime(Effect.all([sql`SELECT 1 AS n`, sql`SELECT 2 AS n`], { concurrency: 2 }))
      assert.deepStrictEqual(both, [[{ n: 1 }], [{ n: 2 }]])
    })

    it.effect("a stream has all rows in their order, with parameters", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const rows = yield* Stream.runCollect(
          sql<{ n: number }>`SELECT n FROM generate_series(${1}::int4, ${10_000}) AS n`.stream
        )
        assert.deepStrictEqual(
          rows.map(({ n }) => n),
          Array.from({ length: 10_000 }, (_, index) => index + 1)
        )
      })
    )

    it.effect("a stream of no rows is empty", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        assert.deepStrictEqual(yield* Stream.runCollect(sql`SELECT 1 WHERE false`.stream), [])
      })
    )

    it.effect("a stream that runs twice asks twice", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* sql`CREATE SEQUENCE runs`
        const { stream } = sql`SELECT nextval('runs') AS n`
        assert.deepStrictEqual(
          [yield* Stream.runCollect(stream), yield* Stream.runCollect(stream)],
          [[{ n: 1n }], [{ n: 2n }]]
        )
      })
    )

    it.effect("a stream may end early, many times", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        for (let run = 0; run < 10; run++) {
          const rows = yield* inTime(
            Stream.runCollect(Stream.take(sql`SELECT n FROM generate_series(1, 100000) AS n`.stream, 3))
          )
          assert.deepStrictEqual(rows, [{ n: 1 }, { n: 2 }, { n: 3 }])
        }
        yield* assertHealthy
      })
    )

    it.effect("a stream fails with the error of its statement, at its beginning or in its middle", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const first = yield* Effect.flip(Stream.runDrain(sql`SELECT missing`.stream))
        assert.strictEqual(first.reason._tag, "SqlSyntaxError")
        const rows: Array<unknown> = []
        const late = sql`SELECT 1 / (5000 - n) AS q FROM generate_series(1, 6000) AS n`.stream
        const second = yield* Effect.flip(Stream.runForEach(late, (row) => Effect.sync(() => rows.push(row))))
        assert.strictEqual(second._tag, "SqlError")
        assert.strictEqual(second.reason._tag, "UnknownError")
        assert.isBelow(rows.length, 5000)
        yield* assertHealthy
      })
    )

    it.effect("a stream whose consumer fails gives its connection back", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        for (let run = 0; run < 4; run++) {
          const { stream } = sql`SELECT n FROM generate_series(1, 100000) AS n`
          assert.strictEqual(yield* Effect.flip(Stream.runForEach(stream, () => Effect.fail("enough"))), "enough")
        }
        yield* assertHealthy
      })
    )

    it.effect("statements run between the rows of a stream", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const doubled = Stream.mapEffect(
          sql<{ n: number }>`SELECT n FROM generate_series(1, 20) AS n`.stream,
          ({ n }) => Effect.map(sql<{ m: number }>`SELECT ${n} * 2 AS m`, ([row]) => row?.m)
        )
        assert.deepStrictEqual(
          yield* inTime(Stream.runCollect(doubled)),
          Array.from({ length: 20 }, (_, index) => (index + 1) * 2)
        )
      })
    )

    it.effect("a stream in a transaction sees what the transaction has done", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* sql`CREATE TABLE seen (n int4)`
        const rows = yield* sql.withTransaction(
          Effect.gen(function* () {
            yield* sql`INSERT INTO seen VALUES (${1}), (${2})`
            return yield* Stream.runCollect(sql`SELECT n FROM seen ORDER BY n`.stream)
          })
        )
        assert.deepStrictEqual(rows, [{ n: 1 }, { n: 2 }])
      })
    )

    const aborts = { "@effect/sql-pg": "cancels the statement, which ends the transaction" } as const
    it.effect(named(participant, "a stream that ends early leaves its transaction as it is", aborts), () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* sql`CREATE TABLE kept (n int4)`
        const body = Effect.gen(function* () {
          yield* sql`INSERT INTO kept VALUES (1)`
          yield* Stream.runDrain(Stream.take(sql`SELECT n FROM generate_series(1, 1000000) AS n`.stream, 3))
          yield* sql`INSERT INTO kept VALUES (2)`
        })
        const exit = yield* Effect.exit(inTime(sql.withTransaction(body)))
        const isRight = !(participant.name in aborts)
        assert.strictEqual(exit._tag, isRight ? "Success" : "Failure")
        assert.deepStrictEqual(yield* sql`SELECT n FROM kept ORDER BY n`, isRight ? [{ n: 1 }, { n: 2 }] : [])
        yield* assertHealthy
      })
    )

    const waits = { "@effect/sql-pg": "waits for itself and never ends" } as const
    it.effect(named(participant, "statements run between the rows of a stream in a transaction", waits), () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const body = Stream.runCollect(
          Stream.mapEffect(sql<{ n: number }>`SELECT n FROM generate_series(1, 100000) AS n`.stream, ({ n }) =>
            n % 10_000 === 0
              ? Effect.map(sql<{ m: number }>`SELECT ${n} * 2 AS m`, ([row]) => row?.m)
              : Effect.succeed(undefined)
          )
        )
        const rows = yield* Effect.timeoutOption(sql.withTransaction(body), "2 seconds")
        const isRight = !(participant.name in waits)
        assert.strictEqual(rows._tag, isRight ? "Some" : "None")
        if (rows._tag === "Some") assert.deepStrictEqual(rows.value.filter((m) => m !== undefined).length, 10)
        yield* assertHealthy
      })
    )

    it.effect("two streams and a transaction do not disturb each other", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const count = (n: number) => Stream.runCount(sql`SELECT n FROM generate_series(1, ${n}::int4) AS n`.stream)
        const [first, second, third] = yield* inTime(
          Effect.all([count(3000), count(5000), sql.withTransaction(sql`SELECT 1 AS one`)], { concurrency: 3 })
        )
        assert.deepStrictEqual([first, second, third], [3000, 5000, [{ one: 1 }]])
      })
    )

    it.effect("a slow reader slows the server down, so that few rows are in memory", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* sql`CREATE SEQUENCE produced`
        const { stream } = sql`SELECT nextval('produced'), repeat('x', 10000) FROM generate_series(1, 10000)`
        const read = Stream.mapEffect(Stream.take(stream, 1), () =>
          Effect.andThen(Effect.sleep("500 millis"), sql<{ last_value: bigint }>`SELECT last_value FROM produced`)
        )
        const [rows] = yield* inTime(Stream.runCollect(read))
        assert.isBelow(Number(rows?.[0]?.last_value), 5000)
        yield* assertHealthy
      })
    )
  },
  { maxConnections: 2 }
)
