/** Builds a codec on top of another: `decode` converts what the other reads, and `encode` what the other writes. */
import { Format } from "../wire/backendMessage.ts"
import { type Codec, formatOf, ofText, textOf } from "./codec.ts"
import { refuseLiteral } from "./pgLiteral.ts"

export interface Mapping<B> {
  /** Converts what the codec below reads. If it throws, the message says why, as in any codec. */
  readonly decode: (value: unknown) => B
  /** Converts a parameter into what the codec below accepts. */
  readonly encode: (value: unknown) => unknown
  /** True if `encode` also takes strings, which are otherwise sent to the server as the type's text. */
  readonly encodesStrings: boolean
  readonly isElement?: Codec["isElement"]
}

export const mapped = <B>(base: Codec, { decode, encode, encodesStrings, isElement }: Mapping<B>): Codec<B> => {
  const encodedFormat = (value: unknown): Format => {
    try {
      return formatOf(base, value === null ? null : encode(value))
    } catch {
      // A bad value is reported when it is written.
      return formatOf(base, null)
    }
  }
  return {
    name: base.name,
    read: (bytes, start, end) => decode(base.read(bytes, start, end)),
    write: (writer, value) => {
      refuseLiteral(value)
      base.write(writer, encode(value))
    },
    writesStrings: encodesStrings,
    formatOf: encodedFormat,
    textOf: (value) => textOf(base, encode(value)),
    resultFormat: base.resultFormat ?? Format.binary,
    ofText: (text) => decode(ofText(base, text)),
    ...(isElement === undefined ? {} : { isElement })
  }
}
