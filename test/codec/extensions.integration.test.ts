/**
 * Tests the types of extensions that few servers have, PostGIS and pgvector, if the server can install them. Our bytes
 * are those that the extension makes of the same text, and a value that was read is equal after it is written.
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import pg from "pg"
import { describe, inject } from "vitest"
import type * as PgConnection from "../../src/PgConnection.ts"
import type * as PgError from "../../src/PgError.ts"
import * as PgTypes from "../../src/PgTypes.ts"
import { postgisWire } from "../fixtures/postgisWire.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, liveConnection, refusalOf, valueOf } from "../support/live.ts"

/** The extensions that can be installed on the server. */
const available: ReadonlySet<string> = await (async () => {
  const { features: _, ...server } = inject("postgres")
  const client = new pg.Client(server)
  await client.connect()
  try {
    const { rows } = await client.query("SELECT name FROM pg_available_extensions")
    return new Set(rows.map(({ name }) => name))
  } finally {
    await client.end()
  }
})()

/** Shows that a value which was read from its text is written as the extension writes it, in every place. */
const assertSame = (
  connection: PgConnection.PgConnection,
  type: string,
  texts: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<unknown>, PgError.PgError> =>
  Effect.gen(function* () {
    const values: Array<unknown> = []
    for (const text of texts) {
      const value = yield* valueOf(connection, `SELECT $1::text::${type}`, [text])
      const send = `${type}_send`
      const same = `SELECT ${send}($1::${type}) = ${send}($2::text::${type})`
      assert.strictEqual(yield* valueOf(connection, same, [value, text]), true, text)
      assert.deepStrictEqual(yield* valueOf(connection, `SELECT $1::${type}`, [value]), value, text)
      assert.deepStrictEqual(yield* valueOf(connection, `SELECT ROW($1::${type}, 1)`, [value]), [value, 1], text)
      values.push(value)
    }
    const many = [...values, null]
    assert.deepStrictEqual(yield* valueOf(connection, `SELECT $1::${type}[]`, [many]), many)
    const table = `${type}_values`
    yield* connection.execute(`CREATE TABLE ${table} (at int4, value ${type})`)
    yield* connection.copyInRows(
      { table },
      many.map((value, at) => [at, value])
    )
    const stored = { query: `SELECT value FROM ${table} ORDER BY at` }
    assert.deepStrictEqual(
      yield* Stream.runCollect(connection.copyOutRows(stored)),
      many.map((value) => ({ value }))
    )
    return values
  })

describe.runIf(available.has("postgis"))("PostGIS", () => {
  layer(TestDatabase.layer, { excludeTestServices: true })((it) => {
    it.effect("receives geometries and geographies as it writes them, which are read as GeoJSON", () =>
      Effect.gen(function* () {
        yield* Effect.flatMap(liveConnection(), (connection) => connection.execute("CREATE EXTENSION postgis"))
        const connection = yield* liveConnection({ types: [PgTypes.geometry, PgTypes.geography] })
        const wkts = postgisWire.map(([wkt]) => wkt)
        for (const [wkt, hex] of postgisWire) {
          const sent = "SELECT encode(geometry_send($1::text::geometry), 'hex')"
          assert.strictEqual(yield* valueOf(connection, sent, [wkt]), hex, wkt)
        }
        yield* assertSame(connection, "geometry", wkts)
        const places = ["POINT(13.4 52.5)", "LINESTRING(0 0,1 1,2 1)", "POLYGON((0 0,4 0,4 4,0 0))", "POINT EMPTY"]
        assert.deepStrictEqual((yield* assertSame(connection, "geography", places))[0], {
          type: "Point",
          coordinates: [13.4, 52.5],
          srid: 4326
        })
        const berlin: PgTypes.PgGeometry = { type: "Point", coordinates: [13.4, 52.5], srid: 4326 }
        const distance = "SELECT ST_Distance($1::geography, 'POINT(13.4 52.5)'::geography)"
        assert.strictEqual(yield* valueOf(connection, distance, [berlin]), 0)
        assert.strictEqual(
          yield* valueOf(connection, "SELECT ST_AsEWKT($1::geometry)", [berlin]),
          "SRID=4326;POINT(13.4 52.5)"
        )
        const nonsense = { type: "Point", coordinates: ["x"] }
        const refusal = yield* refusalOf(connection.fetch("SELECT $1::geometry", [nonsense]))
        assert.strictEqual(refusal._tag, "EncodeError")
        yield* assertHealthy(connection)
      })
    )
  })
})

describe.runIf(available.has("vector"))("pgvector", () => {
  layer(TestDatabase.layer, { excludeTestServices: true })((it) => {
    it.effect("receives vectors as it writes them, which are read as numbers", () =>
      Effect.gen(function* () {
        yield* Effect.flatMap(liveConnection(), (connection) => connection.execute("CREATE EXTENSION vector"))
        const connection = yield* liveConnection({ types: [PgTypes.vector, PgTypes.halfvec, PgTypes.sparsevec] })
        assert.deepStrictEqual(yield* assertSame(connection, "vector", ["[1,2.5,-3]", "[3.4e38]", "[0]"]), [
          [1, 2.5, -3],
          [Math.fround(3.4e38)],
          [0]
        ])
        yield* assertSame(connection, "halfvec", ["[1,2.5,-3]", "[65504]", "[6e-8]"])
        yield* assertSame(connection, "sparsevec", ["{1:1.5,3:-2}/5", "{}/3"])
        const distance = "SELECT $1::vector <-> $2::vector"
        assert.strictEqual(yield* valueOf(connection, distance, [[0, 3], Float32Array.of(4, 0)]), 5)
        const refusal = yield* refusalOf(connection.fetch("SELECT $1::vector", [[NaN]]))
        assert.strictEqual(refusal._tag, "EncodeError")
        yield* assertHealthy(connection)
      })
    )
  })
})
