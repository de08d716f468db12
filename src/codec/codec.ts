/**
 * Defines what a codec is: the conversion between one PostgreSQL type and JavaScript values, in PostgreSQL's binary
 * format. Codecs are pure, synchronous, plain functions, because they run once per value. A codec throws `Undecodable`
 * for bad bytes and `Unencodable` for a bad value. The message reads well after "because", and never contains the value
 * itself.
 */
import type { Buffer } from "node:buffer"
import { Format } from "../wire/backendMessage.ts"
import type { ByteWriter } from "../wire/byteWriter.ts"
import { Undecodable, Unencodable } from "../wire/failure.ts"
import { kindOf } from "./kindOf.ts"
import { PgLiteral } from "./pgLiteral.ts"

export interface Codec<A = unknown> {
  /** PostgreSQL's name of the type, for error messages. */
  readonly name: string
  /** Reads the value in `bytes[start, end)`. The bytes are reused afterwards, so no view of them may be kept. */
  readonly read: (bytes: Buffer, start: number, end: number) => A
  /** Appends the value's bytes, without their length. It accepts more than `read` returns. */
  readonly write: (writer: ByteWriter, value: unknown) => void
  /**
   * True if strings are ordinary values, so that `write` accepts every string that the type allows. Otherwise a string
   * is sent in the text format and the server parses it; `write` may still accept the strings that `read` returns, for
   * what can only be binary (COPY).
   */
  readonly writesStrings: boolean
  /**
   * The format of a value. Never throws.
   * @default binary
   */
  readonly formatOf?: (value: unknown) => Format
  /** The text form of a value. By default numbers, bigints, booleans and strings have one. */
  readonly textOf?: (value: unknown) => string
  /**
   * The format in which results are requested: text for a type that has no other.
   * @default binary
   */
  readonly resultFormat?: Format
  /** Parses the text form of the type. By default the value is the text itself. */
  readonly ofText?: (text: string) => A
  /** Whether a JavaScript array is one value of the type. By default it is a dimension of an array of values. */
  readonly isElement?: (value: ReadonlyArray<unknown>) => boolean
}

/** An `isElement` for types whose values are arrays that contain neither arrays nor NULL. */
export const isFlat = (value: ReadonlyArray<unknown>): boolean =>
  !value.some((inner) => Array.isArray(inner) || inner === null)

/** An `isElement` for types of which every JavaScript array may be a value. */
export const everyArray = (): boolean => true

/** The format in which a value is sent. Never throws. */
export const formatOf = (codec: Codec, value: unknown): Format => {
  if (typeof value === "string" ? !codec.writesStrings : value instanceof PgLiteral) return Format.text
  return codec.formatOf === undefined ? Format.binary : codec.formatOf(value)
}

/**
 * The text form of a value: for a value whose format is text, and for one in a container that holds such a value,
 * because a container is sent in one format as a whole.
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
      throw new Unencodable(`${codec.name} cannot turn ${kindOf(value)} into text; give a string`)
  }
}

/** The value that a text form of the type stands for. */
export const ofText = (codec: Codec, text: string): unknown => (codec.ofText === undefined ? text : codec.ofText(text))

/** The failure for a value of a kind that a codec does not accept. */
export const refusedKind = (name: string, wanted: string, value: unknown): Unencodable => {
  const kind = kindOf(value)
  return new Unencodable(`${name} takes ${wanted}, not ${kind}`, kind)
}

/** Throws if a value of a fixed-width type has another width. */
export const expectWidth = (name: string, width: number, start: number, end: number): void => {
  if (end - start !== width) throw new Undecodable(`${name} has ${width} bytes, but the server sent ${end - start}`)
}
