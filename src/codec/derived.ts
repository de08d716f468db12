/**
 * Codecs for user-defined types that need no more than a name: enums, domains, and base types of extensions, of which
 * only the text form is known.
 */
import { Format } from "../wire/backendMessage.ts"
import { Undecodable, Unencodable } from "../wire/failure.ts"
import { type Codec, everyArray, refusedKind } from "./codec.ts"
import { text } from "./text.ts"

/** The codec of a type, such as an enum, whose binary format is its text. */
export const textualOf = (name: string): Codec<string> => ({
  ...text,
  name,
  write: (writer, value) => {
    if (typeof value !== "string") throw refusedKind(name, "a string", value)
    writer.utf8(value)
  }
})

/**
 * The codec of a domain: its values are sent as the type that it restricts. In an array of domains over arrays, each
 * inner array is an element.
 */
export const domainOf = (name: string, base: Codec, options: { readonly isOverArray: boolean }): Codec =>
  options.isOverArray ? { ...base, name, isElement: everyArray } : { ...base, name }

/** The codec of a type without a binary form, or of an unknown type: its values are their texts. */
export const textOnlyOf = (name: string): Codec => ({
  name,
  read: () => {
    throw new Undecodable(
      `${name} can be read only as text, but the server sent the binary format; cast the value to text`
    )
  },
  write: () => {
    throw new Unencodable(`${name} can be sent only as text, but this request needs the binary format`)
  },
  writesStrings: false,
  formatOf: () => Format.text,
  resultFormat: Format.text
})
