/** Compares the runners of a cluster in tables: their registration, their locks on shards, and what a lost session does to both. */
import { assert } from "@effect/vitest"
import * as Runner from "effect/cluster/Runner"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import * as RunnerStorage from "effect/cluster/RunnerStorage"
import * as ShardId from "effect/cluster/ShardId"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import * as SqlRunnerStorage from "effect/cluster/SqlRunnerStorage"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import { eventually } from "../support/live.ts"
import { clientOf, parity, type Participant } from "./support/participants.ts"

const SHARDS = Array.from({ length: 300 }, (_, n) => ShardId.make("default", n + 1))
const A = RunnerAddress.make("localhost", 1)
const B = RunnerAddress.make("localhost", 2)

const runnerAt = (address: RunnerAddress.RunnerAddress) => Runner.make({ address, groups: ["default"], weight: 1 })

/** Fails if it does not end in time. */
const inTime = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.timeoutOrElse(effect, { duration: "5 seconds", orElse: () => Effect.die(new Error("it does not end")) })

let prefixes = 0
const newPrefix = () => `runners_${++prefixes}`

interface Options {
  readonly prefix: string
  readonly config?: Partial<ShardingConfig.ShardingConfig["Service"]>
  readonly maxConnections?: number
}

/** A runner, as a process of its own would have it: a client, and the storage on it. */
const makeRunner = (participant: Participant, { config, maxConnections = 3, prefix }: Options) => {
  const layer = SqlRunnerStorage.layerWith({ prefix }).pipe(
    Layer.provide(ShardingConfig.layer(config)),
    Layer.provideMerge(clientOf(participant, { maxConnections }))
  )
  return Effect.map(Layer.build(layer), (context) => ({
    sql: Context.get(context, SqlClient.SqlClient),
    storage: Context.get(context, RunnerStorage.RunnerStorage)
  }))
}

/** The process ids of the sessions that hold advisory locks in this database. */
const holders = Effect.flatMap(SqlClient.SqlClient, (sql) =>
  Effect.map(
    sql<{ pid: number }>`SELECT DISTINCT pid FROM pg_locks WHERE locktype = 'advisory'
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    (rows) => rows.map(({ pid }) => pid)
  )
)

parity("SqlRunnerStorage", (it, participant) => {
  it.effect("a runner is registered with a number of its own, is healthy or not, and is gone when it leaves", () =>
    Effect.gen(function* () {
      const { storage } = yield* makeRunner(participant, { prefix: newPrefix() })
      const [first, second] = [yield* storage.register(runnerAt(A), true), yield* storage.register(runnerAt(B), true)]
      assert.notStrictEqual(first, second)
      assert.strictEqual(yield* storage.register(runnerAt(A), true), first)
      const runners = Effect.map(storage.getRunners, (all) =>
        all.map(([{ address }, healthy]) => [address.port, healthy]).toSorted()
      )
      assert.deepStrictEqual(yield* runners, [
        [1, true],
        [2, true]
      ])
      yield* storage.setRunnerHealth(B, false)
      assert.deepStrictEqual(yield* runners, [
        [1, true],
        [2, false]
      ])
      yield* storage.unregister(A)
      assert.deepStrictEqual(yield* runners, [[2, false]])
    })
  )

  for (const shardLockDisableAdvisory of [false, true]) {
    const config = { shardLockDisableAdvisory }
    const kind = shardLockDisableAdvisory ? "rows" : "advisory locks"

    it.effect(`with ${kind}: 300 shards are one runner's until it releases them`, () =>
      Effect.gen(function* () {
        const prefix = newPrefix()
        const [a, b] = [
          yield* makeRunner(participant, { prefix, config }),
          yield* makeRunner(participant, { prefix, config })
        ]
        assert.strictEqual((yield* a.storage.acquire(A, SHARDS)).length, 300)
        assert.deepStrictEqual(yield* b.storage.acquire(B, SHARDS), [])
        assert.strictEqual((yield* a.storage.acquire(A, SHARDS)).length, 300)
        assert.strictEqual((yield* a.storage.refresh(A, SHARDS)).length, 300)
        assert.deepStrictEqual(yield* b.storage.refresh(B, SHARDS), [])
        yield* a.storage.release(A, ShardId.make("default", 7))
        assert.deepStrictEqual((yield* b.storage.acquire(B, SHARDS)).map(String), ["default:7"])
        yield* a.storage.releaseAll(A)
        assert.strictEqual((yield* b.storage.acquire(B, SHARDS)).length, 300)
        assert.deepStrictEqual(yield* a.storage.refresh(A, SHARDS), [])
      })
    )

    it.effect(`with ${kind}: runners that want all shards at once share them, none twice`, () =>
      Effect.gen(function* () {
        const prefix = newPrefix()
        const runners = [
          yield* makeRunner(participant, { prefix, config }),
          yield* makeRunner(participant, { prefix, config }),
          yield* makeRunner(participant, { prefix, config })
        ]
        const acquired = yield* Effect.forEach(
          runners,
          ({ storage }, n) => storage.acquire(RunnerAddress.make("localhost", n), SHARDS),
          { concurrency: "unbounded" }
        )
        const ids = acquired.flat().map(String)
        assert.strictEqual(ids.length, 300)
        assert.strictEqual(new Set(ids).size, 300)
      })
    )
  }

  it.effect("the locks of a runner that has left are free, and its session goes back as it was", () =>
    Effect.gen(function* () {
      const prefix = newPrefix()
      const client = yield* Effect.map(Layer.build(clientOf(participant, { maxConnections: 2 })), (context) =>
        Context.get(context, SqlClient.SqlClient)
      )
      const layer = SqlRunnerStorage.layerWith({ prefix }).pipe(
        Layer.provide(ShardingConfig.layer()),
        Layer.provide(Layer.succeed(SqlClient.SqlClient, client))
      )
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(layer, scope)
      yield* Context.get(context, RunnerStorage.RunnerStorage).acquire(A, SHARDS)
      assert.strictEqual((yield* holders).length, 1)
      yield* inTime(Scope.close(scope, Exit.void))
      yield* eventually(
        Effect.map(holders, (pids) => pids.length),
        0
      )
      for (let n = 0; n < 4; n++) {
        assert.deepStrictEqual(yield* client`SHOW idle_session_timeout`, [{ idle_session_timeout: "0" }])
      }
    })
  )

  it.effect("a runner works on a pool of two while it holds its locks", () =>
    Effect.gen(function* () {
      const { sql, storage } = yield* makeRunner(participant, { prefix: newPrefix(), maxConnections: 2 })
      yield* storage.acquire(A, SHARDS)
      const answers = yield* inTime(
        Effect.all(
          Array.from({ length: 20 }, () => sql.withTransaction(sql`SELECT 1 AS one`)),
          { concurrency: 20 }
        )
      )
      assert.strictEqual(answers.length, 20)
    })
  )

  it.effect("a runner whose session was ended has lost its locks, says so, and can take them again", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const { storage } = yield* makeRunner(participant, { prefix: newPrefix() })
      yield* storage.acquire(A, SHARDS)
      const [pid] = yield* holders
      yield* sql`SELECT pg_terminate_backend(${pid})`
      yield* eventually(
        Effect.map(holders, (pids) => pids.length),
        0
      )
      const refreshed = yield* inTime(Effect.exit(storage.refresh(A, SHARDS)))
      assert.isTrue(Exit.isFailure(refreshed) || refreshed.value.length === 0)
      assert.isFalse(Exit.hasDies(refreshed))
      yield* eventually(
        Effect.map(
          Effect.orElseSucceed(storage.acquire(A, SHARDS), () => []),
          (shards) => shards.length
        ),
        300
      )
    })
  )

  it.effect("a runner that does nothing for the time of its locks loses them", () =>
    Effect.gen(function* () {
      const config = { shardLockExpiration: "300 millis", shardLockRefreshInterval: "100 millis" } as const
      const { storage } = yield* makeRunner(participant, { prefix: newPrefix(), config })
      assert.strictEqual((yield* storage.acquire(A, SHARDS)).length, 300)
      yield* eventually(
        Effect.map(holders, (pids) => pids.length),
        0
      )
      const refreshed = yield* inTime(Effect.exit(storage.refresh(A, SHARDS)))
      assert.isTrue(Exit.isFailure(refreshed) || refreshed.value.length === 0)
      yield* eventually(
        Effect.map(
          Effect.orElseSucceed(storage.acquire(A, SHARDS), () => []),
          (shards) => shards.length
        ),
        300
      )
    })
  )
})
