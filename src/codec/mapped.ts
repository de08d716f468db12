/** A codec on top of another: what the other reads becomes another value, and is made of one before the other writes. */
import { Format } from "../wire/backendMessage.ts"
import { type Codec, formatOf, ofText, textOf } from "./codec.ts"
import { refuseLiteral } from "./pgLiteral.ts"

export interface Mapping<B> {
  /** Given what the codec below reads; what it throws says why, as in any codec. */
  readonly decode: (value: unknown) => B
  /** Gives what the codec below takes. */
  readonly encode: (value: unknown) => unknown
  /** True where `encode` wants the strings too, which otherwise go to the server as the type's text. */
  readonly encodesStrings: boolean
  readonly isElement?: Codec["isElement"]
}

export const mapped = <B>(base: Codec, { decode, encode, encodesStrings, isElement }: Mapping<B>): Codec<B> => {
  const encodedFormat = (value: unknown): Format => {
    try {
      return formatOf(base, value === null ? null : encode(value))
    } catch {
      // Whatever is wrong with the value is told where it is written.
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
