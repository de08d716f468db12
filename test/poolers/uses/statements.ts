/** Uses of single statements: their rows, their types, their parameters, and their errors. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { failsWith, gives, same, type Use } from "./use.ts"

const LARGE_BYTES = 3_000_000
const MANY_ROWS = 50_000

export const statements: ReadonlyArray<Use> = [
  {
    name: "fetch with parameters",
    run: ({ pool }) => gives(pool.fetch("SELECT $1::int4 AS a, $2::text AS b", [1, "x"]), [{ a: 1, b: "x" }])
  },
  {
    name: "fetchTuples",
    run: ({ pool }) => gives(pool.fetchTuples("SELECT 1, 'a'::text"), [[1, "a"]])
  },
  {
    name: "fetchRow of no row",
    run: ({ pool }) => gives(pool.fetchRow("SELECT 1 WHERE false"), Option.none())
  },
  {
    name: "fetchOne",
    run: ({ pool }) => gives(pool.fetchOne("SELECT $1::int8 AS n", [7n]), { n: 7n })
  },
  {
    name: "fetchValue",
    run: ({ pool }) => gives(pool.fetchValue("SELECT $1::bool", [true]), Option.some(true))
  },
  {
    name: "execute",
    run: ({ name, pool }) =>
      Effect.gen(function* () {
        yield* pool.execute(`CREATE TABLE ${name} (id int4 PRIMARY KEY)`)
        yield* gives(pool.execute(`INSERT INTO ${name} SELECT generate_series(1, $1)`, [3]), {
          command: "INSERT",
          rowCount: 3
        })
        yield* gives(pool.execute(`DELETE FROM ${name}`), { command: "DELETE", rowCount: 3 })
      })
  },
  {
    name: "executeScript",
    run: ({ pool }) =>
      gives(pool.executeScript("SELECT 1; SELECT 2 WHERE false"), [
        { command: "SELECT", rowCount: 1 },
        { command: "SELECT", rowCount: 0 }
      ])
  },
  {
    name: "the same statement 50 times",
    run: ({ pool }) =>
      Effect.forEach(Array.from({ length: 50 }), (_, n) =>
        gives(pool.fetchValue("SELECT $1::int4 * 2", [n]), Option.some(n * 2))
      )
  },
  {
    name: "200 calls at once, of 10 statements",
    run: ({ pool }) =>
      Effect.forEach(
        Array.from({ length: 200 }),
        (_, n) => gives(pool.fetchValue(`SELECT $1::int4 + ${n % 10}`, [n]), Option.some(n + (n % 10))),
        { concurrency: "unbounded" }
      )
  },
  {
    name: "200 calls at once with multiplex",
    settings: { multiplex: true },
    run: ({ pool }) =>
      Effect.forEach([1, 2, 3], () =>
        Effect.forEach(
          Array.from({ length: 200 }),
          (_, n) => gives(pool.fetchValue(`SELECT $1::int4 + ${n % 10}`, [n]), Option.some(n + (n % 10))),
          { concurrency: "unbounded" }
        )
      )
  },
  {
    name: "built-in types in both directions",
    run: ({ pool }) => {
      const values = [1.5, "ä", new Date("2020-02-29T12:00:00Z"), [1, 2, 3], { a: [1] }, new Uint8Array([0, 255])]
      return Effect.flatMap(
        pool.fetchTuples("SELECT $1::float8, $2::text, $3::timestamptz, $4::int4[], $5::jsonb, $6::bytea", values),
        ([row]) => same(row?.map(plain), values.map(plain))
      )
    }
  },
  {
    name: "enums, composites, domains and ranges",
    run: ({ name, pool }) =>
      Effect.gen(function* () {
        yield* pool.execute(`CREATE TYPE ${name}_mood AS ENUM ('sad', 'happy')`)
        yield* pool.execute(`CREATE TYPE ${name}_pair AS (a int4, m ${name}_mood)`)
        yield* pool.execute(`CREATE DOMAIN ${name}_positive AS int4 CHECK (VALUE > 0)`)
        const sql = `SELECT $1::${name}_mood AS mood, ROW(1, 'sad')::${name}_pair AS pair, $2::${name}_positive AS positive`
        for (let round = 0; round < 3; round++) {
          yield* gives(pool.fetch(sql, ["happy", 5]), [{ mood: "happy", pair: { a: 1, m: "sad" }, positive: 5 }])
        }
      })
  },
  {
    name: "a result of 50,000 rows",
    run: ({ pool }) =>
      Effect.flatMap(pool.fetch(`SELECT n FROM generate_series(1, ${MANY_ROWS}) AS n`), (rows) =>
        same([rows.length, rows.at(-1)], [MANY_ROWS, { n: MANY_ROWS }])
      )
  },
  {
    name: "a parameter of 3 MB",
    run: ({ pool }) =>
      gives(pool.fetchValue("SELECT length($1::bytea)", [new Uint8Array(LARGE_BYTES)]), Option.some(LARGE_BYTES))
  },
  {
    name: "a table that changes between two runs",
    run: ({ name, pool }) =>
      Effect.gen(function* () {
        yield* pool.execute(`CREATE TABLE ${name} (a int4)`)
        yield* pool.execute(`INSERT INTO ${name} VALUES (1)`)
        for (let round = 0; round < 3; round++) yield* gives(pool.fetch(`SELECT * FROM ${name}`), [{ a: 1 }])
        yield* pool.execute(`ALTER TABLE ${name} ADD COLUMN b text DEFAULT 'x'`)
        for (let round = 0; round < 3; round++) yield* gives(pool.fetch(`SELECT * FROM ${name}`), [{ a: 1, b: "x" }])
      })
  },
  {
    name: "errors: SQLSTATE, constraint and position",
    run: ({ name, pool }) =>
      Effect.gen(function* () {
        yield* pool.execute(`CREATE TABLE ${name} (id int4 PRIMARY KEY)`)
        const insert = pool.execute(`INSERT INTO ${name} VALUES ($1)`, [1])
        yield* insert
        yield* failsWith(insert, "UniqueViolationError")
        yield* failsWith(pool.fetch("SELECT 1 / $1::int4", [0]), "DivisionByZeroError")
        const at = Effect.match(pool.fetch("SELECT nothing_here"), {
          onFailure: (error) => ("position" in error ? error.position : error._tag),
          onSuccess: () => "no error"
        })
        yield* gives(at, "8")
      })
  },
  {
    name: "a statement that is interrupted, and the next one",
    run: ({ pool }) =>
      Effect.gen(function* () {
        const interrupted = Effect.timeoutOption(pool.execute("SELECT pg_sleep(20)"), "300 millis")
        yield* gives(Effect.all([interrupted, interrupted], { concurrency: 2 }), [Option.none(), Option.none()])
        yield* gives(pool.fetchValue("SELECT 1"), Option.some(1))
        yield* Effect.sleep("500 millis")
        const running =
          "SELECT count(*)::int4 FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(20)' AND pid <> pg_backend_pid()"
        yield* gives(pool.fetchValue(running), Option.some(0))
      })
  },
  {
    name: "a call with a timeout",
    run: ({ pool }) => failsWith(pool.fetch("SELECT pg_sleep(20)", [], { timeout: "300 millis" }), "QueryTimeoutError")
  }
]

/** Something that can be compared. */
const plain = (value: unknown): unknown =>
  value instanceof Date ? value.getTime() : value instanceof Uint8Array ? Array.from(value) : value
