/**
 * Generates source text that reads a result's rows: one straight line of reads and one object literal per row. Only
 * plain ASCII identifiers and our own expressions become part of that source; codecs are passed in as values. The
 * compiled reader reports no errors itself: if anything about a row is odd, from a wrong count to a codec that throws,
 * the interpreter reads the row again.
 */
import { propertyOf } from "./columnNames.ts"
import { type InlineRead, inlineReads, INT32 } from "./inlineRead.ts"
import type { ObjectRow, ReadableColumn, RowReader, TupleRow } from "./rowReader.interpreted.ts"

/** With more columns than this, the source grows too long to pay off. */
export const MAX_COMPILED_COLUMNS = 200

const PLAIN_NAME = /^[A-Za-z_$][A-Za-z0-9_$]*$/

const isPlain = (name: string): boolean => PLAIN_NAME.test(name) && name !== "__proto__"

/** Undefined if a name is not plain or not unique, or if the runtime forbids code generation. */
export const compileObjects = (
  columns: ReadonlyArray<ReadableColumn>,
  interpret: RowReader<ObjectRow>
): RowReader<ObjectRow> | undefined => {
  const names = columns.map(propertyOf)
  if (!names.every(isPlain) || new Set(names).size !== names.length) return undefined
  return compile(columns, interpret, `{ ${names.map((name, index) => `${name}: value${index}`).join(", ")} }`)
}

/** Undefined if the runtime forbids code generation. */
export const compileTuples = (
  columns: ReadonlyArray<ReadableColumn>,
  interpret: RowReader<TupleRow>
): RowReader<TupleRow> | undefined =>
  compile(columns, interpret, `[${columns.map((_, index) => `value${index}`).join(", ")}]`)

const compile = <R>(
  columns: ReadonlyArray<ReadableColumn>,
  interpret: RowReader<R>,
  row: string
): RowReader<R> | undefined => {
  if (columns.length > MAX_COMPILED_COLUMNS) return undefined
  try {
    return new Function("reads", "interpret", source(columns, row))(
      columns.map((column) => column.read),
      interpret
    )
  } catch {
    // An EvalError in V8. If a runtime forbids code generation, no query may fail because of it.
    return undefined
  }
}

/**
 * `at` only ever grows, so the last comparison at the latest notices a row that ends too early, and no codec gets bytes
 * past the end: once it is unsigned, a negative length is a huge one. The parentheses around the reader make V8 compile
 * it at once instead of twice.
 */
const source = (columns: ReadonlyArray<ReadableColumn>, row: string): string => `"use strict"
${columns.map((_, index) => `const read${index} = reads[${index}]`).join("\n")}
return ((bytes, start, end) => {
  if (((bytes[start] << 8) | bytes[start + 1]) !== ${columns.length}) return interpret(bytes, start, end)
  let at = start + 2
  let length = 0
${columns.map((_, index) => `  let value${index} = null`).join("\n")}
  try {
${columns.map(readColumn).join("\n")}
  } catch {
    return interpret(bytes, start, end)
  }
  if (at !== end) return interpret(bytes, start, end)
  return ${row}
})`

const readColumn = ({ read }: ReadableColumn, index: number): string => {
  const inline = inlineReads.get(read)
  return `
    length = ${INT32}
    at += 4${inline === undefined ? called(index) : spelledOut(index, inline)}`
}

const called = (index: number): string => `
    if (length !== -1) {
      if ((length >>> 0) > end - at) return interpret(bytes, start, end)
      value${index} = read${index}(bytes, at, at += length)
    }`

const spelledOut = (index: number, { expression, width }: InlineRead): string => `
    if (length === ${width}) {
      value${index} = ${expression(INT32)}
      at += ${width}
    } else if (length !== -1) return interpret(bytes, start, end)`
