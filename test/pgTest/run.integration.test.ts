/** Tests how a run of tests ends, and what the processes that join it have of it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { inject, vi } from "vitest"
import { timeoutOption } from "../../src/call/realTime.ts"
import * as PgConnection from "../../src/PgConnection.ts"
import { startRun } from "../../src/pgTest/run.ts"
import * as PgTest from "../../src/PgTest.ts"
import { startEmbedded } from "../../src/testServer/embedded.ts"
import { freePort } from "../../src/testServer/freePort.ts"
import { assertHealthy, eventually, killBackend, uniqueName, valueOf } from "../support/live.ts"

const VARIABLE = "EFFECTPG_TEST_RUN"

/** The URL of the server of all tests. */
const url = (() => {
  const { database, host, password, port, user } = inject("postgres")
  return `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}?sslmode=disable`
})()

const databases = (connection: PgConnection.PgConnection, prefix: string) =>
  Effect.map(
    connection.fetch("SELECT datname AS name FROM pg_database WHERE starts_with(datname, $1) ORDER BY datname", [
      prefix
    ]),
    (rows) => rows.map(({ name }) => name)
  )

/** Runs an effect as if the processes of a run did. */
const joined = <A, E, R>(announcement: string | undefined, effect: Effect.Effect<A, E, R>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const before = process.env[VARIABLE]
      process.env[VARIABLE] = announcement
      return before
    }),
    () => effect,
    (before) => Effect.sync(() => (process.env[VARIABLE] = before))
  )

/** What an effect prints. */
const printed = (effect: Effect.Effect<unknown>): Effect.Effect<ReadonlyArray<string>> =>
  Effect.acquireUseRelease(
    Effect.sync(() => vi.spyOn(console, "log").mockImplementation(() => {})),
    ({ mock }) => Effect.map(effect, () => mock.calls.map((each) => each.join(" "))),
    (spy) => Effect.sync(() => spy.mockRestore())
  )

describe("a run of tests", { timeout: 60_000 }, () => {
  it.live("drops all of its databases at its end but one that cannot be dropped, of which it tells", () =>
    Effect.gen(function* () {
      const environment: Partial<Record<string, string>> = {}
      const observer = yield* PgConnection.make({ url })
      const end = yield* Effect.promise(() => startRun({ url }, environment))
      const { prefix }: { readonly prefix: string } = JSON.parse(environment[VARIABLE] ?? "")
      const names = ["a", "b", "c", "d", "e"].map((letter) => `${prefix}${letter}`)
      for (const name of names) yield* observer.execute(`CREATE DATABASE ${name}`)
      const stuck = `${prefix}a`
      yield* Effect.scoped(
        Effect.gen(function* () {
          const inside = yield* PgConnection.make({ url, database: stuck })
          yield* inside.executeScript("BEGIN; CREATE TABLE held (n int4); PREPARE TRANSACTION 'stuck'")
        })
      )
      const said = yield* printed(Effect.promise(end))
      assert.deepStrictEqual(yield* databases(observer, prefix), [stuck])
      assert.lengthOf(said, 1)
      assert.include(said[0], stuck)
      assert.include(said[0], "prepared transaction")

      // The next run finds it when it can be dropped.
      yield* Effect.scoped(
        Effect.gen(function* () {
          const inside = yield* PgConnection.make({ url, database: stuck })
          yield* inside.execute("ROLLBACK PREPARED 'stuck'")
        })
      )
      yield* eventually(valueOf(observer, "SELECT count(*)::int4 FROM pg_stat_activity WHERE datname = $1", [stuck]), 0)
      yield* Effect.promise(async () => (await startRun({ url }, {}))())
      assert.deepStrictEqual(yield* databases(observer, prefix), [])
      yield* assertHealthy(observer)
    })
  )

  it.live("keeps its databases from others, and drops them, although its own connection was lost", () =>
    Effect.gen(function* () {
      const environment: Partial<Record<string, string>> = {}
      const observer = yield* PgConnection.make({ url })
      const end = yield* Effect.promise(() => startRun({ url }, environment))
      const { prefix }: { readonly prefix: string } = JSON.parse(environment[VARIABLE] ?? "")
      yield* observer.execute(`CREATE DATABASE ${prefix}a`)
      const holder = `FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1
        AND (classid::int8 << 32 | objid::int8) = ${BigInt(`0x${prefix.slice(-17, -1)}`)}`
      const lost = yield* valueOf(observer, `SELECT pid ${holder}`)
      yield* killBackend(observer, Number(lost))
      yield* eventually(valueOf(observer, `SELECT count(*)::int4 ${holder}`), 1)
      assert.notStrictEqual(yield* valueOf(observer, `SELECT pid ${holder}`), lost)
      yield* Effect.promise(end)
      assert.deepStrictEqual(yield* databases(observer, prefix), [])
      yield* assertHealthy(observer)
    })
  )

  it.live("does not begin if its user may not create databases, and says how to allow it", () =>
    Effect.gen(function* () {
      const observer = yield* PgConnection.make({ url })
      const user = `O'Hara "ü" ${uniqueName()}`
      const name = `"${user.replaceAll('"', '""')}"`
      yield* Effect.acquireRelease(observer.execute(`CREATE ROLE ${name} LOGIN PASSWORD 'secret'`), () =>
        Effect.orDie(observer.execute(`DROP ROLE ${name}`))
      )
      const { database, host, port } = inject("postgres")
      const other = `postgres://${encodeURIComponent(user)}:secret@${host}:${port}/${database}?sslmode=disable`
      const error = yield* Effect.flip(Effect.scoped(PgTest.make({ server: { url: other } })))
      assert.strictEqual(error._tag, "TestServerError")
      assert.include(error.message, `ALTER ROLE ${name} CREATEDB`)
      yield* observer.execute(`ALTER ROLE ${name} CREATEDB`)
      const made = yield* Effect.scoped(PgTest.make({ server: { url: other } }))
      assert.deepStrictEqual(yield* databases(observer, made.name), [])
      yield* assertHealthy(observer)
    })
  )

  it.live("does not hold up the end of a test for long if its server has gone", () =>
    Effect.gen(function* () {
      const server = yield* Effect.acquireRelease(
        Effect.promise(() => startEmbedded()),
        ({ stop }) => Effect.promise(stop)
      )
      const password = encodeURIComponent(server.password)
      const gone = `postgres://${server.user}:${password}@${server.host}:${server.port}/?sslmode=disable`
      const test = Effect.gen(function* () {
        yield* PgTest.make({ server: { url: gone } })
        yield* Effect.promise(() => server.shutDown("immediate"))
      })
      assert.isTrue(Option.isSome(yield* timeoutOption(Effect.scoped(test), 40_000)))
    })
  )

  it.live("is joined with the settings of its server, and nothing of it stays open", () =>
    Effect.gen(function* () {
      const environment: Partial<Record<string, string>> = {}
      const port = yield* Effect.promise(freePort)
      yield* Effect.acquireRelease(
        Effect.promise(() => startRun({ port }, environment)),
        (end) => Effect.promise(end)
      )
      const { url }: { readonly url: string } = JSON.parse(environment[VARIABLE] ?? "")
      const observer = yield* PgConnection.make({ url, sslMode: "disable" })
      const ofKit = valueOf(
        observer,
        "SELECT count(*)::int4 FROM pg_stat_activity WHERE application_name = 'effectpg PgTest'"
      )
      const before = yield* ofKit
      const { server, settings } = yield* joined(environment[VARIABLE], Effect.scoped(PgTest.make()))
      assert.strictEqual(server, "embedded")
      // Such a server has no TLS to ask for.
      assert.strictEqual(settings.sslMode, "disable")
      // At once, which for a busy machine is less than the second that a server of its own would be kept for.
      yield* eventually(ofKit, before, 900)
    })
  )
})
