/** Writes the elements of DER (X.690), for the certificates that tests make. */
import { Buffer } from "node:buffer"

export const der = (tag: number, ...contents: ReadonlyArray<Uint8Array>): Buffer => {
  const content = Buffer.concat(contents)
  if (content.length < 0x80) return Buffer.concat([Buffer.of(tag, content.length), content])
  const length = Buffer.from(content.length.toString(16).padStart(8, "0"), "hex")
  const significant = length.subarray(length.findIndex((byte) => byte !== 0))
  return Buffer.concat([Buffer.of(tag, 0x80 | significant.length), significant, content])
}

export const sequence = (...contents: ReadonlyArray<Uint8Array>): Buffer => der(0x30, ...contents)
export const set = (...contents: ReadonlyArray<Uint8Array>): Buffer => der(0x31, ...contents)
/** `[n]` around a value. */
export const context = (number: number, ...contents: ReadonlyArray<Uint8Array>): Buffer =>
  der(0xa0 | number, ...contents)
/** `[n]` instead of the value's own tag. */
export const implicit = (number: number, content: Uint8Array): Buffer => der(0x80 | number, content)
export const nothing = der(0x05)
export const yes = der(0x01, Buffer.of(0xff))
export const octets = (content: Uint8Array): Buffer => der(0x04, content)
export const bits = (content: Uint8Array): Buffer => der(0x03, Buffer.of(0), content)
export const utf8 = (text: string): Buffer => der(0x0c, Buffer.from(text))

/** A number that is not negative. */
export const integer = (value: number): Buffer => {
  const digits = value.toString(16)
  const bytes = Buffer.from(digits.padStart(digits.length + (digits.length % 2), "0"), "hex")
  return der(0x02, bytes[0]! >= 0x80 ? Buffer.of(0) : Buffer.alloc(0), bytes)
}

/** As in `2.5.4.3`. */
export const identifier = (dotted: string): Buffer => {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number)
  return der(0x06, Buffer.from([first * 40 + second, ...rest].flatMap(base128)))
}

const base128 = (value: number): ReadonlyArray<number> => {
  const digits = [value & 0x7f]
  for (let left = Math.floor(value / 128); left > 0; left = Math.floor(left / 128)) digits.unshift((left & 0x7f) | 0x80)
  return digits
}

/** GeneralizedTime, to the second. */
export const time = (date: Date): Buffer =>
  der(0x18, Buffer.from(`${date.toISOString().replaceAll(/[-:T]/g, "").slice(0, 14)}Z`))

export const pem = (label: string, content: Uint8Array): string =>
  `-----BEGIN ${label}-----\n${Buffer.from(content)
    .toString("base64")
    .replaceAll(/.{64}(?=.)/g, "$&\n")}\n-----END ${label}-----\n`
