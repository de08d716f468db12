/**
 * Reads the elements of an array with a loop built for each codec. In a loop that all codecs share, V8 cannot inline
 * the read, which costs more than the read itself. The loop's source is the same for every codec, except that very
 * short reads are spelled out. A runtime that forbids code generation gets the shared loop, which also reports what is
 * wrong with bad bytes.
 */
import type { Buffer } from "node:buffer"
import { Undecodable } from "../wire/failure.ts"
import { int32At, viewOf } from "./bigEndian.ts"
import type { Codec } from "./codec.ts"
import { type InlineRead, inlineReads } from "./inlineRead.ts"

/** Reads `count` elements that fill `bytes[start, end)`; for each: Int32 length (-1 for NULL) and its bytes. */
export type ElementReader = (bytes: Buffer, start: number, end: number, count: number) => ReadonlyArray<unknown>

const LENGTH_BYTES = 4
const NULL_LENGTH = -1

const interpret =
  (read: Codec["read"]): ElementReader =>
  (bytes, start, end, count) => {
    const elements: Array<unknown> = []
    let at = start
    for (let index = 0; index < count; index++) {
      if (end - at < LENGTH_BYTES) throw new Undecodable("the array ends before its last element")
      const length = int32At(bytes, at)
      at += LENGTH_BYTES
      if (length === NULL_LENGTH) {
        elements.push(null)
        continue
      }
      if (length < 0 || length > end - at) {
        throw new Undecodable(`the array has an element of ${length} bytes, but only ${end - at} bytes are left`)
      }
      elements.push(read(bytes, at, at + length))
      at += length
    }
    if (at !== end) throw new Undecodable(`the array has ${end - at} bytes too many`)
    return elements
  }

const INT32_BY_VIEW = "view.getInt32(at + offset)"

/**
 * Source of the same loop without the error reports: once it is unsigned, a negative length is a huge one. There are no
 * more elements than the bytes have room for, so memory for all of them can be allocated at once. A DataView reads an
 * Int32 in one load instead of four; that pays off here but not in a row, which has too few of them.
 */
const source = (readElement: string): string => `"use strict"
return (bytes, start, end, count) => {
  const elements = new Array(count)
  const view = viewOf(bytes)
  const offset = bytes.byteOffset
  let at = start
  for (let index = 0; index < count; index++) {
    if (end - at < 4) return interpret(bytes, start, end, count)
    const length = ${INT32_BY_VIEW}
    at += 4
    if (length === -1) {
      elements[index] = null
      continue
    }
    ${readElement}
  }
  return at === end ? elements : interpret(bytes, start, end, count)
}`

const CALLED = `if ((length >>> 0) > end - at) return interpret(bytes, start, end, count)
    elements[index] = read(bytes, at, at += length)`

const spelledOut = ({ expression, width }: InlineRead): string =>
  `if (length !== ${width} || end - at < ${width}) return interpret(bytes, start, end, count)
    elements[index] = ${expression(INT32_BY_VIEW)}
    at += ${width}`

export const elementReader = (read: Codec["read"]): ElementReader => {
  const shared = interpret(read)
  const inline = inlineReads.get(read)
  try {
    const readElement = inline === undefined ? CALLED : spelledOut(inline)
    return new Function("read", "interpret", "viewOf", source(readElement))(read, shared, viewOf)
  } catch {
    return shared
  }
}
