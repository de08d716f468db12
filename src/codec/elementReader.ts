/**
 * Reads the elements of an array. Each codec is given a loop of its own: in one that all codecs share V8 cannot inline
 * the read, which costs more than the read itself. The source of that loop is the same for every codec but those whose
 * read is short enough to be spelled out. A runtime that forbids code generation gets the shared one, which also is the
 * one that tells what is wrong with bad bytes.
 */
import type { Buffer } from "node:buffer"
import { Undecodable } from "../wire/failure.ts"
import { int32At, viewOf } from "./bigEndian.ts"
import type { Codec } from "./codec.ts"
import { type InlineRead, inlineReads } from "./inlineRead.ts"

/** Reads `count` elements that fill `bytes[start, end)`: each Int32 length (-1 for NULL) and its bytes. */
export type ElementReader = (bytes: Buffer, start: number, end: number, count: number) => ReadonlyArray<unknown>

const LENGTH_BYTES = 4
const NULL_LENGTH = -1

const interpret =
  (read: Codec["read"]): ElementReader =>
  (bytes, start, end, count) => {
    const elements: Array<unknown> = []
    let at = start
    for (let index = 0; index < count; index++) {
      if (end - at < LENGTH_BYTES) throw new Undecodable("an array that ends before all its elements")
      const length = int32At(bytes, at)
      at += LENGTH_BYTES
      if (length === NULL_LENGTH) {
        elements.push(null)
        continue
      }
      if (length < 0 || length > end - at) {
        throw new Undecodable(`an array with an element of ${length} bytes, and ${end - at} bytes left`)
      }
      elements.push(read(bytes, at, at + length))
      at += length
    }
    if (at !== end) throw new Undecodable(`an array with ${end - at} bytes too many`)
    return elements
  }

const INT32_BY_VIEW = "view.getInt32(at + offset)"

/**
 * As above, but for what is to be said of bad bytes: a negative length is a huge one once it is unsigned. There are no
 * more elements than the bytes that came have room for, so that memory for all of them can be had at once. An Int32 is
 * one load by way of a DataView, where four bytes put together are four; a row has too few of them to make up for that.
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
