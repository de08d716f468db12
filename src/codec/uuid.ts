/**
 * uuid: 16 bytes, read as a string of lower-case hexadecimal digits in groups of 8-4-4-4-12. Every form that the server
 * accepts can be written: digits of either case, a hyphen after any group of four, braces around the whole.
 */
import { Unencodable } from "../wire/failure.ts"
import { type Codec, expectWidth, refusedKind } from "./codec.ts"

const BYTES = 16
const HYPHEN = 0x2d
const OPENING_BRACE = 0x7b
const CLOSING_BRACE = 0x7d
const NOT_A_DIGIT = 0xff

const digits = "0123456789abcdef"
/** For each byte, the character codes of its first and its second hexadecimal digit. */
const FIRST = Uint8Array.from({ length: 256 }, (_, byte) => digits.charCodeAt(byte >> 4))
const SECOND = Uint8Array.from({ length: 256 }, (_, byte) => digits.charCodeAt(byte & 0xf))

const valueOfDigit = new Uint8Array(128).fill(NOT_A_DIGIT)
for (let value = 0; value < digits.length; value++) {
  valueOfDigit[digits.charCodeAt(value)] = value
  valueOfDigit[digits.toUpperCase().charCodeAt(value)] = value
}

const digitAt = (text: string, at: number): number => {
  const value = valueOfDigit[text.charCodeAt(at)] ?? NOT_A_DIGIT
  if (value === NOT_A_DIGIT) throw malformed()
  return value
}

const malformed = (): Unencodable =>
  new Unencodable("uuid takes 32 hexadecimal digits, with hyphens in the form 8-4-4-4-12")

export const uuid: Codec<string> = {
  name: "uuid",
  // One call with every code spelled out makes a flat string; concatenated pieces would be flattened later, at a cost.
  read: (b, at, end) => {
    expectWidth("uuid", BYTES, at, end)
    return String.fromCharCode(
      FIRST[b[at]!]!,
      SECOND[b[at]!]!,
      FIRST[b[at + 1]!]!,
      SECOND[b[at + 1]!]!,
      FIRST[b[at + 2]!]!,
      SECOND[b[at + 2]!]!,
      FIRST[b[at + 3]!]!,
      SECOND[b[at + 3]!]!,
      HYPHEN,
      FIRST[b[at + 4]!]!,
      SECOND[b[at + 4]!]!,
      FIRST[b[at + 5]!]!,
      SECOND[b[at + 5]!]!,
      HYPHEN,
      FIRST[b[at + 6]!]!,
      SECOND[b[at + 6]!]!,
      FIRST[b[at + 7]!]!,
      SECOND[b[at + 7]!]!,
      HYPHEN,
      FIRST[b[at + 8]!]!,
      SECOND[b[at + 8]!]!,
      FIRST[b[at + 9]!]!,
      SECOND[b[at + 9]!]!,
      HYPHEN,
      FIRST[b[at + 10]!]!,
      SECOND[b[at + 10]!]!,
      FIRST[b[at + 11]!]!,
      SECOND[b[at + 11]!]!,
      FIRST[b[at + 12]!]!,
      SECOND[b[at + 12]!]!,
      FIRST[b[at + 13]!]!,
      SECOND[b[at + 13]!]!,
      FIRST[b[at + 14]!]!,
      SECOND[b[at + 14]!]!,
      FIRST[b[at + 15]!]!,
      SECOND[b[at + 15]!]!
    )
  },
  write: (writer, value) => {
    if (typeof value !== "string") throw refusedKind("uuid", "a string", value)
    let at = 0
    let end = value.length
    if (value.charCodeAt(0) === OPENING_BRACE) {
      if (value.charCodeAt(end - 1) !== CLOSING_BRACE) throw malformed()
      at++
      end--
    }
    for (let index = 0; index < BYTES; index++) {
      writer.uint8((digitAt(value, at) << 4) | digitAt(value, at + 1))
      at += 2
      if (index % 2 === 1 && index < BYTES - 1 && value.charCodeAt(at) === HYPHEN) at++
    }
    if (at !== end) throw malformed()
  },
  writesStrings: true
}
