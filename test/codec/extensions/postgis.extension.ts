/**
 * Tests the types of PostGIS. Our bytes are those that the extension makes of the same text, and a value that was read is
 * equal after it is written. vitest.config.ts says how to run it.
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as PgTypes from "../../../src/PgTypes.ts"
import { postgisWire } from "../../fixtures/postgisWire.ts"
import { TestDatabase } from "../../support/database.ts"
import { assertHealthy, liveConnection, refusalOf, valueOf } from "../../support/live.ts"
import { assertSame } from "./sameAsExtension.ts"

layer(TestDatabase.layer, { excludeTestServices: true })("PostGIS", (it) => {
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
