/** What the generated file says of one statement. */
import type { Description } from "../asking/asker.ts"
import { type Override, overridesOf } from "./overrides.ts"
import { nullable, propertyKey, type TypeWriter } from "./tsType.ts"

export interface Entry {
  /** The types of the parameters, each with the name that it may have. */
  readonly parameters: ReadonlyArray<{ readonly name: string | undefined; readonly type: string }>
  readonly columns: ReadonlyArray<{ readonly name: string; readonly property: string; readonly type: string }>
  /** Comments that speak of a column or parameter that the statement does not have. */
  readonly misplaced: ReadonlyArray<Override>
}

export const entryOf = (
  sql: string,
  { columns, parameters }: Description,
  types: TypeWriter,
  propertyOf: (column: string) => string
): Entry => {
  const overrides = overridesOf(sql)
  const find = (isParameter: boolean, name: string): Override | undefined =>
    overrides.findLast((override) => override.isParameter === isParameter && override.of === name)
  const known = (override: Override): boolean =>
    override.isParameter
      ? Number(override.of) >= 1 && Number(override.of) <= parameters.length
      : columns.some(({ name }) => name === override.of)
  return {
    parameters: parameters.map(({ name, type }, index) => {
      const override = find(true, String(index + 1))
      const written = override?.type ?? typeWith(types.parameter(type), override?.isNullable ?? true)
      return { name, type: written }
    }),
    columns: columns.map(({ name, presence, type }) => {
      const override = find(false, name)
      const written = types.row(type, presence.elements)
      return {
        name,
        property: propertyOf(name),
        type: override?.type ?? typeWith(written, override?.isNullable ?? !presence.value)
      }
    }),
    misplaced: overrides.filter((override) => !known(override))
  }
}

const typeWith = (type: string, isNullable: boolean): string => (isNullable ? nullable(type) : type)

/** The rows as objects. Of several columns with the same name, a row has only the last one. */
export const rowType = ({ columns }: Entry): string => {
  const members = new Map(columns.map(({ property, type }) => [property, type]))
  if (members.size === 0) return "{}"
  return `{ ${[...members].map(([property, type]) => `readonly ${propertyKey(property)}: ${type}`).join("; ")} }`
}

/** The rows as lists, whose elements have names if all columns do. */
export const tupleType = ({ columns }: Entry): string =>
  listType(columns.map(({ property, type }) => ({ name: property, type })))

/** A parameter without a name of its own is called as in SQL. */
export const parametersType = ({ parameters }: Entry): string =>
  listType(
    parameters.map(({ name, type }, index) => ({
      name: name !== undefined && LABEL.test(name) ? name : `$${index + 1}`,
      type
    }))
  )

const listType = (elements: ReadonlyArray<{ readonly name: string | undefined; readonly type: string }>): string => {
  const areNamed = elements.every(({ name }) => name !== undefined && LABEL.test(name))
  const written = elements.map(({ name, type }) => (areNamed ? `${name}: ${type}` : type))
  return `readonly [${written.join(", ")}]`
}

const LABEL = /^[A-Za-z_$][\w$]*$/
