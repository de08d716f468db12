/**
 * hstore: a map from strings to strings or null, read as a plain object. A Map is accepted too.
 *
 * ```
 * Int32  number of pairs
 * for each pair: Int32 length of the key and its bytes, Int32 length of the value (-1 for NULL) and its bytes
 * ```
 * Text: `"a"=>"1", "b"=>NULL`, with a backslash before each quote and backslash.
 */
import { Undecodable } from "../../wire/failure.ts"
import { int32At } from "../bigEndian.ts"
import { type Codec, refusedKind } from "../codec.ts"
import { refuseLiteral } from "../pgLiteral.ts"
import { readText } from "../text.ts"
import { extensionTypeCodec, type TypeCodec } from "../typeCodec.ts"

const LENGTH_BYTES = 4
const MIN_PAIR_BYTES = 2 * LENGTH_BYTES
const NULL_LENGTH = -1

type Pairs = Readonly<Record<string, string | null>>

const pairsOf = (value: unknown): ReadonlyArray<readonly [string, string | null]> => {
  refuseLiteral(value)
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw refusedKind("hstore", "an object or a Map of strings and nulls", value)
  }
  const entries: Iterable<readonly [unknown, unknown]> = value instanceof Map ? value : Object.entries(value)
  return Array.from(entries, ([key, text]) => {
    if (typeof key !== "string") throw refusedKind("hstore", "keys that are strings", key)
    if (typeof text !== "string" && text !== null) throw refusedKind("hstore", "values that are strings or null", text)
    return [key, text] as const
  })
}

const quoted = (text: string): string => `"${text.replace(/["\\]/g, "\\$&")}"`

const unquoted = (text: string): string => text.replace(/\\(.)/gs, "$1")

const malformed = (): Undecodable => new Undecodable("the text of hstore is malformed")

/** Parses the text of an hstore in one pass, however long it is. */
const parsePairs = (text: string): ReadonlyArray<readonly [string, string | null]> => {
  const pairs: Array<readonly [string, string | null]> = []
  let at = 0
  const takes = (part: string): boolean => {
    if (!text.startsWith(part, at)) return false
    at += part.length
    return true
  }
  const quotedText = (): string => {
    if (!takes('"')) throw malformed()
    const start = at
    let isEscaped = false
    for (; text[at] !== '"'; at++) {
      if (at >= text.length) throw malformed()
      if (text[at] === "\\") {
        isEscaped = true
        at++
      }
    }
    const part = text.slice(start, at++)
    return isEscaped ? unquoted(part) : part
  }
  while (at < text.length) {
    if (pairs.length > 0 && !takes(", ")) throw malformed()
    const key = quotedText()
    if (!takes("=>")) throw malformed()
    pairs.push([key, takes("NULL") ? null : quotedText()])
  }
  return pairs
}

const hstoreCodec: Codec<Pairs> = {
  name: "hstore",
  read: (bytes, start, end) => {
    const count = end - start < LENGTH_BYTES ? -1 : int32At(bytes, start)
    let at = start + LENGTH_BYTES
    if (count < 0 || count * MIN_PAIR_BYTES > end - at)
      throw new Undecodable("the hstore declares more pairs than its bytes can hold")
    const next = (): string | null => {
      const length = end - at < LENGTH_BYTES ? undefined : int32At(bytes, at)
      at += LENGTH_BYTES
      if (length === NULL_LENGTH) return null
      if (length === undefined || length < 0 || length > end - at)
        throw new Undecodable("the hstore ends within a pair")
      at += length
      return readText(bytes, at - length, at)
    }
    const pairs: Array<readonly [string, string | null]> = []
    for (let index = 0; index < count; index++) {
      const key = next()
      if (key === null) throw new Undecodable("the hstore has a key that is NULL")
      pairs.push([key, next()])
    }
    if (at !== end) throw new Undecodable(`the hstore has ${end - at} bytes too many`)
    return Object.fromEntries(pairs)
  },
  write: (writer, value) => {
    const pairs = pairsOf(value)
    writer.int32(pairs.length)
    for (const part of pairs.flat()) {
      if (part === null) {
        writer.int32(NULL_LENGTH)
      } else {
        const length = writer.reserveInt32()
        writer.utf8(part)
        writer.backfillValueLength(length)
      }
    }
  },
  writesStrings: false,
  textOf: (value) =>
    pairsOf(value)
      .map(([key, text]) => `${quoted(key)}=>${text === null ? "NULL" : quoted(text)}`)
      .join(", "),
  ofText: (text) => Object.fromEntries(parsePairs(text))
}

/**
 * The extension type hstore, in any schema: plain objects of strings and nulls. Without this codec values are the
 * type's text. A Map is accepted as a parameter too.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { PgConnection, PgTypes } from "effectpg"
 *
 * export const program = Effect.gen(function* () {
 *   const connection = yield* PgConnection.make({ types: [PgTypes.hstore] })
 *   return yield* connection.fetchValue("SELECT $1::hstore", [{ color: "red", size: null }])
 * }).pipe(Effect.scoped)
 * ```
 * @category codecs
 * @since 0.1.0
 */
export const hstore: TypeCodec = extensionTypeCodec(hstoreCodec)
