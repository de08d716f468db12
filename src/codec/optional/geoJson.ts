/** The values of PostGIS as types, and the numbers of their kinds in EWKB. */

/**
 * The coordinates of a point: X and Y, then Z or M or both, as the geometry's `layout` says. Empty for an empty point.
 *
 * @category models
 * @since 0.1.0
 */
export type PgPosition = ReadonlyArray<number>

/**
 * Which coordinates the positions of a geometry have besides X and Y.
 *
 * @category models
 * @since 0.1.0
 */
export type PgGeometryLayout = "XY" | "XYZ" | "XYM" | "XYZM"

interface Common {
  /**
   * The number of the spatial reference system; omitted if there is none. A geometry within another has the outer
   * one's.
   */
  readonly srid?: number | undefined
  /**
   * The coordinates that each position has; set on a value that was read, unless it is `"XY"`. If you omit it in a
   * parameter, the number of coordinates decides: three are `"XYZ"`.
   */
  readonly layout?: PgGeometryLayout | undefined
}

/**
 * A PostGIS geometry or geography, in the form of GeoJSON: every GeoJSON geometry is one of these. The kinds with
 * curves and surfaces, which GeoJSON lacks, have names in the same style.
 *
 * @example
 * ```ts
 * import type { PgTypes } from "effectpg"
 *
 * export const place: PgTypes.PgGeometry = { type: "Point", coordinates: [13.4, 52.5], srid: 4326 }
 * export const tour: PgTypes.PgGeometry = { type: "LineString", coordinates: [[0, 0, 5], [1, 1, 6]], layout: "XYM" }
 * ```
 * @category models
 * @since 0.1.0
 */
export type PgGeometry =
  | (Common & { readonly type: "Point"; readonly coordinates: PgPosition })
  | (Common & {
      readonly type: "LineString" | "CircularString" | "MultiPoint"
      readonly coordinates: ReadonlyArray<PgPosition>
    })
  | (Common & {
      readonly type: "Polygon" | "MultiLineString" | "Triangle"
      readonly coordinates: ReadonlyArray<ReadonlyArray<PgPosition>>
    })
  | (Common & {
      readonly type: "MultiPolygon" | "PolyhedralSurface" | "Tin"
      readonly coordinates: ReadonlyArray<ReadonlyArray<ReadonlyArray<PgPosition>>>
    })
  | (Common & {
      readonly type: "GeometryCollection" | "CompoundCurve" | "CurvePolygon" | "MultiCurve" | "MultiSurface"
      readonly geometries: ReadonlyArray<PgGeometry>
    })

export type GeometryType = PgGeometry["type"]

export interface Kind {
  /** The number of the kind in EWKB. */
  readonly code: number
  /**
   * How deeply the positions are nested in the coordinates: 0 for a point. Undefined if the geometry contains
   * geometries.
   */
  readonly depth: number | undefined
  /** The kind of each part, if the parts are separate geometries in EWKB but not in the object. */
  readonly part?: GeometryType
}

export const kinds: Readonly<Record<GeometryType, Kind>> = {
  Point: { code: 1, depth: 0 },
  LineString: { code: 2, depth: 1 },
  Polygon: { code: 3, depth: 2 },
  MultiPoint: { code: 4, depth: 1, part: "Point" },
  MultiLineString: { code: 5, depth: 2, part: "LineString" },
  MultiPolygon: { code: 6, depth: 3, part: "Polygon" },
  GeometryCollection: { code: 7, depth: undefined },
  CircularString: { code: 8, depth: 1 },
  CompoundCurve: { code: 9, depth: undefined },
  CurvePolygon: { code: 10, depth: undefined },
  MultiCurve: { code: 11, depth: undefined },
  MultiSurface: { code: 12, depth: undefined },
  PolyhedralSurface: { code: 15, depth: 3, part: "Polygon" },
  Tin: { code: 16, depth: 3, part: "Triangle" },
  Triangle: { code: 17, depth: 2 }
}

export const HAS_Z = 0x80000000
export const HAS_M = 0x40000000
export const HAS_SRID = 0x20000000
export const LITTLE_ENDIAN = 1

/** No real geometry is nested this deeply, but bytes and objects can be. */
export const MAX_DEPTH = 100
