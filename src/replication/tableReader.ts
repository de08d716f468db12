/** Turns the rows of one table, as the server sends them in a replication stream, into objects. */
import type { Buffer } from "node:buffer"
import type { Row } from "../call/call.ts"
import { type Codec, ofText } from "../codec/codec.ts"
import type { ColumnNames } from "../codec/columnNames.ts"
import type { DatabaseTypes } from "../codec/databaseTypes.ts"
import type { RowColumn } from "../codec/rowReader.ts"
import { readText } from "../codec/text.ts"
import * as PgError from "../PgError.ts"
import { Format } from "../wire/backendMessage.ts"
import { ProtocolViolation, reasonOfThrown, Undecodable, Unencodable, UnresolvedType } from "../wire/failure.ts"
import { type RelationMessage, type Tuple, TupleKind } from "../wire/copyData/logicalMessage.ts"
import type { Relation } from "./change.ts"
import { ForeignValues } from "./foreignValues.ts"

/** A row, and the properties of the columns that it does not have because they were not changed. */
export interface ReadRow {
  readonly row: Row
  readonly unchanged: ReadonlyArray<string>
}

const NOTHING: ReadonlyArray<string> = []

type Read = (bytes: Buffer, start: number, end: number) => unknown

interface Column {
  readonly property: string
  readonly isKey: boolean
  readonly readBinary: Read
  readonly readText: Read
}

export class TableReader {
  readonly relation: Relation
  /** The name with the schema in front. */
  readonly table: string
  private readonly columns: ReadonlyArray<Column>
  private readonly types: DatabaseTypes
  /** Copies of it own every property, even `__proto__`, so filling one in never reaches a prototype. */
  private readonly blank: Row
  private readonly blankKey: Row
  private readonly sql: string
  private readonly message: RelationMessage
  private readonly names: ColumnNames
  private readonly foreign: ForeignValues

  constructor(
    message: RelationMessage,
    types: DatabaseTypes,
    names: ColumnNames,
    sql: string,
    foreign = new ForeignValues()
  ) {
    const { identity, name, oid, schema } = message
    const properties = propertiesOf(message, names)
    const columns = message.columns.map((column, index) => ({ ...column, property: properties[index]! }))
    this.relation = { oid, schema, name, identity, columns }
    this.table = `${schema}.${name}`
    this.message = message
    this.types = types
    this.names = names
    this.sql = sql
    this.foreign = foreign
    this.columns = columns.map(({ isKey, property, typeOid }) => {
      const codec = types.codec(typeOid)
      return { property, isKey, readBinary: binaryReader(codec, typeOid, foreign), readText: textReader(codec) }
    })
    this.blank = Object.fromEntries(properties.map((property) => [property, null]))
    const keys = columns.filter(({ isKey }) => isKey)
    this.blankKey = Object.fromEntries(keys.map(({ property }) => [property, null]))
  }

  /** The columns as the decoders of schemas want them. */
  get described(): ReadonlyArray<RowColumn> {
    const { columns, oid } = this.relation
    return columns.map(({ name, property, typeModifier, typeOid }, index) => ({
      name,
      property,
      tableOid: oid,
      attributeNumber: index + 1,
      typeOid,
      typeSize: VARIABLE,
      typeModifier
    }))
  }

  /** The reader of the same table with other types. */
  with(types: DatabaseTypes): TableReader {
    return new TableReader(this.message, types, this.names, this.sql, this.foreign)
  }

  get knownTypes(): DatabaseTypes {
    return this.types
  }

  /** Reads a row. What is unchanged is taken from the old row, or from the old key, as far as that is there. */
  row(tuple: Tuple, old?: Tuple, hasOnlyKey = false): ReadRow {
    this.check(tuple)
    if (old !== undefined) this.check(old)
    const row: Record<string, unknown> = { ...this.blank }
    let unchanged: Array<string> | undefined
    const { columns } = this
    for (let index = 0; index < columns.length; index++) {
      const kind = tuple.kinds[index]
      if (kind === TupleKind.null) continue
      const { isKey, property } = columns[index]!
      const isInOld = old !== undefined && old.kinds[index] !== TupleKind.unchanged && (isKey || !hasOnlyKey)
      if (kind !== TupleKind.unchanged) row[property] = this.value(tuple, index)
      else if (isInOld) row[property] = this.value(old, index)
      else {
        ;(unchanged ??= []).push(property)
        delete row[property]
      }
    }
    return { row, unchanged: unchanged ?? NOTHING }
  }

  /** Reads the columns that identify a row. The others have no value in such a tuple. */
  key(tuple: Tuple): Row {
    this.check(tuple)
    const key: Record<string, unknown> = { ...this.blankKey }
    for (const [index, { isKey, property }] of this.columns.entries()) {
      if (isKey) key[property] = this.value(tuple, index)
    }
    return key
  }

  private check({ kinds }: Tuple): void {
    if (kinds.length !== this.columns.length) {
      throw new ProtocolViolation(`a row of ${kinds.length} columns for a table of ${this.columns.length}`)
    }
  }

  private value({ bytes, ends, kinds, starts }: Tuple, index: number): unknown {
    const kind = kinds[index]
    if (kind === TupleKind.null || kind === TupleKind.unchanged) return null
    const column = this.columns[index]!
    const read = kind === TupleKind.binary ? column.readBinary : column.readText
    try {
      return read(bytes, starts[index]!, ends[index]!)
    } catch (thrown) {
      const error = this.undecodable(index, thrown)
      throw thrown instanceof UnresolvedType ? new UnresolvedColumn(thrown, error) : error
    }
  }

  /** The error of a column that cannot be read. Only our own failures promise that their message has no value in it. */
  undecodable(index: number, thrown: unknown): PgError.DecodeError {
    const { name = "?", typeOid = 0 } = this.relation.columns[index] ?? {}
    const isOurs = thrown instanceof Undecodable || thrown instanceof Unencodable || thrown instanceof ProtocolViolation
    return new PgError.DecodeError({
      column: `${this.table}.${name}`,
      type: this.types.typeName(typeOid),
      reason: isOurs ? thrown.message : reasonOfThrown(thrown),
      sql: this.sql
    })
  }
}

/** A value of a type that has to be looked up, and the error if that does not help. */
export class UnresolvedColumn extends UnresolvedType {
  readonly error: PgError.DecodeError

  constructor({ isOutdated, message, oids }: UnresolvedType, error: PgError.DecodeError) {
    super(message, oids, { isOutdated })
    this.error = error
  }
}

/** The size of a type whose size is not known. */
const VARIABLE = -1

/** If two columns would get the same property, the second one keeps its name. */
const propertiesOf = ({ columns }: RelationMessage, names: ColumnNames): ReadonlyArray<string> => {
  const taken = new Set<string>()
  return columns.map(({ name }) => {
    const property = names.propertyOf(name)
    const free = taken.has(property) ? name : property
    taken.add(free)
    return free
  })
}

/** The server sends the binary form of every type that has one, also if only it can read that. */
const binaryReader = (codec: Codec | undefined, oid: number, foreign: ForeignValues): Read => {
  if (codec !== undefined && codec.resultFormat !== Format.text) return codec.read
  return (bytes, start, end) => {
    const text = foreign.read(oid, bytes, start, end)
    return codec === undefined || text === "" ? text : ofText(codec, text)
  }
}

const textReader = (codec: Codec | undefined): Read =>
  codec === undefined ? readText : (bytes, start, end) => ofText(codec, readText(bytes, start, end))
