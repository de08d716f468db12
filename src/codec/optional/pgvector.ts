/**
 * The three types of the extension pgvector (its name in PostgreSQL is vector).
 *
 * ```
 * vector     Int16 number of dimensions, Int16 0, then Float4 for each dimension
 * halfvec    Int16 number of dimensions, Int16 0, then a half (IEEE 754 binary16) for each dimension
 * sparsevec  Int32 number of dimensions, Int32 number of elements that are not zero, Int32 0,
 *            then for each of these: Int32 its index, from 0, in ascending order; then for each: Float4
 * ```
 * Text: `[1,2.5]`; of a sparsevec, with indices from 1, `{1:1.5,3:2}/5`.
 */
import type { Buffer } from "node:buffer"
import type { ByteWriter } from "../../wire/byteWriter.ts"
import { Undecodable, Unencodable } from "../../wire/failure.ts"
import { int32At, uint16At } from "../bigEndian.ts"
import { type Codec, refusedKind } from "../codec.ts"
import { extensionTypeCodec, type TypeCodec } from "../typeCodec.ts"
import { halfOf, numberOfHalf } from "./half.ts"

const HEADER_BYTES = 4
/** VECTOR_MAX_DIM of the extension, for vector and halfvec. */
const MAX_DIMENSIONS = 16_000

type Vector = ReadonlyArray<number>

const isNumber = (value: unknown): value is number => typeof value === "number"

const finite = (name: string, element: number, rounded: number): number => {
  if (Number.isFinite(rounded)) return rounded
  throw new Unencodable(
    Number.isFinite(element) ? `an element is out of range for ${name}` : `${name} takes neither NaN nor Infinity`
  )
}

const denseElements = (name: string, value: unknown): ArrayLike<number> => {
  const isTyped = value instanceof Float32Array || value instanceof Float64Array
  if (!isTyped && !(Array.isArray(value) && value.every(isNumber))) {
    throw refusedKind(name, "an array of numbers, a Float32Array or a Float64Array", value)
  }
  if (value.length >= 1 && value.length <= MAX_DIMENSIONS) return value
  throw new Unencodable(`${name} takes 1 to ${MAX_DIMENSIONS} elements`)
}

interface Element {
  readonly bytes: number
  readonly read: (bytes: Buffer, at: number) => number
  readonly write: (writer: ByteWriter, element: number) => void
  readonly round: (element: number) => number
}

const dense = (name: string, element: Element): Codec<Vector> => ({
  name,
  read: (bytes, start, end) => {
    const dimensions = end - start < HEADER_BYTES ? 0 : uint16At(bytes, start)
    if (dimensions === 0 || end - start !== HEADER_BYTES + dimensions * element.bytes) {
      throw new Undecodable(`the length of the ${name} does not match the number of its elements`)
    }
    const elements: Array<number> = []
    for (let at = start + HEADER_BYTES; at < end; at += element.bytes) elements.push(element.read(bytes, at))
    return elements
  },
  write: (writer, value) => {
    const elements = denseElements(name, value)
    writer.int16(elements.length)
    writer.int16(0)
    for (let index = 0; index < elements.length; index++) {
      const given = elements[index]!
      element.write(writer, finite(name, given, element.round(given)))
    }
  },
  writesStrings: false,
  textOf: (value) => `[${Array.from(denseElements(name, value)).join(",")}]`,
  ofText: (text) => {
    const elements = /^\[[^[\]]+\]$/.test(text) ? text.slice(1, -1).split(",").map(Number) : []
    if (elements.length === 0 || elements.some(Number.isNaN)) throw new Undecodable(`the text of ${name} is malformed`)
    return elements.map(element.round)
  },
  isElement: (value) => value.length > 0 && value.every(isNumber)
})

const vectorCodec = dense("vector", {
  bytes: 4,
  read: (bytes, at) => bytes.readFloatBE(at),
  write: (writer, element) => writer.float32(element),
  round: Math.fround
})

const halfvecCodec = dense("halfvec", {
  bytes: 2,
  read: (bytes, at) => numberOfHalf(uint16At(bytes, at)),
  write: (writer, element) => writer.int16(halfOf(element)),
  round: (element) => numberOfHalf(halfOf(element))
})

/**
 * A vector most of whose elements are zero: the other elements, by index.
 *
 * @category models
 * @since 0.1.0
 */
export interface PgSparseVector {
  readonly dimensions: number
  /** The indices of the elements, counted from 0. They are read in ascending order, and accepted in any order. */
  readonly indices: ReadonlyArray<number>
  /** The element at each of the indices. */
  readonly values: ReadonlyArray<number>
}

const SPARSE_HEADER_BYTES = 12
const SPARSE_ELEMENT_BYTES = 8
/** SPARSEVEC_MAX_DIM and SPARSEVEC_MAX_NNZ of the extension. */
const MAX_SPARSE_DIMENSIONS = 1_000_000_000

const WANTED = "{ dimensions, indices, values }"

/** The elements that are not zero, in ascending order of their indices. */
const sparseElements = (value: unknown): readonly [dimensions: number, ReadonlyArray<readonly [number, number]>] => {
  const isSparse =
    typeof value === "object" && value !== null && "dimensions" in value && "indices" in value && "values" in value
  if (!isSparse) throw refusedKind("sparsevec", WANTED, value)
  const { dimensions, indices, values } = value
  if (!isNumber(dimensions) || !Array.isArray(indices) || !Array.isArray(values)) {
    throw refusedKind("sparsevec", WANTED, value)
  }
  if (!Number.isInteger(dimensions) || dimensions < 1 || dimensions > MAX_SPARSE_DIMENSIONS) {
    throw new Unencodable(`sparsevec takes 1 to ${MAX_SPARSE_DIMENSIONS} dimensions`)
  }
  if (indices.length !== values.length) throw new Unencodable("sparsevec takes as many values as indices")
  const elements = indices.map((index: unknown, at) => {
    const element: unknown = values[at]
    if (!isNumber(index) || !isNumber(element))
      throw refusedKind("sparsevec", "indices and values that are numbers", value)
    if (!Number.isInteger(index) || index < 0 || index >= dimensions) {
      throw new Unencodable("sparsevec takes indices from 0 up to the number of its dimensions, which is excluded")
    }
    return [index, finite("sparsevec", element, Math.fround(element))] as const
  })
  const nonZero = elements.filter(([, element]) => element !== 0).sort(([one], [other]) => one - other)
  if (nonZero.some(([index], at) => index === nonZero[at - 1]?.[0])) {
    throw new Unencodable("sparsevec takes each index only once")
  }
  return [dimensions, nonZero]
}

const sparse = (dimensions: number, elements: ReadonlyArray<readonly [number, number]>): PgSparseVector => ({
  dimensions,
  indices: elements.map(([index]) => index),
  values: elements.map(([, element]) => element)
})

const SPARSE_FORM = /^\{((?:\d+:[^,:{}]+(?:,|(?=\})))*)\}\/(\d{1,10})$/

const sparsevecCodec: Codec<PgSparseVector> = {
  name: "sparsevec",
  read: (bytes, start, end) => {
    const count = end - start < SPARSE_HEADER_BYTES ? -1 : int32At(bytes, start + 4)
    const dimensions = count < 0 ? 0 : int32At(bytes, start)
    if (count < 0 || dimensions < 1 || end - start !== SPARSE_HEADER_BYTES + count * SPARSE_ELEMENT_BYTES) {
      throw new Undecodable("the length of the sparsevec does not match the number of its elements")
    }
    const first = start + SPARSE_HEADER_BYTES
    let before = -1
    const elements = Array.from({ length: count }, (_, at) => {
      const index = int32At(bytes, first + at * 4)
      if (index <= before || index >= dimensions)
        throw new Undecodable("the sparsevec has an index that is out of order or out of range")
      before = index
      return [index, bytes.readFloatBE(first + (count + at) * 4)] as const
    })
    return sparse(dimensions, elements)
  },
  write: (writer, value) => {
    const [dimensions, elements] = sparseElements(value)
    writer.int32(dimensions)
    writer.int32(elements.length)
    writer.int32(0)
    for (const [index] of elements) writer.int32(index)
    for (const [, element] of elements) writer.float32(element)
  },
  writesStrings: false,
  textOf: (value) => {
    const [dimensions, elements] = sparseElements(value)
    return `{${elements.map(([index, element]) => `${index + 1}:${element}`).join(",")}}/${dimensions}`
  },
  ofText: (text) => {
    const [, list, dimensions] = SPARSE_FORM.exec(text) ?? []
    if (list === undefined) throw new Undecodable("the text of sparsevec is malformed")
    const elements = list === "" ? [] : list.split(",").map((element) => element.split(":").map(Number))
    return sparse(
      Number(dimensions),
      elements.map(([index = NaN, element = NaN]) => {
        if (Number.isNaN(element)) throw new Undecodable("the text of sparsevec is malformed")
        return [index - 1, Math.fround(element)] as const
      })
    )
  }
}

/**
 * The type vector of the extension pgvector, in any schema: arrays of numbers, each with the precision of a float4. A
 * Float32Array or a Float64Array is accepted as a parameter too. Without this codec values are the type's text.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { PgClient, PgTypes } from "effectpg"
 *
 * export const Database = PgClient.layer({ types: [PgTypes.vector] })
 *
 * export const nearest = Effect.fn("nearest")(function* (embedding: ReadonlyArray<number>) {
 *   const pg = yield* PgClient.PgClient
 *   return yield* pg.fetch("SELECT id, embedding FROM items ORDER BY embedding <-> $1 LIMIT 5", [embedding])
 * })
 * ```
 * @category codecs
 * @since 0.1.0
 */
export const vector: TypeCodec = extensionTypeCodec(vectorCodec)

/**
 * The type halfvec of the extension pgvector, in any schema: arrays of numbers, each with half the precision of a
 * float4. A Float32Array or a Float64Array is accepted as a parameter too.
 *
 * @category codecs
 * @since 0.1.0
 */
export const halfvec: TypeCodec = extensionTypeCodec(halfvecCodec)

/**
 * The type sparsevec of the extension pgvector, in any schema: `PgSparseVector`. Without this codec values are the
 * type's text.
 *
 * @category codecs
 * @since 0.1.0
 */
export const sparsevec: TypeCodec = extensionTypeCodec(sparsevecCodec)
