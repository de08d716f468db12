/** Tests LISTEN and NOTIFY, on one connection and on a pool's hub, with connections that are lost in between. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import type * as PgNotification from "../src/PgNotification.ts"
import { TestDatabase } from "./support/database.ts"
import { assertHealthy, eventually, killBackend, liveConnection, livePool, refusalOf, valueOf } from "./support/live.ts"
import { proxyTo } from "../src/pgTest/proxy.ts"

const take = <A, E, R>(stream: Stream.Stream<A, E, R>, count: number) =>
  Effect.timeout(Stream.runCollect(Stream.take(stream, count)), "10 seconds")

const payloads = (events: ReadonlyArray<PgNotification.Event>): ReadonlyArray<string> =>
  events.map((event) => (event._tag === "Notification" ? event.payload : `gap: ${event.reason}`))

/** The server process that serves the listeners of a pool. */
const LISTENER = "SELECT pid FROM pg_stat_activity WHERE query ~ '^LISTEN' AND datname = current_database()"

const TOTAL = 20_000
const KILLS = 9
/** Each round has a kill in its second half, except the last. */
const NUMBERS_IN_ROUND = TOTAL / (KILLS + 1)
const NUMBERS_IN_TRANSACTION = 10

const lastNumberOf = (events: ReadonlyArray<PgNotification.Event>): number => {
  const last = events.findLast(({ _tag }) => _tag === "Notification")
  return last?._tag === "Notification" ? Number(last.payload) : 0
}

/** Tells whether the numbers came in the order in which they were sent, each once, and any is missing only at a gap. */
const faultsIn = (events: ReadonlyArray<PgNotification.Event>): ReadonlyArray<string> => {
  const faults: Array<string> = []
  let last = 0
  let mayMiss = false
  for (const event of events) {
    if (event._tag === "Gap") {
      mayMiss = true
      continue
    }
    const n = Number(event.payload)
    if (n <= last) faults.push(`${n} repeated, or out of order, after ${last}`)
    else if (n > last + 1 && !mayMiss) faults.push(`lost without a gap between ${last} and ${n}`)
    mayMiss = false
    last = n
  }
  return faults
}

layer(TestDatabase.layer, { excludeTestServices: true })("a connection that listens", (it) => {
  it.effect("hears what others send and what it sends itself, in order, on channels of any name", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const other = yield* liveConnection()
      for (const channel of ["plain", "Mixed Case", 'quo"ted', "12+34; --", "größe 🐘"]) {
        const events = yield* connection.listen(channel)
        yield* other.notify(channel, "one")
        yield* connection.notify(channel, "two")
        yield* other.notify(channel)
        const heard = yield* take(events, 3)
        assert.deepStrictEqual([...payloads(heard)].sort(), ["", "one", "two"])
        for (const event of heard) {
          if (event._tag !== "Notification") return assert.fail("a gap")
          assert.strictEqual(event.channel, channel)
          assert.strictEqual(event.processId, event.payload === "two" ? connection.processId : other.processId)
        }
      }
      yield* assertHealthy(connection)
    })
  )

  it.effect("sends UNLISTEN with the last reader of a channel, and not before", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const listening = valueOf(connection, "SELECT count(*)::int FROM pg_listening_channels()")
      const [first, second] = [yield* Scope.make(), yield* Scope.make()]
      yield* Scope.provide(connection.listen("shared"), first)
      yield* Scope.provide(connection.listen("shared"), second)
      assert.strictEqual(yield* listening, 1)
      yield* Scope.close(first, Exit.void)
      assert.strictEqual(yield* listening, 1)
      yield* Scope.close(second, Exit.void)
      yield* eventually(listening, 0)
      yield* assertHealthy(connection)
    })
  )

  it.effect("tells a slow reader that notifications are missing, and keeps no more than its limit", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const events = yield* connection.listen("flood", { bufferSize: 3 })
      for (let n = 0; n < 10; n++) yield* connection.notify("flood", `${n}`)
      yield* assertHealthy(connection)
      const heard = yield* take(events, 4)
      yield* connection.notify("flood", "after")
      const later = yield* take(events, 1)
      assert.deepStrictEqual(payloads([...heard, ...later]), ["0", "1", "2", "gap: overflow", "after"])
    })
  )

  it.effect("refuses a channel without a name, with a NUL, or with more than 63 bytes", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      for (const channel of ["", "a\0b", "x".repeat(64), "ä".repeat(32), "\ud800"]) {
        assert.strictEqual((yield* refusalOf(Effect.scoped(connection.listen(channel))))._tag, "EncodeError")
      }
      yield* Effect.scoped(connection.listen("x".repeat(63)))
      yield* assertHealthy(connection)
    })
  )

  it.effect("fails its streams with the reason when it is lost", () =>
    Effect.gen(function* () {
      const observer = yield* liveConnection()
      const connection = yield* liveConnection()
      const events = yield* connection.listen("doomed")
      yield* connection.notify("doomed", "last words")
      yield* Effect.sleep("50 millis")
      yield* killBackend(observer, connection.processId)
      const heard: Array<string> = []
      const error = yield* refusalOf(
        Stream.runForEach(events, (event) => Effect.sync(() => heard.push(...payloads([event]))))
      )
      assert.deepStrictEqual(heard, ["last words"])
      assert.strictEqual(error._tag, "ConnectionLostError")
      yield* assertHealthy(observer)
    })
  )

  it.effect("reads payloads through a schema, and delivers one that does not fit as an event of its own", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const Order = Schema.fromJsonString(Schema.Struct({ id: Schema.Number }))
      const events = yield* connection.listen("orders", { payload: Order })
      const payloads = ['{"id":7}', '{"id":"a secret"}', "no JSON, a secret", "", '{"id":8}']
      for (const payload of payloads) yield* connection.notify("orders", payload)
      const heard = yield* Stream.runCollect(Stream.take(events, payloads.length))
      assert.deepStrictEqual(
        heard.map((event) => (event._tag === "Gap" ? event : [event._tag, event.payload])),
        [
          ["Notification", { id: 7 }],
          ["Undecodable", '{"id":"a secret"}'],
          ["Undecodable", "no JSON, a secret"],
          ["Undecodable", ""],
          ["Notification", { id: 8 }]
        ]
      )
      for (const event of heard) {
        if (event._tag !== "Undecodable") continue
        assert.strictEqual(event.error._tag, "DecodeError")
        assert.strictEqual(event.error.column, "payload")
        assert.notInclude(String(event.error), "a secret")
      }
      assert.include(String(heard[1]?._tag === "Undecodable" && heard[1].error.reason), "at id")
      yield* assertHealthy(connection)
    })
  )
})

layer(TestDatabase.layer, { excludeTestServices: true })("a connection that listens inside a transaction", (it) => {
  it.effect("hears what is sent after the end of the transaction, whether it commits or rolls back", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const listen = connection.listen("inside")
      const undone = Effect.andThen(listen, Effect.fail("the body's own failure"))
      const bodies = [
        connection.withTransaction(listen),
        Effect.flip(connection.withTransaction(undone)),
        connection.withTransaction(Effect.flip(connection.withTransaction(undone))),
        Effect.flip(connection.withTransaction(Effect.andThen(connection.withTransaction(listen), undone)))
      ]
      for (const body of bodies) {
        const heard = Effect.gen(function* () {
          yield* body
          assert.deepStrictEqual(yield* connection.fetch("SELECT pg_listening_channels() AS channel"), [
            { channel: "inside" }
          ])
        })
        yield* Effect.scoped(heard)
        yield* eventually(valueOf(connection, "SELECT count(*)::int FROM pg_listening_channels()"), 0)
      }
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )
})

layer(TestDatabase.layer, { excludeTestServices: true })("a pool that listens", (it) => {
  it.effect("uses one connection for all channels and readers, beyond its maximum, and none afterwards", () =>
    Effect.gen(function* () {
      const observer = yield* liveConnection()
      const pool = yield* livePool({ maxConnections: 1 })
      yield* Effect.scoped(
        Effect.gen(function* () {
          const [a, a2, b] = yield* Effect.all([pool.listen("a"), pool.listen("a"), pool.listen("b")])
          assert.strictEqual(yield* valueOf(observer, `SELECT count(*)::int FROM (${LISTENER}) AS listeners`), 1)
          yield* pool.notify("a", "x")
          yield* pool.notify("b", "y")
          assert.deepStrictEqual(payloads(yield* take(a, 1)), ["x"])
          assert.deepStrictEqual(payloads(yield* take(a2, 1)), ["x"])
          assert.deepStrictEqual(payloads(yield* take(b, 1)), ["y"])
        })
      )
      yield* eventually(valueOf(observer, `SELECT count(*)::int FROM (${LISTENER}) AS listeners`), 0)
      yield* assertHealthy(pool)
    })
  )

  it.effect("loses nothing without a gap, keeps the order and repeats nothing, while its backend is killed", () =>
    Effect.gen(function* () {
      const observer = yield* liveConnection()
      const pool = yield* livePool()
      const events = yield* pool.listen("numbers")
      const heard: Array<PgNotification.Event> = []
      const reading = yield* Effect.forkChild(
        Stream.runForEach(
          Stream.takeUntil(events, (event) => event._tag === "Notification" && event.payload === `${TOTAL}`),
          (event) => Effect.sync(() => void heard.push(event))
        ),
        { startImmediately: true }
      )
      let sent = 0
      const send = (count: number) =>
        Effect.gen(function* () {
          const end = sent + count
          for (; sent < end; sent += NUMBERS_IN_TRANSACTION) {
            yield* pool.execute("SELECT pg_notify('numbers', n::text) FROM generate_series($1::int, $2::int) n", [
              sent + 1,
              sent + NUMBERS_IN_TRANSACTION
            ])
          }
        })
      const kill = observer.execute(`SELECT pg_terminate_backend(pid) FROM (${LISTENER}) AS listeners`)
      const lastHeard = Effect.sync(() => lastNumberOf(heard))
      const gapsHeard = Effect.sync(() => heard.filter(({ _tag }) => _tag === "Gap").length)

      for (let kills = 1; kills <= KILLS; kills++) {
        yield* send(NUMBERS_IN_ROUND / 2)
        yield* eventually(lastHeard, sent)
        yield* Effect.all([send(NUMBERS_IN_ROUND / 2), kill], { concurrency: "unbounded" })
        yield* eventually(gapsHeard, kills)
      }
      // The last notification must be heard, or the test would not end.
      yield* send(NUMBERS_IN_ROUND)
      yield* Effect.timeout(Fiber.join(reading), "10 seconds")

      assert.deepStrictEqual(faultsIn(heard), [])
      assert.strictEqual(lastNumberOf(heard), TOTAL)
      assert.strictEqual(yield* gapsHeard, KILLS)
      assert.isAtLeast(heard.length - KILLS, (TOTAL + NUMBERS_IN_ROUND) / 2)
      yield* assertHealthy(pool)
    })
  )

  it.effect("takes new readers just after its connection has been lost", () =>
    Effect.gen(function* () {
      const observer = yield* liveConnection()
      const pool = yield* livePool()
      yield* pool.listen("old")
      for (let n = 0; n < 10; n++) {
        yield* observer.execute(`SELECT pg_terminate_backend(pid) FROM (${LISTENER}) AS listeners`)
        const channel = `new ${n}`
        const events = yield* pool.listen(channel)
        const notifications = Stream.filter(events, ({ _tag }) => _tag === "Notification")
        // The backend may have confirmed just before it ended: what was sent meanwhile is lost.
        const sending = Effect.forever(Effect.andThen(pool.notify(channel, "hello"), Effect.sleep("20 millis")))
        assert.deepStrictEqual(payloads(yield* Effect.raceFirst(take(notifications, 1), sending)), ["hello"])
      }
      yield* assertHealthy(pool)
    })
  )

  it.effect("fails to listen if it cannot connect, and leaves nothing behind", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ minConnections: 0, user: "nobody_by_that_name" })
      const error = yield* refusalOf(Effect.scoped(pool.listen("a")))
      assert.notStrictEqual(error._tag, "ConnectionLostError")
      const { size } = yield* pool.stats
      assert.strictEqual(size, 0)
    })
  )
})

layer(TestDatabase.layer)("a reader of a pool whose program has a clock of its own", (it) => {
  it.effect("hears again after its connection was lost, although the clock of the program stands still", () =>
    Effect.gen(function* () {
      const proxy = yield* proxyTo(yield* TestDatabase)
      const pool = yield* livePool({ host: proxy.host, port: proxy.port, sslMode: "disable", minConnections: 0 })
      const events = yield* pool.listen("a")
      proxy.onMessage = (link, { type }) => {
        if (type === "startup") link.reset()
      }
      for (const link of proxy.links) link.reset()
      yield* Effect.promise(() => new Promise((done) => setTimeout(done, 200)))
      proxy.onMessage = () => {}
      assert.deepStrictEqual(payloads(yield* Stream.runCollect(Stream.take(events, 1))), ["gap: reconnected"])
    }).pipe(Effect.scoped)
  )
})

layer(TestDatabase.layer, { excludeTestServices: true })("a reader of a pool", (it) => {
  it.effect("ends at once although the LISTEN of another reader is unanswered and the server is silent", () =>
    Effect.gen(function* () {
      const { host, port } = yield* TestDatabase
      const proxy = yield* proxyTo({ host, port })
      const pool = yield* livePool({
        host: proxy.host,
        port: proxy.port,
        sslMode: "disable",
        minConnections: 0,
        cancelTimeout: "1 second"
      })
      const first = yield* Scope.make()
      yield* Scope.provide(pool.listen("a"), first)
      for (const link of proxy.links) link.hold()
      const second = yield* Scope.make()
      const joining = yield* Effect.forkChild(Scope.provide(pool.listen("b"), second), { startImmediately: true })
      const began = performance.now()
      yield* Scope.close(first, Exit.void)
      assert.isBelow(performance.now() - began, 300)
      yield* Fiber.interrupt(joining)
      yield* Scope.close(second, Exit.void)
      assert.isBelow(performance.now() - began, 300)
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("waits at most cancelTimeout for an unanswered LISTEN, and then all readers hear again", () =>
    Effect.gen(function* () {
      const { host, port } = yield* TestDatabase
      const proxy = yield* proxyTo({ host, port })
      const pool = yield* livePool({
        host: proxy.host,
        port: proxy.port,
        sslMode: "disable",
        minConnections: 0,
        cancelTimeout: "500 millis"
      })
      const a = yield* pool.listen("a")
      for (const link of proxy.links) link.hold()
      const began = performance.now()
      const b = yield* pool.listen("b")
      assert.isBelow(performance.now() - began, 5_000)
      yield* pool.notify("a", "to a")
      yield* pool.notify("b", "to b")
      assert.deepStrictEqual(payloads(yield* take(a, 2)), ["gap: reconnected", "to a"])
      assert.deepStrictEqual(payloads(yield* take(b, 1)), ["to b"])
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("learns that the pool is closed if it outlives the pool", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const pool = yield* Scope.provide(livePool(), scope)
      const events = yield* pool.listen("a")
      const reading = yield* Effect.forkChild(refusalOf(Stream.runDrain(events)), { startImmediately: true })
      yield* Scope.close(scope, Exit.void)
      const told = yield* Effect.timeout(Fiber.join(reading), "2 seconds")
      assert.strictEqual(told._tag, "PoolClosedError")
      assert.strictEqual((yield* refusalOf(Effect.scoped(pool.listen("b"))))._tag, "PoolClosedError")
    }).pipe(Effect.scoped)
  )
})

layer(TestDatabase.layer, { excludeTestServices: true })("a connection that is reset", (it) => {
  it.effect("returns to the state of its startup, and goes on", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection({ settings: { statement_timeout: "7s" } })
      yield* connection.executeScript(
        "CREATE TEMP TABLE t (); SET statement_timeout = 1000; LISTEN x; SELECT pg_advisory_lock(1); SET ROLE pg_monitor"
      )
      yield* connection.execute("BEGIN")
      yield* connection.reset
      assert.strictEqual(yield* connection.transactionStatus, "idle")
      assert.strictEqual(yield* valueOf(connection, "SHOW statement_timeout"), "7s")
      assert.strictEqual(yield* valueOf(connection, "SELECT current_setting('role')"), "none")
      assert.strictEqual(yield* valueOf(connection, "SELECT to_regclass('pg_temp.t') IS NULL"), true)
      assert.strictEqual(yield* valueOf(connection, "SELECT count(*)::int FROM pg_listening_channels()"), 0)
      assert.strictEqual(
        yield* valueOf(
          connection,
          "SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        ),
        0
      )
      yield* assertHealthy(connection)
    })
  )

  it.effect("ends at once when it is terminated, and fails the waiting calls with that reason", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const sleeping = yield* Effect.forkChild(connection.execute("SELECT pg_sleep(60)"), { startImmediately: true })
      yield* Effect.sleep("20 millis")
      yield* connection.terminate
      const error = yield* Effect.flip(Fiber.join(sleeping))
      assert.strictEqual(error._tag, "ConnectionLostError")
      assert.strictEqual(error.outcome, "unknown")
      assert.strictEqual(yield* connection.status, "closed")
      assert.isTrue((yield* connection.awaitClosed).isExpected)
    })
  )
})
