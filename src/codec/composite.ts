/**
 * Composite types and table rows, as plain objects keyed by attribute name. They are also written from an array of the
 * attributes in order, except inside an array, where an inner array is a dimension. An object must have all attributes
 * and no other keys of its own: `null` is NULL, and a key that is `undefined` counts as absent, whatever its name.
 * `fields.ts` describes the binary form; `rowText.ts` the text form, which is used if an attribute can only be sent as
 * text.
 */
import { Format } from "../wire/backendMessage.ts"
import { reasonOfThrown, undefinedRefused, Undecodable, Unencodable, UnresolvedType } from "../wire/failure.ts"
import { type Codec, formatOf, ofText, refusedKind, textOf } from "./codec.ts"
import { eachField, fieldCount, NULL_LENGTH } from "./fields.ts"
import { LiteralReader, quoted } from "./rowText.ts"

export interface Attribute {
  readonly name: string
  /** The OID of the attribute's type. */
  readonly oid: number
  readonly codec: Codec
}

export interface CompositeType {
  readonly oid: number
  readonly name: string
  /** The attributes, without dropped ones. */
  readonly attributes: ReadonlyArray<Attribute>
}

type CompositeValue = Readonly<Record<string, unknown>>

/** Whether an object has an attribute, its own or inherited from its class, but not from `Object.prototype`. */
const hasAttribute = (value: object, name: string): value is CompositeValue =>
  Object.hasOwn(value, name) || (name in value && !(name in Object.prototype))

/** The value of an attribute; undefined if the object lacks it. */
const attributeOf = (value: object, name: string): unknown => (hasAttribute(value, name) ? value[name] : undefined)

const hasOtherFields = ({ name, oid }: CompositeType): UnresolvedType =>
  new UnresolvedType(`the attributes of ${name} are not the ones that the client knows`, [oid], { isOutdated: true })

/**
 * Wraps a decoding failure as "the known type may be outdated". The text form does not name the attributes' types, so a
 * value that cannot be decoded may be of a newer version of the type. If the catalog shows that the type has not
 * changed, the original failure is reported.
 */
const asOutdated = ({ name, oid }: CompositeType, thrown: unknown): UnresolvedType =>
  thrown instanceof UnresolvedType
    ? thrown
    : new UnresolvedType(
        thrown instanceof Undecodable ? thrown.message : reasonOfThrown(thrown, `a codec of ${name}`),
        [oid],
        {
          isOutdated: true
        }
      )

export const compositeOf = (type: CompositeType): Codec<CompositeValue> => {
  const { attributes, name } = type
  // Copies of this object already own every name, even `__proto__`, so filling one in never reaches a prototype.
  const blank = Object.fromEntries<unknown>(attributes.map((attribute) => [attribute.name, null]))
  // If an attribute has no binary form, the whole has none, whatever its value.
  const isAlwaysText = attributes.some(({ codec }) => formatOf(codec, null) === Format.text)

  const names = new Set(attributes.map((attribute) => attribute.name))

  /** Refuses other keys. The value of a misspelled key would otherwise be lost without an error. */
  const refuseMore = (value: object): void => {
    for (const [key, inner] of Object.entries(value)) {
      if (inner !== undefined && !names.has(key)) {
        throw new Unencodable(`${name} has no attribute "${key}", but the object has a value for it`)
      }
    }
  }

  const valuesOf = (value: unknown): ReadonlyArray<unknown> => {
    if (typeof value !== "object" || value === null) throw refusedKind(name, "an object or an array", value)
    if (Array.isArray(value)) {
      if (value.length !== attributes.length) {
        throw new Unencodable(`${name} has ${attributes.length} attributes, but the array has ${value.length} elements`)
      }
      const absent = value.findIndex((inner) => inner === undefined)
      if (absent === -1) return value
      throw undefinedRefused(`the attribute "${attributes[absent]!.name}" of ${name}`)
    }
    refuseMore(value)
    return attributes.map((attribute) => {
      const inner = attributeOf(value, attribute.name)
      if (inner !== undefined) return inner
      throw new Unencodable(
        `the object has no value for the attribute "${attribute.name}" of ${name}; use null for NULL`
      )
    })
  }

  const valueOfText = (text: string): CompositeValue => {
    const reader = new LiteralReader(name, text)
    const value = { ...blank }
    reader.take("(")
    attributes.forEach((attribute, index) => {
      if (index > 0 && !reader.takes(",")) throw hasOtherFields(type)
      const part = reader.part(",)")
      if (part !== undefined) value[attribute.name] = ofText(attribute.codec, part)
    })
    if (!reader.takes(")")) throw hasOtherFields(type)
    reader.expectEnd()
    return value
  }

  return {
    name,
    read: (bytes, start, end) => {
      if (fieldCount(name, bytes, start, end) !== attributes.length) throw hasOtherFields(type)
      const value = { ...blank }
      eachField(name, bytes, start, end, (index, oid, from, to) => {
        const attribute = attributes[index]!
        if (attribute.oid !== oid) throw hasOtherFields(type)
        if (to >= from) value[attribute.name] = attribute.codec.read(bytes, from, to)
      })
      return value
    },
    write: (writer, value) => {
      const values = valuesOf(value)
      writer.int32(attributes.length)
      attributes.forEach(({ codec, oid }, index) => {
        writer.int32(oid)
        const inner = values[index]
        if (inner === null) {
          writer.int32(NULL_LENGTH)
        } else {
          const length = writer.reserveInt32()
          codec.write(writer, inner)
          writer.backfillValueLength(length)
        }
      })
    },
    writesStrings: false,
    formatOf: (value) => {
      if (isAlwaysText) return Format.text
      if (typeof value !== "object" || value === null) return Format.binary
      const isTextual = attributes.some((attribute, index) => {
        const inner: unknown = Array.isArray(value) ? value[index] : attributeOf(value, attribute.name)
        return inner !== null && inner !== undefined && formatOf(attribute.codec, inner) === Format.text
      })
      return isTextual ? Format.text : Format.binary
    },
    textOf: (value) => {
      const values = valuesOf(value)
      const fields = attributes.map(({ codec }, index) =>
        values[index] === null ? "" : quoted(textOf(codec, values[index]))
      )
      return `(${fields.join(",")})`
    },
    resultFormat: isAlwaysText ? Format.text : Format.binary,
    ofText: (text) => {
      try {
        return valueOfText(text)
      } catch (thrown) {
        throw asOutdated(type, thrown)
      }
    }
  }
}
