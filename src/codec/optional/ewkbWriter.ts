/** Writes geometries as EWKB in big-endian order, which PostGIS accepts on every machine. */
import type { ByteWriter } from "../../wire/byteWriter.ts"
import { Unencodable } from "../../wire/failure.ts"
import {
  type GeometryType,
  HAS_M,
  HAS_SRID,
  HAS_Z,
  type Kind,
  kinds,
  MAX_DEPTH,
  type PgGeometryLayout
} from "./geoJson.ts"

const BIG_ENDIAN = 0
const MAX_SRID = 999_999

const flags: Readonly<Record<PgGeometryLayout, number>> = { XY: 0, XYZ: HAS_Z, XYM: HAS_M, XYZM: HAS_Z | HAS_M }

const isLayout = (value: unknown): value is PgGeometryLayout => typeof value === "string" && Object.hasOwn(flags, value)

const isType = (value: unknown): value is GeometryType => typeof value === "string" && Object.hasOwn(kinds, value)

const typeNames = Object.keys(kinds).join(", ")

/** A geometry as the user passed it, not yet checked. */
interface Given {
  readonly type?: unknown
  readonly coordinates?: unknown
  readonly geometries?: unknown
  readonly srid?: unknown
  readonly layout?: unknown
}

const listOf = (value: unknown, what: string): ReadonlyArray<unknown> => {
  if (Array.isArray(value)) return value
  throw new Unencodable(`a geometry needs an array as ${what}`)
}

const geometryOf = (value: unknown): Given => {
  if (typeof value === "object" && value !== null) return value
  throw new Unencodable("the geometries of a geometry must be objects with a type")
}

const kindOf = ({ type }: Given): Kind => {
  if (isType(type)) return kinds[type]
  throw new Unencodable(`the type of a geometry must be one of: ${typeNames}`)
}

const layouts: ReadonlyMap<number, PgGeometryLayout> = new Map([
  [2, "XY"],
  [3, "XYZ"],
  [4, "XYZM"]
])

/** The number of coordinates of the first position, searched to a limited depth. */
const firstSize = (value: unknown, depth: number): number | undefined => {
  if (depth === 0 || !Array.isArray(value) || value.length === 0) return undefined
  if (typeof value[0] === "number") return value.length
  for (const inner of value) {
    const size = firstSize(inner, depth - 1)
    if (size !== undefined) return size
  }
  return undefined
}

/**
 * The layout that a geometry declares, or that its first position shows; undefined if it is empty and declares none.
 */
const layoutOf = ({ coordinates, geometries, layout }: Given, depth = MAX_DEPTH): PgGeometryLayout | undefined => {
  if (layout !== undefined) {
    if (isLayout(layout)) return layout
    throw new Unencodable(`the layout of a geometry must be one of: ${Object.keys(flags).join(", ")}`)
  }
  if (!Array.isArray(geometries)) return layouts.get(firstSize(coordinates, MAX_DEPTH) ?? 0)
  if (depth === 0) return undefined
  for (const inner of geometries) {
    const found = layoutOf(geometryOf(inner), depth - 1)
    if (found !== undefined) return found
  }
  return undefined
}

const sridOf = ({ srid }: Given): number => {
  if (srid === undefined) return 0
  if (typeof srid === "number" && Number.isInteger(srid) && srid >= 0 && srid <= MAX_SRID) return srid
  throw new Unencodable(`the srid of a geometry must be a whole number from 0 to ${MAX_SRID}`)
}

export class EwkbWriter {
  private readonly writer: ByteWriter
  private layout: PgGeometryLayout = "XY"

  constructor(writer: ByteWriter) {
    this.writer = writer
  }

  geometry(given: Given): void {
    this.layout = layoutOf(given) ?? "XY"
    this.whole(given, sridOf(given), MAX_DEPTH)
  }

  private whole(given: Given, srid: number, depth: number): void {
    if (depth === 0) throw new Unencodable(`the geometry is nested more than ${MAX_DEPTH} levels deep`)
    const kind = kindOf(given)
    this.header(kind, srid)
    if (kind.depth !== undefined) {
      return this.coordinates(listOf(given.coordinates, "its coordinates"), kind.depth, kind.part)
    }
    const geometries = listOf(given.geometries, "its geometries").map(geometryOf)
    this.writer.int32(geometries.length)
    for (const inner of geometries) {
      if ((layoutOf(inner) ?? this.layout) !== this.layout)
        throw new Unencodable("all parts of a geometry must have the same layout")
      this.whole(inner, 0, depth - 1)
    }
  }

  private header({ code }: Kind, srid: number): void {
    this.writer.uint8(BIG_ENDIAN)
    this.writer.int32(code | flags[this.layout] | (srid === 0 ? 0 : HAS_SRID))
    if (srid !== 0) this.writer.int32(srid)
  }

  /**
   * Writes nested lists of the given depth, the innermost of which are positions. Each of the outermost may be a
   * geometry of its own.
   */
  private coordinates(coordinates: ReadonlyArray<unknown>, depth: number, part?: GeometryType): void {
    if (depth === 0) return this.point(coordinates)
    this.writer.int32(coordinates.length)
    for (const inner of coordinates) {
      const list = listOf(inner, "each level of its coordinates")
      if (part !== undefined) this.header(kinds[part], 0)
      if (depth === 1 && part === undefined) this.position(list)
      else this.coordinates(list, depth - 1)
    }
  }

  private point(position: ReadonlyArray<unknown>): void {
    this.position(position.length === 0 ? Array.from(this.layout, () => NaN) : position)
  }

  private position(position: ReadonlyArray<unknown>): void {
    const { layout, writer } = this
    if (position.length !== layout.length) {
      throw new Unencodable(
        `each position of a geometry with the layout ${layout} must have ${layout.length} coordinates`
      )
    }
    for (const coordinate of position) {
      if (typeof coordinate !== "number") throw new Unencodable("the coordinates of a geometry must be numbers")
      writer.float64(coordinate)
    }
  }
}
