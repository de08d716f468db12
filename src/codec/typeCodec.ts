/**
 * Represents the codecs that a user chooses: one for a type, and all those that a connection was given. They belong to
 * that connection; nothing is registered for the whole process.
 */
import { arrayOf, losslessArrayOf } from "./array.ts"
import type { Codec } from "./codec.ts"
import type { Attribute } from "./composite.ts"
import { builtinTypes, type MakeArray, withDerived } from "./registry.ts"
import type { TypeDescription } from "./typeDescription.ts"
import { builtinNamed, CATALOGUE_SCHEMA, type QualifiedName, qualified } from "./typeName.ts"

/**
 * The type for which a codec is built, as the server's catalog describes it.
 *
 * @internal
 */
export interface CodecSubject {
  readonly oid: number
  /** The type's name in error messages. */
  readonly name: string
  readonly kind: TypeDescription["kind"]
  /** Whether the type's binary form is its text. */
  readonly isTextual: boolean
  /** The attributes of a composite type; empty for other types. */
  readonly attributes: ReadonlyArray<Attribute>
}

/**
 * A codec for one type, identified by name: the result of `codec`, `composite` or `losslessArrayOf`, or one of the
 * ready-made ones. It has no effect until you put it in the setting `types` or pass it to a connection's
 * `setTypeCodec`.
 *
 * @category models
 * @since 0.1.0
 */
export class TypeCodec {
  /** The type's name in pg_type. */
  readonly name: string
  /**
   * The type's schema; undefined for the base type of that name in any schema, because extensions can be installed
   * anywhere.
   */
  readonly schema: string | undefined
  /** Private, so that TypeScript takes no plain object for a codec; the published declarations have no `make`. */
  private readonly maker: ((subject: CodecSubject) => Codec) | undefined

  /** @internal */
  constructor(name: string, schema: string | undefined, make: ((subject: CodecSubject) => Codec) | undefined) {
    this.name = name
    this.schema = schema
    this.maker = make
  }

  /**
   * Makes the codec for the type as a connection's database has it. Undefined if this is only about the arrays of the
   * type, which are then read as `PgArray`.
   *
   * @internal
   */
  get make(): ((subject: CodecSubject) => Codec) | undefined {
    return this.maker
  }
}

/**
 * The codec of a built-in type, which needs to know nothing more about the type.
 *
 * @internal
 */
export const builtinTypeCodec = (codec: Codec): TypeCodec => new TypeCodec(codec.name, CATALOGUE_SCHEMA, () => codec)

/**
 * The codec of a type that an extension defines, in any schema.
 *
 * @internal
 */
export const extensionTypeCodec = (codec: Codec): TypeCodec => new TypeCodec(codec.name, undefined, () => codec)

/** The built-in types whose binary form is their text. */
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

/** The codecs of a connection. Immutable: `with` and `without` return a new instance. */
export class TypeCodecs {
  static readonly none: TypeCodecs = new TypeCodecs([])

  readonly chosen: ReadonlyArray<TypeCodec>
  private readonly codecs = new Map<string, TypeCodec>()
  private readonly lossless = new Set<string>()
  /**
   * The built-in types with a codec of their own here, by OID.
   *
   * @internal
   */
  readonly builtins: ReadonlyMap<number, Codec>

  /** If several codecs are for the same type, the last one wins. */
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

  /**
   * Returns a copy without the codecs of a type. If `schema` is undefined: pg_catalog for built-in names, otherwise
   * public.
   */
  without(name: string, schema: string | undefined): TypeCodecs {
    const type = qualified(name, schema)
    return new TypeCodecs(
      this.chosen.filter(
        (codec) => codec.name !== type.name || (codec.schema !== undefined && codec.schema !== type.schema)
      )
    )
  }

  /** @internal */
  find(
    { kind, name, schema }: Pick<TypeDescription, "kind" | "name" | "schema">,
    element?: QualifiedName
  ): TypeCodec["make"] {
    const found =
      this.codecs.get(keyOf({ name, schema })) ??
      (element && this.codecs.get(keyOf({ ...element, name: `${element.name}[]` })))
    return (found ?? (kind === "base" ? this.codecs.get(keyOf({ name, schema: undefined })) : undefined))?.make
  }

  /**
   * How arrays of a type are built.
   *
   * @internal
   */
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
