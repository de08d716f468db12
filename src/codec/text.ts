/**
 * The types whose values are text, always in UTF-8, because the session's client_encoding is always UTF8. Bytes that
 * are not UTF-8 are refused, never replaced; so are strings that PostgreSQL or UTF-8 cannot hold.
 */
import { type Buffer, isUtf8 } from "node:buffer"
import { Undecodable } from "../wire/failure.ts"
import { type Codec, refusedKind } from "./codec.ts"

/** ASCII up to this length is decoded in JavaScript, which is faster than calling the runtime. */
const SHORT_TEXT = 20
/** ASCII up to this length is decoded by one call with the codes spelled out, which V8 turns into a flat string. */
const TINY_TEXT = 8
const MAX_ASCII = 0x7f
const REPLACEMENT_CHARACTER = "\ufffd"

/** One reusable array of character codes for each short length. */
const codesOfLength = Array.from({ length: SHORT_TEXT + 1 }, (_, length) => Array.from({ length }, () => 0))

/** The text in `bytes[start, end)`; also used for the text form of any other type. */
export const readText = (bytes: Buffer, start: number, end: number): string => {
  const length = end - start
  if (length > SHORT_TEXT) return readLongText(bytes, start, end)
  let union = 0
  for (let at = start; at < end; at++) union |= bytes[at]!
  if (union > MAX_ASCII) return readLongText(bytes, start, end)
  return length <= TINY_TEXT ? readTinyAscii(bytes, start, length) : readShortAscii(bytes, start, length)
}

const readLongText = (bytes: Buffer, start: number, end: number): string => {
  const text = bytes.toString("utf8", start, end)
  if (text.includes(REPLACEMENT_CHARACTER) && !isUtf8(bytes.subarray(start, end))) {
    throw new Undecodable("the value is not valid UTF-8")
  }
  return text
}

const readShortAscii = (bytes: Buffer, start: number, length: number): string => {
  const codes = codesOfLength[length]!
  for (let index = 0; index < length; index++) codes[index] = bytes[start + index]!
  return String.fromCharCode.apply(null, codes)
}

const readTinyAscii = (b: Buffer, at: number, length: number): string => {
  const code = String.fromCharCode
  switch (length) {
    case 0:
      return ""
    case 1:
      return code(b[at]!)
    case 2:
      return code(b[at]!, b[at + 1]!)
    case 3:
      return code(b[at]!, b[at + 1]!, b[at + 2]!)
    case 4:
      return code(b[at]!, b[at + 1]!, b[at + 2]!, b[at + 3]!)
    case 5:
      return code(b[at]!, b[at + 1]!, b[at + 2]!, b[at + 3]!, b[at + 4]!)
    case 6:
      return code(b[at]!, b[at + 1]!, b[at + 2]!, b[at + 3]!, b[at + 4]!, b[at + 5]!)
    case 7:
      return code(b[at]!, b[at + 1]!, b[at + 2]!, b[at + 3]!, b[at + 4]!, b[at + 5]!, b[at + 6]!)
    default:
      return code(b[at]!, b[at + 1]!, b[at + 2]!, b[at + 3]!, b[at + 4]!, b[at + 5]!, b[at + 6]!, b[at + 7]!)
  }
}

const textual = (name: string): Codec<string> => ({
  name,
  read: readText,
  write: (writer, value) => {
    if (typeof value !== "string") throw refusedKind(name, "a string", value)
    writer.utf8(value)
  },
  writesStrings: true
})

export const text: Codec<string> = textual("text")
export const varchar: Codec<string> = textual("varchar")
export const bpchar: Codec<string> = textual("bpchar")
export const name: Codec<string> = textual("name")
export const cstring: Codec<string> = textual("cstring")
export const refcursor: Codec<string> = textual("refcursor")
/** Trees in which the server keeps defaults, rules and so on; it does not accept them as parameters. */
export const pgNodeTree: Codec<string> = textual("pg_node_tree")
/** The type of a literal whose type nothing determines. */
export const unknown: Codec<string> = textual("unknown")

/**
 * Strings are sent as text. For binary XML the server would trust the encoding that the XML declaration names; for text
 * it knows that the encoding is the client's.
 */
export const xml: Codec<string> = { ...textual("xml"), writesStrings: false }
