/** Uses of transactions: how they begin, nest, fail, are run again, and end. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import { failsWith, gives, same, type Use } from "./use.ts"

export const transactions: ReadonlyArray<Use> = [
  {
    name: "withTransaction that commits",
    run: ({ name, pool }) =>
      Effect.gen(function* () {
        yield* pool.execute(`CREATE TABLE ${name} (id int4)`)
        const insert = (id: number) => pool.execute(`INSERT INTO ${name} VALUES ($1)`, [id])
        for (let round = 0; round < 3; round++) yield* pool.withTransaction(Effect.andThen(insert(1), insert(2)))
        yield* gives(pool.fetchValue(`SELECT count(*)::int4 FROM ${name}`), Option.some(6))
      })
  },
  {
    name: "withTransaction of statements that were run alone before",
    run: ({ pool }) =>
      Effect.gen(function* () {
        const ask = pool.fetchValue("SELECT $1::int4 - 1", [1])
        for (let round = 0; round < 3; round++) yield* gives(ask, Option.some(0))
        for (let round = 0; round < 3; round++) yield* gives(pool.withTransaction(ask), Option.some(0))
      })
  },
  {
    name: "withTransaction that fails and rolls back",
    run: ({ name, pool }) =>
      Effect.gen(function* () {
        yield* pool.execute(`CREATE TABLE ${name} (id int4)`)
        const failing = pool.withTransaction(
          Effect.andThen(pool.execute(`INSERT INTO ${name} VALUES (1)`), pool.fetch("SELECT 1 / 0"))
        )
        yield* failsWith(failing, "DivisionByZeroError")
        yield* gives(pool.fetchValue(`SELECT count(*)::int4 FROM ${name}`), Option.some(0))
      })
  },
  {
    name: "savepoints",
    run: ({ name, pool }) =>
      Effect.gen(function* () {
        yield* pool.execute(`CREATE TABLE ${name} (id int4)`)
        const insert = (id: number) => pool.execute(`INSERT INTO ${name} VALUES ($1)`, [id])
        yield* pool.withTransaction(
          Effect.gen(function* () {
            yield* insert(1)
            const inner = pool.withTransaction(Effect.andThen(insert(2), pool.fetch("SELECT 1 / 0")))
            yield* failsWith(inner, "DivisionByZeroError")
            yield* pool.withTransaction(insert(3))
          })
        )
        yield* gives(pool.fetchTuples(`SELECT id FROM ${name} ORDER BY id`), [[1], [3]])
      })
  },
  {
    name: "isolation and access of a transaction",
    run: ({ pool }) =>
      gives(
        pool.withTransaction(
          pool.fetchTuples("SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')"),
          { isolation: "serializable", access: "read only" }
        ),
        [["serializable", "on"]]
      )
  },
  {
    name: "begin and commit by hand",
    run: ({ name, pool }) =>
      Effect.gen(function* () {
        yield* pool.execute(`CREATE TABLE ${name} (id int4)`)
        const transaction = yield* pool.begin()
        yield* transaction.execute(`INSERT INTO ${name} VALUES (1)`)
        yield* transaction.commit
        yield* gives(pool.fetchValue(`SELECT count(*)::int4 FROM ${name}`), Option.some(1))
      })
  },
  {
    name: "20 transactions at once on one row, run again until they succeed",
    run: ({ name, pool }) =>
      Effect.gen(function* () {
        yield* pool.execute(`CREATE TABLE ${name} (n int4)`)
        yield* pool.execute(`INSERT INTO ${name} VALUES (0)`)
        const add = pool.withTransaction(
          Effect.flatMap(pool.fetchOne(`SELECT n FROM ${name}`), ({ n }) =>
            pool.execute(`UPDATE ${name} SET n = $1`, [Number(n) + 1])
          ),
          { isolation: "serializable", retry: Schedule.spaced("5 millis") }
        )
        yield* Effect.all(
          Array.from({ length: 20 }, () => add),
          { concurrency: "unbounded" }
        )
        yield* gives(pool.fetchValue(`SELECT n FROM ${name}`), Option.some(20))
      })
  },
  {
    name: "10 statements at once in one transaction",
    run: ({ pool }) =>
      pool.withTransaction(
        Effect.gen(function* () {
          const asks = Array.from({ length: 10 }, (_, n) => pool.fetchTuples("SELECT $1::int4, pg_backend_pid()", [n]))
          const rows = yield* Effect.all(asks, { concurrency: "unbounded" })
          yield* same(
            rows.map(([row]) => row?.[0]),
            Array.from({ length: 10 }, (_, n) => n)
          )
          yield* same(new Set(rows.map(([row]) => row?.[1])).size, 1)
        })
      )
  },
  {
    name: "a transaction that is interrupted",
    run: ({ name, pool }) =>
      Effect.gen(function* () {
        yield* pool.execute(`CREATE TABLE ${name} (id int4)`)
        const long = pool.withTransaction(
          Effect.andThen(pool.execute(`INSERT INTO ${name} VALUES (1)`), pool.execute("SELECT pg_sleep(20)"))
        )
        yield* gives(Effect.timeoutOption(long, "300 millis"), Option.none())
        yield* gives(pool.fetchValue(`SELECT count(*)::int4 FROM ${name}`), Option.some(0))
      })
  },
  {
    name: "afterCommit",
    run: ({ pool }) =>
      Effect.gen(function* () {
        const seen: Array<string> = []
        yield* pool.withTransaction(
          Effect.gen(function* () {
            yield* pool.fetch("SELECT 1")
            yield* pool.afterCommit(Effect.sync(() => void seen.push("committed")))
          })
        )
        yield* same(seen, ["committed"])
      })
  },
  {
    name: "SET LOCAL and a temporary table of a transaction",
    run: ({ name, pool }) =>
      pool.withTransaction(
        Effect.gen(function* () {
          yield* pool.execute("SET LOCAL work_mem TO '7MB'")
          yield* pool.execute(`CREATE TEMPORARY TABLE ${name} ON COMMIT DROP AS SELECT 1 AS n`)
          yield* gives(pool.fetchTuples(`SELECT n, current_setting('work_mem') FROM ${name}`), [[1, "7MB"]])
        })
      )
  }
]
