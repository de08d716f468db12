/** Scenarios in which `SqlClient` and effectpg's own API share transactions, each within the other. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Stream from "effect/Stream"
import type * as PgPool from "../../src/PgPool.ts"
import * as PgSqlClient from "../../src/PgSqlClient.ts"
import { type Act, ask, mark, type Scenario, warm } from "./scenarios.ts"

const clients = new WeakMap<PgPool.PgPool, PgSqlClient.PgSqlClient>()

/** The client of effect/sql on a pool. Each pool has one. */
const clientOf = (pool: PgPool.PgPool): Effect.Effect<PgSqlClient.PgSqlClient> =>
  Effect.suspend(() => {
    const known = clients.get(pool)
    if (known !== undefined) return Effect.succeed(known)
    return PgSqlClient.fromClient(pool).pipe(
      Effect.tap((made) => Effect.sync(() => clients.set(pool, made))),
      Effect.provide(Reactivity.layer),
      Effect.orDie
    )
  })

type Sql = PgSqlClient.PgSqlClient

const using =
  (act: (sql: Sql, pool: PgPool.PgPool, id: number) => ReturnType<Act>): Act =>
  (pool, id) =>
    Effect.flatMap(clientOf(pool), (sql) => act(sql, pool, id))

const markBySql = (sql: Sql, id: number, n: number) => sql`INSERT INTO marks VALUES (${id}, ${n})`

const askBySql = (sql: Sql, token: number) =>
  Effect.map(sql`SELECT ${token} AS token`, (rows) => assert.deepStrictEqual(rows, [{ token }]))

/** Is refused by the server. */
const failing = (sql: Sql) => sql`SELECT 1 / (0 * ${1})`

const plain = using((sql, _, id) => sql.withTransaction(Effect.andThen(markBySql(sql, id, 1), markBySql(sql, id, 2))))

const sqlInNative = using((sql, pool, id) =>
  pool.withTransaction(Effect.andThen(markBySql(sql, id, 1), mark(pool, id, 2)))
)

const nativeInSql = using((sql, pool, id) =>
  sql.withTransaction(Effect.andThen(mark(pool, id, 1), markBySql(sql, id, 2)))
)

const savepointsInSql = using((sql, pool, id) =>
  sql.withTransaction(
    Effect.gen(function* () {
      yield* mark(pool, id, 1)
      yield* pool.withTransaction(
        Effect.andThen(markBySql(sql, id, 2), sql.withTransaction(pool.withTransaction(mark(pool, id, 3))))
      )
      const undone = Effect.andThen(markBySql(sql, id, 99), failing(sql))
      yield* Effect.ignore(pool.withTransaction(Effect.andThen(sql.withTransaction(mark(pool, id, 98)), undone)))
      yield* markBySql(sql, id, 4)
    })
  )
)

const savepointsInNative = using((sql, pool, id) =>
  pool.withTransaction(
    Effect.gen(function* () {
      yield* markBySql(sql, id, 1)
      yield* sql.withTransaction(Effect.andThen(mark(pool, id, 2), pool.withTransaction(markBySql(sql, id, 3))))
      yield* Effect.ignore(sql.withTransaction(Effect.andThen(pool.withTransaction(mark(pool, id, 98)), failing(sql))))
      yield* mark(pool, id, 4)
    })
  )
)

/** Siblings of one transaction that run at the same time. */
const siblings = using((sql, pool, id) =>
  sql.withTransaction(
    Effect.all(
      [
        sql.withTransaction(markBySql(sql, id, 1)),
        pool.withTransaction(mark(pool, id, 2)),
        markBySql(sql, id, 3),
        askBySql(sql, id),
        sql.withTransaction(pool.withTransaction(mark(pool, id, 4)))
      ],
      { concurrency: "unbounded", discard: true }
    )
  )
)

const streamed = using((sql, pool, id) =>
  pool.withTransaction(
    sql.withTransaction(
      Stream.runForEach(sql<{ n: number }>`SELECT n FROM generate_series(1, 3) AS n`.stream, ({ n }) =>
        n === 2 ? sql.withTransaction(mark(pool, id, n)) : markBySql(sql, id, n)
      )
    )
  )
)

const streamedAlone = using((sql) =>
  Effect.andThen(
    Stream.runDrain(sql`SELECT n FROM generate_series(1, 5) AS n`.stream),
    Stream.runDrain(Stream.take(sql`SELECT n FROM generate_series(1, 5) AS n`.stream, 2))
  )
)

/** A connection of its own before a transaction, and the pool's lock around it. */
const reservedAndLocked = using((sql, pool, id) =>
  Effect.gen(function* () {
    yield* Effect.scoped(
      Effect.flatMap(sql.reserve, (reserved) => reserved.execute("SELECT $1::int AS n", [id], undefined))
    )
    yield* pool.withAdvisoryLock(id, sql.withTransaction(Effect.andThen(markBySql(sql, id, 1), mark(pool, id, 2))))
  })
)

/** A reserved connection is not the transaction's, so its work stays whatever the transaction does. */
const reservedInside = using((sql, _, id) =>
  sql.withTransaction(
    Effect.gen(function* () {
      yield* markBySql(sql, id, 1)
      yield* Effect.scoped(
        Effect.flatMap(sql.reserve, (reserved) => reserved.execute("SELECT $1::int AS n", [id], undefined))
      )
      yield* markBySql(sql, id, 2)
    })
  )
)

// ---------------------------------------------------------------------------------------------------- callbacks

const ran = new Map<number, number>()

const CALLBACKS = 4

/**
 * Callbacks of both APIs. Those of `SqlClient` cannot be interrupted, and are counted. They ask no server: if it fell
 * silent, nobody could end their wait.
 */
const callbacks = using((sql, pool, id) => {
  const count = Effect.sync(() => void ran.set(id, (ran.get(id) ?? 0) + 1))
  return sql.withTransaction(
    Effect.gen(function* () {
      yield* sql.afterCommit(count)
      yield* pool.afterCommit(Effect.orDie(ask(pool, id)))
      yield* pool.afterCommit(Effect.orDie(askBySql(sql, id)))
      yield* sql.afterCommit(count)
      yield* markBySql(sql, id, 1)
      yield* pool.withTransaction(sql.withTransaction(sql.afterCommit(count)))
      const undone = Effect.andThen(sql.afterCommit(Effect.andThen(count, count)), failing(sql))
      yield* Effect.ignore(pool.withTransaction(undone))
      yield* pool.afterRollback(Effect.orDie(askBySql(sql, id)))
      yield* sql.afterCommit(count)
    })
  )
})

/** Scenarios for a pool of one. */
export const sqlWaits: ReadonlyArray<Scenario> = [
  warm("a transaction of sql", plain, [1, 2]),
  warm("sql in a native transaction", sqlInNative, [1, 2]),
  warm("native calls in a transaction of sql", nativeInSql, [1, 2]),
  warm("savepoints of both in a transaction of sql", savepointsInSql, [1, 2, 3, 4]),
  warm("savepoints of both in a native transaction", savepointsInNative, [1, 2, 3, 4]),
  warm("siblings of both in a transaction of sql", siblings, [1, 2, 3, 4]),
  warm("a stream of sql in transactions of both", streamed, [1, 2, 3]),
  warm("streams of sql without a transaction", streamedAlone),
  warm("a reserved connection, and a transaction of sql under a lock", reservedAndLocked, [1, 2]),
  {
    ...warm("callbacks of both after a transaction of sql", callbacks, [1]),
    callbacks: { registered: CALLBACKS, ran: (id) => ran.get(id) ?? 0 }
  }
]

export const sqlScenarios: ReadonlyArray<Scenario> = [
  ...sqlWaits,
  warm("a reserved connection in a transaction of sql", reservedInside, [1, 2])
]
