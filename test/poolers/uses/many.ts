/** Uses of many statements or rows in one call: pipelines, streams, cursors, COPY. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { failsWith, gives, same, type Use } from "./use.ts"

const SERIES = "SELECT n::int4 FROM generate_series(1, $1::int4) AS n"
const seriesOf = (count: number) => Array.from({ length: count }, (_, n) => ({ n: n + 1 }))
const COPIED = 1_000

export const many: ReadonlyArray<Use> = [
  {
    name: "executeMany",
    run: ({ name, pool }) =>
      Effect.gen(function* () {
        yield* pool.execute(`CREATE TABLE ${name} (id int4, t text)`)
        const insert = pool.executeMany(`INSERT INTO ${name} VALUES ($1, $2)`, [
          [1, "a"],
          [2, "b"]
        ])
        for (let round = 0; round < 3; round++) yield* gives(insert, { rowCount: 2 })
        yield* gives(pool.fetchValue(`SELECT count(*)::int4 FROM ${name}`), Option.some(6))
      })
  },
  {
    name: "executeMany from a stream",
    run: ({ name, pool }) =>
      Effect.gen(function* () {
        yield* pool.execute(`CREATE TABLE ${name} (id int4)`)
        const rows = Stream.map(Stream.range(1, 5_000), (n) => [n])
        yield* gives(pool.executeMany(`INSERT INTO ${name} VALUES ($1)`, rows), { rowCount: 5_000 })
        yield* gives(pool.fetchValue(`SELECT sum(id)::int4 FROM ${name}`), Option.some(12_502_500))
      })
  },
  {
    name: "fetchMany",
    run: ({ pool }) =>
      Effect.forEach([1, 2, 3], (n) =>
        gives(pool.fetchMany("SELECT $1::int4 AS n", [[n], [n + 1]]), [[{ n }], [{ n: n + 1 }]])
      )
  },
  {
    name: "batch of different statements",
    run: ({ name, pool }) =>
      Effect.gen(function* () {
        yield* pool.execute(`CREATE TABLE ${name} (id int4)`)
        const batch = pool.batch([
          { sql: `INSERT INTO ${name} VALUES ($1)`, params: [1] },
          { sql: `SELECT max(id)::int4 AS id FROM ${name}` },
          { sql: `UPDATE ${name} SET id = id + $1 WHERE false`, params: [1] }
        ])
        for (let round = 0; round < 3; round++) {
          yield* gives(batch, [
            { command: "INSERT", rowCount: 1, rows: [] },
            { command: "SELECT", rowCount: 1, rows: [{ id: 1 }] },
            { command: "UPDATE", rowCount: 0, rows: [] }
          ])
        }
      })
  },
  {
    name: "batch of statements that were run alone before",
    run: ({ pool }) =>
      Effect.gen(function* () {
        const one = { sql: "SELECT $1::int4 + 1 AS n", params: [1] }
        const two = { sql: "SELECT $1::int4 + 2 AS n", params: [1] }
        for (let round = 0; round < 3; round++) {
          yield* gives(pool.fetch(one.sql, one.params), [{ n: 2 }])
          yield* gives(pool.fetch(two.sql, two.params), [{ n: 3 }])
        }
        const results = yield* pool.batch([one, two])
        yield* same(
          results.map(({ rows }) => rows),
          [[{ n: 2 }], [{ n: 3 }]]
        )
      })
  },
  {
    name: "batch with errorBarriers",
    run: ({ pool }) =>
      Effect.flatMap(
        pool.batch([{ sql: "SELECT 1 AS n" }, { sql: "SELECT 1 / $1::int4", params: [0] }, { sql: "SELECT 2 AS n" }], {
          errorBarriers: true
        }),
        (results) =>
          same(
            results.map((result) => (Result.isSuccess(result) ? result.success.rows : result.failure._tag)),
            [[{ n: 1 }], "DivisionByZeroError", [{ n: 2 }]]
          )
      )
  },
  {
    name: "stream",
    run: ({ pool }) =>
      Effect.forEach([1, 2, 3], () =>
        gives(Stream.runCollect(pool.stream(SERIES, [1_000], { fetchSize: 100 })), seriesOf(1_000))
      )
  },
  {
    name: "stream that its reader leaves",
    run: ({ pool }) =>
      Effect.gen(function* () {
        const first = Stream.runCollect(Stream.take(pool.stream(SERIES, [100_000], { fetchSize: 10 }), 3))
        yield* gives(first, seriesOf(3))
        yield* gives(pool.fetch(SERIES, [2]), seriesOf(2))
      })
  },
  {
    name: "cursor",
    run: ({ pool }) =>
      Effect.forEach([1, 2, 3], () =>
        Effect.scoped(
          Effect.flatMap(pool.cursor(SERIES, [5]), (cursor) =>
            gives(Effect.all([cursor.fetch(2), cursor.forward(1), cursor.fetch(5)]), [
              seriesOf(2),
              1,
              [{ n: 4 }, { n: 5 }]
            ])
          )
        )
      )
  },
  {
    name: "cursor that scrolls",
    run: ({ pool }) =>
      Effect.scoped(
        Effect.flatMap(pool.cursor(SERIES, [5], { scroll: true }), (cursor) =>
          gives(Effect.all([cursor.last, cursor.first, cursor.absolute(3)]), [
            Option.some({ n: 5 }),
            Option.some({ n: 1 }),
            Option.some({ n: 3 })
          ])
        )
      )
  },
  {
    name: "cursor with hold",
    run: ({ pool }) =>
      Effect.scoped(
        Effect.flatMap(pool.cursor(SERIES, [50], { scroll: true, hold: true }), (cursor) =>
          gives(Effect.all([cursor.fetch(1), cursor.fetch(1), cursor.fetch(1)]), [[{ n: 1 }], [{ n: 2 }], [{ n: 3 }]])
        )
      )
  },
  {
    name: "copyIn of text",
    copiesIn: true,
    run: ({ name, pool }) =>
      Effect.gen(function* () {
        yield* pool.execute(`CREATE TABLE ${name} (id int4, t text)`)
        const text = new TextEncoder().encode("1\ta\n2\t\\N\n")
        yield* gives(pool.copyIn({ table: name }, text), { rowCount: 2 })
        yield* gives(pool.fetchTuples(`SELECT id, t FROM ${name} ORDER BY id`), [
          [1, "a"],
          [2, null]
        ])
      })
  },
  {
    name: "copyInRows",
    copiesIn: true,
    run: ({ name, pool }) =>
      Effect.gen(function* () {
        yield* pool.execute(`CREATE TABLE ${name} (id int4, t text)`)
        const rows = Stream.map(Stream.range(1, COPIED), (n) => ({ id: n, t: `t${n}` }))
        yield* gives(pool.copyInRows({ table: name }, rows), { rowCount: COPIED })
        yield* gives(pool.fetchValue(`SELECT count(*)::int4 FROM ${name} WHERE t = 't' || id`), Option.some(COPIED))
      })
  },
  {
    name: "copyIn that the server refuses",
    copiesIn: true,
    run: ({ name, pool }) =>
      Effect.gen(function* () {
        yield* pool.execute(`CREATE TABLE ${name} (id int4)`)
        const text = new TextEncoder().encode("no number\n")
        yield* failsWith(pool.copyIn({ table: name }, text), "InvalidTextRepresentationError")
        yield* gives(pool.fetchValue(`SELECT count(*)::int4 FROM ${name}`), Option.some(0))
      })
  },
  {
    name: "copyOut",
    run: ({ pool }) =>
      Effect.flatMap(
        Stream.runCollect(pool.copyOut({ query: "SELECT n FROM generate_series(1, 1000) AS n" })),
        (parts) => same(Buffer.concat(parts).toString().split("\n").length, 1_001)
      )
  },
  {
    name: "copyOutRows",
    run: ({ pool }) =>
      gives(
        Stream.runCollect(pool.copyOutRows({ query: "SELECT n::int4 FROM generate_series(1, 100) AS n" })),
        seriesOf(100)
      )
  },
  {
    name: "COPY by execute, which is refused",
    copiesIn: true,
    run: ({ name, pool }) =>
      Effect.gen(function* () {
        yield* pool.execute(`CREATE TABLE ${name} (id int4)`)
        yield* failsWith(pool.execute(`COPY ${name} FROM STDIN`), "UnsupportedError")
        yield* failsWith(pool.execute(`COPY ${name} TO STDOUT`), "UnsupportedError")
      })
  }
]
