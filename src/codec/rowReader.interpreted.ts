/**
 * Reads rows column by column, for any names and any number of columns, and reports exactly what is wrong with a row.
 * It defines how a row is read; the compiled reader does the same faster, and falls back to this one whenever a row is
 * not as expected.
 */
import type { Buffer } from "node:buffer"
import { ProtocolViolation, Undecodable, reasonOfThrown, Unencodable, UnresolvedType } from "../wire/failure.ts"
import type { Codec } from "./codec.ts"
import { type NamedColumn, propertyOf } from "./columnNames.ts"

/** Reads the body of a DataRow in `bytes[start, end)`. The bytes are reused afterwards. */
export type RowReader<R> = (bytes: Buffer, start: number, end: number) => R

export type ObjectRow = Readonly<Record<string, unknown>>
export type TupleRow = ReadonlyArray<unknown>

/** What the readers need to know about a column. */
export interface ReadableColumn extends NamedColumn {
  readonly typeName: string
  readonly read: Codec["read"]
}

/** A value that its codec cannot decode, with its column. The row itself is well-formed, and the session continues. */
export class UndecodableColumn extends Undecodable {
  readonly column: string
  /** The position of the column in the row, from 0. */
  readonly index: number
  readonly typeName: string
  /** Set if the value can be read once its types have been looked up. */
  readonly unresolved: UnresolvedType | undefined

  constructor(column: Pick<ReadableColumn, "name" | "typeName">, index: number, thrown: unknown) {
    super(reasonOf(thrown))
    this.column = column.name
    this.index = index
    this.typeName = column.typeName
    this.unresolved = thrown instanceof UnresolvedType ? thrown : undefined
  }
}

/**
 * Why a codec failed. Only our own failures promise that their message contains no value. Of any other error only the
 * kind is reported, because messages such as JSON.parse's quote their input.
 */
const reasonOf = (thrown: unknown): string =>
  thrown instanceof Undecodable || thrown instanceof ProtocolViolation || thrown instanceof Unencodable
    ? thrown.message
    : reasonOfThrown(thrown)

// DataRow: Int16 number of columns, then for each of them Int32 length of the value (-1 for NULL) and its bytes.

/** The number of columns that the row in `bytes[start, end)` declares. */
const countOf = (bytes: Buffer, start: number, end: number): number => {
  if (end - start < 2) throw new ProtocolViolation("a row without its number of columns")
  return (bytes[start]! << 8) | bytes[start + 1]!
}

/** The length of the value at `at` in a row that ends at `end`; -1 for NULL. */
const lengthAt = (bytes: Buffer, at: number, end: number, index: number): number => {
  if (end - at < 4) throw new ProtocolViolation(`a row that ends before the length of column ${index + 1}`)
  const length = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
  const left = end - at - 4
  if (length < -1 || length > left) {
    throw new ProtocolViolation(`a row with ${left} bytes left where column ${index + 1} has the length ${length}`)
  }
  return length
}

const expectEnd = (at: number, end: number): void => {
  if (at !== end) throw new ProtocolViolation(`a row with ${end - at} bytes too many`)
}

/** The number of columns of a row whose values are not read; throws `ProtocolViolation` if the row is malformed. */
export const columnsOfRow = (bytes: Buffer, start: number, end: number): number => {
  const count = countOf(bytes, start, end)
  let at = start + 2
  for (let index = 0; index < count; index++) at += 4 + Math.max(lengthAt(bytes, at, end, index), 0)
  expectEnd(at, end)
  return count
}

/** Reads rows as arrays in column order. */
export const interpretTuples =
  (columns: ReadonlyArray<ReadableColumn>): RowReader<TupleRow> =>
  (bytes, start, end) => {
    const count = countOf(bytes, start, end)
    if (count !== columns.length) {
      throw new ProtocolViolation(`a row with ${count} columns instead of the ${columns.length} that it had described`)
    }
    const row: Array<unknown> = []
    let refused: UndecodableColumn | undefined
    let at = start + 2
    for (let index = 0; index < count; index++) {
      const length = lengthAt(bytes, at, end, index)
      at += 4
      if (length === -1) {
        row.push(null)
        continue
      }
      const column = columns[index]!
      try {
        row.push(column.read(bytes, at, at + length))
      } catch (thrown) {
        refused ??= new UndecodableColumn(column, index, thrown)
      }
      at += length
    }
    expectEnd(at, end)
    if (refused !== undefined) throw refused
    return row
  }

/** Reads rows as objects. If several columns have the same name, the last one wins. */
export const interpretObjects = (columns: ReadonlyArray<ReadableColumn>): RowReader<ObjectRow> => {
  const clash = clashAmong(columns)
  if (clash !== undefined) return refusing(clash)
  const tuple = interpretTuples(columns)
  const names = columns.map(propertyOf)
  // Copies of this object already own every name, even `__proto__`, so filling one in never reaches a prototype.
  const blank = Object.fromEntries<unknown>(names.map((name) => [name, null]))
  return (bytes, start, end) => {
    const values = tuple(bytes, start, end)
    const row = { ...blank }
    for (let index = 0; index < names.length; index++) row[names[index]!] = values[index]
    return row
  }
}

/** Two columns with different names whose values belong in one property. */
interface Clash {
  readonly first: ReadableColumn
  readonly second: ReadableColumn
  readonly index: number
}

const clashAmong = (columns: ReadonlyArray<ReadableColumn>): Clash | undefined => {
  const known = new Map<string, ReadableColumn>()
  for (const [index, second] of columns.entries()) {
    const property = propertyOf(second)
    const first = known.get(property)
    if (first !== undefined && first.name !== second.name) return { first, second, index }
    known.set(property, second)
  }
  return undefined
}

/** Refuses every row, because dropping one of the two values would go unnoticed. */
const refusing =
  ({ first, index, second }: Clash): RowReader<never> =>
  () => {
    const reason = `columns "${first.name}" and "${second.name}" would both become the property "${propertyOf(second)}"`
    throw new UndecodableColumn(
      second,
      index,
      new Undecodable(`${reason}; rename one of them in the SQL, or use fetchTuples`)
    )
  }
