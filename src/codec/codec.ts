/**
 * What a codec is: the two directions between one PostgreSQL type and JavaScript values, in PostgreSQL's binary format.
 * Codecs are pure and synchronous, and they are plain functions because they run once per value. A codec reports bad
 * bytes by throwing `Undecodable` and a bad value by throwing `Unencodable`; the message says why in words that can
 * follow "because": it never contains the value itself.
 */
import type { Buffer } from "node:buffer"
import { Undecodable } from "../wire/failure.ts"
import type { ByteWriter } from "../wire/byteWriter.ts"

export interface Codec<A = unknown> {
  /** PostgreSQL's name of the type, for reports. */
  readonly name: string
  /** Reads the value that lies in `bytes[start, end)`. The bytes are reused afterwards: nothing may keep a view. */
  readonly read: (bytes: Buffer, start: number, end: number) => A
  /** Appends the value's bytes, without their length. What it takes is wider than what `read` gives. */
  readonly write: (writer: ByteWriter, value: unknown) => void
  /**
   * True where `write` takes a string itself (text, numeric, uuid, date...). Elsewhere a string travels in the text
   * format and the server parses it.
   */
  readonly writesStrings: boolean
}

/** Refuses a value of a fixed-width type whose bytes have another width. */
export const expectWidth = (name: string, width: number, start: number, end: number): void => {
  if (end - start !== width) throw new Undecodable(`${name} has ${width} bytes on the wire, ${end - start} came`)
}
