/**
 * bit and varbit, as a string of 0 and 1, which keeps the length. On the wire: Int32 number of bits, then the bits from
 * the highest of each byte on, with zeros filling the last byte. Strings are sent as text, because the server also
 * accepts `x1F`.
 */
import { Undecodable, Unencodable } from "../wire/failure.ts"
import { int32At } from "./bigEndian.ts"
import { type Codec, refusedKind } from "./codec.ts"

const LENGTH_BYTES = 4
const BITS_PER_BYTE = 8

const BITS_OF_BYTE = Array.from({ length: 256 }, (_, byte) => byte.toString(2).padStart(BITS_PER_BYTE, "0"))

const NOT_A_BIT = /[^01]/

const bits = (name: string): Codec<string> => ({
  name,
  read: (bytes, start, end) => {
    if (end - start < LENGTH_BYTES) throw new Undecodable(`the ${name} ends within its header`)
    const length = int32At(bytes, start)
    const count = end - start - LENGTH_BYTES
    if (length < 0 || Math.ceil(length / BITS_PER_BYTE) !== count) {
      throw new Undecodable(`the ${name} declares ${length} bits, but has ${count} bytes`)
    }
    let text = ""
    for (let at = start + LENGTH_BYTES; at < end; at++) text += BITS_OF_BYTE[bytes[at]!]!
    return text.slice(0, length)
  },
  write: (writer, value) => {
    if (typeof value !== "string") throw refusedKind(name, 'a string of 0 and 1, such as "0101"', value)
    if (NOT_A_BIT.test(value)) throw new Unencodable(`${name} takes a string of 0 and 1, such as "0101"`)
    writer.int32(value.length)
    for (let at = 0; at < value.length; at += BITS_PER_BYTE) {
      writer.uint8(Number.parseInt(value.slice(at, at + BITS_PER_BYTE).padEnd(BITS_PER_BYTE, "0"), 2))
    }
  },
  writesStrings: false
})

export const bit: Codec<string> = bits("bit")
export const varbit: Codec<string> = bits("varbit")
