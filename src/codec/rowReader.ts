/**
 * Decides how the rows of a statement are read: which formats to request, and which readers turn a DataRow into an
 * object or a tuple. The interpreter reads the rows of a shape until there have been enough of them to pay for a
 * compiled reader. Connections that run the same statement share both readers.
 */
import { type ColumnDescription, Format } from "../wire/backendMessage.ts"
import { type Codec, ofText } from "./codec.ts"
import { type NamedColumn, propertyOf } from "./columnNames.ts"
import type { TypeRegistry } from "./registry.ts"
import { compileObjects, compileTuples } from "./rowReader.compiled.ts"
import {
  interpretObjects,
  interpretTuples,
  type ObjectRow,
  type ReadableColumn,
  type RowReader,
  type TupleRow
} from "./rowReader.interpreted.ts"
import { Undecodable } from "../wire/failure.ts"
import { readText } from "./text.ts"

export {
  columnsOfRow,
  type ObjectRow,
  type RowReader,
  type TupleRow,
  UndecodableColumn
} from "./rowReader.interpreted.ts"

/** A column of a statement, with the property that holds its value in row objects. */
export interface RowColumn extends ColumnDescription, NamedColumn {}

/** A statement's columns and how to read them. */
export interface RowShape {
  readonly columns: ReadonlyArray<RowColumn>
  /** Binary if the type has a codec that does not ask for text; otherwise text. */
  readonly resultFormats: ReadonlyArray<Format>
  /** Rows as objects, by property. If several columns have the same name, the last one wins. */
  readonly object: RowReader<ObjectRow>
  /** Rows in column order, with every column. */
  readonly tuple: RowReader<TupleRow>
}

/** Compiling costs about as much as the interpreter loses over this many rows. */
export const COMPILE_AFTER_ROWS = 500

/** How many shapes a registry caches; the least recently used one is dropped first. */
const MAX_REMEMBERED_SHAPES = 500

/** The longest description of a shape that is cached: enough for 1,600 columns with ordinary names. */
const MAX_REMEMBERED_CHARACTERS = 131_072

/** A reader that replaces itself with a compiled one. Callers that still hold the first one are redirected. */
class WarmingReader<R> {
  read: RowReader<R>

  constructor(interpret: RowReader<R>, compile: () => RowReader<R> | undefined) {
    let rows = 0
    this.read = (bytes, start, end) => {
      if (rows < COMPILE_AFTER_ROWS) {
        rows++
        return interpret(bytes, start, end)
      }
      if (rows === COMPILE_AFTER_ROWS) {
        rows++
        this.read = compile() ?? interpret
      }
      return this.read(bytes, start, end)
    }
  }
}

/** The readers for all results with the same column names, properties and types. */
class SharedReaders {
  readonly objects: WarmingReader<ObjectRow>
  readonly tuples: WarmingReader<TupleRow>

  constructor(columns: ReadonlyArray<ReadableColumn>) {
    const objects = interpretObjects(columns)
    const tuples = interpretTuples(columns)
    this.objects = new WarmingReader(objects, () => compileObjects(columns, objects))
    this.tuples = new WarmingReader(tuples, () => compileTuples(columns, tuples))
  }
}

const resultFormat = (codec: Codec | undefined): Format =>
  codec === undefined ? Format.text : (codec.resultFormat ?? Format.binary)

const resultFormats = (columns: ReadonlyArray<ColumnDescription>, types: TypeRegistry): ReadonlyArray<Format> =>
  columns.map(({ typeOid }) => resultFormat(types.codec(typeOid)))

/** Reads a column's values in the given format. */
const columnReader = (codec: Codec | undefined, format: Format): Codec["read"] => {
  if (format === Format.binary)
    return resultFormat(codec) === Format.text || codec === undefined ? unreadable : codec.read
  return codec === undefined ? readText : (bytes, start, end) => ofText(codec, readText(bytes, start, end))
}

const unreadable = (): never => {
  throw new Undecodable("its type has changed since the statement was described; run the statement again")
}

/** The readers of the shapes that came last, from the oldest to the newest, because a Map keeps the order of insertion. */
class RememberedReaders {
  private readonly shapes = new Map<string, SharedReaders>()
  private newestKey: string | undefined
  private newest: SharedReaders | undefined

  get(key: string): SharedReaders | undefined {
    return key === this.newestKey ? this.newest : this.shapes.get(key)
  }

  used(key: string, readers: SharedReaders): void {
    if (key === this.newestKey) return
    this.newestKey = key
    this.newest = readers
    this.shapes.delete(key)
    this.shapes.set(key, readers)
    if (this.shapes.size > MAX_REMEMBERED_SHAPES) this.shapes.delete(this.shapes.keys().next().value ?? key)
  }
}

const remembered = new WeakMap<TypeRegistry, RememberedReaders>()

const sharedReaders = (
  columns: ReadonlyArray<RowColumn>,
  types: TypeRegistry,
  formats: ReadonlyArray<Format>
): SharedReaders => {
  let known = remembered.get(types)
  if (known === undefined) remembered.set(types, (known = new RememberedReaders()))
  const key = columns.map((column, index) => keyOf(column, types, formats[index])).join("\0")
  let readers = known.get(key)
  if (readers === undefined) {
    readers = new SharedReaders(
      columns.map(({ name, property, typeOid }, index) => ({
        name,
        property,
        typeName: types.typeName(typeOid),
        read: columnReader(types.codec(typeOid), formats[index] ?? Format.text)
      }))
    )
  }
  if (key.length <= MAX_REMEMBERED_CHARACTERS) known.used(key, readers)
  return readers
}

/**
 * What of a column decides how it is read. A name cannot contain NUL, because it arrived as a NUL-terminated string. The
 * `?` marks a type that has no codec yet but may get one.
 */
const keyOf = (column: RowColumn, types: TypeRegistry, format: Format | undefined): string => {
  const { name, typeOid } = column
  const property = propertyOf(column)
  const type = `${typeOid}${types.codec(typeOid) === undefined ? "?" : ""}${format === Format.text ? "t" : ""}`
  return property === name ? `${type} ${name}` : `${type} ${name}\0=${property}`
}

/** `formats` are the formats of the values; by default those that suit the types best. */
export const makeRowShape = (
  columns: ReadonlyArray<RowColumn>,
  types: TypeRegistry,
  formats: ReadonlyArray<Format> = resultFormats(columns, types)
): RowShape => {
  return new SharedShape(columns, formats, sharedReaders(columns, types, formats))
}

class SharedShape implements RowShape {
  readonly columns: ReadonlyArray<RowColumn>
  readonly resultFormats: ReadonlyArray<Format>
  private readonly readers: SharedReaders

  constructor(columns: ReadonlyArray<RowColumn>, formats: ReadonlyArray<Format>, readers: SharedReaders) {
    this.columns = columns
    this.resultFormats = formats
    this.readers = readers
  }

  get object(): RowReader<ObjectRow> {
    return this.readers.objects.read
  }

  get tuple(): RowReader<TupleRow> {
    return this.readers.tuples.read
  }
}
