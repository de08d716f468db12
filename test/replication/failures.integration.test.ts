import { assert, layer } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as PgConnection from "../../src/PgConnection.ts"
import * as PgReplication from "../../src/PgReplication.ts"
import { assertHealthy, eventually, valueOf } from "../support/live.ts"
import { proxyTo } from "../../src/pgTest/proxy.ts"
import { isActive, published, Source, sourceServer } from "./source.ts"

/** The server process that serves a slot, once there is one. */
const walsenderOf = (pg: PgConnection.Queryable, slot: string) =>
  Effect.gen(function* () {
    yield* eventually(isActive(pg, slot), true)
    return yield* valueOf(pg, "SELECT active_pid FROM pg_replication_slots WHERE slot_name = $1", [slot])
  })

/** How many processes of the server send its log. */
const walsenders = (pg: PgConnection.Queryable) =>
  valueOf(pg, "SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'walsender'")

/** A stream whose server lets nobody connect while it `isDown`. It has brought its first row; `pull` takes the next one. */
const refusable = Effect.gen(function* () {
  const { name, options, pg } = yield* published("CREATE TABLE $.t (id int PRIMARY KEY)")
  const proxy = yield* proxyTo((yield* Source).server)
  const state = { isDown: false, refused: 0 }
  proxy.onMessage = (link, { type }) => {
    if (!state.isDown || type !== "startup") return
    state.refused++
    link.destroy()
  }
  const connection = { ...options.connection, host: proxy.host, port: proxy.port }
  const { transactions } = yield* PgReplication.make({ ...options, connection })
  const pull = Effect.flatMap(yield* Stream.toPull(transactions), ([transaction]) =>
    Effect.map(transaction.allChanges, ([change]) => (change?._tag === "Insert" ? change.row : undefined))
  )
  yield* pg.execute(`INSERT INTO ${name}.t VALUES (1)`)
  assert.deepStrictEqual(yield* pull, { id: 1 })
  return { name, options, pg, proxy, pull, state }
})

layer(Source.layer, { excludeTestServices: true })("a replication stream", (it) => {
  it.effect("goes on after its connection was killed, and brings nothing twice", () =>
    Effect.gen(function* () {
      const { name, options, pg } = yield* published("CREATE TABLE $.t (id int PRIMARY KEY)")
      const seen: Array<unknown> = []
      const reading = yield* PgReplication.stream(options).pipe(
        Stream.take(20),
        // Nothing is acknowledged, so the server sends everything again after each loss.
        Stream.runForEach(({ allChanges }) =>
          Effect.map(allChanges, (changes) =>
            seen.push(...changes.map((change) => (change._tag === "Insert" ? change.row["id"] : change._tag)))
          )
        ),
        Effect.forkScoped
      )
      for (let id = 1; id <= 20; id++) {
        yield* pg.execute(`INSERT INTO ${name}.t VALUES ($1)`, [id])
        if (id % 5 === 0 && id < 20) {
          yield* eventually(
            Effect.sync(() => seen.length),
            id,
            10_000
          )
          const pid = yield* walsenderOf(pg, name)
          yield* pg.execute("SELECT pg_terminate_backend($1)", [pid])
        }
      }
      yield* Fiber.join(reading)
      assert.deepStrictEqual(
        seen,
        Array.from({ length: 20 }, (_, index) => index + 1)
      )
    })
  )

  it.effect("goes on within a large transaction that the loss of its connection has interrupted", () =>
    Effect.gen(function* () {
      const { name, options, pg } = yield* published("CREATE TABLE $.t (id int PRIMARY KEY, filler text)")
      yield* pg.execute(`INSERT INTO ${name}.t SELECT i, repeat('x', 500) FROM generate_series(1, 60000) AS i`)
      yield* pg.execute(`INSERT INTO ${name}.t VALUES (0)`)
      const seen: Array<unknown> = []
      const killed = new Set<unknown>()
      yield* PgReplication.stream({ ...options, bufferBytes: 100_000 }).pipe(
        Stream.take(2),
        Stream.runForEach((transaction) =>
          Stream.runForEach(transaction.changes, (change) =>
            Effect.gen(function* () {
              seen.push(change._tag === "Insert" ? change.row["id"] : change._tag)
              if (seen.length % 5_000 !== 0 || (yield* isActive(pg, name)) !== true) return
              const pid = yield* walsenderOf(pg, name)
              if (killed.size < 3) yield* pg.execute("SELECT pg_terminate_backend($1)", [pid])
              killed.add(pid)
            })
          )
        )
      )
      // What the sockets held when a process was killed is read all the same, and need not come again.
      assert.isAtLeast(killed.size, 2)
      assert.deepStrictEqual(seen, [...Array.from({ length: 60_000 }, (_, index) => index + 1), 0])
    })
  )

  it.effect("goes on after a reader was interrupted while it connected again, and brings nothing twice", () =>
    Effect.gen(function* () {
      const { name, pg, proxy, pull, state } = yield* refusable
      for (let id = 2; id <= 3; id++) {
        state.isDown = true
        for (const link of proxy.links) link.destroy()
        yield* pg.execute(`INSERT INTO ${name}.t VALUES ($1)`, [id])
        const before = state.refused
        assert.isTrue(Option.isNone(yield* Effect.timeoutOption(pull, "500 millis")))
        assert.isAbove(state.refused, before)
        state.isDown = false
        assert.deepStrictEqual(yield* pull, { id })
      }
    }).pipe(Effect.scoped)
  )

  it.effect("ends its stream if it cannot ask about a type, so that a server can shut down, and begins anew", () =>
    Effect.gen(function* () {
      const { name, options, pg, pull, state } = yield* refusable
      state.isDown = true
      yield* pg.executeScript(`CREATE TYPE ${name}.mood AS ENUM ('happy'); ALTER TABLE ${name}.t ADD mood ${name}.mood;
        INSERT INTO ${name}.t VALUES (2, 'happy')`)
      const row = yield* Effect.forkScoped(pull)
      yield* eventually(isActive(pg, options.slot), false)
      assert.isAbove(state.refused, 0)
      state.isDown = false
      assert.deepStrictEqual(yield* Fiber.join(row), { id: 2, mood: "happy" })
    }).pipe(Effect.scoped)
  )

  it.effect("keeps its connection however long the handler takes, and acknowledges nothing before", () =>
    Effect.gen(function* () {
      const { server, settings } = yield* sourceServer({ wal_sender_timeout: "2s" })
      assert.isDefined(server)
      const pg = yield* PgConnection.make(settings)
      yield* pg.executeScript("CREATE TABLE t (id int PRIMARY KEY, filler text); CREATE PUBLICATION p FOR TABLE t")
      yield* Effect.scoped(PgReplication.createSlot(settings, { slot: "p" }))
      const options = { connection: settings, slot: "p", publications: ["p"], bufferBytes: 1_000 }
      yield* pg.execute("INSERT INTO t VALUES (1, 'a')")
      // More than the buffers of both sockets hold, so that the server has to wait, too.
      yield* pg.execute("INSERT INTO t SELECT i, repeat('x', 2000) FROM generate_series(2, 20000) AS i")
      const confirmed = valueOf(pg, "SELECT confirmed_flush_lsn::text FROM pg_replication_slots")
      const before = yield* confirmed
      const pids = new Set<unknown>()
      let count = 0
      yield* PgReplication.stream(options).pipe(
        Stream.take(2),
        Stream.runForEach((transaction) =>
          Effect.gen(function* () {
            pids.add(yield* walsenderOf(pg, "p"))
            yield* Effect.sleep("5 seconds")
            assert.strictEqual(yield* confirmed, before)
            pids.add(yield* walsenderOf(pg, "p"))
            count += yield* Stream.runCount(transaction.changes)
          })
        )
      )
      assert.strictEqual(count, 20_000)
      assert.strictEqual(pids.size, 1)
    }).pipe(Effect.scoped)
  )

  it.effect("does not keep the server from giving its slot up while the handler takes nothing, and says so then", () =>
    Effect.gen(function* () {
      const { settings } = yield* sourceServer({ max_slot_wal_keep_size: "1MB", min_wal_size: "32MB" })
      const pg = yield* PgConnection.make(settings)
      yield* pg.executeScript(
        "CREATE TABLE t (filler text); CREATE PUBLICATION p FOR TABLE t WITH (publish = 'insert')"
      )
      yield* Effect.scoped(PgReplication.createSlot(settings, { slot: "p" }))
      const handled = yield* Deferred.make<void>()
      const goesOn = yield* Deferred.make<void>()
      const reading = yield* PgReplication.run(
        { connection: settings, slot: "p", publications: ["p"], serverTimeout: "3 seconds" },
        () => Effect.andThen(Deferred.succeed(handled, undefined), Deferred.await(goesOn))
      ).pipe(Effect.forkScoped)
      yield* pg.execute("INSERT INTO t VALUES ('first')")
      yield* Deferred.await(handled)
      // More than the sockets hold, so that the process of the server waits for the reader.
      yield* pg.execute("INSERT INTO t SELECT repeat('x', 1000) FROM generate_series(1, 30000)")
      yield* eventually(
        valueOf(pg, "SELECT max(wait_event) FROM pg_stat_activity WHERE backend_type = 'walsender'"),
        "WalSenderWriteData"
      )
      yield* pg.execute("SELECT pg_switch_wal()")
      yield* Effect.timeout(pg.execute("CHECKPOINT"), "20 seconds")
      yield* eventually(valueOf(pg, "SELECT wal_status FROM pg_replication_slots"), "lost")
      yield* Deferred.succeed(goesOn, undefined)
      const error = yield* Effect.flip(Fiber.join(reading))
      assert.strictEqual("loss" in error ? error.loss : undefined, "invalidated")
    }).pipe(Effect.scoped)
  )

  it.effect("ends with the handler's failure, and does not acknowledge the transaction", () =>
    Effect.gen(function* () {
      const { name, options, pg } = yield* published("CREATE TABLE $.t (id int PRIMARY KEY)")
      for (const id of [1, 2, 3]) yield* pg.execute(`INSERT INTO ${name}.t VALUES ($1)`, [id])
      const handled: Array<unknown> = []
      const once = PgReplication.run(options, ({ allChanges }) =>
        Effect.flatMap(allChanges, ([change]) => {
          const id = change?._tag === "Insert" ? change.row["id"] : undefined
          if (id === 2 && handled.length < 2) {
            handled.push("failed")
            return Effect.fail("no" as const)
          }
          return Effect.sync(() => handled.push(id))
        })
      )
      assert.strictEqual(yield* Effect.flip(once), "no")
      assert.strictEqual(yield* isActive(pg, name), false)
      const again = yield* Effect.forkScoped(once)
      yield* eventually(
        Effect.sync(() => handled.length),
        4
      )
      yield* Fiber.interrupt(again)
      assert.deepStrictEqual(handled, [1, "failed", 2, 3])
      const left = yield* PgReplication.slots(pg)
      assert.strictEqual(left.find(({ slot }) => slot === name)?.active, false)
    })
  )

  it.effect(
    "leaves no process and no active slot when it is interrupted, idle or in the middle of a large transaction",
    () =>
      Effect.gen(function* () {
        const { name, options, pg } = yield* published("CREATE TABLE $.t (id int PRIMARY KEY, filler text)")
        const idle = yield* Effect.forkScoped(Stream.runDrain(PgReplication.stream(options)))
        yield* walsenderOf(pg, name)
        let start = performance.now()
        yield* Fiber.interrupt(idle)
        assert.isBelow(performance.now() - start, 1_000)
        assert.strictEqual(yield* isActive(pg, name), false)
        yield* eventually(walsenders(pg), 0)

        yield* pg.execute(`INSERT INTO ${name}.t SELECT i, repeat('x', 500) FROM generate_series(1, 100000) AS i`)
        const begun = yield* Deferred.make<void>()
        const busy = yield* PgReplication.stream({ ...options, bufferBytes: 10_000 }).pipe(
          Stream.runForEach(({ changes }) =>
            Stream.runForEach(changes, () => Effect.andThen(Deferred.succeed(begun, undefined), Effect.never))
          ),
          Effect.forkScoped
        )
        yield* Deferred.await(begun)
        start = performance.now()
        yield* Fiber.interrupt(busy)
        assert.isBelow(performance.now() - start, 4_000)
        assert.strictEqual(yield* isActive(pg, name), false)
        yield* eventually(walsenders(pg), 0)
        yield* assertHealthy(pg)
      })
  )

  it.effect("says when its slot is gone, was invalidated or was moved, and from where on changes may be lost", () =>
    Effect.gen(function* () {
      const { name, options, pg } = yield* published("CREATE TABLE $.t (id int PRIMARY KEY)")
      const proxy = yield* proxyTo((yield* Source).server)
      let isDown = false
      proxy.onMessage = (link, { type }) => {
        if (isDown && type === "startup") link.destroy()
      }
      const connection = { ...options.connection, host: proxy.host, port: proxy.port }
      /** How a stream fails if that is done to its slot while it is not connected. */
      const lossAfter = (change: string) =>
        Effect.gen(function* () {
          const first = yield* Deferred.make<string>()
          const reading = yield* PgReplication.run({ ...options, connection }, (transaction) =>
            Effect.flatMap(transaction.endLsn, (end) => Deferred.succeed(first, end))
          ).pipe(Effect.forkScoped)
          yield* pg.execute(`INSERT INTO ${name}.t VALUES ((SELECT count(*) FROM ${name}.t))`)
          const acknowledged = yield* Deferred.await(first)
          isDown = true
          yield* pg.execute("SELECT pg_terminate_backend($1)", [yield* walsenderOf(pg, name)])
          yield* eventually(isActive(pg, name), false)
          yield* pg.executeScript(`INSERT INTO ${name}.t VALUES ((SELECT count(*) FROM ${name}.t))`)
          yield* pg.execute("SELECT pg_switch_wal()")
          yield* pg.execute(change)
          isDown = false
          return [acknowledged, yield* Effect.flip(Fiber.join(reading))] as const
        })
      const [acknowledged, moved] = yield* lossAfter(
        `SELECT pg_replication_slot_advance('${name}', pg_current_wal_flush_lsn())`
      )
      assert.isTrue(moved._tag === "ReplicationSlotLostError")
      if (moved._tag !== "ReplicationSlotLostError" || !("loss" in moved)) return
      assert.strictEqual(moved.loss, "advanced")
      assert.isString(moved.lastAcknowledged)
      assert.include(moved.message, `the replication slot "${name}" cannot be continued`)
      assert.isString(acknowledged)

      const [, missing] = yield* lossAfter(`SELECT pg_drop_replication_slot('${name}')`)
      assert.strictEqual("loss" in missing ? missing.loss : undefined, "missing")
      yield* assertHealthy(pg)
    })
  )
})
