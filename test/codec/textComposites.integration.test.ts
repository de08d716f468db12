/**
 * Tests composite types that travel as text. Their values do not say the types of their attributes, so another session
 * may change these unnoticed: then the values are read as they are now, after at most one error.
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type * as PgConnection from "../../src/PgConnection.ts"
import type * as PgError from "../../src/PgError.ts"
import * as PgTypes from "../../src/PgTypes.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, liveConnection, refusalOf, valueOf } from "../support/live.ts"

type Rows = Effect.Effect<ReadonlyArray<unknown>, PgError.PgError>

const SQL = "SELECT granted FROM granted"

const ways: ReadonlyArray<readonly [string, (connection: PgConnection.PgConnection) => Rows]> = [
  ["fetch", (connection) => connection.fetch(SQL)],
  ["stream", (connection) => Stream.runCollect(connection.stream(SQL))],
  ["fetchMany", (connection) => Effect.map(connection.fetchMany(`${SQL} WHERE $1`, [[true]]), (runs) => runs.flat())],
  ["batch", (connection) => Effect.map(connection.batch([{ sql: SQL }]), ([result]) => result?.rows ?? [])],
  ["fetch in a transaction", (connection) => connection.withTransaction(connection.fetch(SQL))],
  [
    "fetch of an array",
    (connection) =>
      Effect.map(
        connection.fetch(
          "SELECT unnest(all_of) AS granted FROM (SELECT array_agg(granted) AS all_of FROM granted) AS _"
        ),
        (rows) => rows
      )
  ]
]

const changes: ReadonlyArray<readonly [what: string, sql: string, row: Readonly<Record<string, unknown>>]> = [
  ["a number became a word", "ALTER n TYPE text USING 'no ' || n", { n: "no 7" }],
  ["a number became an array", "ALTER n TYPE int4[] USING ARRAY[n, 8]", { n: [7, 8] }],
  ["a number became a composite", "ALTER n TYPE numbered USING ROW(n)::numbered", { n: { m: 7 } }],
  ["one more was added", "ADD added text DEFAULT 'x'", { n: 7, added: "x" }],
  ["one was dropped", "DROP n", {}]
]

layer(TestDatabase.layer, { excludeTestServices: true })("a composite type that travels as text", (it) => {
  const changed = Effect.fnUntraced(function* (settings: { readonly types?: ReadonlyArray<PgTypes.Codec> } = {}) {
    const other = yield* liveConnection()
    yield* other.executeScript(
      `DROP TABLE IF EXISTS granted; DROP TYPE IF EXISTS numbered; CREATE TYPE numbered AS (m int4);
       CREATE TABLE granted (item aclitem, n int4); INSERT INTO granted VALUES ('=r/postgres', 7)`
    )
    return { other, connection: yield* liveConnection(settings) }
  })

  for (const [what, sql, row] of changes) {
    for (const [way, read] of ways) {
      it.effect(`is read as it is after another session has changed it: ${what}, by ${way}`, () =>
        Effect.gen(function* () {
          const { connection, other } = yield* changed()
          const before = yield* read(connection)
          assert.deepStrictEqual(before, [{ granted: { item: "=r/postgres", n: 7 } }])
          yield* other.execute(`ALTER TABLE granted ${sql}`)
          // One error is allowed, if it is a typed one.
          yield* Effect.catch(read(connection), () => Effect.void)
          assert.deepStrictEqual(yield* read(connection), [{ granted: { item: "=r/postgres", ...row } }])
          yield* assertHealthy(connection)
        }).pipe(Effect.scoped)
      )
    }
  }

  it.effect("is written as it is after another session has changed it", () =>
    Effect.gen(function* () {
      const { connection, other } = yield* changed()
      const value = { item: "=r/postgres", n: 7 }
      const written = (given: object) => valueOf(connection, "SELECT ($1::granted)::text", [given])
      assert.strictEqual(yield* written(value), "(=r/postgres,7)")
      yield* other.execute("ALTER TABLE granted ADD added text")
      assert.strictEqual(yield* written({ ...value, added: "x" }), "(=r/postgres,7,x)")
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("fails each time with the codec's reason if the codec refuses a value, though nothing has changed", () =>
    Effect.gen(function* () {
      const picky = PgTypes.codec({
        name: "int4",
        format: "text",
        decode: (text) => {
          if (text === "7") throw new RangeError("secret")
          return Number(text)
        },
        encode: String
      })
      const { connection } = yield* changed({ types: [picky] })
      for (let run = 0; run < 3; run++) {
        const error = yield* refusalOf(connection.fetch(SQL))
        assert.strictEqual(error._tag, "DecodeError")
        assert.include(error.message, "a codec of granted threw RangeError")
        assert.notInclude(error.message, "secret")
      }
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )
})
