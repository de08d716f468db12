/** Tests that effectpg can stand under the key of `@effect/sql-pg`, for libraries that ask for that client. */
import * as SqlPg from "@effect/sql-pg/PgClient"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as SqlClient from "effect/sql/SqlClient"
import { SqlError } from "effect/sql/SqlError"
import * as PgClient from "../../src/PgClient.ts"
import * as PgSqlClient from "../../src/PgSqlClient.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, killBackend, liveSettings, valueOf } from "../support/live.ts"

/** Compiles only if each client can be used for the other: by libraries, and to satisfy what they require. */
const asOther = (client: PgSqlClient.SqlPgClient): SqlPg.PgClient => client
const fromOther = (client: SqlPg.PgClient): PgSqlClient.SqlPgClient => client
const asOtherLayer: Layer.Layer<SqlPg.PgClient, never, PgSqlClient.PgSqlClient> = PgSqlClient.layerSqlPg

const Database = asOtherLayer.pipe(
  Layer.provideMerge(
    Layer.unwrap(
      Effect.map(liveSettings({ maxConnections: 2 }), (settings) =>
        PgSqlClient.layer({ ...settings, transformResultNames: (name) => name.toUpperCase() })
      )
    )
  ),
  Layer.provideMerge(TestDatabase.layer)
)

layer(Database, { excludeTestServices: true })("the client under the key of @effect/sql-pg", (it) => {
  it.effect("is a SqlClient that runs where the other one runs", () =>
    Effect.gen(function* () {
      const pg = yield* PgClient.PgClient
      const other = yield* SqlPg.PgClient
      const sql = yield* SqlClient.SqlClient
      assert.strictEqual(asOther(fromOther(other)), other)
      assert.strictEqual(other.safe, other)
      assert.deepStrictEqual(yield* other`SELECT ${1} AS one`, [{ ONE: 1 }])
      assert.deepStrictEqual(yield* other.withoutTransforms()`SELECT ${1} AS one`, [{ one: 1 }])
      assert.deepStrictEqual(yield* other`SELECT ${other.json({ a: 1 })} -> 'a' AS a`, [{ A: 1 }])
      const pid = Effect.map(other<{ PID: number }>`SELECT pg_backend_pid() AS pid`, ([row]) => row?.PID)
      const pids = Effect.all([pid, valueOf(pg, "SELECT pg_backend_pid()"), other.withTransaction(pid)])
      const [first, ...others] = yield* sql.withTransaction(pids)
      assert.deepStrictEqual(others, [first, first])
      yield* assertHealthy(pg)
    })
  )

  it.effect("says where it is connected to, without the password", () =>
    Effect.gen(function* () {
      const { config } = yield* SqlPg.PgClient
      const { database, host, port, user } = yield* TestDatabase
      assert.deepStrictEqual(config, { host, port, database, username: user })
    })
  )

  it.effect("listens, and notifies when the transaction is committed", () =>
    Effect.gen(function* () {
      const pg = yield* PgClient.PgClient
      const { listen, notify, withTransaction } = yield* SqlPg.PgClient
      const queue = yield* listen("orders")
      yield* Effect.flip(withTransaction(Effect.andThen(notify("orders", "undone"), Effect.fail("undone"))))
      yield* withTransaction(notify("orders", "first"))
      for (let n = 0; n < 50; n++) yield* pg.notify("orders", `${n}`)
      const { processId, ...first } = yield* Queue.take(queue)
      assert.deepStrictEqual(first, { channel: "orders", payload: "first" })
      assert.isAbove(processId, 0)
      const payloads = Array.from({ length: 50 }, (_, n) => `${n}`)
      for (const payload of payloads) assert.strictEqual((yield* Queue.take(queue)).payload, payload)
      yield* assertHealthy(pg)
    }).pipe(Effect.scoped)
  )

  it.effect("fails the queue of a listener if notifications may have been lost", () =>
    Effect.gen(function* () {
      const pg = yield* PgClient.PgClient
      const { listen } = yield* SqlPg.PgClient
      const queue = yield* listen("orders")
      const listening = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"
      yield* killBackend(pg, Number(yield* valueOf(pg, listening)))
      const error = yield* Effect.flip(Queue.take(queue))
      assert.instanceOf(error, SqlError)
      assert.strictEqual(error.reason._tag, "ConnectionError")
      assert.include(error.message, "may have been lost")
      const again = yield* listen("orders")
      yield* pg.notify("orders", "heard")
      assert.strictEqual((yield* Queue.take(again)).payload, "heard")
      yield* assertHealthy(pg)
    }).pipe(Effect.scoped)
  )
})
