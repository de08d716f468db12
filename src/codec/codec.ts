/**
 * What a codec is: the two directions between one PostgreSQL type and JavaScript values, in PostgreSQL's binary format.
 * Codecs are pure and synchronous, and they are plain functions because they run once per value. A codec reports bad
 * bytes by throwing `Undecodable` and a bad value by throwing `Unencodable`; the message says why in words that can
 * follow "because": it never contains the value itself.
 */
import type { Buffer } from "node:buffer"
import { Format } from "../wire/backendMessage.ts"
import type { ByteWriter } from "../wire/byteWriter.ts"
import { Undecodable, Unencodable } from "../wire/failure.ts"
import { PgLiteral } from "./pgLiteral.ts"

export interface Codec<A = unknown> {
  /** PostgreSQL's name of the type, for reports. */
  readonly name: string
  /** Reads the value that lies in `bytes[start, end)`. The bytes are reused afterwards: nothing may keep a view. */
  readonly read: (bytes: Buffer, start: number, end: number) => A
  /** Appends the value's bytes, without their length. What it takes is wider than what `read` gives. */
  readonly write: (writer: ByteWriter, value: unknown) => void
  /**
   * True where strings are values like any other, so that `write` takes every string that the type has. Elsewhere a
   * string travels in the text format and the server parses it; `write` may still take the strings that `read` gives,
   * for what can only be binary (COPY).
   */
  readonly writesStrings: boolean
  /** The format for values; binary where this is left out. Never throws. */
  readonly formatOf?: (value: unknown) => Format
  /** The text form of values. Where this is left out, numbers, bigints, booleans and strings have one. */
  readonly textOf?: (value: unknown) => string
  /** The format that results are asked for in; binary where this is left out. Text for what has no other. */
  readonly resultFormat?: Format
  /** The value that a text form of the type stands for; where this is left out, the text itself. */
  readonly ofText?: (text: string) => A
  /** Whether a JavaScript array is one value of the type; where this is left out it is a dimension of an array of them. */
  readonly isElement?: (value: ReadonlyArray<unknown>) => boolean
}

/** For `isElement`, where a value of the type is an array that holds neither arrays nor NULL. */
export const isFlat = (value: ReadonlyArray<unknown>): boolean =>
  !value.some((inner) => Array.isArray(inner) || inner === null)

/** For `isElement`, where every JavaScript array may be a value of the type. */
export const everyArray = (): boolean => true

/** The format that a value travels in. Never throws. */
export const formatOf = (codec: Codec, value: unknown): Format => {
  if (typeof value === "string" ? !codec.writesStrings : value instanceof PgLiteral) return Format.text
  return codec.formatOf === undefined ? Format.binary : codec.formatOf(value)
}

/**
 * The text form of a value: of one whose format is text, and of one that stands beside a string in a container, which
 * travels in one format as a whole.
 */
export const textOf = (codec: Codec, value: unknown): string => {
  if (typeof value === "string" && !codec.writesStrings) return value
  if (value instanceof PgLiteral) return value.text
  if (codec.textOf !== undefined) return codec.textOf(value)
  switch (typeof value) {
    case "string":
      return value
    case "number":
      return Object.is(value, -0) ? "-0" : String(value)
    case "bigint":
    case "boolean":
      return String(value)
    default:
      throw new Unencodable(`${codec.name} takes no ${typeof value} beside strings`)
  }
}

/** The value that a text form of the type stands for. */
export const ofText = (codec: Codec, text: string): unknown => (codec.ofText === undefined ? text : codec.ofText(text))

const kindOf = (value: unknown): string => {
  if (value === null) return "null"
  if (Array.isArray(value)) return "an array"
  return typeof value === "object" ? "an object" : `a ${typeof value}`
}

/** The failure for a value of a kind that a codec does not take. */
export const refusedKind = (name: string, wanted: string, value: unknown): Unencodable =>
  new Unencodable(`${name} takes ${wanted}, not ${kindOf(value)}`)

/** Refuses a value of a fixed-width type whose bytes have another width. */
export const expectWidth = (name: string, width: number, start: number, end: number): void => {
  if (end - start !== width) throw new Undecodable(`${name} has ${width} bytes on the wire, ${end - start} came`)
}
