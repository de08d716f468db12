/** Turns the names of columns into those of properties, and back, as the setting `names` says. */

/** How the names of columns and of properties belong together. */
export interface ColumnNames {
  /** Returns the property that holds the value of a column in a row object. */
  readonly propertyOf: (column: string) => string
  /** Returns the column that a property is written to. */
  readonly columnOf: (property: string) => string
}

export const unchanged: ColumnNames = { propertyOf: (column) => column, columnOf: (property) => property }

const CAPITAL = /[A-Z]/
const CAPITALS = /[A-Z]/g
/** An underscore that stands before a letter, but neither at the beginning nor behind another underscore. */
const SEPARATOR = /(?<=[^_])_([a-z])/g

/** An underscore before a digit stays, because it could not be found again: `line_2` and `line2` are two columns. */
const camelOf = (column: string): string =>
  CAPITAL.test(column) ? column : column.replace(SEPARATOR, (_, letter: string) => letter.toUpperCase())

/** A property that no snake_case column has is the name of a column as it is. */
const snakeOf = (property: string): string => {
  const column = property.replace(CAPITALS, (letter) => `_${letter.toLowerCase()}`)
  return camelOf(column) === property ? column : property
}

/** `user_id` is `userId`. A column whose name has a capital letter keeps its name. */
export const camelCase: ColumnNames = { propertyOf: camelOf, columnOf: snakeOf }

/** A column whose value is in a property of another name, or in one of its own name if `property` is undefined. */
export interface NamedColumn {
  readonly name: string
  readonly property?: string | undefined
}

export const propertyOf = ({ name, property = name }: NamedColumn): string => property

/** Adds their properties to columns. */
export const withProperties = <Column extends NamedColumn>(
  columns: ReadonlyArray<Column>,
  names: ColumnNames
): ReadonlyArray<Column & NamedColumn> =>
  names === unchanged ? columns : columns.map((column) => ({ ...column, property: names.propertyOf(column.name) }))
