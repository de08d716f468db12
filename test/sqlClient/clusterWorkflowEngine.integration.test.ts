/** Compares a cluster of one runner: workflows that survive their process, durable clocks and deferreds, and entities. */
import { assert } from "@effect/vitest"
import * as ClusterSchema from "effect/cluster/ClusterSchema"
import * as ClusterWorkflowEngine from "effect/cluster/ClusterWorkflowEngine"
import * as Entity from "effect/cluster/Entity"
import * as Sharding from "effect/cluster/Sharding"
import * as SingleRunner from "effect/cluster/SingleRunner"
import * as Digest from "effect/crypto/Digest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Rpc from "effect/rpc/Rpc"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import * as Activity from "effect/workflow/Activity"
import * as DurableClock from "effect/workflow/DurableClock"
import * as DurableDeferred from "effect/workflow/DurableDeferred"
import * as Workflow from "effect/workflow/Workflow"
import { clientOf, parity, type Participant } from "./support/participants.ts"

const immediately = { startImmediately: true } as const

/** Fails if it does not end in time. */
const inTime = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.timeoutOrElse(effect, { duration: "15 seconds", orElse: () => Effect.die(new Error("it does not end")) })

const shardingConfig = {
  shardsPerGroup: 10,
  entityMessagePollInterval: "100 millis",
  entityReplyPollInterval: "50 millis",
  sendRetryInterval: "50 millis",
  refreshAssignmentsInterval: "100 millis",
  entityTerminationTimeout: 0
} as const

/** A process: a client of its own, a runner on it, and the engine on that. */
const processOf = (participant: Participant) =>
  ClusterWorkflowEngine.layer.pipe(
    Layer.provideMerge(SingleRunner.layer({ shardingConfig })),
    Layer.provide(Digest.layerWebCrypto),
    Layer.provideMerge(clientOf(participant, { maxConnections: 4 })),
    Layer.fresh
  )

const Approval = DurableDeferred.make("Approval", {
  success: Schema.Struct({ by: Schema.String, at: Schema.DateFromString })
})

const Order = Workflow.make("Order", {
  payload: { id: Schema.String, amount: Schema.Number },
  success: Schema.Struct({ id: Schema.String, total: Schema.Number }),
  error: Schema.Literals(["too much"]),
  idempotencyKey: ({ id }) => id
})

const Approved = Workflow.make("Approved", {
  payload: { id: Schema.String },
  success: Schema.String,
  idempotencyKey: ({ id }) => id
})

const Slept = Workflow.make("Slept", {
  payload: { id: Schema.String },
  success: Schema.Number,
  idempotencyKey: ({ id }) => id
})

/** The workflows, and what they have done in this process. */
const workflows = () => {
  const done: Array<string> = []
  const layer = Layer.mergeAll(
    Order.toLayer(({ amount, id }) =>
      Effect.gen(function* () {
        const total = yield* Activity.make({
          name: "total",
          success: Schema.Number,
          error: Schema.Literals(["too much"]),
          execute: Effect.suspend(() => {
            done.push(`total of ${id}`)
            return amount > 100 ? Effect.fail("too much" as const) : Effect.succeed(amount * 2)
          })
        })
        yield* Activity.make({
          name: "write",
          execute: Effect.flatMap(SqlClient.SqlClient, (sql) =>
            Effect.orDie(Effect.asVoid(sql`INSERT INTO orders ${sql.insert({ id, total })}`))
          )
        })
        return { id, total }
      })
    ),
    Approved.toLayer(({ id }) =>
      Effect.gen(function* () {
        yield* Activity.make({ name: "asked", execute: Effect.sync(() => done.push(`asked for ${id}`)) })
        const { at, by } = yield* DurableDeferred.await(Approval)
        return `${by} at ${at.toISOString()}`
      })
    ),
    Slept.toLayer(({ id }) =>
      Effect.gen(function* () {
        const before = yield* Activity.make({
          name: "before",
          success: Schema.Number,
          execute: Effect.sync(() => {
            done.push(`before the sleep of ${id}`)
            return Date.now()
          })
        })
        yield* DurableClock.sleep({ name: "nap", duration: "1 second", inMemoryThreshold: 0 })
        return Date.now() - before
      })
    )
  )
  return { done, layer }
}

parity("ClusterWorkflowEngine on a SingleRunner", (it, participant) => {
  const orders = Effect.flatMap(
    SqlClient.SqlClient,
    (sql) => sql`CREATE TABLE IF NOT EXISTS orders (id text, total float8)`
  )

  /** Runs an effect in a process that has the workflows, and tells what they have done there. */
  const inProcess = <A, E>(
    effect: (done: Array<string>) => Effect.Effect<A, E, Layer.Success<ReturnType<typeof processOf>>>
  ) =>
    Effect.suspend(() => {
      const { done, layer } = workflows()
      return Effect.provide(effect(done), layer.pipe(Layer.provideMerge(processOf(participant))))
    })

  it.effect("a workflow runs once for a key, however often it is asked for, also by the next process", () =>
    Effect.gen(function* () {
      yield* orders
      const sql = yield* SqlClient.SqlClient
      const order = { id: "first", amount: 21 }
      for (const expected of [["total of first"], []]) {
        yield* inProcess((done) =>
          Effect.gen(function* () {
            const results = yield* inTime(
              Effect.all([Order.execute(order), Order.execute(order), Order.execute(order)], { concurrency: 3 })
            )
            assert.deepStrictEqual(
              results,
              Array.from({ length: 3 }, () => ({ id: "first", total: 42 }))
            )
            assert.deepStrictEqual(done, expected)
          })
        )
      }
      assert.deepStrictEqual(yield* sql`SELECT * FROM orders WHERE id = 'first'`, [{ id: "first", total: 42 }])
    })
  )

  it.effect("the failure of an activity is that of its workflow, and is kept", () =>
    Effect.gen(function* () {
      yield* orders
      const order = { id: "large", amount: 1000 }
      for (const expected of [["total of large"], []]) {
        yield* inProcess((done) =>
          Effect.gen(function* () {
            assert.strictEqual(yield* inTime(Effect.flip(Order.execute(order))), "too much")
            assert.deepStrictEqual(done, expected)
          })
        )
      }
    })
  )

  it.effect("many workflows run at once", () =>
    Effect.gen(function* () {
      yield* orders
      yield* inProcess(() =>
        Effect.gen(function* () {
          const results = yield* inTime(
            Effect.forEach(
              Array.from({ length: 25 }, (_, n) => n),
              (n) => Order.execute({ id: `many ${n}`, amount: n }),
              { concurrency: "unbounded" }
            )
          )
          assert.deepStrictEqual(
            results.map(({ total }) => total),
            results.map((_, n) => 2 * n)
          )
        })
      )
    })
  )

  it.effect("a workflow that waits for a deferred goes on in the next process, without what it has done", () =>
    Effect.gen(function* () {
      const payload = { id: "waiting" }
      const executionId = yield* Approved.executionId(payload)
      yield* inProcess((done) =>
        Effect.gen(function* () {
          yield* Approved.execute(payload, { discard: true })
          yield* inTime(Effect.repeat(Effect.sleep("20 millis"), { until: () => done.length > 0 }))
        })
      )
      yield* inProcess((done) =>
        Effect.gen(function* () {
          const token = DurableDeferred.tokenFromExecutionId(Approval, { workflow: Approved, executionId })
          yield* DurableDeferred.succeed(Approval, { token, value: { by: "Ada", at: new Date(0) } })
          assert.strictEqual(yield* inTime(Approved.execute(payload)), "Ada at 1970-01-01T00:00:00.000Z")
          assert.deepStrictEqual(done, [])
        })
      )
    })
  )

  it.effect("workflows end although all sessions are lost while they run", () =>
    Effect.gen(function* () {
      yield* orders
      const sql = yield* SqlClient.SqlClient
      const kill = sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()`
      const payload = { id: "through losses" }
      const executionId = yield* Approved.executionId(payload)
      yield* inProcess((done) =>
        Effect.gen(function* () {
          yield* Approved.execute(payload, { discard: true })
          yield* inTime(Effect.repeat(Effect.sleep("20 millis"), { until: () => done.length > 0 }))
          for (let round = 0; round < 3; round++) yield* Effect.andThen(kill, Effect.sleep("100 millis"))
        })
      )
      yield* inProcess(() =>
        Effect.gen(function* () {
          const token = DurableDeferred.tokenFromExecutionId(Approval, { workflow: Approved, executionId })
          yield* DurableDeferred.succeed(Approval, { token, value: { by: "Ada", at: new Date(0) } })
          assert.strictEqual(yield* inTime(Approved.execute(payload)), "Ada at 1970-01-01T00:00:00.000Z")
        })
      )
    })
  )

  it.effect("a workflow sleeps over the end of its process", () =>
    Effect.gen(function* () {
      const payload = { id: "sleeping" }
      yield* inProcess((done) =>
        Effect.gen(function* () {
          yield* Slept.execute(payload, { discard: true })
          yield* inTime(Effect.repeat(Effect.sleep("20 millis"), { until: () => done.length > 0 }))
        })
      )
      yield* inProcess((done) =>
        Effect.gen(function* () {
          assert.isAtLeast(yield* inTime(Slept.execute(payload)), 950)
          assert.deepStrictEqual(done, [])
        })
      )
    })
  )
})

const Add = Rpc.make("Add", { payload: { amount: Schema.Int }, success: Schema.Int }).annotate(
  ClusterSchema.Persisted,
  true
)
const Counter = Entity.make("Counter", [Add])

parity("entities on a SingleRunner", (it, participant) => {
  /** A counter that waits at the gate for each message. */
  const counter = (gate: Effect.Effect<void>) =>
    Counter.toLayer(
      Effect.sync(() => {
        let count = 0
        return Counter.of({
          Add: ({ payload }) =>
            Effect.andThen(
              gate,
              Effect.sync(() => (count += payload.amount))
            )
        })
      })
    ).pipe(Layer.provideMerge(processOf(participant)))

  it.effect("an entity takes messages one after the other, apart from others", () =>
    Effect.gen(function* () {
      const clientFor = yield* Counter.client
      const adds = ["a", "a", "b", "a"].map((id) => clientFor(id).Add({ amount: 1 }))
      const counts = yield* inTime(Effect.all(adds, { concurrency: "unbounded" }))
      assert.deepStrictEqual(counts.toSorted(), [1, 1, 2, 3])
    }).pipe(Effect.provide(counter(Effect.void)))
  )

  it.effect("a message that was not answered is answered by the next process", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const unanswered = Effect.map(
        sql<{ n: number }>`SELECT count(*)::int AS n FROM cluster_messages WHERE tag = 'Add' AND NOT processed`,
        ([row]) => row?.n
      )
      const reached = yield* Deferred.make<void>()
      yield* Effect.gen(function* () {
        const clientFor = yield* Counter.client
        yield* Effect.forkChild(clientFor("late").Add({ amount: 5 }), immediately)
        yield* inTime(Deferred.await(reached))
      }).pipe(
        Effect.provide(counter(Effect.andThen(Deferred.succeed(reached, undefined), Effect.never))),
        Effect.forkChild,
        Effect.flatMap(Fiber.join)
      )
      assert.strictEqual(yield* unanswered, 1)
      yield* Effect.gen(function* () {
        yield* Sharding.Sharding
        yield* inTime(Effect.repeat(Effect.andThen(Effect.sleep("50 millis"), unanswered), { until: (n) => n === 0 }))
      }).pipe(Effect.provide(counter(Effect.void)))
      assert.strictEqual(yield* unanswered, 0)
    })
  )
})
