/**
 * How the rows of one statement are read: the formats to ask for, and readers that turn a DataRow into an object or a
 * tuple. A shape is read by the interpreter until it has had enough rows to pay for a compiled reader, and connections
 * that run the same statement share both.
 */
import { type ColumnDescription, Format } from "../wire/backendMessage.ts"
import { type Codec, ofText } from "./codec.ts"
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

/** A statement's columns and how to read them. */
export interface RowShape {
  readonly columns: ReadonlyArray<ColumnDescription>
  /** Binary where the type has a codec that does not ask for text; text elsewhere. */
  readonly resultFormats: ReadonlyArray<Format>
  /** Rows by column name; of columns with the same name the last one wins. */
  readonly object: RowReader<ObjectRow>
  /** Rows in column order, which keep every column. */
  readonly tuple: RowReader<TupleRow>
}

/** Compiling costs as much as the interpreter loses over about this many rows. */
export const COMPILE_AFTER_ROWS = 500

/** How many shapes of a registry are remembered; the one that was asked for longest ago goes first. */
const MAX_REMEMBERED_SHAPES = 500

/** The columns of a shape that is remembered have no longer description: 1,600 columns of ordinary names fit. */
const MAX_REMEMBERED_CHARACTERS = 131_072

/** A reader that replaces itself by a compiled one. What holds on to the first is led to the second. */
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

/** The readers of all results that have the same column names and types. */
class SharedReaders {
  private readonly columns: ReadonlyArray<ReadableColumn>
  private objects: WarmingReader<ObjectRow> | undefined
  private tuples: WarmingReader<TupleRow> | undefined

  constructor(columns: ReadonlyArray<ReadableColumn>) {
    this.columns = columns
  }

  get object(): RowReader<ObjectRow> {
    if (this.objects === undefined) {
      const interpret = interpretObjects(this.columns)
      this.objects = new WarmingReader(interpret, () => compileObjects(this.columns, interpret))
    }
    return this.objects.read
  }

  get tuple(): RowReader<TupleRow> {
    if (this.tuples === undefined) {
      const interpret = interpretTuples(this.columns)
      this.tuples = new WarmingReader(interpret, () => compileTuples(this.columns, interpret))
    }
    return this.tuples.read
  }
}

const resultFormat = (codec: Codec | undefined): Format =>
  codec === undefined ? Format.text : (codec.resultFormat ?? Format.binary)

const resultFormats = (columns: ReadonlyArray<ColumnDescription>, types: TypeRegistry): ReadonlyArray<Format> =>
  columns.map(({ typeOid }) => resultFormat(types.codec(typeOid)))

/** Reads a column's values in the format that they come in. */
const columnReader = (codec: Codec | undefined, format: Format): Codec["read"] => {
  if (format === Format.binary)
    return resultFormat(codec) === Format.text || codec === undefined ? unreadable : codec.read
  return codec === undefined ? readText : (bytes, start, end) => ofText(codec, readText(bytes, start, end))
}

const unreadable = (): never => {
  throw new Undecodable("its type is not the one that it was when the statement was described; ask again")
}

const remembered = new WeakMap<TypeRegistry, Map<string, SharedReaders>>()

const sharedReaders = (
  columns: ReadonlyArray<ColumnDescription>,
  types: TypeRegistry,
  formats: ReadonlyArray<Format>
): SharedReaders => {
  let shapes = remembered.get(types)
  if (shapes === undefined) remembered.set(types, (shapes = new Map()))
  // A name cannot hold NUL: it came as a NUL-terminated string. A type without a codec may get one.
  const key = columns
    .map(
      ({ name, typeOid }, index) =>
        `${typeOid}${types.codec(typeOid) === undefined ? "?" : ""}${formats[index] === Format.text ? "t" : ""} ${name}`
    )
    .join("\0")
  let readers = shapes.get(key)
  if (readers === undefined) {
    readers = new SharedReaders(
      columns.map(({ name, typeOid }, index) => ({
        name,
        typeName: types.typeName(typeOid),
        read: columnReader(types.codec(typeOid), formats[index] ?? Format.text)
      }))
    )
  }
  if (key.length > MAX_REMEMBERED_CHARACTERS) return readers
  shapes.delete(key)
  shapes.set(key, readers)
  if (shapes.size > MAX_REMEMBERED_SHAPES) shapes.delete(shapes.keys().next().value ?? key)
  return readers
}

/** `formats` are those that the values come in; by default those that suit the types best. */
export const makeRowShape = (
  columns: ReadonlyArray<ColumnDescription>,
  types: TypeRegistry,
  formats: ReadonlyArray<Format> = resultFormats(columns, types)
): RowShape => {
  const readers = sharedReaders(columns, types, formats)
  return {
    columns,
    resultFormats: formats,
    get object() {
      return readers.object
    },
    get tuple() {
      return readers.tuple
    }
  }
}
