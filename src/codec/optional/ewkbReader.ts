/**
 * Reads EWKB, PostGIS's binary form of geometries. Malformed bytes throw `Undecodable`, and no more memory is allocated
 * than the bytes account for.
 */
import type { Buffer } from "node:buffer"
import { Undecodable } from "../../wire/failure.ts"
import {
  HAS_M,
  HAS_SRID,
  HAS_Z,
  kinds,
  LITTLE_ENDIAN,
  MAX_DEPTH,
  type PgGeometry,
  type PgGeometryLayout,
  type PgPosition
} from "./geoJson.ts"

const COORDINATE_BYTES = 8
const COUNT_BYTES = 4
const FLAGS = HAS_Z | HAS_M | HAS_SRID
/** The byte order, the kind, and a count. */
const MIN_GEOMETRY_BYTES = 1 + 4 + COUNT_BYTES

interface Header {
  readonly code: number
  readonly srid: number
  readonly layout: PgGeometryLayout
}

const layoutOf = (flags: number): PgGeometryLayout => {
  if ((flags & HAS_Z) === 0) return (flags & HAS_M) === 0 ? "XY" : "XYM"
  return (flags & HAS_M) === 0 ? "XYZ" : "XYZM"
}

export class EwkbReader {
  private readonly bytes: Buffer
  private readonly end: number
  private at: number
  /** The byte order of the latest header. Every geometry within another has a header of its own. */
  private isLittleEndian = true
  private depth = 0

  constructor(bytes: Buffer, start: number, end: number) {
    this.bytes = bytes
    this.at = start
    this.end = end
  }

  expectEnd(): void {
    if (this.at !== this.end) throw new Undecodable(`the geometry has ${this.end - this.at} bytes too many`)
  }

  geometry(): PgGeometry {
    if (this.depth === MAX_DEPTH) throw new Undecodable(`the geometry is nested more than ${MAX_DEPTH} levels deep`)
    this.depth++
    const header = this.header()
    const geometry = this.body(header)
    this.depth--
    return geometry
  }

  private body({ code, layout, srid }: Header): PgGeometry {
    const common = { ...(srid === 0 ? {} : { srid }), ...(layout === "XY" ? {} : { layout }) }
    const size = layout.length
    switch (code) {
      case kinds.Point.code:
        return { type: "Point", coordinates: this.point(size), ...common }
      case kinds.LineString.code:
        return { type: "LineString", coordinates: this.line(size), ...common }
      case kinds.CircularString.code:
        return { type: "CircularString", coordinates: this.line(size), ...common }
      case kinds.Polygon.code:
        return { type: "Polygon", coordinates: this.rings(size), ...common }
      case kinds.Triangle.code:
        return { type: "Triangle", coordinates: this.rings(size), ...common }
      case kinds.MultiPoint.code:
        return { type: "MultiPoint", coordinates: this.parts(kinds.Point.code, () => this.point(size)), ...common }
      case kinds.MultiLineString.code: {
        const coordinates = this.parts(kinds.LineString.code, () => this.line(size))
        return { type: "MultiLineString", coordinates, ...common }
      }
      case kinds.MultiPolygon.code:
        return { type: "MultiPolygon", coordinates: this.parts(kinds.Polygon.code, () => this.rings(size)), ...common }
      case kinds.PolyhedralSurface.code: {
        const coordinates = this.parts(kinds.Polygon.code, () => this.rings(size))
        return { type: "PolyhedralSurface", coordinates, ...common }
      }
      case kinds.Tin.code:
        return { type: "Tin", coordinates: this.parts(kinds.Triangle.code, () => this.rings(size)), ...common }
      case kinds.GeometryCollection.code:
        return { type: "GeometryCollection", geometries: this.geometries(), ...common }
      case kinds.CompoundCurve.code:
        return { type: "CompoundCurve", geometries: this.geometries(), ...common }
      case kinds.CurvePolygon.code:
        return { type: "CurvePolygon", geometries: this.geometries(), ...common }
      case kinds.MultiCurve.code:
        return { type: "MultiCurve", geometries: this.geometries(), ...common }
      case kinds.MultiSurface.code:
        return { type: "MultiSurface", geometries: this.geometries(), ...common }
      default:
        throw new Undecodable(`the client does not know geometries of kind ${code}; select its ST_AsText instead`)
    }
  }

  private header(): Header {
    this.isLittleEndian = this.bytes[this.advance(1)] === LITTLE_ENDIAN
    const kind = this.uint32()
    const srid = (kind & HAS_SRID) === 0 ? 0 : this.uint32()
    return { code: (kind & ~FLAGS) >>> 0, layout: layoutOf(kind), srid }
  }

  /** A point whose coordinates are all NaN is an empty point: EWKB has no other form for it. */
  private point(size: number): PgPosition {
    const position = this.position(size)
    return position.every(Number.isNaN) ? [] : position
  }

  private position(size: number): PgPosition {
    return Array.from({ length: size }, () => this.float64())
  }

  private line(size: number): ReadonlyArray<PgPosition> {
    return this.list(size * COORDINATE_BYTES, () => this.position(size))
  }

  private rings(size: number): ReadonlyArray<ReadonlyArray<PgPosition>> {
    return this.list(COUNT_BYTES, () => this.line(size))
  }

  private geometries(): ReadonlyArray<PgGeometry> {
    return this.list(MIN_GEOMETRY_BYTES, () => this.geometry())
  }

  private parts<A>(code: number, read: () => A): ReadonlyArray<A> {
    return this.list(MIN_GEOMETRY_BYTES, () => {
      const header = this.header()
      if (header.code !== code) throw new Undecodable(`the geometry has a part of the wrong kind, ${header.code}`)
      return read()
    })
  }

  /** Reads a list whose items take at least `bytesOfEach` bytes each. */
  private list<A>(bytesOfEach: number, read: () => A): ReadonlyArray<A> {
    const count = this.uint32()
    if (count * bytesOfEach > this.end - this.at) {
      throw new Undecodable(
        `the geometry declares ${count} parts, but only ${this.end - this.at} bytes are left for them`
      )
    }
    const parts: Array<A> = []
    for (let part = 0; part < count; part++) parts.push(read())
    return parts
  }

  private uint32(): number {
    const at = this.advance(COUNT_BYTES)
    return this.isLittleEndian ? this.bytes.readUInt32LE(at) : this.bytes.readUInt32BE(at)
  }

  private float64(): number {
    const at = this.advance(COORDINATE_BYTES)
    return this.isLittleEndian ? this.bytes.readDoubleLE(at) : this.bytes.readDoubleBE(at)
  }

  private advance(count: number): number {
    const { at } = this
    if (count > this.end - at) throw new Undecodable("the geometry ends too early")
    this.at = at + count
    return at
  }
}
