/**
 * Connects effectpg to the test server: connections and pools for a test's database, and what the server says of them.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { passed } from "../../src/call/realTime.ts"
import type * as PgConfig from "../../src/PgConfig.ts"
import * as PgConnection from "../../src/PgConnection.ts"
import type * as PgError from "../../src/PgError.ts"
import * as PgPool from "../../src/PgPool.ts"
import { TestDatabase } from "./database.ts"

const POLL_MILLIS = 10
const PATIENCE_MILLIS = 5_000

/** The address of the pooler in EFFECTPG_TEST_POOLER, if there is one. */
const throughPooler = (address = process.env["EFFECTPG_TEST_POOLER"]): PgConfig.Settings => {
  if (!address) return {}
  const { hostname, port } = new URL(`postgres://${address}`)
  return { host: hostname, port: Number(port), sslMode: "disable", statementMode: "unnamed" }
}

/** Settings for the test's database, over TCP by default. */
export const liveSettings = (
  settings: PgConfig.PoolSettings = {}
): Effect.Effect<PgConfig.PoolSettings, never, TestDatabase> =>
  Effect.map(TestDatabase, ({ url }) => ({ url: Redacted.make(url), ...throughPooler(), ...settings }))

export const liveConnection = (
  settings?: PgConfig.Settings
): Effect.Effect<PgConnection.PgConnection, PgError.PgError, TestDatabase | Scope.Scope> =>
  Effect.flatMap(liveSettings(settings), PgConnection.make)

export const livePool = (
  settings?: PgConfig.PoolSettings
): Effect.Effect<PgPool.PgPool, PgError.PgError, TestDatabase | Scope.Scope> =>
  Effect.flatMap(liveSettings(settings), PgPool.make)

/** The value of the first column of the first row. */
export const valueOf = (
  queryable: PgConnection.Queryable,
  sql: string,
  params?: PgConnection.Parameters
): Effect.Effect<unknown, PgError.PgError> => Effect.map(queryable.fetchValue(sql, params), Option.getOrThrow)

/** The failure of a call, whatever it would have given. */
export const refusalOf = (call: Effect.Effect<unknown, PgError.PgError>): Effect.Effect<PgError.PgError> =>
  Effect.orDie(Effect.flip(call))

/**
 * Shows that the connection or the pool is healthy: a statement with a value of its own is answered with that value.
 */
export const assertHealthy = (queryable: PgConnection.Queryable): Effect.Effect<void, PgError.PgError> =>
  Effect.gen(function* () {
    const token = `healthy ${Math.random()}`
    assert.strictEqual(yield* valueOf(queryable, "SELECT $1::text", [token]), token)
    assert.deepStrictEqual(yield* queryable.executeScript("SELECT 1; SELECT 2"), [
      { command: "SELECT", rowCount: 1 },
      { command: "SELECT", rowCount: 1 }
    ])
  })

/** Asks until the answer is the expected one, for as long as a busy machine may need. */
export const eventually = <A, E, R>(
  ask: Effect.Effect<A, E, R>,
  expected: A,
  patienceMillis = PATIENCE_MILLIS
): Effect.Effect<void, E, R> =>
  Effect.gen(function* () {
    const deadline = Date.now() + patienceMillis
    let answer = yield* ask
    while (answer !== expected && Date.now() < deadline) {
      yield* passed(POLL_MILLIS)
      answer = yield* ask
    }
    assert.strictEqual(answer, expected)
  })

/** How many backends serve connections with that application name. */
export const backendsOf = (
  observer: PgConnection.Queryable,
  applicationName: string
): Effect.Effect<number, PgError.PgError> =>
  Effect.map(
    valueOf(observer, "SELECT count(*)::int4 FROM pg_stat_activity WHERE application_name = $1", [applicationName]),
    Number
  )

/** Ends the backend of a connection, as an administrator would, and waits until it has gone. */
export const killBackend = (
  observer: PgConnection.Queryable,
  processId: number
): Effect.Effect<void, PgError.PgError> =>
  Effect.gen(function* () {
    yield* observer.execute("SELECT pg_terminate_backend($1)", [processId])
    yield* eventually(valueOf(observer, "SELECT count(*)::int4 FROM pg_stat_activity WHERE pid = $1", [processId]), 0)
  })

/** An application name that no other test has. */
export const uniqueName = (): string => `test ${crypto.randomUUID()}`
