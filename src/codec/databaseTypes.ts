/**
 * The known types of one database: the built-in ones, and those looked up in its catalog, each with the codec that the
 * user chose for it or our own. An instance only grows; if a type changes, a new instance replaces it.
 */
import type { Codec } from "./codec.ts"
import { type Attribute, compositeOf } from "./composite.ts"
import { domainOf, textOnlyOf, textualOf } from "./derived.ts"
import { pgType } from "./oid.generated.ts"
import { multirangeOf, rangeOf } from "./range.ts"
import { recordOf } from "./record.ts"
import { builtinTypes, isBuiltin, isBuiltinArray, type TypeRegistry } from "./registry.ts"
import { TypeCodecs } from "./typeCodec.ts"
import type { TypeDescription } from "./typeDescription.ts"
import { CATALOGUE_SCHEMA, DEFAULT_SCHEMA, type QualifiedName } from "./typeName.ts"

/** The schemas whose types are named without a schema. */
const PLAIN_SCHEMAS: ReadonlySet<string> = new Set([CATALOGUE_SCHEMA, DEFAULT_SCHEMA])

type ArrayDescription = Extract<TypeDescription, { readonly kind: "array" }>
type CompositeDescription = Extract<TypeDescription, { readonly kind: "composite" }>

export class DatabaseTypes implements TypeRegistry {
  readonly chosen: TypeCodecs
  private readonly descriptions = new Map<number, TypeDescription>()
  private readonly codecs: Map<number, Codec>

  private readonly learned: () => void

  /** `learned` is called when types are added. */
  constructor(chosen = TypeCodecs.none, learned: () => void = () => {}) {
    this.chosen = chosen
    this.learned = learned
    this.codecs = new Map(chosen.builtins)
    const record = recordOf(this)
    const makeArray = chosen.makeArray({ schema: CATALOGUE_SCHEMA, name: record.name })
    const { arrayOid, oid } = pgType.record
    if (!this.codecs.has(oid)) this.codecs.set(oid, record)
    if (!this.codecs.has(arrayOid)) this.codecs.set(arrayOid, makeArray(record, oid))
  }

  /** The number of known types besides the built-in ones. */
  get size(): number {
    return this.descriptions.size
  }

  add(descriptions: ReadonlyArray<TypeDescription>): void {
    if (descriptions.length > 0) this.learned()
    for (const description of descriptions) {
      if (!this.isKnown(description.oid)) this.descriptions.set(description.oid, description)
    }
  }

  isKnown(oid: number): boolean {
    return isBuiltin(oid) || this.descriptions.has(oid)
  }

  /** Whether a type, and everything that it consists of, is the same on every server. */
  isFixed(oid: number): boolean {
    return isBuiltin(oid) && !this.codecs.has(oid)
  }

  /** Whether `others` describes a type, and everything that it consists of, in the same way. */
  agreesWith(others: DatabaseTypes, oid: number): boolean {
    if (!others.isKnown(oid)) return false
    for (const [part, description] of others.descriptions) {
      if (JSON.stringify(description) !== JSON.stringify(this.descriptions.get(part))) return false
    }
    return true
  }

  unknownAmong(oids: ReadonlyArray<number>): ReadonlyArray<number> {
    return oids.filter((oid) => !this.isKnown(oid))
  }

  codec(oid: number): Codec | undefined {
    const found = this.codecs.get(oid) ?? builtinTypes.codec(oid)
    if (found !== undefined) return found
    const description = this.descriptions.get(oid)
    if (description === undefined) return undefined
    const made = this.make(description)
    this.codecs.set(oid, made)
    return made
  }

  typeName(oid: number): string {
    const description = this.descriptions.get(oid)
    if (description === undefined) return builtinTypes.typeName(oid)
    if (description.kind === "array") return `${this.typeName(description.element)}[]`
    const { name, schema } = description
    return PLAIN_SCHEMAS.has(schema) ? name : `${schema}.${name}`
  }

  /** The schema of a type. */
  schemaOf(oid: number): string {
    return this.descriptions.get(oid)?.schema ?? "pg_catalog"
  }

  /** The codec of a type that is part of another. An unknown type is exchanged as text. */
  private part(oid: number): Codec {
    return this.codec(oid) ?? textOnlyOf(this.typeName(oid))
  }

  private make(description: TypeDescription): Codec {
    const name = this.typeName(description.oid)
    const element = description.kind === "array" ? this.qualifiedName(description.element) : undefined
    const choice = this.chosen.find(description, element)
    if (choice !== undefined) {
      return choice({
        oid: description.oid,
        name,
        kind: description.kind,
        isTextual: description.kind === "enum" || (description.kind === "base" && description.isTextual),
        attributes: description.kind === "composite" ? this.attributesOf(description) : []
      })
    }
    switch (description.kind) {
      case "array":
        return this.makeArray(description)
      case "base":
        return description.isTextual ? textualOf(name) : textOnlyOf(name)
      case "composite":
        return compositeOf({ oid: description.oid, name, attributes: this.attributesOf(description) })
      case "domain":
        return domainOf(name, this.part(description.base), { isOverArray: this.isArray(description.base) })
      case "enum":
        return textualOf(name)
      case "multirange": {
        const range = this.descriptions.get(description.range)
        if (range?.kind !== "range") return textOnlyOf(name)
        const bound = this.part(range.subtype)
        return multirangeOf(name, bound, rangeOf(this.typeName(range.oid), bound))
      }
      case "range":
        return rangeOf(name, this.part(description.subtype))
    }
  }

  private attributesOf({ attributes }: CompositeDescription): ReadonlyArray<Attribute> {
    return attributes.map((attribute) => ({ ...attribute, codec: this.part(attribute.oid) }))
  }

  private makeArray({ delimiter, element }: ArrayDescription): Codec {
    const make = this.chosen.makeArray(this.qualifiedName(element))
    return make(this.part(element), element, delimiter)
  }

  private qualifiedName(oid: number): QualifiedName {
    return this.descriptions.get(oid) ?? { schema: CATALOGUE_SCHEMA, name: builtinTypes.typeName(oid) }
  }

  private isArray(oid: number): boolean {
    const description = this.descriptions.get(oid)
    if (description?.kind === "domain") return this.isArray(description.base)
    return description === undefined ? isBuiltinArray(oid) : description.kind === "array"
  }
}
