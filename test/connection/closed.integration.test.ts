/** Tests a connection that has been reset, and one that is closed, with every call. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as PgConnection from "../../src/PgConnection.ts"
import type * as PgError from "../../src/PgError.ts"
import * as PgTypes from "../../src/PgTypes.ts"
import { TestDatabase } from "../support/database.ts"
import {
  assertHealthy,
  backendsOf,
  eventually,
  liveConnection,
  livePool,
  refusalOf,
  uniqueName,
  valueOf
} from "../support/live.ts"

type Calls = Readonly<
  Record<keyof PgConnection.Queryable | "listen" | "reset", Effect.Effect<unknown, PgError.PgError>>
>

/** One call of each kind. The calls that need no server are marked below. */
const callsOf = (connection: PgConnection.PgConnection): Calls => {
  const table = { table: "anything" }
  return {
    fetch: connection.fetch("SELECT 1"),
    fetchTuples: connection.fetchTuples("SELECT 1"),
    fetchRow: connection.fetchRow("SELECT 1"),
    fetchOne: connection.fetchOne("SELECT 1"),
    fetchValue: connection.fetchValue("SELECT 1"),
    execute: connection.execute("SELECT 1"),
    executeScript: connection.executeScript("SELECT 1"),
    executeMany: connection.executeMany("SELECT $1::int4", [[1]]),
    fetchMany: connection.fetchMany("SELECT $1::int4", Stream.make([1])),
    batch: connection.batch([{ sql: "SELECT 1" }]),
    copyIn: connection.copyIn(table, []),
    copyInRows: connection.copyInRows(table, [[1]]),
    copyOut: Stream.runDrain(connection.copyOut(table)),
    copyOutRows: Stream.runDrain(connection.copyOutRows(table)),
    stream: Stream.runDrain(connection.stream("SELECT 1")),
    cursor: Effect.scoped(connection.cursor("SELECT 1")),
    prepare: Effect.scoped(connection.prepare("SELECT 1")),
    notify: connection.notify("channel"),
    withTransaction: connection.withTransaction(Effect.void),
    begin: Effect.scoped(connection.begin()),
    withAdvisoryLock: connection.withAdvisoryLock(1, Effect.void),
    withAdvisoryLockIfAvailable: connection.withAdvisoryLockIfAvailable(1, Effect.void),
    listen: Effect.scoped(connection.listen("channel")),
    reset: connection.reset,
    afterCommit: connection.afterCommit(Effect.void),
    afterRollback: connection.afterRollback(Effect.void),
    reloadSchemaState: connection.reloadSchemaState
  }
}

const UNASKED: ReadonlyArray<string> = ["afterCommit", "afterRollback", "reloadSchemaState"]

layer(TestDatabase.layer, { excludeTestServices: true })("a closed connection", (it) => {
  for (const how of ["its scope", "terminate"] as const) {
    it.effect(`refuses every call after ${how}, and says that nothing was sent`, () =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const connection = yield* Scope.provide(liveConnection(), scope)
        yield* how === "terminate" ? connection.terminate : Scope.close(scope, Exit.void)
        for (const [name, call] of Object.entries(callsOf(connection))) {
          if (UNASKED.includes(name)) {
            yield* call
            continue
          }
          const error = yield* refusalOf(
            Effect.timeout(call, "5 seconds").pipe(Effect.catchTag("TimeoutError", Effect.die))
          )
          if (error._tag !== "ConnectionLostError") return assert.fail(`${name}: ${String(error)}`)
          assert.deepStrictEqual([error.outcome, error.safeToRetry], ["none", true], name)
        }
        assert.strictEqual(yield* connection.status, "closed")
        yield* Scope.close(scope, Exit.void)
      }).pipe(Effect.scoped)
    )
  }

  it.effect("may be terminated again, before and after the end of its scope", () =>
    Effect.gen(function* () {
      const applicationName = uniqueName()
      const observer = yield* liveConnection()
      const scope = yield* Scope.make()
      const connection = yield* Scope.provide(liveConnection({ applicationName }), scope)
      yield* connection.terminate
      const closed = yield* connection.awaitClosed
      yield* connection.terminate
      yield* Scope.close(scope, Exit.void)
      yield* connection.terminate
      assert.isTrue(closed.isExpected)
      assert.deepStrictEqual(yield* connection.awaitClosed, closed)
      yield* eventually(backendsOf(observer, applicationName), 0)
    }).pipe(Effect.scoped)
  )
})

layer(TestDatabase.layer, { excludeTestServices: true })("a lent connection that has been given back", (it) => {
  it.effect("does not let its former borrower end it or set its codecs", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1 })
      const former = yield* pool.withConnection(Effect.succeed)
      yield* pool.withConnection((lent) =>
        Effect.gen(function* () {
          assert.strictEqual(lent.processId, former.processId)
          yield* lent.setTypeCodec(PgTypes.int8AsNumber)
          yield* former.resetTypeCodec({ name: "int8" })
          assert.strictEqual(yield* valueOf(lent, "SELECT 1::int8"), 1)
          yield* former.setTypeCodec(PgTypes.numericAsBigDecimal)
          assert.strictEqual(yield* valueOf(lent, "SELECT 1.5::numeric"), "1.5")
          yield* former.terminate
          assert.strictEqual(yield* lent.status, "open")
          yield* assertHealthy(lent)
        })
      )
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )
})

layer(TestDatabase.layer, { excludeTestServices: true })("a connection that is reset", (it) => {
  it.effect("keeps its backend, its prepared statements and the settings of its startup", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection({ settings: { lock_timeout: "41s" } })
      const sql = "SELECT $1::int4 + 1"
      const statement = yield* connection.prepare(sql)
      const cached = valueOf(connection, "SELECT 'cached'")
      yield* cached
      const preparedAt = valueOf(
        connection,
        "SELECT array_agg(prepare_time::text ORDER BY name) FROM pg_prepared_statements WHERE statement = ANY ($1)",
        [[sql, "SELECT 'cached'"]]
      )
      const before = yield* preparedAt
      yield* connection.executeScript("SET lock_timeout = 1; BEGIN; SELECT 1")
      yield* Effect.ignore(connection.execute("SELECT 1 / 0"))
      assert.strictEqual(yield* connection.transactionStatus, "failed")
      yield* connection.reset
      assert.strictEqual(yield* connection.transactionStatus, "idle")
      assert.strictEqual(yield* valueOf(connection, "SELECT pg_backend_pid()"), connection.processId)
      assert.deepStrictEqual(yield* preparedAt, before)
      assert.deepStrictEqual(yield* statement.fetchValue([1]), Option.some(2))
      assert.strictEqual(yield* cached, "cached")
      assert.deepStrictEqual(yield* preparedAt, before)
      assert.strictEqual(yield* valueOf(connection, "SHOW lock_timeout"), "41s")
      yield* connection.reset
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("ends its transaction, and withTransaction fails with that reason", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.execute("CREATE TABLE reset_amid (n int4)")
      const insert = connection.execute("INSERT INTO reset_amid VALUES (1)")
      const error = yield* refusalOf(connection.withTransaction(Effect.andThen(insert, connection.reset)))
      assert.strictEqual(error._tag, "TransactionClosedError")
      assert.strictEqual(yield* valueOf(connection, "SELECT count(*)::int4 FROM reset_amid"), 0)
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )
})
