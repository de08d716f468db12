/** Comments of statements, as the server sees them, and what they cost. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as PgConfig from "../../src/PgConfig.ts"
import * as PgPool from "../../src/PgPool.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, livePool, valueOf } from "../support/live.ts"
import { counting, roundTripsOf } from "../support/roundTrips.ts"
import { telemetry } from "../support/telemetry.ts"

const OWN_TEXT = "SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid()"
const PREPARED = "SELECT count(*)::int4 FROM pg_prepared_statements"

layer(TestDatabase.layer, { excludeTestServices: true })("a comment", (it) => {
  it.effect("is behind the statement that the server runs, encoded so that it cannot end early", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({
        comment: ({ operation }) => Effect.succeed({ route: "/books/*/'x'", method: operation })
      })
      assert.strictEqual(
        yield* valueOf(pool, OWN_TEXT),
        `${OWN_TEXT} /*method='fetchValue',route='%2Fbooks%2F%2A%2F%27x%27'*/`
      )
      assert.match(String(yield* valueOf(pool, `${OWN_TEXT} -- the end`)), /-- the end\n\/\*method/)
      assert.strictEqual((yield* pool.executeScript("SELECT 1; SELECT 2;")).length, 2)
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("has the trace of the call, with the hook that comes with the client", () =>
    Effect.gen(function* () {
      const { run, spans } = yield* telemetry
      const pool = yield* livePool({ comment: PgConfig.traceComment })
      const text = yield* run(valueOf(pool, OWN_TEXT))
      const [span] = yield* spans
      assert.strictEqual(text, `${OWN_TEXT} /*traceparent='00-${span?.trace}-${span?.id}-01'*/`)
      assert.strictEqual(yield* valueOf(pool, OWN_TEXT), OWN_TEXT)
    }).pipe(Effect.scoped)
  )

  it.effect("that is new each time costs no further round trip, and fills no cache", () =>
    Effect.gen(function* () {
      const counted = yield* counting
      let calls = 0
      const pool = yield* PgPool.make({
        ...counted.settings,
        maxConnections: 1,
        comment: () => Effect.sync(() => ({ call: String(calls++) }))
      })
      const query = pool.fetchValue("SELECT $1::int4 + 1", [41])
      assert.strictEqual((yield* roundTripsOf(counted, query))[0], 2)
      for (let round = 0; round < 50; round++) assert.strictEqual((yield* roundTripsOf(counted, query))[0], 1)
      assert.strictEqual(yield* valueOf(pool, PREPARED), 0)
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("that comes again is a part of a prepared statement", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1, comment: () => Effect.succeed({ route: "books" }) })
      for (let round = 0; round < 5; round++) yield* pool.fetch("SELECT $1::int4 AS n", [round])
      assert.strictEqual(yield* valueOf(pool, PREPARED), 1)
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("survives a change of the schema", () =>
    Effect.gen(function* () {
      let calls = 0
      const pool = yield* livePool({ maxConnections: 1, comment: () => Effect.sync(() => ({ call: String(calls++) })) })
      yield* pool.execute("CREATE TABLE commented (a int4)")
      yield* pool.execute("INSERT INTO commented VALUES (1)")
      const all = pool.fetch("SELECT * FROM commented")
      assert.deepStrictEqual(yield* all, [{ a: 1 }])
      yield* pool.execute("ALTER TABLE commented ADD COLUMN b text DEFAULT 'x'")
      assert.deepStrictEqual(yield* all, [{ a: 1, b: "x" }])
      yield* pool.execute("ALTER TABLE commented ALTER COLUMN a TYPE text")
      assert.deepStrictEqual(yield* all, [{ a: "1", b: "x" }])
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect(
    "is not put behind a held statement, and not there if the hook gives no tags, gives no Effect or throws",
    () =>
      Effect.gen(function* () {
        const tags: Array<Record<string, string>> = [{ a: "b" }, {}]
        const pool = yield* livePool({ comment: () => Effect.sync(() => tags.shift() ?? { c: "d" }) })
        assert.strictEqual(yield* valueOf(pool, OWN_TEXT), `${OWN_TEXT} /*a='b'*/`)
        assert.strictEqual(yield* valueOf(pool, OWN_TEXT), OWN_TEXT)
        const statement = yield* pool.prepare(OWN_TEXT)
        const [row] = yield* statement.fetch()
        assert.deepStrictEqual(row, { query: OWN_TEXT })
        for (const hook of [promising, throwing]) {
          const wrong = yield* livePool({ comment: untyped(hook) })
          assert.strictEqual(yield* valueOf(wrong, OWN_TEXT), OWN_TEXT)
        }
      }).pipe(Effect.scoped)
  )
})

type CommentHook = NonNullable<PgConfig.Settings["comment"]>

const promising = () => Promise.resolve({ a: "b" })
const throwing = () => {
  throw new Error("no comment")
}

const isHook = (value: unknown): value is CommentHook => typeof value === "function"

/** As a caller without types passes it. */
const untyped = (hook: unknown): CommentHook => (isHook(hook) ? hook : assert.fail("no function"))
