/**
 * A codec with the type that it is for, which a user hands to a connection; and all those that one has been handed. They
 * belong to what they were handed to: nothing is registered for the whole process.
 */
import { arrayOf, losslessArrayOf } from "./array.ts"
import type { Codec } from "./codec.ts"
import type { Attribute } from "./composite.ts"
import { builtinTypes, type MakeArray, withDerived } from "./registry.ts"
import type { TypeDescription } from "./typeDescription.ts"
import { builtinNamed, CATALOGUE_SCHEMA, type QualifiedName, qualified } from "./typeName.ts"

/** The type that a codec is wanted for, as the server's catalogue has it. */
export interface CodecSubject {
  readonly oid: number
  /** As reports name it. */
  readonly name: string
  readonly kind: TypeDescription["kind"]
  /** Whether its binary form is its text. */
  readonly isTextual: boolean
  /** Those of a composite type. */
  readonly attributes: ReadonlyArray<Attribute>
}

/**
 * A codec of your choice for one type, by its name: made by `codec` or `composite`, or one of those that are ready made.
 * It does nothing until it stands in the setting `types`, or is given to `setTypeCodec` of a connection.
 *
 * @category models
 * @since 0.1.0
 */
export class TypeCodec {
  /** As it stands in pg_type. */
  readonly name: string
  /** Undefined for the base type of that name wherever it is: extensions can be installed in any schema. */
  readonly schema: string | undefined
  /**
   * Makes the codec for a type that a connection meets. Undefined if not the type itself is meant but its arrays, which
   * are then read as `PgArray`.
   */
  readonly make: ((subject: CodecSubject) => Codec) | undefined

  constructor(name: string, schema: string | undefined, make: ((subject: CodecSubject) => Codec) | undefined) {
    this.name = name
    this.schema = schema
    this.make = make
  }
}

/** The codec of a type of every server, which needs to know no more of it. */
export const builtinTypeCodec = (codec: Codec): TypeCodec => new TypeCodec(codec.name, CATALOGUE_SCHEMA, () => codec)

/** The codec of a type that an extension makes, in any schema. */
export const extensionTypeCodec = (codec: Codec): TypeCodec => new TypeCodec(codec.name, undefined, () => codec)

/** Those of every server whose binary form is their text. */
const TEXTUAL: ReadonlySet<string> = new Set([
  "bpchar",
  "cstring",
  "json",
  "name",
  "refcursor",
  "text",
  "varchar",
  "xml"
])

const keyOf = ({ name, schema }: Pick<TypeCodec, "name" | "schema">): string => `${schema ?? ""}\0${name}`

/** The codecs of a connection. They never change: another choice is another one of these. */
export class TypeCodecs {
  static readonly none: TypeCodecs = new TypeCodecs([])

  readonly chosen: ReadonlyArray<TypeCodec>
  private readonly codecs = new Map<string, TypeCodec>()
  private readonly lossless = new Set<string>()
  /** Of the types of every server those that are not read and written as usual, by OID. */
  readonly builtins: ReadonlyMap<number, Codec>

  /** Of several codecs for one type the last one counts. */
  constructor(chosen: ReadonlyArray<TypeCodec>) {
    this.chosen = chosen
    for (const codec of chosen) {
      if (codec.make === undefined) this.lossless.add(keyOf(codec))
      else this.codecs.set(keyOf(codec), codec)
    }
    this.builtins = this.overridden()
  }

  with(codec: TypeCodec): TypeCodecs {
    return new TypeCodecs([...this.chosen, codec])
  }

  /** Without those of a type; undefined for the schema means what it means when a codec is made. */
  without(name: string, schema: string | undefined): TypeCodecs {
    const type = qualified(name, schema)
    return new TypeCodecs(
      this.chosen.filter(
        (codec) => codec.name !== type.name || (codec.schema !== undefined && codec.schema !== type.schema)
      )
    )
  }

  find(
    { kind, name, schema }: Pick<TypeDescription, "kind" | "name" | "schema">,
    element?: QualifiedName
  ): TypeCodec["make"] {
    const found =
      this.codecs.get(keyOf({ name, schema })) ??
      (element && this.codecs.get(keyOf({ ...element, name: `${element.name}[]` })))
    return (found ?? (kind === "base" ? this.codecs.get(keyOf({ name, schema: undefined })) : undefined))?.make
  }

  /** How arrays of a type are made. */
  makeArray(element: QualifiedName): MakeArray {
    return this.lossless.has(keyOf(element)) ? losslessArrayOf : arrayOf
  }

  private overridden(): ReadonlyMap<number, Codec> {
    const codecs = new Map<number, Codec>()
    for (const { make, name, schema } of this.chosen) {
      const type = schema === CATALOGUE_SCHEMA ? builtinNamed(name) : undefined
      if (type === undefined) continue
      const { isArray, oid } = type
      const kind = isArray ? "array" : "base"
      const subject = {
        oid,
        name: builtinTypes.typeName(oid),
        kind,
        isTextual: TEXTUAL.has(name),
        attributes: []
      } as const
      const codec = make === undefined ? (codecs.get(oid) ?? builtinTypes.codec(oid)) : make(subject)
      if (codec !== undefined) codecs.set(oid, codec)
    }
    return withDerived(codecs, (name) => this.makeArray({ name, schema: CATALOGUE_SCHEMA }))
  }
}
