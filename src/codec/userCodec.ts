/**
 * Makes codecs from the functions that users write: for a type's bytes, its text, or the attributes of a composite
 * type. If such a function throws, only the kind of error is reported, because the message may quote the value.
 */
import { Buffer } from "node:buffer"
import { Format } from "../wire/backendMessage.ts"
import { Undecodable, Unencodable } from "../wire/failure.ts"
import { type Codec, everyArray } from "./codec.ts"
import { compositeOf } from "./composite.ts"
import { isNamed, isOptional, sound } from "./givenType.ts"
import { mapped } from "./mapped.ts"
import { refuseLiteral } from "./pgLiteral.ts"
import { readText } from "./text.ts"
import { type CodecSubject, TypeCodec } from "./typeCodec.ts"
import { qualified } from "./typeName.ts"
import { ownCopyOf } from "./valueMemory.ts"

/**
 * A type, identified by its name.
 *
 * @category models
 * @since 0.1.0
 */
export interface TypeName {
  /**
   * The name in pg_type (`"int8"`, `"geometry"`), or SQL's name of a built-in type (`"bigint"`). For an array: the name
   * of the element type with brackets (`"int8[]"`).
   */
  readonly name: string
  /**
   * The type's schema.
   *
   * @default `"pg_catalog"` for the name of a built-in type, otherwise `"public"`
   */
  readonly schema?: string | undefined
}

interface Encoding extends TypeName {
  /**
   * Set this to true if values of the type are JavaScript arrays. Each array within an array of the type is then a
   * value, not a dimension.
   *
   * @default false, but true for tuples
   */
  readonly valuesAreArrays?: boolean | undefined
}

/**
 * How to convert between the values of a type and its bytes in PostgreSQL's binary format.
 *
 * @category models
 * @since 0.1.0
 */
export interface BinaryEncoding extends Encoding {
  readonly format: "binary"
  /** Reads a value from its bytes, which are a copy that you may keep. It never receives NULL. */
  readonly decode: (bytes: Uint8Array) => unknown
  /**
   * Writes a value. It receives every parameter of the type, even a string, but never null or undefined. Throw to refuse a value.
   */
  readonly encode: (value: unknown) => Uint8Array
}

/**
 * How to convert between the values of a type and its text, as the server prints and parses it.
 *
 * @category models
 * @since 0.1.0
 */
export interface TextEncoding extends Encoding {
  readonly format: "text"
  /** Reads a value from its text. It never receives NULL. If it throws, the call fails with a `DecodeError`. */
  readonly decode: (text: string) => unknown
  /**
   * Writes a value. It receives every parameter of the type, even a string, but never null or undefined. Throw to refuse a value.
   */
  readonly encode: (value: unknown) => string
}

/**
 * Makes a codec of your own for a type, which may be a built-in one, or an array type alone (`"int4[]"`). The codec is
 * also used for arrays of the type, domains over it, and composite types and ranges that contain it. NULL never reaches
 * it. If it throws, the call fails with a `DecodeError` or an `EncodeError`, and the connection stays usable. The error
 * names only the kind of what was thrown, because its message may quote the value. A connection refuses a codec for a
 * domain with an `InvalidConfigError`, because the server does not distinguish a column of a domain from one of its
 * base type.
 *
 * With a text codec, values of the type and of the types that contain it are exchanged as text. Anonymous records
 * (`ROW(...)`) and binary COPY then cannot contain it, unless the type's binary form is its text (`text`, `json`,
 * `xml`, enums, `citext`).
 *
 * Throws a TypeError at once if `encoding` is invalid, because that is a mistake in the program.
 *
 * @example
 * ```ts
 * import { PgTypes } from "effectpg"
 *
 * class Color {
 *   readonly name: string
 *   constructor(name: string) {
 *     this.name = name
 *   }
 * }
 *
 * // CREATE TYPE color AS ENUM (...)
 * export const color = PgTypes.codec({
 *   name: "color",
 *   format: "text",
 *   decode: (text) => new Color(text),
 *   encode: (value) => {
 *     if (value instanceof Color) return value.name
 *     throw new TypeError("a Color, please")
 *   }
 * })
 *
 * // json as its text
 * export const jsonText = PgTypes.codec({ name: "json", format: "text", decode: (text) => text, encode: String })
 * ```
 * @category constructors
 * @since 0.1.0
 */
export const codec = (encoding: BinaryEncoding | TextEncoding): TypeCodec => {
  sound("codec", "{ name, format, decode, encode }, and optionally schema and valuesAreArrays", encoding, isEncoding)
  const { name, schema } = qualified(encoding.name, encoding.schema)
  return new TypeCodec(name, schema, (subject) => {
    if (subject.kind === "domain") return refusing(subject.name, "is a domain; make a codec for its base type instead")
    const made = encoding.format === "binary" ? binaryCodec(subject, encoding) : textCodec(subject, encoding)
    return encoding.valuesAreArrays === true ? { ...made, isElement: everyArray } : made
  })
}

const isEncoding = (given: BinaryEncoding | TextEncoding): boolean => {
  const { decode, encode, format }: { readonly decode: unknown; readonly encode: unknown; readonly format: unknown } =
    given
  const isFormat = format === "binary" || format === "text"
  return isNamed(given) && isFormat && typeof decode === "function" && typeof encode === "function"
}

const binaryCodec = ({ isTextual, name }: CodecSubject, { decode, encode }: BinaryEncoding): Codec => {
  const encoded = (value: unknown): Uint8Array => {
    refuseLiteral(value)
    const bytes = encode(value)
    if (bytes instanceof Uint8Array) return bytes
    throw new Unencodable("the encode function of its codec must return a Uint8Array")
  }
  return {
    name,
    read: (bytes, start, end) => decode(ownCopyOf(bytes, start, end)),
    write: (writer, value) => writer.raw(encoded(value)),
    writesStrings: true,
    textOf: (value) => {
      if (isTextual) return Buffer.from(encoded(value)).toString()
      throw new Unencodable(
        "its codec writes only the binary format, but the value is part of one that must be sent as text"
      )
    },
    ofText: (text) => {
      if (isTextual) return decode(new TextEncoder().encode(text))
      throw new Undecodable("its codec reads only the binary format, but the server sent text")
    }
  }
}

const textCodec = ({ isTextual, name }: CodecSubject, { decode, encode }: TextEncoding): Codec => {
  const textOf = (value: unknown): string => {
    refuseLiteral(value)
    const text = encode(value)
    if (typeof text === "string") return text
    throw new Unencodable("the encode function of its codec must return a string")
  }
  const format = isTextual ? Format.binary : Format.text
  return {
    name,
    read: (bytes, start, end) => {
      if (isTextual) return decode(readText(bytes, start, end))
      throw new Undecodable(
        `its codec reads ${name} only as text, but the server sent the binary format; cast the value to text`
      )
    },
    write: (writer, value) => {
      if (!isTextual)
        throw new Unencodable(`its codec writes ${name} only as text, but this request needs the binary format`)
      writer.utf8(textOf(value))
    },
    writesStrings: true,
    formatOf: () => format,
    textOf,
    resultFormat: format,
    ofText: decode
  }
}

/**
 * How to convert between the values of a composite type and its attributes.
 *
 * @category models
 * @since 0.1.0
 */
export interface CompositeEncoding extends Encoding {
  /** Makes a value from the values of the attributes, in order. By default the value is the array of them. */
  readonly decode?: ((values: ReadonlyArray<unknown>) => unknown) | undefined
  /**
   * Returns the values of the attributes, in order. By default a parameter has to be such an array. Throw to refuse
   * one.
   */
  readonly encode?: ((value: unknown) => ReadonlyArray<unknown>) | undefined
}

/**
 * Makes a codec of your own for a composite type or the rows of a table, which are plain objects without one. Each
 * attribute is read and written by the codec of its type. Without `decode` and `encode`, values of the type are arrays
 * of the attributes. Throws a TypeError at once if `encoding` is invalid.
 *
 * @example
 * ```ts
 * import { PgTypes } from "effectpg"
 *
 * class Money {
 *   readonly amount: string
 *   readonly currency: string
 *   constructor(amount: string, currency: string) {
 *     this.amount = amount
 *     this.currency = currency
 *   }
 * }
 *
 * // CREATE TYPE price AS (amount numeric, currency text)
 * export const price = PgTypes.composite({
 *   name: "price",
 *   decode: ([amount, currency]) => new Money(String(amount), String(currency)),
 *   encode: (value) => {
 *     if (value instanceof Money) return [value.amount, value.currency]
 *     throw new TypeError("a Money, please")
 *   }
 * })
 * ```
 * @category constructors
 * @since 0.1.0
 */
export const composite = (encoding: CompositeEncoding): TypeCodec => {
  sound("composite", "{ name }, and optionally schema, decode, encode and valuesAreArrays", encoding, isComposite)
  const { decode, encode, valuesAreArrays = decode === undefined } = encoding
  const { name, schema } = qualified(encoding.name, encoding.schema)
  return new TypeCodec(name, schema, (subject) => {
    if (subject.kind !== "composite") return refusing(subject.name, "is not a composite type; use PgTypes.codec for it")
    // The attributes are named by their numbers, so that they are in order in the object that is read.
    const attributes = subject.attributes.map((attribute, index) => ({ ...attribute, name: String(index) }))
    return mapped(compositeOf({ oid: subject.oid, name: subject.name, attributes }), {
      decode: (value) => {
        const values = Object.values(Object(value))
        return decode === undefined ? values : decode(values)
      },
      encode: (value) => {
        const values = encode === undefined ? value : encode(value)
        if (Array.isArray(values)) return values
        throw new Unencodable(
          encode === undefined ? "its codec takes an array" : "the encode function of its codec must return an array"
        )
      },
      encodesStrings: encode !== undefined,
      ...(valuesAreArrays ? { isElement: everyArray } : {})
    })
  })
}

const isComposite = (given: CompositeEncoding): boolean =>
  isNamed(given) && isOptional("function", given.decode) && isOptional("function", given.encode)

/**
 * Reads the arrays of a type as `PgArray`, which keeps the first index of each dimension. Parameters are unaffected:
 * both plain arrays and `PgArray` are accepted. Throws a TypeError if `element` is invalid.
 *
 * @example
 * ```ts
 * import { PgTypes } from "effectpg"
 *
 * export const types = [PgTypes.int8AsNumber, PgTypes.losslessArrayOf({ name: "int8" })]
 * ```
 * @category constructors
 * @since 0.1.0
 */
export const losslessArrayOf = (element: TypeName): TypeCodec => {
  sound("losslessArrayOf", "the name of a type, { name } or { name, schema }", element, isNamed)
  // PostgreSQL has one array type for each type, whatever the number of dimensions.
  const { name, schema } = qualified(element.name.replace(/(?:\[\])+$/, ""), element.schema)
  return new TypeCodec(name, schema, undefined)
}

/** A codec that refuses every value, for a type that cannot have the codec chosen for it. */
const refusing = (name: string, why: string): Codec => ({
  name,
  read: () => {
    throw new Undecodable(`${name} ${why}`)
  },
  write: () => {
    throw new Unencodable(`${name} ${why}`)
  },
  writesStrings: true
})
