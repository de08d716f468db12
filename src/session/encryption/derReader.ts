/** Reads the elements of DER (X.690), the encoding of certificates. */
import type { Buffer } from "node:buffer"

/** One element. `content` is a view of the bytes that were read. */
export interface DerElement {
  readonly tag: number
  readonly content: Buffer
}

/** The first bytes of the elements that certificates are made of. */
export const DerTag = {
  objectIdentifier: 0x06,
  sequence: 0x30,
  set: 0x31,
  /** `[n]` of a constructed type. */
  context: (number: number): number => 0xa0 | number,
  /** `[n]` of a primitive type that the tag replaces. */
  implicit: (number: number): number => 0x80 | number
} as const

/** The elements that lie behind each other in `bytes`; undefined if these are no DER. */
export const derElements = (bytes: Buffer): ReadonlyArray<DerElement> | undefined => {
  const elements: Array<DerElement> = []
  for (let at = 0; at < bytes.length;) {
    const header = lengthAt(bytes, at + 1)
    if (header === undefined || header.end > bytes.length) return undefined
    elements.push({ tag: bytes[at]!, content: bytes.subarray(header.start, header.end) })
    at = header.end
  }
  return elements
}

/** The elements within an element of that tag; none if it is another one. */
export const derChildren = (element: DerElement | undefined, tag: number): ReadonlyArray<DerElement> =>
  element?.tag === tag ? (derElements(element.content) ?? []) : []

/** The numbers of an object identifier, as in `2.5.4.3`. */
export const derObjectIdentifier = (element: DerElement | undefined): string => {
  if (element?.tag !== DerTag.objectIdentifier) return ""
  const numbers: Array<number> = []
  let number = 0
  for (const byte of element.content) {
    number = number * 128 + (byte & 0x7f)
    if ((byte & 0x80) !== 0) continue
    numbers.push(number)
    number = 0
  }
  const [first = 0, ...rest] = numbers
  const root = Math.min(2, Math.floor(first / 40))
  return [root, first - root * 40, ...rest].join(".")
}

/** Where the content begins and ends. A length of 128 or more has its number of bytes before it. */
const lengthAt = (bytes: Buffer, at: number): { readonly start: number; readonly end: number } | undefined => {
  const first = bytes[at]
  if (first === undefined) return undefined
  if (first < LONG_LENGTH) return { start: at + 1, end: at + 1 + first }
  const size = first - LONG_LENGTH
  if (size < 1 || size > MAX_LENGTH_BYTES || at + size >= bytes.length) return undefined
  const start = at + 1 + size
  return { start, end: start + bytes.readUIntBE(at + 1, size) }
}

const LONG_LENGTH = 0x80
/** Enough for 4 GiB. */
const MAX_LENGTH_BYTES = 4
