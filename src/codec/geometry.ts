/**
 * The geometric types, as plain objects of float8 coordinates, which may be infinite. The server orders the corners of
 * a box, so a box is always read with the upper right corner first.
 *
 * ```
 * point    x, y
 * line     a, b, c                      of ax + by + c = 0
 * lseg     start, end                   two points
 * box      high, low                    two points
 * circle   center, radius
 * path     Byte 1 if closed, Int32 number of points, the points
 * polygon  Int32 number of points, the points
 * ```
 */
import type { Buffer } from "node:buffer"
import type { ByteWriter } from "../wire/byteWriter.ts"
import { Undecodable, Unencodable } from "../wire/failure.ts"
import { int32At } from "./bigEndian.ts"
import { type Codec, expectWidth, refusedKind } from "./codec.ts"

/**
 * A point of the plane.
 *
 * @category models
 * @since 0.1.0
 */
export interface PgPoint {
  readonly x: number
  readonly y: number
}

/**
 * The infinite line `ax + by + c = 0`.
 *
 * @category models
 * @since 0.1.0
 */
export interface PgLine {
  readonly a: number
  readonly b: number
  readonly c: number
}

/**
 * A line segment.
 *
 * @category models
 * @since 0.1.0
 */
export interface PgLineSegment {
  readonly start: PgPoint
  readonly end: PgPoint
}

/**
 * A rectangle along the axes: its upper right and its lower left corner.
 *
 * @category models
 * @since 0.1.0
 */
export interface PgBox {
  readonly high: PgPoint
  readonly low: PgPoint
}

/**
 * One or more points joined by lines; closed if the last point is joined to the first.
 *
 * @category models
 * @since 0.1.0
 */
export interface PgPath {
  readonly closed: boolean
  readonly points: ReadonlyArray<PgPoint>
}

/**
 * A closed figure with one or more corners.
 *
 * @category models
 * @since 0.1.0
 */
export interface PgPolygon {
  readonly points: ReadonlyArray<PgPoint>
}

/**
 * A circle of the plane, by its center and its radius.
 *
 * @category models
 * @since 0.1.0
 */
export interface PgCircle {
  readonly center: PgPoint
  readonly radius: number
}

const FLOAT_BYTES = 8
const POINT_BYTES = 2 * FLOAT_BYTES
const COUNT_BYTES = 4

const pointAt = (bytes: Buffer, at: number): PgPoint => ({
  x: bytes.readDoubleBE(at),
  y: bytes.readDoubleBE(at + FLOAT_BYTES)
})

const writePoint = (writer: ByteWriter, { x, y }: PgPoint): void => {
  writer.float64(x)
  writer.float64(y)
}

const pointsAt = (name: string, bytes: Buffer, start: number, end: number): ReadonlyArray<PgPoint> => {
  const count = end - start < COUNT_BYTES ? -1 : int32At(bytes, start)
  if (count < 0 || end - start - COUNT_BYTES !== count * POINT_BYTES) {
    throw new Undecodable(`the length of the ${name} does not match the number of its points`)
  }
  return Array.from({ length: count }, (_, index) => pointAt(bytes, start + COUNT_BYTES + index * POINT_BYTES))
}

const writePoints = (writer: ByteWriter, points: ReadonlyArray<PgPoint>): void => {
  writer.int32(points.length)
  for (const point of points) writePoint(writer, point)
}

const formatNumber = (value: number): string => (Object.is(value, -0) ? "-0" : String(value))
const formatPoint = ({ x, y }: PgPoint): string => `(${formatNumber(x)},${formatNumber(y)})`
const formatPoints = (points: ReadonlyArray<PgPoint>): string => points.map(formatPoint).join(",")

/** Takes a parameter object apart, and refuses it with the expected shape whichever part is wrong. */
class Shape {
  private readonly name: string
  private readonly wanted: string
  private readonly value: unknown

  constructor(name: string, wanted: string, value: unknown) {
    this.name = name
    this.wanted = wanted
    this.value = value
  }

  private refused(): Unencodable {
    const isObject = typeof this.value === "object" && this.value !== null && !Array.isArray(this.value)
    return isObject
      ? new Unencodable(`${this.name} takes ${this.wanted}`)
      : refusedKind(this.name, this.wanted, this.value)
  }

  part(value: unknown, key: string): unknown {
    if (typeof value !== "object" || value === null) throw this.refused()
    return Reflect.get(value, key)
  }

  number(value: unknown, key: string): number {
    const part = this.part(value, key)
    if (typeof part !== "number") throw this.refused()
    return part
  }

  point(value: unknown): PgPoint {
    return { x: this.number(value, "x"), y: this.number(value, "y") }
  }

  points(value: unknown): ReadonlyArray<PgPoint> {
    const part = this.part(value, "points")
    if (!Array.isArray(part)) throw this.refused()
    if (part.length === 0) throw new Unencodable(`${this.name} takes at least one point`)
    return Array.from<unknown, PgPoint>(part, (point) => this.point(point))
  }

  boolean(value: unknown, key: string): boolean {
    const part = this.part(value, key)
    if (typeof part !== "boolean") throw this.refused()
    return part
  }
}

interface Geometry<A> {
  readonly name: string
  /** The shape of a parameter, for error messages. */
  readonly wanted: string
  readonly read: (bytes: Buffer, start: number, end: number) => A
  /** Converts any value to a value of the type, or throws. */
  readonly take: (shape: Shape, value: unknown) => A
  readonly write: (writer: ByteWriter, value: A) => void
  readonly format: (value: A) => string
  /** How many numbers the text form has. */
  readonly numbers: number | "those of its points"
  readonly parse: (numbers: ReadonlyArray<number>, text: string) => A
}

const NUMBER = /[^()[\]{}<>,]+/g

const isEvenAndPositive = (count: number): boolean => count > 0 && count % 2 === 0

/** The numbers in the text form of a geometric type; the server prints no spaces. */
const numbersIn = (name: string, text: string, expected: Geometry<unknown>["numbers"]): ReadonlyArray<number> => {
  const words = text.match(NUMBER) ?? []
  const numbers = words.map(Number)
  const isSound = numbers.every((number, index) => !Number.isNaN(number) || words[index] === "NaN")
  const isComplete = typeof expected === "number" ? numbers.length === expected : isEvenAndPositive(numbers.length)
  if (isSound && isComplete) return numbers
  throw new Undecodable(`the text of ${name} is malformed`)
}

const pointOf = (numbers: ReadonlyArray<number>, index: number): PgPoint => ({
  x: numbers[2 * index]!,
  y: numbers[2 * index + 1]!
})

const pointsOf = (numbers: ReadonlyArray<number>): ReadonlyArray<PgPoint> =>
  Array.from({ length: numbers.length / 2 }, (_, index) => pointOf(numbers, index))

const geometry = <A>({ format, name, numbers, parse, read, take, wanted, write }: Geometry<A>): Codec<A> => {
  const taken = (value: unknown): A => take(new Shape(name, wanted, value), value)
  return {
    name,
    read,
    write: (writer, value) => write(writer, taken(value)),
    writesStrings: false,
    textOf: (value) => format(taken(value)),
    ofText: (text) => parse(numbersIn(name, text, numbers), text)
  }
}

/** @internal */
export const point: Codec<PgPoint> = geometry({
  name: "point",
  wanted: "{ x, y }",
  read: (bytes, start, end) => {
    expectWidth("point", POINT_BYTES, start, end)
    return pointAt(bytes, start)
  },
  take: (shape, value) => shape.point(value),
  write: writePoint,
  format: formatPoint,
  numbers: 2,
  parse: (numbers) => pointOf(numbers, 0)
})

/** @internal */
export const line: Codec<PgLine> = geometry({
  name: "line",
  wanted: "{ a, b, c }",
  read: (bytes, start, end) => {
    expectWidth("line", 3 * FLOAT_BYTES, start, end)
    return {
      a: bytes.readDoubleBE(start),
      b: bytes.readDoubleBE(start + FLOAT_BYTES),
      c: bytes.readDoubleBE(start + 2 * FLOAT_BYTES)
    }
  },
  take: (shape, value) => ({
    a: shape.number(value, "a"),
    b: shape.number(value, "b"),
    c: shape.number(value, "c")
  }),
  write: (writer, { a, b, c }) => {
    writer.float64(a)
    writer.float64(b)
    writer.float64(c)
  },
  format: ({ a, b, c }) => `{${formatNumber(a)},${formatNumber(b)},${formatNumber(c)}}`,
  numbers: 3,
  parse: ([a = NaN, b = NaN, c = NaN]) => ({ a, b, c })
})

/** @internal */
export const lseg: Codec<PgLineSegment> = geometry({
  name: "lseg",
  wanted: "{ start: { x, y }, end: { x, y } }",
  read: (bytes, start, end) => {
    expectWidth("lseg", 2 * POINT_BYTES, start, end)
    return { start: pointAt(bytes, start), end: pointAt(bytes, start + POINT_BYTES) }
  },
  take: (shape, value) => ({
    start: shape.point(shape.part(value, "start")),
    end: shape.point(shape.part(value, "end"))
  }),
  write: (writer, { end, start }) => {
    writePoint(writer, start)
    writePoint(writer, end)
  },
  format: ({ end, start }) => `[${formatPoint(start)},${formatPoint(end)}]`,
  numbers: 4,
  parse: (numbers) => ({ start: pointOf(numbers, 0), end: pointOf(numbers, 1) })
})

/** @internal */
export const box: Codec<PgBox> = geometry({
  name: "box",
  wanted: "{ high: { x, y }, low: { x, y } }",
  read: (bytes, start, end) => {
    expectWidth("box", 2 * POINT_BYTES, start, end)
    return { high: pointAt(bytes, start), low: pointAt(bytes, start + POINT_BYTES) }
  },
  take: (shape, value) => ({
    high: shape.point(shape.part(value, "high")),
    low: shape.point(shape.part(value, "low"))
  }),
  write: (writer, { high, low }) => {
    writePoint(writer, high)
    writePoint(writer, low)
  },
  format: ({ high, low }) => `${formatPoint(high)},${formatPoint(low)}`,
  numbers: 4,
  parse: (numbers) => ({ high: pointOf(numbers, 0), low: pointOf(numbers, 1) })
})

/** @internal */
export const circle: Codec<PgCircle> = geometry({
  name: "circle",
  wanted: "{ center: { x, y }, radius }",
  read: (bytes, start, end) => {
    expectWidth("circle", POINT_BYTES + FLOAT_BYTES, start, end)
    return { center: pointAt(bytes, start), radius: bytes.readDoubleBE(start + POINT_BYTES) }
  },
  take: (shape, value) => ({
    center: shape.point(shape.part(value, "center")),
    radius: shape.number(value, "radius")
  }),
  write: (writer, { center, radius }) => {
    writePoint(writer, center)
    writer.float64(radius)
  },
  format: ({ center, radius }) => `<${formatPoint(center)},${formatNumber(radius)}>`,
  numbers: 3,
  parse: (numbers) => ({ center: pointOf(numbers, 0), radius: numbers[2]! })
})

/** @internal */
export const path: Codec<PgPath> = geometry({
  name: "path",
  wanted: "{ closed, points: [{ x, y }, ...] }",
  read: (bytes, start, end) => {
    const closed = start === end ? undefined : bytes[start]
    if (closed !== 0 && closed !== 1) throw new Undecodable("the path does not say whether it is closed")
    return { closed: closed === 1, points: pointsAt("path", bytes, start + 1, end) }
  },
  take: (shape, value) => ({ closed: shape.boolean(value, "closed"), points: shape.points(value) }),
  write: (writer, { closed, points }) => {
    writer.uint8(closed ? 1 : 0)
    writePoints(writer, points)
  },
  format: ({ closed, points }) => (closed ? `(${formatPoints(points)})` : `[${formatPoints(points)}]`),
  numbers: "those of its points",
  parse: (numbers, text) => ({ closed: text.startsWith("("), points: pointsOf(numbers) })
})

/** @internal */
export const polygon: Codec<PgPolygon> = geometry({
  name: "polygon",
  wanted: "{ points: [{ x, y }, ...] }",
  read: (bytes, start, end) => ({ points: pointsAt("polygon", bytes, start, end) }),
  take: (shape, value) => ({ points: shape.points(value) }),
  write: (writer, { points }) => writePoints(writer, points),
  format: ({ points }) => `(${formatPoints(points)})`,
  numbers: "those of its points",
  parse: (numbers) => ({ points: pointsOf(numbers) })
})
