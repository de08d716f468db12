/** Scenarios: what a client is doing while something goes wrong, and what must be true afterwards. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import type * as PgConnection from "../../src/PgConnection.ts"
import type * as PgError from "../../src/PgError.ts"
import type * as PgPool from "../../src/PgPool.ts"
import * as PgTypes from "../../src/PgTypes.ts"
import { eventually } from "../support/live.ts"

export type Failure = PgError.PgError | SqlError

export type Act = (pool: PgPool.PgPool, id: number) => Effect.Effect<unknown, Failure>

export interface Scenario {
  readonly name: string
  /** Prepares the pool for the scenario: with its statements prepared, or without a connection. */
  readonly prepare: Act
  /** The calls, under an id. They die if an answer is not their own. */
  readonly run: Act
  /** The numbers that are stored under the id when it is done: all of them, or none. */
  readonly stores: ReadonlyArray<number>
  /** How many callbacks that cannot be interrupted wait for its commit, and how many of them have run under an id. */
  readonly callbacks?: { readonly registered: number; readonly ran: (id: number) => number }
  /** Whether it shares the pool's only connection with queries of other fibers that are under way at the same time. */
  readonly isShared?: true
}

export const CREATE_MARKS = "CREATE TABLE marks (id int4, n int4)"
export const MARKS = "SELECT coalesce(array_agg(n ORDER BY n), '{}') AS numbers FROM marks WHERE id = $1"

/** Asks for a value of its own, and checks the answer. */
export const ask = (queryable: PgConnection.Queryable, token: number, sql = "SELECT $1::int4 AS token") =>
  Effect.map(queryable.fetchOne(sql, [token]), (row) => assert.deepStrictEqual(row, { token }))

export const mark = (queryable: PgConnection.Queryable, id: number, n: number) =>
  Effect.map(queryable.execute("INSERT INTO marks VALUES ($1, $2)", [id, n]), (result) =>
    assert.deepStrictEqual(result, { command: "INSERT", rowCount: 1 })
  )

/** Is refused by the server, and only there. */
const fail = (queryable: PgConnection.Queryable, token: number, sql = "SELECT 1 / ($1::int4 - $1)") =>
  queryable.execute(sql, [token]).pipe(
    Effect.flatMap(() => Effect.die(new Error("a division by zero had an answer"))),
    Effect.catchTag("DivisionByZeroError", () => Effect.void)
  )

const ROWS = 40

const manyRows: Act = (pool, id) =>
  Effect.map(pool.fetchTuples(`SELECT n, $1::int4 FROM generate_series(1, ${ROWS}) AS n`, [id]), (rows) =>
    assert.deepStrictEqual(
      rows,
      Array.from({ length: ROWS }, (_, index) => [index + 1, id])
    )
  )

const transaction: Act = (pool, id) => pool.withTransaction(Effect.andThen(mark(pool, id, 1), mark(pool, id, 2)))

const trackedTransaction: Act = (pool, id) =>
  pool.withTransaction(Effect.andThen(mark(pool, id, 1), mark(pool, id, 2)), { trackOutcome: true })

const nestedTransaction: Act = (pool, id) =>
  pool.withTransaction(
    Effect.gen(function* () {
      yield* mark(pool, id, 1)
      yield* pool.withTransaction(mark(pool, id, 2))
      const undone = pool.withTransaction(Effect.andThen(mark(pool, id, 99), pool.execute("SELECT 1 / 0")))
      yield* Effect.catchTag(undone, "DivisionByZeroError", () => Effect.void)
      yield* mark(pool, id, 3)
    })
  )

const beginningWithScript: Act = (pool, id) =>
  pool.withTransaction(Effect.andThen(pool.executeScript(`INSERT INTO marks VALUES (${id}, 1)`), mark(pool, id, 2)))

const beginningWithSavepoint: Act = (pool, id) =>
  pool.withTransaction(Effect.andThen(pool.withTransaction(mark(pool, id, 1)), mark(pool, id, 2)))

const beginningWithTwoFibers: Act = (pool, id) =>
  pool.withTransaction(Effect.all([mark(pool, id, 1), mark(pool, id, 2)], { concurrency: "unbounded", discard: true }))

const PIPELINED = 8
const FAILING = 5

const pipeline: Act = (pool, id) =>
  pool.withConnection((connection) =>
    Effect.all(
      Array.from({ length: PIPELINED }, (_, index) =>
        index === FAILING ? fail(connection, id) : ask(connection, id * PIPELINED + index)
      ),
      { concurrency: "unbounded", discard: true }
    )
  )

/** A scenario warms its own statements, which run before under an id that is not checked. */
const warmedBy =
  (run: Act): Act =>
  (pool) =>
    run(pool, 0)

export const warm = (name: string, run: Act, stores: ReadonlyArray<number> = []): Scenario => ({
  name,
  prepare: warmedBy(run),
  run,
  stores
})

const disconnect: Act = (pool) =>
  Effect.andThen(
    pool.expire,
    eventually(
      Effect.map(pool.stats, ({ size }) => size),
      0
    )
  )

const oneMark: Act = (pool, id) => mark(pool, id, 1)

const askAtAll: Act = (pool) => ask(pool, 0)

export const scenarios: ReadonlyArray<Scenario> = [
  warm("a cached query", ask),
  warm("a cached query that writes", oneMark, [1]),
  warm("a cached query that fails", fail),
  warm("many rows", manyRows),
  warm("a transaction", transaction, [1, 2]),
  warm("a tracked transaction", trackedTransaction, [1, 2]),
  warm("a nested transaction", nestedTransaction, [1, 2, 3]),
  warm("a transaction that begins with a script", beginningWithScript, [1, 2]),
  warm("a transaction that begins with a savepoint", beginningWithSavepoint, [1, 2]),
  warm("a transaction that begins with two fibers", beginningWithTwoFibers, [1, 2]),
  {
    name: "a transaction that begins with an uncached statement",
    prepare: askAtAll,
    run: (pool, id) =>
      pool.withTransaction(
        Effect.andThen(pool.execute(`INSERT INTO marks VALUES ($1, 1) /* ${id} */`, [id]), mark(pool, id, 2))
      ),
    stores: [1, 2]
  },
  warm("a pipeline of eight", pipeline),
  { ...warm("a shared query", ask), isShared: true },
  { ...warm("a shared query that writes", oneMark, [1]), isShared: true },
  { ...warm("a shared query that fails", fail), isShared: true },
  {
    name: "an uncached query",
    prepare: askAtAll,
    run: (pool, id) => ask(pool, id, `SELECT $1::int4 AS token /* ${id} */`),
    stores: []
  },
  {
    name: "an uncached query that fails",
    prepare: askAtAll,
    run: (pool, id) => fail(pool, id, `SELECT 1 / ($1::int4 - $1) /* ${id} */`),
    stores: []
  },
  {
    name: "an uncached query whose parameters have types",
    prepare: askAtAll,
    run: (pool, id) =>
      Effect.map(pool.fetch(`SELECT $1 AS token /* ${id} */`, [PgTypes.int4(id)]), (rows) =>
        assert.deepStrictEqual(rows, [{ token: id }])
      ),
    stores: []
  },
  {
    name: "an uncached query whose parameters have types, that writes",
    prepare: askAtAll,
    run: (pool, id) =>
      pool.execute(`INSERT INTO marks VALUES ($1, $2) /* ${id} */`, [PgTypes.int4(id), PgTypes.int4(1)]),
    stores: [1]
  },
  { name: "connecting with SCRAM", prepare: disconnect, run: ask, stores: [] },
  { name: "connecting with SCRAM for a transaction", prepare: disconnect, run: transaction, stores: [1, 2] }
]

// ------------------------------------------------------------------------------------------------- nested waits

const afterEnds: Act = (pool, id) =>
  pool.withTransaction(
    Effect.gen(function* () {
      yield* pool.afterCommit(Effect.orDie(mark(pool, id, 2)))
      yield* pool.afterRollback(Effect.orDie(ask(pool, id)))
      yield* mark(pool, id, 1)
    })
  )

const byHand: Act = (pool, id) =>
  Effect.scoped(
    Effect.gen(function* () {
      const transaction = yield* pool.begin()
      yield* mark(transaction, id, 1)
      yield* Effect.scoped(Effect.flatMap(transaction.begin(), (inner) => mark(inner, id, 99)))
      yield* transaction.commit
      yield* ask(pool, id)
    })
  )

const counted = "SELECT i FROM generate_series(1, 5) AS i"

const paged: Act = (pool) =>
  Effect.gen(function* () {
    yield* Stream.runDrain(pool.stream(counted, [], { fetchSize: 2 }))
    yield* Stream.runDrain(Stream.take(pool.stream(counted, [], { fetchSize: 2 }), 3))
    yield* Effect.scoped(Effect.flatMap(pool.cursor(counted), (cursor) => cursor.fetch(3)))
    yield* Effect.scoped(Effect.flatMap(pool.cursor(counted, [], { scroll: true }), (cursor) => cursor.last))
  })

const copied: Act = (pool, id) =>
  pool.withTransaction(
    Effect.gen(function* () {
      yield* pool.copyInRows({ table: "marks", columns: ["id", "n"] }, [[id, 1]])
      yield* Stream.runDrain(pool.copyOut({ query: counted }))
    })
  )

const locked: Act = (pool, id) => pool.withAdvisoryLock(id, ask(pool, id))

const leased: Act = (pool, id) =>
  pool.withConnection((connection) =>
    Effect.scoped(
      Effect.gen(function* () {
        const heard = yield* connection.listen("waits")
        yield* connection.withTransaction(connection.notify("waits", String(id)))
        yield* Stream.runDrain(Stream.take(heard, 1))
      })
    )
  )

const heard: Act = (pool) => Effect.scoped(pool.listen("waits"))

/** Scenarios in which one wait may be inside another: they are interrupted at every yield. */
export const waits: ReadonlyArray<Scenario> = [
  ...scenarios.filter(({ isShared, name }) => isShared === undefined && !name.startsWith("many rows")),
  warm("what runs after a transaction", afterEnds),
  warm("a transaction that is ended by hand", byHand, [1]),
  warm("streams and cursors", paged),
  warm("COPY in a transaction", copied, [1]),
  warm("an advisory lock", locked),
  warm("a lease that listens", leased),
  warm("listening by the pool", heard)
]
