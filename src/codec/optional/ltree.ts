/** The three types of the extension ltree. Their binary form is a version byte, which is 1, and the text. */
import { Undecodable } from "../../wire/failure.ts"
import { type Codec, refusedKind } from "../codec.ts"
import { readText } from "../text.ts"
import { extensionTypeCodec, type TypeCodec } from "../typeCodec.ts"

const VERSION = 1

const versioned = (name: string): Codec<string> => ({
  name,
  read: (bytes, start, end) => {
    if (start === end || bytes[start] !== VERSION) throw new Undecodable(`the ${name} has an unknown version`)
    return readText(bytes, start + 1, end)
  },
  write: (writer, value) => {
    if (typeof value !== "string") throw refusedKind(name, "a string", value)
    writer.uint8(VERSION)
    writer.utf8(value)
  },
  writesStrings: true
})

/**
 * A path of labels, such as `Top.Science.Astronomy`: the extension type ltree, in any schema. Values are strings, as
 * without this codec, but in the binary format, so that records, ranges and binary COPY can contain them.
 *
 * @category codecs
 * @since 0.1.0
 */
export const ltree: TypeCodec = extensionTypeCodec(versioned("ltree"))

/**
 * A pattern of paths, such as `*.Astronomy.*`: the extension type lquery, in any schema. Values are strings, in the
 * binary format.
 *
 * @category codecs
 * @since 0.1.0
 */
export const lquery: TypeCodec = extensionTypeCodec(versioned("lquery"))

/**
 * A search for labels, such as `Europe & Russia*`: the extension type ltxtquery, in any schema. Values are strings, in
 * the binary format.
 *
 * @category codecs
 * @since 0.1.0
 */
export const ltxtquery: TypeCodec = extensionTypeCodec(versioned("ltxtquery"))
