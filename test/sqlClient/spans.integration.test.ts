/** Compares the spans of statements and transactions, and what may change a statement on its way. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import * as Statement from "effect/sql/Statement"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import { TestDatabase } from "../support/database.ts"
import { type Answers, answerOf, named, parity } from "./support/participants.ts"

/** Runs an effect, and gives the spans that it has made, without those of effectpg that tell a wait for a connection. */
const spansOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const spans: Array<Tracer.NativeSpan> = []
    const tracer = Tracer.make({
      span: (options) => {
        const span = new Tracer.NativeSpan(options)
        spans.push(span)
        return span
      }
    })
    const made = Effect.exit(Effect.withTracer(effect, tracer))
    return Effect.map(made, () => spans.filter(({ name }) => !name.startsWith("acquire ")))
  })

const wrapping: Statement.Transformer = (statement, sql) =>
  Effect.succeed(sql`SELECT 'wrapped' AS note, inner_.* FROM (${statement}) AS inner_`)

parity("spans", (it, participant) => {
  const names: Answers<"database" | "postgres"> = { right: "database", "@effect/sql-pg": "postgres" }
  const nameOf = Effect.map(TestDatabase, ({ database }) =>
    answerOf(participant, names) === "database" ? database : "postgres"
  )
  const wrong = { "@effect/sql-pg": "says postgres, whatever the URL says" } as const

  it.effect(named(participant, "a statement has one span, named after the database, with its text", wrong), () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const name = yield* nameOf
      const ways = [
        [sql`SELECT ${1} AS one`, "execute"],
        [sql`SELECT ${1} AS one`.values, "executeValues"],
        [sql`SELECT ${1} AS one`.unprepared, "executeUnprepared"],
        [sql`SELECT ${1} AS one`.raw, "executeRaw"],
        [Stream.runDrain(sql`SELECT ${1} AS one`.stream), "executeStream"]
      ] as const
      for (const [statement, method] of ways) {
        const spans = yield* spansOf(statement)
        assert.deepStrictEqual(
          spans.map((span) => [span.name, span.kind, span.status._tag]),
          [[name, "client", "Ended"]]
        )
        const attributes = Object.fromEntries(spans[0]?.attributes ?? [])
        assert.containsSubset(attributes, {
          "db.system.name": "postgresql",
          "db.namespace": name,
          "db.query.text": "SELECT $1 AS one",
          "effect.sql.method": method
        })
      }
    })
  )

  const ports: Answers<"its own" | 5432> = { right: "its own", "@effect/sql-pg": 5432 }
  it.effect(named(participant, "a span has the port of the server", { "@effect/sql-pg": "says 5432" }), () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const { port } = yield* TestDatabase
      const [span] = yield* spansOf(sql`SELECT 1`)
      const answer = answerOf(participant, ports)
      assert.strictEqual(span?.attributes.get("server.port"), answer === "its own" ? port : answer)
    })
  )

  it.effect("a transaction has one span, parent of those of its statements; it tells how it ended", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const ends = [
        [sql.withTransaction(sql`SELECT 1`), "effect.sql.transaction.commit"],
        [sql.withTransaction(Effect.andThen(sql`SELECT 1`, Effect.fail("no"))), "effect.sql.transaction.rollback"]
      ] as const
      for (const [transaction, event] of ends) {
        const [outer, inner, ...others] = yield* spansOf(transaction)
        assert.strictEqual(outer?.name, "sql.transaction")
        assert.deepStrictEqual(
          outer?.events.map(([name]) => name),
          [event]
        )
        assert.strictEqual(inner?.attributes.get("db.query.text"), "SELECT 1")
        assert.strictEqual(inner?.parent._tag === "Some" ? inner.parent.value.spanId : undefined, outer?.spanId)
        assert.deepStrictEqual(others, [])
      }
    })
  )

  it.effect("a savepoint has a span within that of its transaction", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const spans = yield* spansOf(sql.withTransaction(sql.withTransaction(sql`SELECT 1`)))
      assert.deepStrictEqual(spans.map(({ name }) => name).slice(0, 2), ["sql.transaction", "sql.transaction"])
      assert.strictEqual(spans.length, 3)
      assert.deepStrictEqual(
        spans.flatMap(({ events }) => events.map(([name]) => name)),
        ["effect.sql.transaction.commit", "effect.sql.transaction.savepoint"]
      )
    })
  )

  it.effect("a failed statement has a failed span", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const [span] = yield* spansOf(sql`SELECT missing`)
      assert.isTrue(span?.status._tag === "Ended" && span.status.exit._tag === "Failure")
    })
  )

  it.effect("no span has the value of a parameter", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const spans = yield* spansOf(sql.withTransaction(sql`SELECT ${"a secret"} AS text`))
      for (const span of spans) assert.notInclude(JSON.stringify([...span.attributes]), "secret")
    })
  )

  it.effect("the time that a statement waits for its connection is told if spans are propagated", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const [span] = yield* spansOf(Effect.provideService(sql`SELECT 1`, Statement.SpanPropagationEnabled, true))
      assert.isNumber(span?.attributes.get("db.client.connection.wait_time_ms"))
    })
  )

  it.effect("a transformer may put another statement in the place of one", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const rows = Effect.provideService(sql`SELECT ${7} AS n`, Statement.CurrentTransformer, wrapping)
      assert.deepStrictEqual(yield* rows, [{ note: "wrapped", n: 7 }])
      assert.deepStrictEqual(yield* sql.withTransaction(rows), [{ note: "wrapped", n: 7 }])
    })
  )
})
