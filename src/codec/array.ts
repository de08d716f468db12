/**
 * Reads and writes arrays of any type as nested JavaScript arrays of up to six dimensions, with null for NULL.
 *
 * A plain array does not keep the index at which a dimension begins. A `PgArray` does: it is accepted wherever an array
 * is, and read if the user asks for it. Values of some types, such as JSON documents, may themselves be JavaScript
 * arrays, so nesting does not reveal the number of dimensions. For such types an inner array is an element, and several
 * dimensions are read as a `PgArray` and written from one, because it has a lower bound for each dimension. A typed
 * array such as Int32Array is accepted as one dimension.
 *
 * Binary:
 * ```
 * Int32  number of dimensions, 0 if the array is empty
 * Int32  1 if there may be a NULL among the elements, else 0
 * Int32  OID of the elements' type
 * for each dimension: Int32 number of elements, Int32 first index
 * for each element, the last dimension running fastest: Int32 length (-1 for NULL) and its bytes
 * ```
 * The text form is used if the elements are read from text, or if one of them can only be sent as text.
 */
import type { Buffer } from "node:buffer"
import { Format } from "../wire/backendMessage.ts"
import type { ByteWriter } from "../wire/byteWriter.ts"
import { undefinedRefused, Undecodable, Unencodable } from "../wire/failure.ts"
import { type FlatArray, formatBounds, MAX_DIMENSIONS, parseArray, quoteElement } from "./arrayText.ts"
import { int32At } from "./bigEndian.ts"
import { type Codec, everyArray, formatOf, ofText, refusedKind, textOf } from "./codec.ts"
import { type ElementReader, elementReader } from "./elementReader.ts"

const HEADER_BYTES = 12
const DIMENSION_BYTES = 8
const LENGTH_BYTES = 4
const NULL_LENGTH = -1
const FIRST_INDEX = 1
const MIN_INT32 = -0x80000000
const MAX_INT32 = 0x7fffffff

/**
 * An array together with the first index of each of its dimensions, which is 1 by default. Use one as a parameter to
 * choose other indexes: `new PgArray([1, 2], [0])` is PostgreSQL's `[0:1]={1,2}`.
 *
 * @category models
 * @since 0.1.0
 */
export class PgArray<A = unknown> {
  /** The elements, nested if there is more than one dimension. */
  readonly values: ReadonlyArray<A>
  /** The first index of each dimension, outermost first. An empty array has no dimensions. */
  readonly lowerBounds: ReadonlyArray<number>

  constructor(values: ReadonlyArray<A>, lowerBounds: ReadonlyArray<number>) {
    this.values = values
    this.lowerBounds = lowerBounds
  }

  toJSON(): ReadonlyArray<A> {
    return this.values
  }
}

type TypedArray =
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array

const isTypedArray = (value: unknown): value is TypedArray => ArrayBuffer.isView(value) && !(value instanceof DataView)

/** Reads the header. Throws if the remaining bytes cannot hold that many elements. */
const readDimensions = (
  bytes: Buffer,
  start: number,
  end: number,
  elementOid: number
): Omit<FlatArray<never>, "elements"> => {
  if (end - start < HEADER_BYTES) throw new Undecodable("the array ends within its header")
  const count = int32At(bytes, start)
  if (count < 0 || count > MAX_DIMENSIONS) throw new Undecodable(`the array has ${count} dimensions`)
  const oid = int32At(bytes, start + 8) >>> 0
  if (oid !== elementOid) {
    throw new Undecodable(`the array has elements of type ${oid}, but the client expected type ${elementOid}`)
  }
  const left = end - start - HEADER_BYTES - count * DIMENSION_BYTES
  if (left < 0) throw new Undecodable("the array ends within its dimensions")
  const lengths: Array<number> = []
  const lowerBounds: Array<number> = []
  let elements = 1
  for (let dimension = 0; dimension < count; dimension++) {
    const at = start + HEADER_BYTES + dimension * DIMENSION_BYTES
    const length = int32At(bytes, at)
    elements *= length
    if (length < 0 || elements * LENGTH_BYTES > left) {
      throw new Undecodable(
        `the array has a dimension of length ${length}, but only ${left} bytes are left for its elements`
      )
    }
    lengths.push(length)
    lowerBounds.push(int32At(bytes, at + LENGTH_BYTES))
  }
  return { lengths, lowerBounds }
}

/** Nests a flat list of elements, one dimension after the other, the innermost first. */
const nest = ({ elements, lengths }: FlatArray<unknown>): ReadonlyArray<unknown> => {
  let folded = elements
  for (let dimension = lengths.length - 1; dimension > 0 && elements.length > 0; dimension--) {
    const length = lengths[dimension]!
    const outer: Array<ReadonlyArray<unknown>> = []
    for (let at = 0; at < folded.length; at += length) outer.push(folded.slice(at, at + length))
    folded = outer
  }
  return folded
}

const nestWithBounds = (flat: FlatArray<unknown>): PgArray => new PgArray(nest(flat), flat.lowerBounds)

/** A hole of a sparse array is undefined, too. */
const ELEMENT = "an element of the array"

/** Whether a value is a dimension rather than an element. The depth is the number of dimensions around the value. */
type IsDimension = (value: unknown, depth: number) => value is ReadonlyArray<unknown>

const isAnyArray: IsDimension = (value): value is ReadonlyArray<unknown> => Array.isArray(value)

/**
 * How to tell a dimension from an element that is an array: by the element's codec, or by the bounds of a `PgArray`.
 */
const dimensionsBy = (element: Codec): ((array: unknown) => IsDimension) => {
  const { isElement } = element
  if (isElement === undefined) return () => isAnyArray
  const byItself: IsDimension = (value): value is ReadonlyArray<unknown> => Array.isArray(value) && !isElement(value)
  if (isElement !== everyArray) return () => byItself
  return (array) =>
    array instanceof PgArray
      ? (value, depth): value is ReadonlyArray<unknown> => Array.isArray(value) && depth < array.lowerBounds.length
      : byItself
}

/** The lengths of the dimensions, outermost first. Throws if the array is not rectangular. */
const lengthsOf = (name: string, isDimension: IsDimension, value: ReadonlyArray<unknown>): ReadonlyArray<number> => {
  const lengths = [value.length]
  let current = value[0]
  while (isDimension(current, lengths.length)) {
    if (lengths.length === MAX_DIMENSIONS) {
      throw new Unencodable(`${name} has at most ${MAX_DIMENSIONS} dimensions, but the array has more`)
    }
    lengths.push(current.length)
    current = current[0]
  }
  if (!isRectangular(isDimension, value, lengths, 1))
    throw new Unencodable("the array is not rectangular: its inner arrays must all have the same length")
  return lengths
}

const isRectangular = (
  isDimension: IsDimension,
  value: ReadonlyArray<unknown>,
  lengths: ReadonlyArray<number>,
  depth: number
): boolean => {
  if (value.length !== lengths[depth - 1]) return false
  const isInnermost = depth === lengths.length
  // Iterate by index, because `every` would skip the holes of a sparse array.
  for (let index = 0; index < value.length; index++) {
    const inner = value[index]
    if (isDimension(inner, depth)) {
      if (isInnermost || !isRectangular(isDimension, inner, lengths, depth + 1)) return false
    } else if (!isInnermost) return false
  }
  return true
}

/** The first index of each dimension of a value. */
const lowerBoundsOf = (name: string, value: unknown, lengths: ReadonlyArray<number>): ReadonlyArray<number> => {
  if (!(value instanceof PgArray)) return lengths.map(() => FIRST_INDEX)
  const { lowerBounds } = value
  if (lowerBounds.length !== lengths.length) {
    throw new Unencodable(`${name} takes a PgArray with one lower bound for each of its ${lengths.length} dimensions`)
  }
  for (const [dimension, lower] of lowerBounds.entries()) {
    if (Number.isInteger(lower) && lower >= MIN_INT32 && lower + lengths[dimension]! <= MAX_INT32) continue
    throw new Unencodable(`${name} takes only lower bounds that are whole numbers and keep every index below 2^31 - 1`)
  }
  return lowerBounds
}

/** Writes the elements in order; returns whether a NULL was among them. */
const writeElements = (
  writer: ByteWriter,
  element: Codec,
  isDimension: IsDimension,
  value: ReadonlyArray<unknown>,
  depth: number
): boolean => {
  let hasNull = false
  for (let index = 0; index < value.length; index++) {
    const inner = value[index]
    if (isDimension(inner, depth)) {
      hasNull = writeElements(writer, element, isDimension, inner, depth + 1) || hasNull
    } else if (inner === null) {
      writer.int32(NULL_LENGTH)
      hasNull = true
    } else {
      if (inner === undefined) throw undefinedRefused(ELEMENT)
      const length = writer.reserveInt32()
      element.write(writer, inner)
      writer.backfillValueLength(length)
    }
  }
  return hasNull
}

/** Whether any element of the array is sent as text. The depth is limited, because an array may contain itself. */
const hasTextElement = (
  element: Codec,
  isDimension: IsDimension,
  value: ReadonlyArray<unknown>,
  depth: number
): boolean =>
  value.some((inner) => {
    if (inner === null || inner === undefined) return false
    if (isDimension(inner, depth)) {
      return depth < MAX_DIMENSIONS && hasTextElement(element, isDimension, inner, depth + 1)
    }
    return formatOf(element, inner) === Format.text
  })

const literal = (
  element: Codec,
  isDimension: IsDimension,
  value: ReadonlyArray<unknown>,
  depth: number,
  delimiter: string
): string => {
  const elements = Array.from(value, (inner) => {
    if (inner === null) return "NULL"
    if (inner === undefined) throw undefinedRefused(ELEMENT)
    if (isDimension(inner, depth)) return literal(element, isDimension, inner, depth + 1, delimiter)
    return quoteElement(textOf(element, inner))
  })
  return `{${elements.join(delimiter)}}`
}

const arrayCodec = <A>(
  element: Codec,
  elementOid: number,
  delimiter: string,
  nestAs: (flat: FlatArray<unknown>) => A
): Codec<A | PgArray> => {
  const name = `${element.name}[]`
  const dimensionsOf = dimensionsBy(element)
  const isAmbiguous = element.isElement === everyArray
  const build = (flat: FlatArray<unknown>): A | PgArray =>
    isAmbiguous && flat.lengths.length > 1 ? nestWithBounds(flat) : nestAs(flat)
  // If elements have no binary form, no array of them has one, not even an empty array.
  const isAlwaysText = formatOf(element, null) === Format.text
  const elementsOf = (value: unknown): ReadonlyArray<unknown> => {
    if (Array.isArray(value)) return value
    if (value instanceof PgArray) return elementsOf(value.values)
    if (isTypedArray(value)) return Array.from<unknown>(value)
    throw refusedKind(name, "an array", value)
  }
  // The loop is built for the first array of its type, because most array types are never read.
  let readElements: ElementReader | undefined
  return {
    name,
    read: (bytes, start, end) => {
      const { lengths, lowerBounds } = readDimensions(bytes, start, end, elementOid)
      const first = start + HEADER_BYTES + lengths.length * DIMENSION_BYTES
      const count = lengths.length === 0 ? 0 : lengths.reduce((product, length) => product * length, 1)
      readElements ??= elementReader(element.read)
      const elements = readElements(bytes, first, end, count)
      return build({ elements, lengths, lowerBounds })
    },
    write: (writer, value) => {
      const elements = elementsOf(value)
      const isDimension = dimensionsOf(value)
      const lengths = lengthsOf(name, isDimension, elements)
      const isEmpty = lengths.includes(0)
      writer.int32(isEmpty ? 0 : lengths.length)
      const hasNull = writer.reserveInt32()
      writer.int32(elementOid)
      if (isEmpty) return
      const lowerBounds = lowerBoundsOf(name, value, lengths)
      for (const [dimension, length] of lengths.entries()) {
        writer.int32(length)
        writer.int32(lowerBounds[dimension]!)
      }
      if (writeElements(writer, element, isDimension, elements, 1)) writer.backfillInt32(hasNull, 1)
    },
    writesStrings: false,
    formatOf: (value) => {
      if (isAlwaysText) return Format.text
      const elements = value instanceof PgArray ? value.values : value
      if (!Array.isArray(elements)) return Format.binary
      return hasTextElement(element, dimensionsOf(value), elements, 1) ? Format.text : Format.binary
    },
    textOf: (value) => {
      const elements = elementsOf(value)
      const isDimension = dimensionsOf(value)
      const lengths = lengthsOf(name, isDimension, elements)
      if (lengths.includes(0)) return "{}"
      const bounds = formatBounds(lengths, lowerBoundsOf(name, value, lengths))
      return bounds + literal(element, isDimension, elements, 1, delimiter)
    },
    resultFormat: element.resultFormat ?? Format.binary,
    ofText: (text) => {
      const flat = parseArray(text, delimiter)
      return build({
        ...flat,
        elements: flat.elements.map((value) => (value === null ? null : ofText(element, value)))
      })
    }
  }
}

const COMMA = ","

/**
 * The codec for arrays of a type. The delimiter of the text form is a comma, except for box, which uses a semicolon.
 *
 * @internal
 */
export const arrayOf = (
  element: Codec,
  elementOid: number,
  delimiter = COMMA
): Codec<ReadonlyArray<unknown> | PgArray> => arrayCodec(element, elementOid, delimiter, nest)

/**
 * The codec for arrays that are read as `PgArray`, which keeps the first index of each dimension.
 *
 * @internal
 */
export const losslessArrayOf = (element: Codec, elementOid: number, delimiter = COMMA): Codec<PgArray> =>
  arrayCodec(element, elementOid, delimiter, nestWithBounds)
