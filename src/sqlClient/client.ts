/** Makes a client of effect/sql on the pool of a client of effectpg, or on a pool of its own. */
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Predicate from "effect/Predicate"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import * as Shape from "../call/shape.ts"
import { invalid } from "../config/given.ts"
import { routerOf } from "../connection/baseQueryable.ts"
import { levelSource, Router } from "../connection/router.ts"
import * as PgClient from "../PgClient.ts"
import type * as PgError from "../PgError.ts"
import type { Target } from "../session/observing/target.ts"
import { json, makeCompiler } from "./compiler.ts"
import { connectionOf } from "./connection.ts"
import { eventQueues } from "./listening.ts"
import type { Options } from "./options.ts"
import { makeReactiveQueue } from "./reactiveQueue.ts"
import { sqlErrorOf } from "./sqlErrors.ts"
import * as Transactions from "./transactions.ts"

export { sqlPgClientOf } from "./sqlPgClient.ts"

/** Makes a client on the pool of `pg`; see `PgSqlClient.fromClient`. */
export const sqlClientOf = Effect.fnUntraced(function* (pg: PgClient.PgClient, given?: Options) {
  const options = yield* Effect.mapError(
    Shape.withOptions(given, OPTIONS, (known = {}) => Effect.succeed(known)),
    connecting
  )
  const pool = Shape.isSafely(Predicate.isObject, pg) ? routerOf(pg) : undefined
  if (pool === undefined) return yield* connecting(invalid("pg", "must be a PgClient that effectpg made"))
  const observer = pool.observer.withoutSpans
  const { target } = observer
  const router = pool.adapted(observer)
  const connection = connectionOf(router)
  const spanAttributes: ReadonlyArray<readonly [string, unknown]> = [
    ...Object.entries(Shape.copyOf(options.spanAttributes ?? {}) ?? {}),
    ["db.system.name", "postgresql"],
    ["db.namespace", target.database],
    // All statements have the same attributes, so that they cannot name one of several servers.
    ...(observer.isSpread ? [] : addressOf(target))
  ]
  const transactions = Transactions.make(router, spanAttributes)
  const reserve = Effect.mapBoth(router.scopedRoot, {
    onSuccess: (root) => connectionOf(new Router(levelSource(root), router.key, observer)),
    onFailure: (error) => sqlErrorOf(error, "reserve")
  })
  const { reactiveChannel } = options
  const reactiveQueue =
    reactiveChannel === undefined
      ? undefined
      : yield* Effect.mapError(makeReactiveQueue(pg, reactiveChannel), connecting)
  const client = yield* SqlClient.make({
    acquirer: Effect.succeed(connection),
    borrower: (use) => use(connection),
    transactionAcquirer: reserve,
    compiler: makeCompiler(options),
    driver: "effectpg",
    spanAttributes,
    transactionService: transactions.service,
    transformRows: transformationOf(options),
    ...(reactiveQueue && { reactiveQueue })
  })
  const { afterCommit, withTransaction, withTransactionOptions } = transactions
  return Object.assign(client, {
    pg,
    json,
    afterCommit,
    withTransaction,
    withTransactionOptions,
    listen: eventQueues(pg),
    notify: (channel: string, payload: string) =>
      Effect.mapError(pg.notify(channel, payload), (error) => sqlErrorOf(error, "notify"))
  })
})

/** Opens a client with a pool of its own; see `PgSqlClient.make`. */
export const openSqlClient = Effect.fnUntraced(function* (settings: PgClient.Settings & Options) {
  const { options, pool } = yield* divided(settings)
  const pg = yield* Effect.mapError(PgClient.make(pool), connecting)
  return yield* sqlClientOf(pg, options)
})

const OPTIONS: Shape.Kinds = {
  reactiveChannel: Shape.text,
  spanAttributes: {
    is: (value) => Predicate.isObject(value) && Shape.copyOf(value) !== undefined,
    takes: "an object of attributes"
  },
  transformJson: Shape.flag,
  transformQueryNames: Shape.callback,
  transformResultNames: Shape.callback
}

const connecting = (error: PgError.PgError): SqlError => sqlErrorOf(error, "connect")

const addressOf = ({ address, port }: Target): ReadonlyArray<readonly [string, unknown]> => [
  ["server.address", address],
  ...(port === undefined ? [] : ([["server.port", port]] as const))
]

/** Divides the settings into options of effect/sql, which `fromClient` checks, and those of the pool. */
const divided = (
  settings: PgClient.Settings & Options
): Effect.Effect<{ readonly options: Options; readonly pool: PgClient.Settings }> =>
  Effect.sync(() => {
    const known = Shape.copyOf(settings)
    // A value that is not an object has no options; reading the other settings reports it.
    if (known === undefined) return { options: {}, pool: settings }
    const { reactiveChannel, spanAttributes, transformJson, transformQueryNames, transformResultNames, ...pool } = known
    return {
      options: { reactiveChannel, spanAttributes, transformJson, transformQueryNames, transformResultNames },
      pool: { minConnections: 0, ...pool }
    }
  })

/** `withoutTransforms` needs a transformation of rows to take away, even if only statements are changed. */
const transformationOf = ({ transformJson, transformQueryNames, transformResultNames }: Options) => {
  if (transformResultNames !== undefined) return Statement.defaultTransforms(transformResultNames, transformJson).array
  return transformQueryNames === undefined ? undefined : identity
}
