/**
 * Spells out the fixed-width reads that are shorter than a call. Source generated for a whole row inlines them, since
 * V8 inlines only the first few calls of such a long function. Each is registered under the `read` function that it
 * replaces; any other codec is called.
 */
import { bool } from "./boolean.ts"
import type { Codec } from "./codec.ts"
import { cid, int2, int4, oid, xid } from "./integer.ts"

/**
 * An expression for the value in `bytes[at, at + width)`. It yields what `read` returns, or anything at all past the
 * end.
 */
export interface InlineRead {
  readonly width: number
  /** `int32` is an expression for the Int32 at `at`. */
  readonly expression: (int32: string) => string
}

/** An expression for the Int32 at `at`. */
export const INT32 = "((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3])"

const unsigned: InlineRead = { width: 4, expression: (int32) => `${int32} >>> 0` }

export const inlineReads: ReadonlyMap<Codec["read"], InlineRead> = new Map<Codec["read"], InlineRead>([
  [bool.read, { width: 1, expression: () => "bytes[at] !== 0" }],
  [int2.read, { width: 2, expression: () => "((bytes[at] << 24) >> 16) | bytes[at + 1]" }],
  [int4.read, { width: 4, expression: (int32) => int32 }],
  [oid.read, unsigned],
  [xid.read, unsigned],
  [cid.read, unsigned]
])
