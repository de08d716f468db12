/**
 * Encodes the parameters of one statement, by the types that the server described. Every type accepts a string: if the
 * codec does not write strings itself, the string is sent as text and the server parses it. A `PgLiteral` is always
 * sent as text. NULL is handled before this.
 */
import { Format } from "../wire/backendMessage.ts"
import type { ByteWriter } from "../wire/byteWriter.ts"
import { reasonOfThrown, Unencodable } from "../wire/failure.ts"
import type { ParameterEncoder } from "../wire/frontendEncoder.ts"
import { type Codec, formatOf, refusedKind, textOf } from "./codec.ts"
import { PgLiteral } from "./pgLiteral.ts"
import type { TypeRegistry } from "./registry.ts"

export interface TypedParameterEncoder extends ParameterEncoder {
  readonly typeName: string
}

/** A parameter whose type has a codec. */
class CodecParameter implements TypedParameterEncoder {
  readonly typeName: string
  private readonly codec: Codec

  constructor(typeName: string, codec: Codec) {
    this.typeName = typeName
    this.codec = codec
  }

  formatOf(value: unknown): Format {
    return formatOf(this.codec, value)
  }

  write(writer: ByteWriter, value: unknown, format: Format): void {
    try {
      if (format === Format.binary) this.codec.write(writer, value)
      else writer.utf8(textOf(this.codec, value))
    } catch (thrown) {
      if (thrown instanceof Unencodable) throw thrown
      // Other errors may quote the value in their message, so only their kind is reported.
      throw new Unencodable(reasonOfThrown(thrown))
    }
  }
}

/** A parameter whose type has no codec: a value with an obvious text is sent as that text, and the server parses it. */
class TextParameter implements TypedParameterEncoder {
  readonly typeName: string

  constructor(typeName: string) {
    this.typeName = typeName
  }

  formatOf(): Format {
    return Format.text
  }

  write(writer: ByteWriter, value: unknown): void {
    switch (typeof value) {
      case "string":
        return writer.utf8(value)
      case "number":
      case "bigint":
      case "boolean":
        return writer.utf8(String(value))
      default:
        if (value instanceof PgLiteral) return writer.utf8(value.text)
        throw refusedKind(this.typeName, "a string, a number, a bigint or a boolean", value)
    }
  }
}

export const parameterEncoders = (
  oids: ReadonlyArray<number>,
  types: TypeRegistry
): ReadonlyArray<TypedParameterEncoder> =>
  oids.map((oid) => {
    const codec = types.codec(oid)
    const typeName = types.typeName(oid)
    return codec === undefined ? new TextParameter(typeName) : new CodecParameter(typeName, codec)
  })
