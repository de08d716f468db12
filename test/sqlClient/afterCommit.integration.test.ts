/** Compares what follows a COMMIT: callbacks, and the queries that run again because their tables have changed. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as SqlClient from "effect/sql/SqlClient"
import * as Stream from "effect/Stream"
import { answerOf, type Answers, clientOf, named, parity } from "./support/participants.ts"

const immediately = { startImmediately: true } as const

/** Fails if it does not end in time. */
const inTime = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.timeoutOrElse(effect, { duration: "5 seconds", orElse: () => Effect.die(new Error("it does not end")) })

parity(
  "afterCommit on a pool of one",
  (it) => {
    it.effect("a callback outside of a transaction runs at once", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const ran: Array<string> = []
        yield* sql.afterCommit(Effect.sync(() => ran.push("callback")))
        assert.deepStrictEqual(ran, ["callback"])
      })
    )

    it.effect(
      "a callback runs after the COMMIT, with the connection given back, and before the transaction returns",
      () =>
        Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          yield* sql`CREATE TABLE marks (n int4)`
          const seen: Array<unknown> = []
          yield* inTime(
            sql.withTransaction(
              Effect.gen(function* () {
                yield* sql.afterCommit(Effect.orDie(Effect.map(sql`SELECT n FROM marks`, (rows) => seen.push(rows))))
                yield* sql`INSERT INTO marks VALUES (1)`
                assert.deepStrictEqual(seen, [])
              })
            )
          )
          assert.deepStrictEqual(seen, [[{ n: 1 }]])
        })
    )

    it.effect("callbacks run in their order, those of a savepoint that was rolled back not at all", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const ran: Array<string> = []
        const note = (text: string) => sql.afterCommit(Effect.sync(() => ran.push(text)))
        yield* sql.withTransaction(
          Effect.gen(function* () {
            yield* note("first")
            yield* sql.withTransaction(note("of a savepoint"))
            yield* Effect.ignore(sql.withTransaction(Effect.andThen(note("rolled back"), Effect.fail("no"))))
            yield* note("last")
            assert.deepStrictEqual(ran, [])
          })
        )
        assert.deepStrictEqual(ran, ["first", "of a savepoint", "last"])
      })
    )

    it.effect("no callback runs if the transaction is rolled back, or if COMMIT is answered by ROLLBACK", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        let ran = false
        const note = sql.afterCommit(Effect.sync(() => (ran = true)))
        yield* Effect.ignore(sql.withTransaction(Effect.andThen(note, Effect.fail("no"))))
        yield* Effect.flip(sql.withTransaction(Effect.andThen(note, Effect.ignore(sql`SELECT 1 / 0`))))
        assert.isFalse(ran)
      })
    )

    it.effect("a callback that dies changes nothing for the transaction and for the other callbacks", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const ran: Array<string> = []
        const result = yield* sql.withTransaction(
          Effect.gen(function* () {
            yield* sql.afterCommit(Effect.die("broken"))
            yield* sql.afterCommit(Effect.sync(() => ran.push("second")))
            return "result"
          })
        )
        assert.strictEqual(result, "result")
        assert.deepStrictEqual(ran, ["second"])
      })
    )

    it.effect("a callback may begin a transaction of its own", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const seen: Array<unknown> = []
        const another = Effect.orDie(Effect.map(sql.withTransaction(sql`SELECT 1 AS one`), (rows) => seen.push(rows)))
        yield* inTime(sql.withTransaction(sql.afterCommit(another)))
        assert.deepStrictEqual(seen, [[{ one: 1 }]])
      })
    )
  },
  { maxConnections: 1 }
)

parity("reactive queries", (it, participant) => {
  /** The client and the application's `Reactivity`, which the client's layer shares. */
  const withReactivity = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.provide(effect, Layer.merge(clientOf(participant), Reactivity.layer))

  /** An empty table, and what adds a row to it and says so. */
  const emptied = Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const reactivity = yield* Reactivity.Reactivity
    yield* sql`CREATE TABLE IF NOT EXISTS watched (n int4)`
    yield* sql`DELETE FROM watched`
    const count = Effect.map(sql<{ n: number }>`SELECT count(*)::int AS n FROM watched`, ([row]) => row?.n)
    const add = reactivity.mutation(["watched"], sql`INSERT INTO watched VALUES (1)`)
    return { sql, count, add }
  })

  it.effect("a query runs again each time its keys are invalidated", () =>
    withReactivity(
      Effect.gen(function* () {
        const { add, count, sql } = yield* emptied
        const counts = yield* sql.reactiveMailbox(["watched"], count)
        assert.strictEqual(yield* inTime(Queue.take(counts)), 0)
        yield* add
        assert.strictEqual(yield* inTime(Queue.take(counts)), 1)
        yield* add
        assert.strictEqual(yield* inTime(Queue.take(counts)), 2)
      })
    )
  )

  it.effect("within a transaction, the invalidation waits for its COMMIT, and a rollback drops it", () =>
    withReactivity(
      Effect.gen(function* () {
        const { count, sql } = yield* emptied
        const mutation = Effect.flatMap(Reactivity.Reactivity, (reactivity) =>
          reactivity.mutation(["watched"], sql`INSERT INTO watched VALUES (1)`)
        )
        const runs: Array<number | undefined> = []
        const reader = yield* Effect.forkChild(
          Stream.runForEach(Stream.take(sql.reactive(["watched"], count), 2), (n) => Effect.sync(() => runs.push(n))),
          immediately
        )
        while (runs.length === 0) yield* Effect.sleep("5 millis")
        yield* Effect.ignore(sql.withTransaction(Effect.andThen(mutation, Effect.fail("no"))))
        yield* sql.withTransaction(Effect.andThen(mutation, Effect.andThen(Effect.sleep("50 millis"), mutation)))
        yield* inTime(Fiber.join(reader))
        assert.deepStrictEqual(runs, [0, 2])
      })
    )
  )

  it.effect("the failure of a reactive query ends its stream", () =>
    withReactivity(
      Effect.gen(function* () {
        const { sql } = yield* emptied
        const failure = yield* Effect.flip(Stream.runDrain(sql.reactive(["watched"], sql`SELECT missing`)))
        assert.strictEqual(failure.reason._tag, "SqlSyntaxError")
      })
    )
  )
})

parity("notifications", (it, participant) => {
  it.effect("a listener gets what is notified on its channel from the moment it is there", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const { listen, notify } = participant.extrasOf(sql)
      const mailbox = yield* listen('a "channel"')
      yield* notify("another", "not this")
      yield* notify('a "channel"', "first")
      yield* sql`SELECT pg_notify(${'a "channel"'}, ${"second ünïcode"})`
      const first = yield* inTime(Queue.take(mailbox))
      const second = yield* inTime(Queue.take(mailbox))
      assert.containsSubset(first, { channel: 'a "channel"', payload: "first" })
      assert.containsSubset(second, { payload: "second ünïcode" })
      assert.isTrue(typeof first === "object" && first !== null && "processId" in first)
    })
  )

  const outside: Answers<ReadonlyArray<string>> = {
    right: ["committed"],
    "@effect/sql-pg": ["rolled back", "committed"]
  }
  const belongs = "notify belongs to the transaction around it"
  it.effect(named(participant, belongs, { "@effect/sql-pg": "notifies at once, also if it is rolled back" }), () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const { listen, notify } = participant.extrasOf(sql)
      const mailbox = yield* listen("events")
      yield* Effect.ignore(sql.withTransaction(Effect.andThen(notify("events", "rolled back"), Effect.fail("no"))))
      yield* sql.withTransaction(notify("events", "committed"))
      const expected = answerOf(participant, outside)
      for (const payload of expected) assert.containsSubset(yield* inTime(Queue.take(mailbox)), { payload })
    })
  )

  it.effect("a listener gives its connection back when its scope closes", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const { listen } = participant.extrasOf(sql)
      for (let run = 0; run < 15; run++) yield* inTime(Effect.scoped(listen("shortly")))
      assert.deepStrictEqual(yield* sql`SELECT 1 AS healthy`, [{ healthy: 1 }])
    })
  )
})
