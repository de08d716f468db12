/** Tests what one connection hears: until it is given back, across its reset, and beside other statements. */
import { assert, layer } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as PgConnection from "../../src/PgConnection.ts"
import type * as PgError from "../../src/PgError.ts"
import type * as PgNotification from "../../src/PgNotification.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, eventually, liveConnection, livePool, refusalOf, valueOf } from "../support/live.ts"

/** Bounds a wait that would otherwise last forever. */
const soon = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.timeout(effect, "10 seconds")

const payloads = (events: ReadonlyArray<PgNotification.Event>): ReadonlyArray<string> =>
  events.map((event) => (event._tag === "Notification" ? event.payload : `gap: ${event.reason}`))

const take = (events: Stream.Stream<PgNotification.Event, PgError.PgError>, count: number) =>
  Effect.map(soon(Stream.runCollect(Stream.take(events, count))), payloads)

const raise = (queryable: PgConnection.Queryable, message: string) =>
  queryable.execute(`DO $$ BEGIN RAISE NOTICE '${message}'; END $$`)

/** The messages of all notices until their stream ends. */
const messages = (connection: PgConnection.PgConnection) =>
  soon(Stream.runCollect(Stream.map(connection.notices, ({ message }) => message)))

const channelsOf = (connection: PgConnection.Queryable) =>
  valueOf(connection, "SELECT count(*)::int4 FROM pg_listening_channels()")

layer(TestDatabase.layer, { excludeTestServices: true })("a lent connection that has been given back", (it) => {
  it.effect("fails the streams of its channels after what had come, and does not hear the next borrower", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1 })
      const scope = yield* Scope.make()
      const events = yield* pool.withConnection((lent) =>
        Effect.tap(Scope.provide(lent.listen("channel"), scope), () => lent.notify("channel", "mine"))
      )
      yield* pool.withConnection((lent) =>
        Effect.gen(function* () {
          const others = yield* lent.listen("channel")
          yield* lent.notify("channel", "of the next borrower")
          assert.deepStrictEqual(yield* take(others, 1), ["of the next borrower"])
          yield* Scope.close(scope, Exit.void)
          yield* lent.notify("channel", "still heard")
          assert.deepStrictEqual(yield* take(others, 1), ["still heard"])
        }).pipe(Effect.scoped)
      )
      yield* assertHealthy(pool)
      assert.deepStrictEqual(yield* take(events, 1), ["mine"])
      assert.strictEqual((yield* refusalOf(Stream.runDrain(events)))._tag, "ConnectionLostError")
    }).pipe(Effect.scoped)
  )

  it.effect("fails the streams that are still read because it has been given back", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1 })
      const readWhile = (give: (lent: PgConnection.PgConnection) => Effect.Effect<unknown, PgError.PgError>) =>
        Effect.gen(function* () {
          const heard: Array<string> = []
          const reading = yield* pool.withConnection((lent) =>
            Effect.gen(function* () {
              const events = yield* lent.listen("channel")
              yield* lent.notify("channel", "mine")
              yield* give(lent)
              return Stream.runForEach(events, (event) => Effect.sync(() => heard.push(...payloads([event]))))
            })
          )
          const error = yield* refusalOf(soon(reading).pipe(Effect.catchTag("TimeoutError", Effect.die)))
          assert.deepStrictEqual(heard, ["mine"])
          if (error._tag !== "ConnectionLostError") return assert.fail(String(error))
          assert.include(error.reason, "given back")
          assert.deepStrictEqual([error.outcome, error.safeToRetry], ["none", true])
          const afterReset = pool.withConnection((lent) => Effect.andThen(lent.reset, channelsOf(lent)))
          assert.strictEqual(yield* afterReset, 0, "the next borrower's reset keeps listeners of its own")
        }).pipe(Effect.scoped)
      yield* readWhile(assertHealthy)
      yield* readWhile((lent) => lent.withTransaction(lent.execute("SELECT 1")))
      // The statements that still run are canceled when the connection is given back.
      yield* readWhile((lent) => Effect.forkDetach(lent.execute("SELECT pg_sleep(60)"), { startImmediately: true }))
      yield* assertHealthy(pool)
    })
  )

  it.effect("ends its notices, and gives its former borrower none of the next one's", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1 })
      const { lent, reading } = yield* pool.withConnection((lent) =>
        Effect.gen(function* () {
          const reading = yield* Effect.forkChild(messages(lent), { startImmediately: true })
          yield* raise(lent, "mine")
          return { lent, reading }
        })
      )
      yield* raise(pool, "of the next borrower")
      assert.deepStrictEqual(yield* Fiber.join(reading), ["mine"])
      assert.deepStrictEqual(yield* messages(lent), [])
      yield* assertHealthy(pool)
    })
  )
})

layer(TestDatabase.layer, { excludeTestServices: true })("a connection that listens and is reset", (it) => {
  it.effect("hears everything that is sent, in order, and forgets the channels that SQL has listened to", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const sender = yield* liveConnection()
      const events = yield* connection.listen('of "any" name')
      yield* connection.listen("another")
      yield* connection.execute("LISTEN by_hand")
      const sent = Array.from({ length: 200 }, (_, n) => `${n}`)
      const sending = yield* Effect.forkChild(
        Effect.forEach(sent, (payload) => sender.notify('of "any" name', payload), { discard: true })
      )
      const resets = Effect.forever(Effect.andThen(connection.reset, Effect.yieldNow))
      yield* Effect.raceFirst(Fiber.join(sending), resets)
      yield* connection.execute("BEGIN")
      yield* connection.reset
      assert.deepStrictEqual(yield* take(events, sent.length), sent)
      assert.strictEqual(yield* channelsOf(connection), 2)
      yield* connection.notify("another")
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("also hears for a reader that began in a transaction which the reset had to wait for", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const scope = yield* Effect.scope
      const begun = yield* Deferred.make<void>()
      const waiting = yield* Effect.forkChild(Effect.andThen(Deferred.await(begun), connection.reset))
      const events = yield* connection.withTransaction(
        Effect.gen(function* () {
          yield* Deferred.succeed(begun, undefined)
          yield* Effect.sleep("20 millis")
          return yield* Scope.provide(connection.listen("inside"), scope)
        })
      )
      yield* soon(Fiber.join(waiting))
      yield* connection.notify("inside", "heard")
      assert.deepStrictEqual(yield* take(events, 1), ["heard"])
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )
})

layer(TestDatabase.layer, { excludeTestServices: true })("a connection that stops listening", (it) => {
  it.effect("sends UNLISTEN after the statements that still run, however long these take, and delays no cancel", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection({ cancelTimeout: "200 millis" })
      const stopDuring = (sql: string) =>
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          yield* Scope.provide(connection.listen("channel"), scope)
          const running = yield* Effect.forkChild(connection.execute(sql), { startImmediately: true })
          yield* Effect.sleep("20 millis")
          yield* Scope.close(scope, Exit.void)
          yield* Effect.sleep("20 millis")
          return running
        })
      yield* Fiber.join(yield* stopDuring("SELECT pg_sleep(0.5)"))
      yield* eventually(channelsOf(connection), 0)
      yield* Fiber.interrupt(yield* stopDuring("SELECT pg_sleep(60)"))
      yield* soon(assertHealthy(connection))
      yield* eventually(channelsOf(connection), 0)
      const several = yield* Scope.make()
      for (const channel of ["one", "two", "three"]) yield* Scope.provide(connection.listen(channel), several)
      yield* Scope.close(several, Exit.void)
      yield* eventually(channelsOf(connection), 0)
      // A reader that begins again before UNLISTEN was sent hears.
      const running = yield* stopDuring("SELECT pg_sleep(0.1)")
      const events = yield* connection.listen("channel")
      yield* Fiber.join(running)
      yield* Effect.sleep("20 millis")
      yield* connection.notify("channel", "heard")
      assert.deepStrictEqual(yield* take(events, 1), ["heard"])
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("makes the server forget the channel even if a transaction was open, whatever became of that", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const scopeOf = Effect.gen(function* () {
        const scope = yield* Scope.make()
        yield* Scope.provide(connection.listen("channel"), scope)
        return Scope.close(scope, Exit.void)
      })
      const fail = Effect.exit(connection.execute("SELECT 1 / 0"))
      const bodies = [
        // UNLISTEN fails while the transaction is well, and while it has failed already.
        (stop: Effect.Effect<void>) => Effect.andThen(stop, Effect.fail("the body's own")),
        (stop: Effect.Effect<void>) => Effect.andThen(fail, stop),
        (stop: Effect.Effect<void>) => stop,
        (stop: Effect.Effect<void>) =>
          Effect.exit(connection.withTransaction(Effect.andThen(stop, Effect.fail("a savepoint's own"))))
      ]
      for (const body of bodies) {
        const stop = yield* scopeOf
        yield* Effect.exit(connection.withTransaction(body(stop)))
        yield* eventually(channelsOf(connection), 0)
      }
      for (const end of ["COMMIT", "ROLLBACK"]) {
        const stop = yield* scopeOf
        yield* connection.execute("BEGIN")
        yield* stop
        yield* connection.execute(end)
        yield* eventually(channelsOf(connection), 0)
      }
      // Other fibers begin transactions all the time.
      const stop = yield* scopeOf
      const others = yield* Effect.forkChild(
        Effect.forever(Effect.exit(connection.withTransaction(Effect.andThen(fail, Effect.fail("again"))))),
        { startImmediately: true }
      )
      yield* stop
      yield* Effect.sleep("50 millis")
      yield* Fiber.interrupt(others)
      yield* eventually(channelsOf(connection), 0)
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )
})
