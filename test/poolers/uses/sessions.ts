/** Uses of what belongs to a session: settings, held statements, locks, notifications, large objects, other clients. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as PgLargeObject from "../../../src/PgLargeObject.ts"
import { gives, same, type Use } from "./use.ts"

const ZONE = "Asia/Tokyo"

export const sessions: ReadonlyArray<Use> = [
  {
    name: "settings of the startup: TimeZone",
    settings: { settings: { TimeZone: ZONE } },
    run: ({ pool }) => gives(pool.fetchValue("SELECT current_setting('TimeZone')"), Option.some(ZONE))
  },
  {
    name: "settings of the startup after a reset",
    settings: { settings: { TimeZone: ZONE, DateStyle: "German, DMY" } },
    run: ({ pool }) =>
      Effect.forEach([1, 2, 3], () =>
        Effect.gen(function* () {
          yield* pool.withConnection((connection) =>
            connection.executeScript("SET TimeZone TO 'UTC'; SET DateStyle TO ISO")
          )
          yield* gives(pool.fetchTuples("SELECT current_setting('TimeZone'), current_setting('DateStyle')"), [
            [ZONE, "German, DMY"]
          ])
        })
      )
  },
  {
    name: "application name after a reset",
    settings: { applicationName: "endpoints" },
    run: ({ pool }) =>
      Effect.gen(function* () {
        yield* pool.withConnection((connection) => connection.executeScript("SET application_name TO other"))
        yield* gives(pool.fetchValue("SELECT current_setting('application_name')"), Option.some("endpoints"))
      })
  },
  {
    name: "SET of a borrower, which the next one does not find",
    settings: { maxConnections: 1 },
    run: ({ pool }) =>
      Effect.gen(function* () {
        yield* pool.withConnection((connection) => connection.executeScript("SET extra_float_digits TO 0"))
        yield* gives(pool.fetchValue("SELECT current_setting('extra_float_digits')"), Option.some("1"))
      })
  },
  {
    name: "a borrowed connection",
    run: ({ pool }) =>
      pool.withConnection((connection) =>
        Effect.forEach([1, 2, 3, 4, 5], (n) => gives(connection.fetchValue("SELECT $1::int4", [n]), Option.some(n)))
      )
  },
  {
    name: "DISCARD ALL on a borrowed connection",
    run: ({ pool }) =>
      Effect.gen(function* () {
        yield* pool.withConnection((connection) =>
          Effect.gen(function* () {
            yield* gives(connection.fetchValue("SELECT $1::int4", [1]), Option.some(1))
            yield* connection.executeScript("DISCARD ALL")
            yield* gives(connection.fetchValue("SELECT $1::int4", [2]), Option.some(2))
          })
        )
        yield* gives(pool.fetchValue("SELECT $1::int4", [3]), Option.some(3))
      })
  },
  {
    name: "prepare",
    run: ({ pool }) =>
      Effect.gen(function* () {
        const statement = yield* pool.prepare("SELECT $1::int4 * 3 AS n")
        for (let n = 0; n < 20; n++) yield* gives(statement.fetchOne([n]), { n: n * 3 })
      })
  },
  {
    name: "prepare and executeMany on it",
    run: ({ name, pool }) =>
      Effect.gen(function* () {
        yield* pool.execute(`CREATE TABLE ${name} (id int4)`)
        const statement = yield* pool.prepare(`INSERT INTO ${name} VALUES ($1)`)
        for (let n = 0; n < 3; n++) yield* gives(statement.executeMany([[1], [2]]), { rowCount: 2 })
        yield* gives(pool.fetchValue(`SELECT count(*)::int4 FROM ${name}`), Option.some(6))
      })
  },
  {
    name: "init and its settings",
    settings: { init: (connection) => connection.execute("SET IntervalStyle TO iso_8601"), maxConnections: 1 },
    run: ({ pool }) =>
      Effect.gen(function* () {
        yield* pool.withConnection((connection) => connection.executeScript("SET IntervalStyle TO postgres"))
        yield* gives(pool.fetchValue("SELECT current_setting('IntervalStyle')"), Option.some("iso_8601"))
      })
  },
  {
    name: "listen and notify",
    run: ({ name, pool }) =>
      Effect.gen(function* () {
        const events = yield* pool.listen(name)
        const heard = yield* Effect.forkScoped(Stream.runCollect(Stream.take(events, 2)), { startImmediately: true })
        yield* Effect.sleep("200 millis")
        for (const payload of ["one", "two"]) yield* pool.notify(name, payload)
        const collected = yield* Effect.timeoutOption(Fiber.join(heard), "3 seconds")
        yield* same(
          Option.map(collected, (all) =>
            all.map((event) => (event._tag === "Notification" ? event.payload : event._tag))
          ),
          Option.some(["one", "two"])
        )
      })
  },
  {
    name: "withAdvisoryLock",
    run: ({ pool }) =>
      Effect.gen(function* () {
        let running = 0
        let most = 0
        const critical = Effect.gen(function* () {
          most = Math.max(most, ++running)
          yield* Effect.sleep("10 millis")
          running--
        })
        yield* Effect.all(
          Array.from({ length: 8 }, () => pool.withAdvisoryLock(77, critical)),
          { concurrency: "unbounded" }
        )
        yield* same(most, 1)
      })
  },
  {
    name: "withAdvisoryLockIfAvailable",
    run: ({ pool }) =>
      gives(
        pool.withAdvisoryLock(
          78,
          pool.withConnection((other) => other.withAdvisoryLockIfAvailable(78, Effect.succeed("in")))
        ),
        Option.none()
      )
  },
  {
    name: "large objects",
    run: ({ pool }) =>
      Effect.gen(function* () {
        const oid = yield* PgLargeObject.write(pool, Stream.make(new Uint8Array(100_000).fill(7)))
        const parts = yield* Stream.runCollect(PgLargeObject.read(pool, oid))
        yield* same(Buffer.concat(parts).length, 100_000)
        yield* PgLargeObject.remove(pool, oid)
      })
  },
  {
    name: "expire, and calls meanwhile",
    run: ({ pool }) =>
      Effect.gen(function* () {
        const calls = Effect.forEach(
          Array.from({ length: 20 }),
          (_, n) => gives(pool.fetchValue("SELECT $1::int4", [n]), Option.some(n)),
          { concurrency: 5 }
        )
        yield* Effect.all([calls, pool.expire, calls], { concurrency: "unbounded" })
      })
  },
  {
    name: "a connection that the server ends, and the next call",
    run: ({ pool }) =>
      Effect.gen(function* () {
        yield* Effect.ignore(pool.execute("SELECT pg_terminate_backend(pg_backend_pid())"))
        yield* gives(Effect.retry(pool.fetchValue("SELECT 1"), { times: 3 }), Option.some(1))
      })
  }
]
