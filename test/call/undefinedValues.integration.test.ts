/** A value that is undefined is refused by every call that takes values, and nothing of the call has an effect. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type * as PgConnection from "../../src/PgConnection.ts"
import * as PgError from "../../src/PgError.ts"
import { sql } from "../../src/PgSql.ts"
import * as PgTypes from "../../src/PgTypes.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, liveConnection, livePool, refusalOf, valueOf } from "../support/live.ts"

const SELECT = "SELECT $1::int4 AS a, $2::text AS b"
const INSERT = "INSERT INTO taken VALUES ($1, $2)"
const VALUES = [1, undefined]
/** An array with a hole at its end, as `[1, ,]` makes one. */
const HOLED = Object.assign(Array<unknown>(2), [1])
const REASON = "it is undefined; use null for NULL"

type Refused = (pg: PgConnection.Queryable) => Effect.Effect<unknown, PgError.PgError>

const calls: ReadonlyArray<readonly [string, Refused]> = [
  ["fetch", (pg) => pg.fetch(SELECT, VALUES)],
  ["fetchTuples", (pg) => pg.fetchTuples(SELECT, VALUES)],
  ["fetchRow", (pg) => pg.fetchRow(SELECT, VALUES)],
  ["fetchOne", (pg) => pg.fetchOne(SELECT, VALUES)],
  ["fetchValue", (pg) => pg.fetchValue(SELECT, VALUES)],
  ["execute", (pg) => pg.execute(INSERT, VALUES)],
  ["execute with a hole", (pg) => pg.execute(INSERT, HOLED)],
  ["execute of named types", (pg) => pg.execute(INSERT, [PgTypes.int4(1), PgTypes.typed("text", undefined)])],
  ["a template", (pg) => pg.execute(sql`INSERT INTO taken VALUES (${1}, ${undefined})`)],
  ["a template of rows", (pg) => pg.execute(sql`INSERT INTO taken ${sql.values([[1, undefined]])}`)],
  ["executeMany", (pg) => pg.executeMany(INSERT, [[1, "x"], VALUES])],
  ["executeMany of a Stream", (pg) => pg.executeMany(INSERT, Stream.make([1, "x"], VALUES))],
  ["fetchMany", (pg) => pg.fetchMany(`${INSERT} RETURNING a`, [[1, "x"], VALUES])],
  [
    "batch",
    (pg) =>
      pg.batch([
        { sql: INSERT, params: [1, "x"] },
        { sql: INSERT, params: VALUES }
      ])
  ],
  ["stream", (pg) => Stream.runDrain(pg.stream(SELECT, VALUES))],
  ["cursor", (pg) => Effect.scoped(Effect.flatMap(pg.cursor(SELECT, VALUES), (cursor) => cursor.fetch(1)))],
  [
    "scroll cursor",
    (pg) => Effect.scoped(Effect.flatMap(pg.cursor(SELECT, VALUES, { scroll: true }), (cursor) => cursor.fetch(1)))
  ],
  ["a held statement", (pg) => Effect.scoped(Effect.flatMap(pg.prepare(SELECT), (held) => held.fetch(VALUES)))],
  [
    "rows of a held statement",
    (pg) => Effect.scoped(Effect.flatMap(pg.prepare(INSERT), (held) => held.executeMany([VALUES])))
  ],
  ["explain", (pg) => Effect.scoped(Effect.flatMap(pg.prepare(SELECT), (held) => held.explain(VALUES)))],
  ["copyOut", (pg) => Stream.runDrain(pg.copyOut({ query: SELECT, params: VALUES }))],
  ["copyInRows in binary", (pg) => pg.copyInRows({ table: "taken" }, [[1, "x"], VALUES])],
  ["copyInRows in CSV", (pg) => pg.copyInRows({ table: "taken" }, [[1, "x"], VALUES], { format: "csv" })],
  ["copyInRows of objects", (pg) => pg.copyInRows({ table: "taken" }, [{ a: 1, b: undefined }])]
]

layer(TestDatabase.layer, { excludeTestServices: true })("a value that is undefined", (it) => {
  for (const [name, call] of calls) {
    it.effect(`is an EncodeError, and nothing is written: ${name}`, () =>
      Effect.gen(function* () {
        const pool = yield* livePool({ maxConnections: 1 })
        yield* pool.executeScript("DROP TABLE IF EXISTS taken; CREATE TABLE taken (a int4, b text)")
        // The first time the statement is not yet described, the second time it is.
        for (const _ of [1, 2]) {
          const error = yield* refusalOf(call(pool))
          assert.instanceOf(error, PgError.EncodeError)
          assert.deepStrictEqual([error.parameter, error.type, error.reason], [2, "text", REASON])
          assert.strictEqual(error.outcome, "none")
        }
        assert.strictEqual(yield* valueOf(pool, "SELECT count(*)::int4 FROM taken"), 0)
        assert.strictEqual((yield* pool.stats).inUse, 0)
        yield* assertHealthy(pool)
      }).pipe(Effect.scoped)
    )
  }

  it.effect("fails only its own statement of a batch with barriers", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1 })
      const [first, second] = yield* pool.batch([{ sql: "SELECT 1 AS a" }, { sql: SELECT, params: VALUES }], {
        errorBarriers: true
      })
      assert.strictEqual(first?._tag, "Success")
      assert.strictEqual(second?._tag, "Failure")
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("is refused in an array, a composite and a range too, and allowed within a JSON document", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.execute("CREATE TYPE pair AS (a int4, b text)")
      const refused: ReadonlyArray<readonly [string, unknown, RegExp]> = [
        ["SELECT $1::int4[]", [1, undefined], /^an element of the array is undefined; use null for NULL$/],
        ["SELECT $1::text[]", ["a", undefined], /^an element of the array is undefined/],
        ["SELECT $1::jsonb[]", [{}, undefined], /^an element of the array is undefined/],
        ["SELECT $1::pair", { a: 1, b: undefined }, /no value for the attribute "b" of pair; use null for NULL$/],
        ["SELECT $1::pair", [1, undefined], /^the attribute "b" of pair is undefined; use null for NULL$/],
        ["SELECT $1::pair[]", [{ a: 1, b: "b" }, undefined], /^an element of the array is undefined/],
        ["SELECT $1::int4range", { lower: 1, upper: undefined }, /^a bound of int4range is undefined/]
      ]
      for (const [text, value, reason] of refused) {
        const error = yield* refusalOf(connection.fetch(text, [value]))
        assert.instanceOf(error, PgError.EncodeError)
        assert.strictEqual(error.parameter, 1)
        assert.match(error.reason, reason)
      }
      const document = yield* valueOf(connection, "SELECT $1::jsonb", [{ kept: [1, undefined], left: undefined }])
      assert.deepStrictEqual(document, { kept: [1, null] })
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("leaves the transaction as it was", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1 })
      const value = yield* pool.withTransaction(
        Effect.gen(function* () {
          yield* refusalOf(pool.fetch(SELECT, VALUES))
          return yield* valueOf(pool, "SELECT 7")
        })
      )
      assert.strictEqual(value, 7)
    }).pipe(Effect.scoped)
  )
})
