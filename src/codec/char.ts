/**
 * "char", the one-byte type whose name is quoted. It is read as the server prints it: an ASCII character, the empty
 * string for the byte 0, or `\ooo` in octal for a byte beyond ASCII. A longer string is refused, because the server
 * would silently keep only its first byte.
 */
import { Unencodable } from "../wire/failure.ts"
import { type Codec, expectWidth, refusedKind } from "./codec.ts"

const MAX_ASCII = 0x7f
const OCTAL = /^\\[0-3][0-7]{2}$/

const byteOf = (value: string): number => {
  if (value === "") return 0
  if (value.length === 1 && value.charCodeAt(0) <= MAX_ASCII) return value.charCodeAt(0)
  if (OCTAL.test(value)) return Number.parseInt(value.slice(1), 8)
  throw new Unencodable('"char" takes one ASCII character, or a byte in octal such as "\\200"')
}

export const char: Codec<string> = {
  name: "char",
  read: (bytes, start, end) => {
    expectWidth("char", 1, start, end)
    const byte = bytes[start]!
    if (byte > MAX_ASCII) return `\\${byte.toString(8)}`
    return byte === 0 ? "" : String.fromCharCode(byte)
  },
  write: (writer, value) => {
    if (typeof value !== "string") throw refusedKind('"char"', "a string", value)
    writer.uint8(byteOf(value))
  },
  writesStrings: true
}
