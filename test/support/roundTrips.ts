/** Counts round trips to the test server, for tests of calls that promise a number of them. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as PgConfig from "../../src/PgConfig.ts"
import type * as PgError from "../../src/PgError.ts"
import { type Database, TestDatabase } from "./database.ts"
import { liveSettings } from "./live.ts"
import { proxyTo } from "../../src/pgTest/proxy.ts"

/** How often the server has said that it is ready, on all connections made with the settings. */
export interface Counted {
  readonly settings: PgConfig.Settings
  readonly roundTrips: () => number
}

export const counting: Effect.Effect<Counted, never, TestDatabase | Scope.Scope> = Effect.gen(function* () {
  const { host, port }: Database = yield* TestDatabase
  const proxy = yield* proxyTo({ host, port })
  let ready = 0
  proxy.onMessage = (_, { from, type }) => {
    if (from === "server" && type === "Z") ready++
  }
  const settings = yield* liveSettings({ host: proxy.host, port: proxy.port, sslMode: "disable" })
  return { settings, roundTrips: () => ready }
})

export const roundTripsOf = <A>(
  { roundTrips }: Counted,
  effect: Effect.Effect<A, PgError.PgError>
): Effect.Effect<readonly [number, A], PgError.PgError> =>
  Effect.suspend(() => {
    const before = roundTrips()
    return Effect.map(effect, (value) => [roundTrips() - before, value] as const)
  })
