/**
 * Runs reactive queries again when a notification of PostgreSQL names one of their keys. The notification invalidates
 * the key in the `Reactivity` of the process, which does the rest: it runs what is registered for a key, and makes one
 * more run of all signals that come while one is under way.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as RcRef from "effect/RcRef"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Scope from "effect/Scope"
import type * as SqlClient from "effect/sql/SqlClient"
import * as Stream from "effect/Stream"
import { passed } from "../call/realTime.ts"
import { checkChannel } from "../connection/listening/listenStatement.ts"
import type * as PgClient from "../PgClient.ts"
import type * as PgError from "../PgError.ts"
import type * as PgNotification from "../PgNotification.ts"
import { reconnectDelay } from "../pool/opening/reconnect.ts"

export type ReactiveQueue = NonNullable<SqlClient.SqlClient.MakeOptions["reactiveQueue"]>

type Keys = Parameters<ReactiveQueue>[0]

let clients = 0

/** Makes what runs the reactive queries of one client. They share one LISTEN, which the last of them ends. */
export const makeReactiveQueue = Effect.fnUntraced(function* (
  pg: PgClient.PgClient,
  channel: string
): Effect.fn.Return<ReactiveQueue, PgError.PgError, Reactivity.Reactivity> {
  yield* checkChannel("reactiveChannel", channel)
  const reactivity = yield* Reactivity.Reactivity
  // All queries of the client have this key, too. No payload can be the same, because none can contain a NUL.
  const everything = `\0effectpg/${clients++}`
  // This scope needs no end: whatever a query has acquired through the reference is released with the query's own scope.
  const listening = yield* RcRef.make({ acquire: startListening(pg, channel, reactivity, everything) }).pipe(
    Scope.provide(Scope.makeUnsafe())
  )
  return (keys, effect) => Effect.andThen(RcRef.get(listening), reactivity.query(withKey(keys, everything), effect))
})

/**
 * Listens for as long as the scope. Completes once the server has confirmed the LISTEN, or has not: a query then runs
 * without it, because it has an error of its own for a database that is out of reach.
 */
const startListening = Effect.fnUntraced(function* (
  pg: PgClient.PgClient,
  channel: string,
  reactivity: Reactivity.Reactivity,
  everything: string
): Effect.fn.Return<void, never, Scope.Scope> {
  const isAttempted = yield* Deferred.make<void>()
  const attempted = Deferred.succeed(isAttempted, undefined)
  const invalidateAll = Effect.sync(() => reactivity.invalidateUnsafe([everything]))
  const keyOf = (event: PgNotification.Event): string => (event._tag === "Gap" ? everything : event.payload)
  const listenFrom = (failures: number): Effect.Effect<void> =>
    pg.listen(channel).pipe(
      Effect.tap(failures === 0 ? attempted : invalidateAll),
      Effect.flatMap((events) =>
        Stream.runForEachArray(events, (batch) => Effect.sync(() => reactivity.invalidateUnsafe(batch.map(keyOf))))
      ),
      Effect.scoped,
      Effect.catch((error) =>
        error._tag === "PoolClosedError"
          ? invalidateAll
          : Effect.andThen(failures === 0 ? warn(channel, error) : Effect.void, attempted).pipe(
              Effect.andThen(passed(reconnectDelay(failures + 1))),
              Effect.andThen(Effect.suspend(() => listenFrom(failures + 1)))
            )
      ),
      Effect.ensuring(attempted)
    )
  yield* Effect.forkScoped(listenFrom(0))
  yield* Deferred.await(isAttempted)
})

const warn = (channel: string, error: PgError.PgError): Effect.Effect<void> =>
  Effect.logWarning(`reactive queries hear of no change until the client can listen to "${channel}"`, error)

/** Adds a key of the client's own, in the form in which `Reactivity` was given the others. */
const withKey = (keys: Keys, key: string): Keys => (isList(keys) ? [...keys, key] : { ...keys, [key]: [] })

const isList = (keys: Keys): keys is ReadonlyArray<unknown> => Array.isArray(keys)
