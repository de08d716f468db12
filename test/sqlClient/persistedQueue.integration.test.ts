/** Compares queues in a table: every element once, retries, delays, several takers, and a process that ends in between. */
import { assert } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as PersistedQueue from "effect/persistence/PersistedQueue"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import * as String from "effect/String"
import { clientOf, parity } from "./support/participants.ts"

const Job = Schema.Struct({ n: Schema.Number, at: Schema.DateFromString })
const AT = new Date("2024-03-10T20:45:01.250Z")

const immediately = { startImmediately: true } as const

/** Fails if it does not end in time. */
const inTime = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.timeoutOrElse(effect, { duration: "10 seconds", orElse: () => Effect.die(new Error("it does not end")) })

const queues = Layer.provide(PersistedQueue.layer, PersistedQueue.layerStoreSql({ pollInterval: "50 millis" }))

/** A queue of jobs, as a process of its own would have it. */
const makeQueue = (name: string, options: { readonly maxAttempts?: number } = {}) =>
  Effect.flatMap(Layer.build(queues), (context) =>
    Effect.provideContext(
      PersistedQueue.make({ name, schema: Job, retrySchedule: Schedule.spaced("1 millis"), ...options }),
      context
    )
  )

const job = (n: number) => ({ n, at: AT })

parity("PersistedQueue", (it, participant) => {
  it.effect("an element is taken as it was offered, in the order of the offers", () =>
    Effect.gen(function* () {
      const queue = yield* makeQueue("ordered")
      for (let n = 0; n < 5; n++) yield* queue.offer(job(n))
      const taken = yield* inTime(
        Effect.forEach([0, 1, 2, 3, 4], () => queue.take((value, { attempts }) => Effect.succeed([value, attempts])))
      )
      assert.deepStrictEqual(
        taken,
        [0, 1, 2, 3, 4].map((n) => [job(n), 1])
      )
    })
  )

  it.effect("an id that was offered before is not offered again", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const queue = yield* makeQueue("ids")
      assert.strictEqual(yield* queue.offer(job(1), { id: "the id" }), "the id")
      yield* queue.offer(job(2), { id: "the id" })
      yield* inTime(
        queue.take((value, { id }) => Effect.sync(() => assert.deepStrictEqual([value, id], [job(1), "the id"])))
      )
      yield* queue.offer(job(3), { id: "the id" })
      assert.deepStrictEqual(yield* sql`SELECT state FROM effect_queue WHERE queue_name = 'ids'`, [
        { state: "completed" }
      ])
    })
  )

  it.effect("an element whose handler fails is taken again, with the number of its attempts", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const queue = yield* makeQueue("retried")
      yield* queue.offer(job(1))
      const attempts: Array<number> = []
      const handle = queue.take((_, metadata) =>
        Effect.suspend(() => {
          attempts.push(metadata.attempts)
          return attempts.length < 3 ? Effect.fail("not yet") : Effect.succeed("done")
        })
      )
      assert.strictEqual(yield* inTime(Effect.retry(handle, { while: (error) => error === "not yet" })), "done")
      assert.deepStrictEqual(attempts, [1, 2, 3])
      assert.deepStrictEqual(yield* sql`SELECT state, attempts FROM effect_queue WHERE queue_name = 'retried'`, [
        { state: "completed", attempts: 3 }
      ])
    })
  )

  it.effect("an element that failed too often is given up", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const queue = yield* makeQueue("given up", { maxAttempts: 2 })
      yield* queue.offer(job(1))
      const fail = queue.take(() => Effect.fail("never"))
      yield* inTime(Effect.flip(fail))
      yield* inTime(Effect.flip(fail))
      assert.strictEqual((yield* Effect.timeoutOption(fail, "300 millis"))._tag, "None")
      assert.deepStrictEqual(yield* sql`SELECT state, attempts FROM effect_queue WHERE queue_name = 'given up'`, [
        { state: "failed", attempts: 2 }
      ])
    })
  )

  it.effect("many takers of several processes take each element once", () =>
    Effect.gen(function* () {
      const processes = yield* Effect.forEach([1, 2, 3], () => makeQueue("many"))
      const [offering] = processes
      if (offering === undefined) throw new Error("there are three")
      const taken: Array<number> = []
      const takers = yield* Effect.forEach(processes, (queue) =>
        Effect.forkChild(
          Effect.forever(queue.take(({ n }) => Effect.as(Effect.sleep("1 millis"), taken.push(n)))),
          immediately
        )
      )
      yield* Effect.forEach(
        Array.from({ length: 60 }, (_, n) => n),
        (n) => offering.offer(job(n)),
        {
          concurrency: 10,
          discard: true
        }
      )
      yield* inTime(Effect.repeat(Effect.sleep("20 millis"), { until: () => taken.length >= 60 }))
      yield* inTime(Effect.forEach(takers, Fiber.interrupt))
      assert.deepStrictEqual(
        taken.sort((a, b) => a - b),
        Array.from({ length: 60 }, (_, n) => n)
      )
    })
  )

  it.effect("an offer wakes a taker of the same process after the COMMIT, and not if it is rolled back", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const queue = yield* makeQueue("committed")
      const taker = yield* Effect.forkChild(
        queue.take(({ n }) => Effect.succeed(n)),
        immediately
      )
      yield* Effect.ignore(sql.withTransaction(Effect.andThen(queue.offer(job(1)), Effect.fail("no"))))
      yield* sql.withTransaction(Effect.andThen(queue.offer(job(2)), Effect.sleep("100 millis")))
      assert.strictEqual(yield* inTime(Fiber.join(taker)), 2)
    })
  )

  it.effect("an element with a delay is taken when it is due", () =>
    Effect.gen(function* () {
      const queue = yield* makeQueue("delayed")
      const offered = Date.now()
      yield* queue.offer(job(1), { delay: "1 second" })
      yield* queue.offer(job(2))
      const taken = yield* inTime(Effect.forEach([1, 2], () => queue.take(({ n }) => Effect.succeed(n))))
      assert.deepStrictEqual(taken, [2, 1])
      assert.isAtLeast(Date.now() - offered, 950)
    })
  )

  it.effect("a handler that is interrupted gives its element back", () =>
    Effect.gen(function* () {
      const queue = yield* makeQueue("interrupted")
      yield* queue.offer(job(1))
      const begun = yield* Deferred.make<void>()
      const slow = yield* Effect.forkChild(
        queue.take(() => Effect.andThen(Deferred.succeed(begun, undefined), Effect.never)),
        immediately
      )
      yield* inTime(Deferred.await(begun))
      yield* inTime(Fiber.interrupt(slow))
      assert.strictEqual(yield* inTime(queue.take(({ n }) => Effect.succeed(n))), 1)
    })
  )

  it.effect("an element that cannot be decoded is put aside, and the next one taken", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const queue = yield* makeQueue("undecodable")
      yield* queue.offer(job(1))
      yield* sql`UPDATE effect_queue SET element = '{"n":"no number"}' WHERE queue_name = 'undecodable'`
      yield* queue.offer(job(2))
      assert.strictEqual(yield* inTime(queue.take(({ n }) => Effect.succeed(n))), 2)
      assert.deepStrictEqual(
        yield* sql`SELECT state FROM effect_queue WHERE queue_name = 'undecodable' ORDER BY sequence`,
        [{ state: "failed" }, { state: "completed" }]
      )
    })
  )

  it.effect("works on a pool of one, whose handlers ask the database too, also in transactions", () =>
    Effect.gen(function* () {
      const sums = Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const queue = yield* makeQueue("narrow")
        yield* Effect.forEach([1, 2, 3], (n) => sql.withTransaction(queue.offer(job(n))), { concurrency: 3 })
        const double = queue.take(({ n }) =>
          sql.withTransaction(Effect.map(sql<{ m: number }>`SELECT ${n} * 2 AS m`, ([row]) => row?.m ?? 0))
        )
        return yield* inTime(Effect.all([double, double, double], { concurrency: 3 }))
      })
      const taken = yield* Effect.provide(sums, clientOf(participant, { maxConnections: 1 }))
      assert.deepStrictEqual(taken.toSorted(), [2, 4, 6])
    })
  )

  it.effect("a taker survives the loss of all sessions, and settles what it had taken", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const program = Effect.gen(function* () {
        const queue = yield* makeQueue("lost")
        yield* queue.offer(job(1))
        yield* queue.offer(job(2))
        const kill = sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND pid <> pg_backend_pid()`
        const take = queue.take(({ n }) => Effect.as(Effect.andThen(kill, Effect.sleep("50 millis")), n))
        const again = Effect.retry(take, { while: (error) => error._tag === "PersistedQueueError", times: 20 })
        return [yield* inTime(again), yield* inTime(again)]
      })
      assert.deepStrictEqual(yield* Effect.provide(program, clientOf(participant)), [1, 2])
      assert.deepStrictEqual(yield* sql`SELECT DISTINCT state FROM effect_queue WHERE queue_name = 'lost'`, [
        { state: "completed" }
      ])
    })
  )

  it.effect("works for a client that changes names", () =>
    Effect.gen(function* () {
      const settings = { transformQueryNames: String.camelToSnake, transformResultNames: String.snakeToCamel }
      const taken = Effect.gen(function* () {
        const queue = yield* makeQueue("named")
        yield* queue.offer(job(7))
        return yield* inTime(queue.take(({ n }) => Effect.succeed(n)))
      })
      assert.strictEqual(yield* Effect.provide(taken, clientOf(participant, settings)), 7)
    })
  )
})
