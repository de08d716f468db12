/**
 * Writes the rows for COPY FROM: in the binary format with the codecs of the columns, or as lines of CSV, in which the
 * server parses every value from text. A bad value throws `Unencodable`, with the number of its column from 1 as
 * `parameter` if one column causes it; the caller then rewinds the writer.
 */
import { Format } from "../wire/backendMessage.ts"
import { ByteWriter } from "../wire/byteWriter.ts"
import { undefinedRefused, Unencodable } from "../wire/failure.ts"
import { type Codec, formatOf } from "./codec.ts"
import { parameterEncoders, type TypedParameterEncoder } from "./parameters.ts"
import type { TypeRegistry } from "./registry.ts"
import { shortcutFor, wasShort } from "./shortWrite.ts"

/** The columns that are copied: their types, and the encoders for their values. */
export interface CopyColumns {
  readonly codecs: ReadonlyArray<Codec | undefined>
  readonly encoders: ReadonlyArray<TypedParameterEncoder>
}

export type CopyFormat = "binary" | "csv"

type WriteRow = (writer: ByteWriter, values: ReadonlyArray<unknown>) => void

export const copyColumns = (oids: ReadonlyArray<number>, types: TypeRegistry): CopyColumns => ({
  codecs: oids.map((oid) => types.codec(oid)),
  encoders: parameterEncoders(oids, types)
})

const NULL_LENGTH = -1

/**
 * Whether the server has to parse some of a row's values from text. That is the case for types without a binary form,
 * and for strings that a codec does not write.
 */
export const needsText = ({ codecs }: CopyColumns, row: ReadonlyArray<unknown>): boolean =>
  codecs.some((codec, index) => codec === undefined || needsTextAs(codec, row[index]))

const needsTextAs = (codec: Codec, value: unknown): boolean => {
  if (codec.resultFormat === Format.text) return true
  if (value === null || value === undefined || formatOf(codec, value) === Format.binary) return false
  try {
    codec.write(new ByteWriter(), value)
    return false
  } catch {
    return true
  }
}

/** Writes one row, which has one value for each column. */
export const rowWriter = ({ codecs, encoders }: CopyColumns, format: CopyFormat): WriteRow =>
  format === "binary" ? binaryRow(encoders, codecs) : csvRow(encoders)

/** Int16 number of columns, each: Int32 length (-1 for NULL), the value's bytes. */
const binaryRow = (encoders: ReadonlyArray<TypedParameterEncoder>, codecs: CopyColumns["codecs"]): WriteRow => {
  const shortcuts = codecs.map(shortcutFor)
  return (writer, values) => {
    writer.int16(encoders.length)
    let index = 0
    try {
      for (; index < encoders.length; index++) {
        const value = values[index]
        if (value === null) {
          writer.int32(NULL_LENGTH)
          continue
        }
        if (value === undefined) throw undefinedRefused()
        if (wasShort(writer, value, shortcuts[index])) continue
        const length = writer.reserveInt32()
        encoders[index]!.write(writer, value, Format.binary)
        writer.backfillValueLength(length)
      }
    } catch (failure) {
      if (failure instanceof Unencodable) failure.parameter = index + 1
      throw failure
    }
  }
}

const QUOTE = 0x22
const COMMA = 0x2c
const NEWLINE = 0x0a

/** Quotes every value, so that no text in it has a special meaning; NULL is written as nothing at all. */
const csvRow = (encoders: ReadonlyArray<TypedParameterEncoder>): WriteRow => {
  const text = new ByteWriter()
  return (writer, values) => {
    let index = 0
    try {
      for (; index < encoders.length; index++) {
        if (index > 0) writer.uint8(COMMA)
        const value = values[index]
        if (value === null) continue
        if (value === undefined) throw undefinedRefused()
        text.rewind(0)
        encoders[index]!.write(text, value, Format.text)
        writeQuoted(writer, text.take())
      }
    } catch (failure) {
      if (failure instanceof Unencodable) failure.parameter = index + 1
      throw failure
    }
    writer.uint8(NEWLINE)
  }
}

const writeQuoted = (writer: ByteWriter, bytes: Uint8Array): void => {
  writer.uint8(QUOTE)
  let copied = 0
  for (let at = bytes.indexOf(QUOTE); at !== -1; at = bytes.indexOf(QUOTE, at + 1)) {
    writer.raw(bytes.subarray(copied, at + 1))
    copied = at
  }
  writer.raw(bytes.subarray(copied))
  writer.uint8(QUOTE)
}
