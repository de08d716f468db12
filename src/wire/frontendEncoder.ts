/**
 * Writes the requests that run statements into a `ByteWriter`. Bind, Execute and Sync, which every query sends, and
 * Query, which begins and ends every transaction, are written here byte by byte; `coldMessages` builds the rare ones. A
 * function that throws leaves part of a message behind, so the caller takes a mark first and rewinds to it.
 */
import { Format } from "./backendMessage.ts"
import type { ByteWriter } from "./byteWriter.ts"
import { encodeClosePortal, encodeCloseStatement, encodeDescribeStatement, encodeParse } from "./coldMessages.ts"
import { undefinedRefused, Unencodable, WrongParameterCount } from "./failure.ts"
import { MAX_COUNT } from "./limits.ts"

/** Encodes the values of one parameter. */
export interface ParameterEncoder {
  /**
   * The format in which this value is sent. Never throws, and may be called more than once. The value is never null or
   * undefined.
   */
  formatOf(value: unknown): Format
  /** Appends the value's bytes, without their length. The value is never null or undefined. */
  write(writer: ByteWriter, value: unknown, format: Format): void
}

/**
 * What Bind needs to know about a prepared statement. Everything that is the same in every run is encoded in advance.
 */
export interface BoundStatement {
  /** The result of `bindNames`. */
  readonly bindNames: Uint8Array
  readonly parameters: ReadonlyArray<ParameterEncoder>
  /** The result of `encodeResultFormats`. */
  readonly resultFormats: Uint8Array
}

const BIND = 0x42 // B
const DESCRIBE = 0x44 // D
const EXECUTE = 0x45 // E
const FLUSH = 0x48 // H
const QUERY = 0x51 // Q
const SYNC = 0x53 // S
const COPY_DATA = 0x64 // d
const PARSE = 0x50 // P
const PORTAL = 0x50 // P
const UNNAMED_PORTAL = 0
const NULL_LENGTH = -1
/** Two Int16 of 0. */
const NO_FORMATS_AND_NO_VALUES = 0
const MAX_ROWS = 0x7fffffff

const SYNC_BYTES = Uint8Array.of(SYNC, 0, 0, 0, 4)
const FLUSH_BYTES = Uint8Array.of(FLUSH, 0, 0, 0, 4)
const UNNAMED_PORTAL_BYTES = Uint8Array.of(UNNAMED_PORTAL)
const EXECUTE_ALL_BYTES = Uint8Array.of(EXECUTE, 0, 0, 0, 9, UNNAMED_PORTAL, 0, 0, 0, 0)
const EXECUTE_ALL_AND_SYNC_BYTES = Uint8Array.of(...EXECUTE_ALL_BYTES, ...SYNC_BYTES)

/**
 * ```
 * Bind     Byte1 'B', Int32 length, String portal, String statement,
 *          Int16 number of parameter formats, Int16 each; one stands for all
 *          Int16 number of parameters, each: Int32 length (-1 for NULL), the value's bytes
 *          Int16 number of result formats, Int16 each
 * Execute  Byte1 'E', Int32 length, String portal, Int32 maximum number of rows (0 for all)
 * Sync     Byte1 'S', Int32 length
 * ```
 * Uses the unnamed portal. `null` is sent as NULL. Throws `WrongParameterCount`, or `Unencodable` with the number of the
 * parameter if one parameter causes it.
 */
export const writeBindExecuteSync = (
  writer: ByteWriter,
  statement: BoundStatement,
  values: ReadonlyArray<unknown>,
  maxRows: number
): void => {
  writeBind(writer, statement, values)
  if (maxRows === 0) return writer.raw(EXECUTE_ALL_AND_SYNC_BYTES)
  writeExecute(writer, maxRows)
  writer.raw(SYNC_BYTES)
}

/** Writes one of many runs of a statement, without a row limit. One Sync follows them all. */
export const writeBindExecute = (
  writer: ByteWriter,
  statement: BoundStatement,
  values: ReadonlyArray<unknown>
): void => {
  writeBind(writer, statement, values)
  writer.raw(EXECUTE_ALL_BYTES)
}

/** Opens a portal, by default the unnamed one, which lives until the next Bind. The name includes its NUL. */
export const writeBind = (
  writer: ByteWriter,
  statement: BoundStatement,
  values: ReadonlyArray<unknown>,
  portal?: Uint8Array
): void => {
  const bind = writer.beginMessage(BIND)
  if (portal !== undefined) writer.raw(portal)
  writer.raw(portal === undefined ? statement.bindNames : statement.bindNames.subarray(UNNAMED_PORTAL_BYTES.length))
  writeParameters(writer, statement.parameters, values)
  writer.raw(statement.resultFormats)
  writer.endMessage(bind)
}

const writeParameters = (
  writer: ByteWriter,
  parameters: ReadonlyArray<ParameterEncoder>,
  values: ReadonlyArray<unknown>
): void => {
  const count = values.length
  if (count !== parameters.length) throw new WrongParameterCount(parameters.length, count)
  if (count > MAX_COUNT)
    throw new Unencodable(`the call gives ${count} parameters, but a statement takes at most ${MAX_COUNT}`)
  if (count === 0) return writer.int32(NO_FORMATS_AND_NO_VALUES)
  const common = commonFormat(parameters, values)
  if (common !== undefined) {
    writer.int16(1)
    writer.int16(common)
  } else {
    writer.int16(count)
    for (let index = 0; index < count; index++) {
      writer.int16(isNull(values[index]) ? Format.binary : parameters[index]!.formatOf(values[index]))
    }
  }
  writer.int16(count)
  let index = 0
  try {
    for (; index < count; index++) {
      const value = values[index]
      if (value === null) {
        writer.int32(NULL_LENGTH)
        continue
      }
      if (value === undefined) throw undefinedRefused()
      const parameter = parameters[index]!
      const length = writer.reserveInt32()
      parameter.write(writer, value, common ?? parameter.formatOf(value))
      writer.backfillValueLength(length)
    }
  } catch (failure) {
    if (failure instanceof Unencodable) failure.parameter = index + 1
    throw failure
  }
}

/** The format that all the values share, so that one format code serves them all; undefined if they differ. */
const commonFormat = (
  parameters: ReadonlyArray<ParameterEncoder>,
  values: ReadonlyArray<unknown>
): Format | undefined => {
  let common: Format | undefined
  for (let index = 0; index < values.length; index++) {
    const value = values[index]
    if (isNull(value)) continue
    const format = parameters[index]!.formatOf(value)
    if (common === undefined) common = format
    else if (common !== format) return undefined
  }
  return common ?? Format.binary
}

const isNull = (value: unknown): value is null | undefined => value === null || value === undefined

/**
 * Asks which columns a portal returns, by default the unnamed one: Byte1 'D', Int32 length, Byte1 'P', String portal.
 * The name includes its NUL.
 */
export const writeDescribePortal = (writer: ByteWriter, portal: Uint8Array = UNNAMED_PORTAL_BYTES): void => {
  const describe = writer.beginMessage(DESCRIBE)
  writer.uint8(PORTAL)
  writer.raw(portal)
  writer.endMessage(describe)
}

/** Runs a portal, by default the unnamed one, up to a number of rows; 0 means to its end. The name includes its NUL. */
export const writeExecute = (writer: ByteWriter, maxRows: number, portal: Uint8Array = UNNAMED_PORTAL_BYTES): void => {
  if (!Number.isInteger(maxRows) || maxRows < 0 || maxRows > MAX_ROWS) {
    throw new Unencodable(`the number of rows to fetch must be a whole number from 0 to ${MAX_ROWS}, not ${maxRows}`)
  }
  const execute = writer.beginMessage(EXECUTE)
  writer.raw(portal)
  writer.int32(maxRows)
  writer.endMessage(execute)
}

/** The names of the unnamed portal and of a statement as Bind encodes them, each with its NUL. */
export const bindNames = (statement: string): Uint8Array =>
  Uint8Array.of(UNNAMED_PORTAL, ...new TextEncoder().encode(statement), 0)

/** The formats of the result columns as Bind encodes them: no code if all are text, one code if all are the same. */
export const encodeResultFormats = (formats: ReadonlyArray<Format>): Uint8Array => {
  if (formats.length > MAX_COUNT)
    throw new Unencodable(`the result has ${formats.length} columns, but the client can read at most ${MAX_COUNT}`)
  const first = formats[0] ?? Format.text
  if (!formats.every((format) => format === first)) return int16s(formats)
  return first === Format.text ? ALL_TEXT : ALL_BINARY
}

const int16s = (codes: ReadonlyArray<number>): Uint8Array =>
  Uint8Array.from([codes.length, ...codes].flatMap((word) => [word >> 8, word & 0xff]))

const ALL_TEXT = int16s([])
const ALL_BINARY = int16s([Format.binary])

const NOTHING: ReadonlyArray<never> = []
const COMMAND: BoundStatement = { bindNames: bindNames(""), parameters: NOTHING, resultFormats: ALL_TEXT }

/**
 * Begins a CopyData: Byte1 'd', Int32 length, the bytes. Returns the mark for `endMessage`. The boundaries between
 * CopyData messages have no meaning.
 */
export const beginCopyData = (writer: ByteWriter): number => writer.beginMessage(COPY_DATA)

export const writeSync = (writer: ByteWriter): void => writer.raw(SYNC_BYTES)

/** Sends one or more statements in the simple protocol: Byte1 'Q', Int32 length, String text. */
export const writeQuery = (writer: ByteWriter, sql: string): void => {
  const query = writer.beginMessage(QUERY)
  writer.cstring(sql)
  writer.endMessage(query)
}

/**
 * Runs a command that takes no parameters and returns no rows, as the unnamed statement: Parse, Bind and Execute. The
 * caller writes the Sync.
 * ```
 * Parse  Byte1 'P', Int32 length, String statement, String text, Int16 number of parameter types
 * ```
 */
export const writeCommand = (writer: ByteWriter, sql: string): void => {
  const parse = writer.beginMessage(PARSE)
  writer.uint8(0)
  writer.cstring(sql)
  writer.int16(0)
  writer.endMessage(parse)
  writeBindExecute(writer, COMMAND, NOTHING)
}

/** Asks the server to answer what it has received, although more will follow before the Sync. */
export const writeFlush = (writer: ByteWriter): void => writer.raw(FLUSH_BYTES)

/**
 * Prepares `sql` under a name; the empty name is the unnamed statement. With an OID of 0 the server infers the type.
 */
export const writeParse = (writer: ByteWriter, name: string, sql: string, parameterOids: ReadonlyArray<number>): void =>
  writer.raw(encodeParse(name, sql, parameterOids))

export const writeDescribeStatement = (writer: ByteWriter, name: string): void =>
  writer.raw(encodeDescribeStatement(name))

export const writeClosePortal = (writer: ByteWriter, name: string): void => writer.raw(encodeClosePortal(name))

export const writeCloseStatements = (writer: ByteWriter, names: ReadonlyArray<string>): void => {
  for (const name of names) writer.raw(encodeCloseStatement(name))
}
