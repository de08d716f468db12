/**
 * Gives the bytes of a value memory that stays the user's: nothing is ever written to it again, and no value keeps much
 * more memory alive than it has.
 *
 * - Up to 64 bytes lie in V8's heap, and a long value has an ArrayBuffer of its own.
 * - The values between lie side by side in an ArrayBuffer if there are several in the rows of one answer. To make an
 *   ArrayBuffer, and to free it, costs about ten times as much as to copy 1,000 bytes. Nobody can transfer the shared one,
 *   which would empty the other values. A runtime that would allow that gets memory of its own for each value.
 */
import type { Buffer } from "node:buffer"

/** V8 keeps arrays up to this size in its own heap. */
const MAX_HEAP_BYTES = 64

/** Copying a longer value takes long enough that an ArrayBuffer of its own makes little difference. */
const MAX_SHARING_BYTES = 2_048

/** A value shares memory of at most this many times its own length, because it keeps all of it alive. */
const MAX_SHARE = 16

/** Typed arrays of any kind can be made over a value, because each begins at a multiple of this. */
const ALIGNMENT = 8

const NO_MEMORY = new ArrayBuffer(0)

/** Whether rows are being read. */
let isSharing = false
/** How many bytes the values of these rows have got. */
let given = 0
let shared = NO_MEMORY
/** Where the unused part of the shared memory begins. */
let unused = 0

/** The values that are copied until `endRows` belong to one answer, and so to one reader, and may share memory. */
export const beginRows = (): void => {
  isSharing = true
  given = 0
  shared = NO_MEMORY
  unused = 0
}

export const endRows = (): void => {
  isSharing = false
}

/** A copy of `bytes[start, end)`, which may share its memory with other copies. */
export const copyOf = (bytes: Buffer, start: number, end: number): Uint8Array => {
  const length = end - start
  if (length <= MAX_HEAP_BYTES) return heapCopyOf(bytes, start, length)
  given += length
  if (!isSharing || length > MAX_SHARING_BYTES || given === length || !canShare()) return ownCopyOf(bytes, start, end)
  if (unused + length > shared.byteLength) {
    shared = sharedMemory(Math.min(length * MAX_SHARE, 2 * given))
    unused = 0
  }
  if (shared.byteLength > length * MAX_SHARE) return ownCopyOf(bytes, start, end)
  countOutside(length)
  const copy = new Uint8Array(shared, unused, length)
  bytes.copy(copy, 0, start, end)
  unused += Math.ceil(length / ALIGNMENT) * ALIGNMENT
  return copy
}

/** A copy of `bytes[start, end)` that shares its memory with nobody. */
export const ownCopyOf = (bytes: Buffer, start: number, end: number): Uint8Array => {
  const length = end - start
  if (length <= MAX_HEAP_BYTES) return heapCopyOf(bytes, start, length)
  countOutside(length)
  // V8 copies such an array without filling it with zeros first.
  return new Uint8Array(bytes.subarray(start, end))
}

/** A loop is faster than a call of the runtime. */
const heapCopyOf = (bytes: Buffer, start: number, length: number): Uint8Array => {
  const copy = new Uint8Array(length)
  for (let index = 0; index < length; index++) copy[index] = bytes[start + index]!
  return copy
}

// ---------------------------------------------------------------------------------------------------- transferring

let markAsUntransferable: ((buffer: ArrayBuffer) => void) | undefined
let isMarkKept: boolean | undefined

/** Whether the runtime lets nobody transfer an ArrayBuffer that is marked. Node does so from version 24 on. */
const canShare = (): boolean => (isMarkKept ??= triesMark())

const triesMark = (): boolean => {
  markAsUntransferable = process.getBuiltinModule("node:worker_threads").markAsUntransferable
  try {
    sharedMemory(1).transfer()
    return false
  } catch {
    return true
  }
}

const sharedMemory = (bytes: number): ArrayBuffer => {
  const memory = new ArrayBuffer(bytes)
  markAsUntransferable?.(memory)
  return memory
}

// -------------------------------------------------------------------------------------------------- the collector

/** After so many bytes outside of V8's heap... */
const OUTSIDE_BYTES = 8_192
/** ...three quarters as many are allocated inside: 768 words. */
const INSIDE: ReadonlyArray<number> = Array.from({ length: 768 }, () => 0)
/** A longer value counts as if it had this length. */
const MAX_COUNTED_BYTES = 8_388_608

let outside = 0
/** V8 would not allocate what nobody can see. */
const inside = { words: INSIDE }

/**
 * Makes the garbage collector look at young objects as often as it should. V8 frees an ArrayBuffer that has just been
 * read in a cheap collection of its young objects, but that begins only when enough of these have been allocated in its
 * heap. The rows of bytea hardly allocate any there. Their ArrayBuffers then pile up until V8 marks its whole heap
 * instead, which takes far longer: every 42 MB in a process with a heap of 26 MB, and for two thirds of the CPU time.
 */
const countOutside = (bytes: number): void => {
  outside += Math.min(bytes, MAX_COUNTED_BYTES)
  for (; outside >= OUTSIDE_BYTES; outside -= OUTSIDE_BYTES) inside.words = INSIDE.slice()
}
