/**
 * cube: a point or a box in a space of up to 100 dimensions.
 *
 * ```
 * Int32    number of dimensions; the highest bit is set if the value is a point
 * Float8   each coordinate of the one corner, then, unless it is a point, each of the opposite corner
 * ```
 * Text: `(1, 2)`, `(1, 2),(3, 4)`.
 */
import { Undecodable, Unencodable } from "../../wire/failure.ts"
import { int32At } from "../bigEndian.ts"
import { type Codec, refusedKind } from "../codec.ts"
import { extensionTypeCodec, type TypeCodec } from "../typeCodec.ts"

/**
 * A cube, given by two opposite corners in the order in which they were written; the corners of a point are equal.
 *
 * @category models
 * @since 0.1.0
 */
export interface PgCube {
  readonly from: ReadonlyArray<number>
  readonly to: ReadonlyArray<number>
}

const HEADER_BYTES = 4
const COORDINATE_BYTES = 8
const IS_POINT = 0x80000000
/** CUBE_MAX_DIM of the extension. */
const MAX_DIMENSIONS = 100

const WANTED = "{ from, to } with arrays of numbers"

const isNumber = (value: unknown): value is number => typeof value === "number"

const cornerOf = (corner: unknown, value: unknown): ReadonlyArray<number> => {
  if (Array.isArray(corner) && corner.every(isNumber)) return corner
  throw refusedKind("cube", WANTED, value)
}

const taken = (value: unknown): PgCube => {
  const isCube = typeof value === "object" && value !== null && "from" in value && "to" in value
  if (!isCube) throw refusedKind("cube", WANTED, value)
  const from = cornerOf(value.from, value)
  const to = cornerOf(value.to, value)
  if (from.length === to.length && from.length <= MAX_DIMENSIONS) return { from, to }
  throw new Unencodable(`cube takes two corners with the same number of coordinates, at most ${MAX_DIMENSIONS}`)
}

const isPoint = ({ from, to }: PgCube): boolean => from.every((coordinate, index) => coordinate === to[index])

const numberText = (coordinate: number): string => (Object.is(coordinate, -0) ? "-0" : String(coordinate))
const cornerText = (corner: ReadonlyArray<number>): string => `(${corner.map(numberText).join(", ")})`

const FORM = /^\(([^()]*)\)(?:,\(([^()]*)\))?$/

const isNumeric = (coordinate: string): boolean => coordinate === "NaN" || !Number.isNaN(Number(coordinate))

const parseCorner = (text: string): ReadonlyArray<number> => {
  const coordinates = text === "" ? [] : text.split(",").map((coordinate) => coordinate.trim())
  if (coordinates.length <= MAX_DIMENSIONS && coordinates.every(isNumeric)) return coordinates.map(Number)
  throw new Undecodable("the text of cube is malformed")
}

const cubeCodec: Codec<PgCube> = {
  name: "cube",
  read: (bytes, start, end) => {
    const header = end - start < HEADER_BYTES ? 0 : int32At(bytes, start)
    const hasOneCorner = (header & IS_POINT) !== 0
    const dimensions = header & ~IS_POINT
    const corners = hasOneCorner ? 1 : 2
    if (dimensions > MAX_DIMENSIONS || end - start !== HEADER_BYTES + dimensions * corners * COORDINATE_BYTES) {
      throw new Undecodable("the length of the cube does not match the number of its coordinates")
    }
    const first = start + HEADER_BYTES
    const corner = (at: number): ReadonlyArray<number> =>
      Array.from({ length: dimensions }, (_, index) => bytes.readDoubleBE(at + index * COORDINATE_BYTES))
    const from = corner(first)
    return { from, to: hasOneCorner ? from : corner(first + dimensions * COORDINATE_BYTES) }
  },
  write: (writer, value) => {
    const cube = taken(value)
    const hasOneCorner = isPoint(cube)
    writer.int32((hasOneCorner ? IS_POINT : 0) | cube.from.length)
    for (const coordinate of hasOneCorner ? cube.from : [...cube.from, ...cube.to]) writer.float64(coordinate)
  },
  writesStrings: false,
  textOf: (value) => {
    const cube = taken(value)
    return isPoint(cube) ? cornerText(cube.from) : `${cornerText(cube.from)},${cornerText(cube.to)}`
  },
  ofText: (text) => {
    const [, first, second] = FORM.exec(text) ?? []
    if (first === undefined) throw new Undecodable("the text of cube is malformed")
    const from = parseCorner(first)
    const to = second === undefined ? from : parseCorner(second)
    if (from.length !== to.length) throw new Undecodable("the text of cube is malformed")
    return { from, to }
  }
}

/**
 * The extension type cube, in any schema: `PgCube`. Without this codec values are the type's text. Requires version 1.5
 * of the extension, which comes with PostgreSQL 14.
 *
 * @category codecs
 * @since 0.1.0
 */
export const cube: TypeCodec = extensionTypeCodec(cubeCodec)
