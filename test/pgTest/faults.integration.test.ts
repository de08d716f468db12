/** Tests faults on demand, on a client of the database that PgTest has made. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql"
import { inject } from "vitest"
import { passed } from "../../src/call/realTime.ts"
import * as PgClient from "../../src/PgClient.ts"
import * as PgConnection from "../../src/PgConnection.ts"
import type * as PgError from "../../src/PgError.ts"
import * as PgTest from "../../src/PgTest.ts"
import { makeFaults } from "../../src/pgTest/faults.ts"
import { proxyTo } from "../../src/pgTest/proxy.ts"
import { assertHealthy, eventually, refusalOf, valueOf } from "../support/live.ts"

const Database = PgTest.failing({ maxConnections: 2, cancelTimeout: "300 millis" }).pipe(
  Layer.provideMerge(PgTest.layer())
)

/** What the table holds, over a connection on which nothing happens. */
const rows = Effect.gen(function* () {
  const { settings } = yield* PgTest.TestDatabase
  const direct = yield* PgConnection.make(settings)
  return (yield* direct.fetch("SELECT n FROM marks ORDER BY n")).map(({ n }) => n)
}).pipe(Effect.scoped)

const emptied = Effect.gen(function* () {
  const { settings } = yield* PgTest.TestDatabase
  const direct = yield* PgConnection.make(settings)
  yield* direct.executeScript("CREATE TABLE IF NOT EXISTS marks (n int4); TRUNCATE marks")
}).pipe(Effect.scoped)

const mark = (pg: PgClient.PgClient) => pg.withTransaction(pg.execute("INSERT INTO marks VALUES (1)"))

layer(Database)("a fault on demand", (it) => {
  const losses: ReadonlyArray<readonly [PgTest.Fault, PgError.PgError["_tag"]]> = [
    ["killBackend", "AdminShutdownError"],
    ["resetSocket", "ConnectionLostError"],
    ["closeSocket", "ConnectionLostError"]
  ]
  for (const [fault, tag] of losses) {
    it.effect(`${fault} happens to a statement, once, and the client goes on`, () =>
      Effect.gen(function* () {
        const pg = yield* PgClient.PgClient
        const faults = yield* PgTest.Faults
        yield* assertHealthy(pg)
        const before = yield* faults.happened
        yield* faults.strike(fault, { where: ({ from }) => from === "client" })
        const error = yield* refusalOf(pg.execute("SELECT 1"))
        assert.include([tag, "ConnectionLostError"], error._tag)
        assert.strictEqual(yield* faults.happened, before + 1)
        yield* assertHealthy(pg)
        assert.strictEqual(yield* faults.happened, before + 1)
      })
    )
  }

  it.effect(
    "killBackend ends the server's process, also if an address between has another port for the connection",
    () =>
      Effect.gen(function* () {
        const { settings } = yield* PgTest.TestDatabase
        const { port: upstream } = inject("postgres")
        const between = yield* proxyTo({ host: "127.0.0.1", port: upstream })
        const faults = yield* makeFaults({ ...settings, host: between.host, port: between.port, sslMode: "disable" })
        const direct = yield* PgConnection.make(settings)
        const connection = yield* PgConnection.make(faults.settings)
        yield* faults.strike("killBackend", { where: ({ from }) => from === "client" })
        assert.strictEqual((yield* refusalOf(connection.execute("SELECT 1")))._tag, "AdminShutdownError")
        const backends = "SELECT count(*)::int4 FROM pg_stat_activity WHERE pid = $1"
        yield* eventually(valueOf(direct, backends, [connection.processId]), 0)
        yield* assertHealthy(direct)
      })
  )

  it.effect("killBackend breaks a connection off that has no process yet", () =>
    Effect.gen(function* () {
      const pg = yield* PgClient.PgClient
      const faults = yield* PgTest.Faults
      yield* faults.strike("killBackend", { where: ({ type }) => type === "startup" })
      const error = yield* refusalOf(Effect.scoped(PgConnection.make(faults.settings)))
      assert.strictEqual(error._tag, "ConnectionLostError")
      yield* assertHealthy(pg)
    })
  )

  it.effect("loseCommitAnswer leaves what was committed, and the client does not know it", () =>
    Effect.gen(function* () {
      const pg = yield* PgClient.PgClient
      const sql = yield* SqlClient.SqlClient
      const faults = yield* PgTest.Faults
      yield* emptied
      yield* faults.strike("loseCommitAnswer")
      const error = yield* refusalOf(mark(pg))
      assert.strictEqual(error._tag, "CommitOutcomeUnknownError")
      assert.deepStrictEqual(yield* rows, [1])
      yield* faults.strike("loseCommitAnswer")
      const failure = yield* Effect.flip(sql.withTransaction(sql`INSERT INTO marks VALUES (2)`))
      assert.include(String(failure.reason.cause), "CommitOutcomeUnknownError")
      assert.deepStrictEqual(yield* rows, [1, 2])
      yield* assertHealthy(pg)
    })
  )

  it.effect("a stall holds everything until it is resumed", () =>
    Effect.gen(function* () {
      const pg = yield* PgClient.PgClient
      const faults = yield* PgTest.Faults
      yield* assertHealthy(pg)
      yield* faults.strike("stall")
      const held = yield* Effect.forkChild(pg.fetch("SELECT 1 AS one"), { startImmediately: true })
      yield* passed(100)
      assert.isUndefined(held.pollUnsafe())
      yield* faults.resume
      assert.deepStrictEqual(yield* Fiber.join(held), [{ one: 1 }])

      yield* faults.strike("stall")
      const late = yield* refusalOf(pg.fetch("SELECT 1 AS one", [], { timeout: "50 millis" }))
      assert.strictEqual(late._tag, "QueryTimeoutError")
      yield* faults.resume
      yield* assertHealthy(pg)
    })
  )

  it.effect("a fault that is taken back does not happen", () =>
    Effect.gen(function* () {
      const pg = yield* PgClient.PgClient
      const faults = yield* PgTest.Faults
      const before = yield* faults.happened
      yield* faults.strike("killBackend", { message: 1_000 })
      yield* faults.resume
      yield* faults.strike("killBackend", { where: () => false })
      yield* assertHealthy(pg)
      yield* faults.resume
      assert.strictEqual(yield* faults.happened, before)
    })
  )

  it.effect("can strike at each message of a transaction, which is there or not, as its end says", () =>
    Effect.gen(function* () {
      const pg = yield* PgClient.PgClient
      const faults = yield* PgTest.Faults
      yield* emptied
      yield* mark(pg)
      const count = yield* faults.countMessages(mark(pg))
      assert.isAbove(count, 5)
      const endings = new Set<string>()
      for (let message = 1; message <= count; message++) {
        yield* emptied
        yield* assertHealthy(pg)
        yield* faults.strike("resetSocket", { message })
        const exit = yield* Effect.exit(mark(pg))
        yield* faults.resume
        const stored = yield* rows
        if (Exit.isSuccess(exit)) assert.deepStrictEqual(stored, [1])
        else {
          const { _tag: tag, outcome } = yield* refusalOf(Effect.failCause(exit.cause))
          if (outcome === "none") assert.deepStrictEqual(stored, [])
          endings.add(`${tag} ${outcome}`)
        }
      }
      assert.isTrue(endings.has("CommitOutcomeUnknownError unknown"), [...endings].join())
      yield* assertHealthy(pg)
    })
  )
})
