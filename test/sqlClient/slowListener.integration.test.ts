/** Tests what waits for a slow reader of `listen`: no more than the client holds, and a gap tells what is missing. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import { passed } from "../../src/call/realTime.ts"
import type * as PgNotification from "../../src/PgNotification.ts"
import * as PgSqlClient from "../../src/PgSqlClient.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, liveSettings } from "../support/live.ts"

const Database = Layer.unwrap(Effect.map(liveSettings({ maxConnections: 2 }), PgSqlClient.layer)).pipe(
  Layer.provideMerge(TestDatabase.layer)
)

const ROUNDS = 8
const NOTIFICATIONS_OF_ROUND = 6_000
const SENT = ROUNDS * NOTIFICATIONS_OF_ROUND
/** The client holds 10,000, and those of one batch that it has handed over already, and a gap behind each. */
const MAX_WAITING = 20_050

const numberOf = (event: PgNotification.Event): number => (event._tag === "Gap" ? NaN : Number(event.payload))

layer(Database, { excludeTestServices: true })("a listener that does not read", (it) => {
  it.effect("has a bounded number of notifications waiting, and learns where others are missing", () =>
    Effect.gen(function* () {
      const sql = yield* PgSqlClient.PgSqlClient
      const queue = yield* sql.listen("flood")
      for (let round = 0; round < ROUNDS; round++) {
        const first = round * NOTIFICATIONS_OF_ROUND + 1
        const last = first + NOTIFICATIONS_OF_ROUND - 1
        yield* sql`SELECT count(pg_notify('flood', n::text)) FROM generate_series(${first}::int4, ${last}::int4) AS n`
        yield* passed(50)
      }
      yield* assertHealthy(sql.pg)

      const heard: Array<PgNotification.Event> = []
      while (heard.at(-1)?._tag !== "Gap" && heard.length < SENT) heard.push(yield* Queue.take(queue))
      assert.isAtMost(heard.length, MAX_WAITING)
      assert.deepStrictEqual(heard.at(-1), { _tag: "Gap", channel: "flood", reason: "overflow" })
      // What was held came in order, and whole: nothing is missing before the gap.
      assert.deepStrictEqual(
        heard.slice(0, -1).map(numberOf),
        heard.slice(0, -1).map((_, index) => index + 1)
      )

      yield* sql.notify("flood", "after")
      assert.containsSubset(yield* Queue.take(queue), { payload: "after" })
    })
  )
})
