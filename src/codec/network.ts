/**
 * Network addresses, as strings in the server's own spelling. Strings are sent as text, because the server accepts many
 * more spellings than it prints; `write` accepts those that `read` returns.
 *
 * inet and cidr:
 * ```
 * Byte   family: 2 for IPv4, 3 for IPv6
 * Byte   number of bits of the network
 * Byte   1 for cidr, else 0
 * Byte   number of the bytes that follow: 4 or 16
 * ```
 * macaddr and macaddr8: 6 and 8 bytes.
 */
import type { Buffer } from "node:buffer"
import { Undecodable, Unencodable } from "../wire/failure.ts"
import { uint16At } from "./bigEndian.ts"
import { type Codec, expectWidth, refusedKind } from "./codec.ts"

const HEADER_BYTES = 4
const IPV4 = { family: 2, bytes: 4, bits: 32 } as const
const IPV6 = { family: 3, bytes: 16, bits: 128 } as const
const IPV6_WORDS = 8
/** The index of the word at which the last four bytes of an IPv6 address begin. */
const EMBEDDED_IPV4 = 6
const MAPPED = 0xffff

const formatIpv4 = (bytes: Buffer, at: number): string =>
  `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`

/** The longest run of zeros, or the first of several; a single zero does not count. */
const longestZeros = (words: ReadonlyArray<number>): { readonly start: number; readonly length: number } => {
  let longest = { start: -1, length: 1 }
  let start = 0
  for (let end = 0; end <= words.length; end++) {
    if (words[end] === 0) continue
    if (end - start > longest.length) longest = { start, length: end - start }
    start = end + 1
  }
  return longest
}

const formatIpv6 = (bytes: Buffer, at: number): string => {
  const words = Array.from({ length: IPV6_WORDS }, (_, index) => uint16At(bytes, at + index * 2))
  const zeros = longestZeros(words)
  const hasIpv4 = zeros.start === 0 && (zeros.length === 6 || (zeros.length === 5 && words[5] === MAPPED))
  const texts = words.map((word) => word.toString(16))
  if (hasIpv4) texts.splice(EMBEDDED_IPV4, 2, formatIpv4(bytes, at + EMBEDDED_IPV4 * 2))
  if (zeros.start < 0) return texts.join(":")
  return `${texts.slice(0, zeros.start).join(":")}::${texts.slice(zeros.start + zeros.length).join(":")}`
}

const IPV4_FORM = /^\d{1,3}(?:\.\d{1,3}){3}$/
const IPV6_GROUPS = /^(?:[\da-f]{1,4}(?::[\da-f]{1,4})*)?$/i
const EMBEDDED_FORM = /[\d.]+\.\d+$/

/** The bytes of an IPv4 address; undefined if it is not one. */
const parseIpv4 = (address: string): ReadonlyArray<number> | undefined => {
  const bytes = IPV4_FORM.test(address) ? address.split(".").map(Number) : []
  return bytes.length > 0 && bytes.every((byte) => byte <= 0xff) ? bytes : undefined
}

const groupsOf = (groups: string): ReadonlyArray<string> => (groups === "" ? [] : groups.split(":"))

/** The bytes of an IPv6 address; undefined if it is not one. A double colon stands for one or more zeros. */
const parseIpv6 = (address: string): ReadonlyArray<number> | undefined => {
  const embedded = EMBEDDED_FORM.exec(address)?.[0]
  if (embedded !== undefined) {
    const [first = 0, second = 0, third = 0, fourth] = parseIpv4(embedded) ?? []
    if (fourth === undefined) return undefined
    const words = [(first << 8) | second, (third << 8) | fourth].map((word) => word.toString(16)).join(":")
    return parseIpv6(address.slice(0, -embedded.length) + words)
  }
  const parts = address.split("::")
  const [head = [], tail = []] = parts.map(groupsOf)
  const missing = IPV6_WORDS - head.length - tail.length
  const isComplete = parts.length === 1 ? missing === 0 : parts.length === 2 && missing > 0
  if (!isComplete || !parts.every((part) => IPV6_GROUPS.test(part))) return undefined
  const zeros = Array.from({ length: missing }, () => "0")
  return [...head, ...zeros, ...tail].flatMap((group) => {
    const word = Number.parseInt(group, 16)
    return [word >> 8, word & 0xff]
  })
}

const FORM = /^([\da-f.:]+)(?:\/(\d{1,3}))?$/i

const network = (name: string, isCidr: 0 | 1): Codec<string> => ({
  name,
  read: (bytes, start, end) => {
    if (end - start < HEADER_BYTES) throw new Undecodable(`the ${name} ends within its header`)
    const protocol = bytes[start] === IPV4.family ? IPV4 : bytes[start] === IPV6.family ? IPV6 : undefined
    if (protocol === undefined) throw new Undecodable(`the ${name} has an unknown address family`)
    const bits = bytes[start + 1]!
    if (bits > protocol.bits) throw new Undecodable(`the ${name} has a network of ${bits} bits, which is too many`)
    if (bytes[start + 3] !== protocol.bytes) throw new Undecodable(`the ${name} has an address of the wrong length`)
    expectWidth(name, HEADER_BYTES + protocol.bytes, start, end)
    const address = (protocol === IPV4 ? formatIpv4 : formatIpv6)(bytes, start + HEADER_BYTES)
    return bits === protocol.bits && isCidr === 0 ? address : `${address}/${bits}`
  },
  write: (writer, value) => {
    if (typeof value !== "string") throw refusedKind(name, "a string", value)
    const [, address = "", length] = FORM.exec(value) ?? []
    const bytes = parseIpv4(address) ?? parseIpv6(address)
    const protocol = bytes?.length === IPV4.bytes ? IPV4 : IPV6
    const bits = length === undefined ? protocol.bits : Number(length)
    if (bytes === undefined || bits > protocol.bits) {
      throw new Unencodable(`${name} takes strings such as "10.0.0.0/8" or "2001:db8::/32"`)
    }
    for (const byte of [protocol.family, bits, isCidr, bytes.length, ...bytes]) writer.uint8(byte)
  },
  writesStrings: false
})

/** The length of the network is omitted if it is the whole address. */
export const inet: Codec<string> = network("inet", 0)
export const cidr: Codec<string> = network("cidr", 1)

const hardwareAddress = (name: string, width: number): Codec<string> => {
  const form = new RegExp(`^[\\da-f]{2}(?:[:-][\\da-f]{2}){${width - 1}}$`, "i")
  return {
    name,
    read: (bytes, start, end) => {
      expectWidth(name, width, start, end)
      const digits = bytes.toString("hex", start, end)
      return digits.replace(/..(?!$)/g, "$&:")
    },
    write: (writer, value) => {
      if (typeof value !== "string") throw refusedKind(name, "a string", value)
      if (!form.test(value)) throw new Unencodable(`${name} takes ${width} bytes in the form "08:00:2b:01:02:03"`)
      for (const byte of value.split(/[:-]/)) writer.uint8(Number.parseInt(byte, 16))
    },
    writesStrings: false
  }
}

export const macaddr: Codec<string> = hardwareAddress("macaddr", 6)
export const macaddr8: Codec<string> = hardwareAddress("macaddr8", 8)
