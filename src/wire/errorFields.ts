/** Reads the body of an ErrorResponse or NoticeResponse: its fields by name. */
import type { Buffer } from "node:buffer"
import { ByteReader } from "./byteReader.ts"
import { MAX_ERROR_BYTES, MAX_NOTICE_BYTES } from "./limits.ts"

/** Everything that the server reports about an error or a notice, as text. The names are asyncpg's. */
export interface ErrorFields {
  /** Localized if the server's `lc_messages` asks for it; base decisions on `severityUnlocalized`. */
  readonly severity: string
  readonly severityUnlocalized: string
  readonly code: string
  readonly message: string
  readonly detail: string | undefined
  readonly hint: string | undefined
  /** The position in the statement that the error is about: a character, counted from 1. */
  readonly position: string | undefined
  readonly internalPosition: string | undefined
  readonly internalQuery: string | undefined
  readonly where: string | undefined
  readonly schemaName: string | undefined
  readonly tableName: string | undefined
  readonly columnName: string | undefined
  readonly dataTypeName: string | undefined
  readonly constraintName: string | undefined
  readonly file: string | undefined
  readonly line: string | undefined
  readonly routine: string | undefined
}

/**
 * ```
 * Byte1  field type; 0 ends the message
 * String field value
 * ```
 * Unknown field types are skipped, as the protocol asks. If the body has `maxBytes` or more, only its beginning is
 * read: the last field that is read ends in an ellipsis, and those after it are lost.
 *
 * @internal
 */
export const readErrorFields = (bytes: Buffer, start: number, end: number, maxBytes = MAX_ERROR_BYTES): ErrorFields => {
  const fields = end - start < maxBytes ? readWhole(bytes, start, end) : readBeginning(bytes, start, start + maxBytes)
  const severity = fields.get("S") ?? "ERROR"
  return {
    severity,
    severityUnlocalized: fields.get("V") ?? severity,
    code: fields.get("C") ?? "XX000",
    message: fields.get("M") ?? "the server sent an error without a message",
    detail: fields.get("D"),
    hint: fields.get("H"),
    position: fields.get("P"),
    internalPosition: fields.get("p"),
    internalQuery: fields.get("q"),
    where: fields.get("W"),
    schemaName: fields.get("s"),
    tableName: fields.get("t"),
    columnName: fields.get("c"),
    dataTypeName: fields.get("d"),
    constraintName: fields.get("n"),
    file: fields.get("F"),
    line: fields.get("L"),
    routine: fields.get("R")
  }
}

/**
 * Reads a NoticeResponse, of which less is kept than of an error.
 *
 * @internal
 */
export const readNoticeFields = (bytes: Buffer, start: number, end: number): ErrorFields =>
  readErrorFields(bytes, start, end, MAX_NOTICE_BYTES)

const readWhole = (bytes: Buffer, start: number, end: number): ReadonlyMap<string, string> => {
  const reader = new ByteReader(bytes, start, end)
  const fields = new Map<string, string>()
  for (let type = reader.uint8(); type !== 0; type = reader.uint8()) {
    fields.set(String.fromCharCode(type), reader.cstring())
  }
  reader.expectEnd("an ErrorResponse or NoticeResponse")
  return fields
}

const readBeginning = (bytes: Buffer, start: number, end: number): ReadonlyMap<string, string> => {
  const fields = new Map<string, string>()
  for (let at = start; at < end && bytes[at] !== 0;) {
    const type = String.fromCharCode(bytes[at]!)
    const zero = bytes.subarray(at + 1, end).indexOf(0)
    if (zero < 0) {
      fields.set(type, `${bytes.toString("utf8", at + 1, endOfCharacters(bytes, at + 1, end))}\u2026`)
      break
    }
    fields.set(type, bytes.toString("utf8", at + 1, at + 1 + zero))
    at += zero + 2
  }
  return fields
}

/** The end of the last UTF-8 character that lies wholly before `end`. */
const endOfCharacters = (bytes: Buffer, start: number, end: number): number => {
  for (let at = end - 1; at >= Math.max(start, end - 4); at--) {
    const byte = bytes[at]!
    if ((byte & 0xc0) === 0x80) continue
    const size = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
    return at + size > end ? at : end
  }
  return end
}
