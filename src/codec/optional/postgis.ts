/**
 * PostGIS's geometry and geography, as objects in the form of GeoJSON, read from and written to EWKB:
 *
 * ```
 * Byte1   order of the bytes that follow: 1 little endian, 0 big endian
 * UInt32  kind of the geometry, with flags: it has Z, it has M, an SRID follows
 * UInt32  SRID, if there is one
 * Point                               a position: Float8 for each coordinate; NaN for each if the point is empty
 * LineString, CircularString          UInt32 number of positions, then these
 * Polygon, Triangle                   UInt32 number of rings, then for each: UInt32 number of positions, then these
 * all others                          UInt32 number of geometries, then each as a whole
 * ```
 * Text: the same in hexadecimal digits.
 */
import { Buffer } from "node:buffer"
import { ByteWriter } from "../../wire/byteWriter.ts"
import { Undecodable } from "../../wire/failure.ts"
import { type Codec, refusedKind } from "../codec.ts"
import { extensionTypeCodec, type TypeCodec } from "../typeCodec.ts"
import { EwkbReader } from "./ewkbReader.ts"
import { EwkbWriter } from "./ewkbWriter.ts"
import type { PgGeometry } from "./geoJson.ts"

const read = (bytes: Buffer, start: number, end: number): PgGeometry => {
  const reader = new EwkbReader(bytes, start, end)
  const geometry = reader.geometry()
  reader.expectEnd()
  return geometry
}

const geometryCodec = (name: string): Codec<PgGeometry> => {
  const write = (writer: ByteWriter, value: unknown): void => {
    if (typeof value !== "object" || value === null) throw refusedKind(name, "an object in the form of GeoJSON", value)
    new EwkbWriter(writer).geometry(value)
  }
  return {
    name,
    read,
    write,
    writesStrings: false,
    textOf: (value) => {
      const writer = new ByteWriter()
      write(writer, value)
      return writer.take().toString("hex")
    },
    ofText: (text) => {
      const bytes = Buffer.from(text, "hex")
      if (bytes.length * 2 !== text.length) throw new Undecodable(`the text of ${name} is not hexadecimal`)
      return read(bytes, 0, bytes.length)
    }
  }
}

/**
 * PostGIS's type geometry, in any schema: `PgGeometry`, an object in the form of GeoJSON. Without this codec values are
 * EWKB in hexadecimal digits. The server parses strings, such as WKT.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { PgClient, PgTypes } from "effectpg"
 *
 * export const Database = PgClient.layer({ types: [PgTypes.geometry, PgTypes.geography] })
 *
 * export const add = Effect.fn("add")(function* (name: string, place: PgTypes.PgGeometry) {
 *   const pg = yield* PgClient.PgClient
 *   yield* pg.execute("INSERT INTO places (name, place) VALUES ($1, $2)", [name, place])
 * })
 * ```
 * @category codecs
 * @since 0.1.0
 */
export const geometry: TypeCodec = extensionTypeCodec(geometryCodec("geometry"))

/**
 * PostGIS's type geography, in any schema: `PgGeometry`, an object in the form of GeoJSON. A value that is read has a
 * srid, which is 4326 unless it was stored with another one.
 *
 * @category codecs
 * @since 0.1.0
 */
export const geography: TypeCodec = extensionTypeCodec(geometryCodec("geography"))
