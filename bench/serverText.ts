/**
 * Prints a driver's value as the server prints it, so that the values of all drivers can be compared with the server's.
 * It is strict on purpose: a driver must not gain by returning a value that it has not decoded. For types that drivers
 * read differently by default (int8, numeric, date), every documented form is accepted.
 */
import { Buffer } from "node:buffer"
import type { Text } from "./protocol.ts"

/** Prints a value; undefined if a decoded value of the type cannot look like that. */
type Printer = (value: unknown) => string | undefined

const number: Printer = (value) => (typeof value === "number" ? String(value) : undefined)

const string: Printer = (value) => (typeof value === "string" ? value : undefined)

const anyInteger: Printer = (value) =>
  typeof value === "bigint" || typeof value === "string" || Number.isSafeInteger(value) ? String(value) : undefined

const boolean: Printer = (value) => (typeof value === "boolean" ? (value ? "t" : "f") : undefined)

const bytes: Printer = (value) =>
  value instanceof Uint8Array
    ? `\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("hex")}`
    : undefined

const date: Printer = (value) => (value instanceof Date ? value.toISOString().slice(0, 10) : string(value))

const timestamptz: Printer = (value) =>
  value instanceof Date
    ? value
        .toISOString()
        .replace("T", " ")
        .replace(/\.?0*Z$/, "+00")
    : undefined

const array =
  (print: Printer): Printer =>
  (value) => {
    if (!Array.isArray(value)) return undefined
    const elements = value.map(print)
    return elements.includes(undefined) ? undefined : `{${elements.join(",")}}`
  }

/** Prints JSON with the server's spacing. The keys are already in the server's order. */
const json = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(json).join(", ")}]`
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  return `{${Object.entries(value)
    .map(([key, member]) => `${JSON.stringify(key)}: ${json(member)}`)
    .join(", ")}}`
}

const printers: Readonly<Record<string, Printer>> = {
  bool: boolean,
  bytea: bytes,
  char: string,
  date,
  float8: number,
  int2: number,
  int4: number,
  int8: anyInteger,
  jsonb: json,
  name: string,
  numeric: string,
  oid: number,
  text: string,
  timestamptz,
  uuid: string,
  _int4: array(number)
}

export const serverText = (value: unknown, type: string): Text => {
  if (value === null) return null
  const printer = printers[type]
  if (printer === undefined) throw new Error(`serverText.ts does not know how the server prints ${type}`)
  const text = printer(value)
  if (text === undefined) throw new Error(`not a decoded value of ${type}: ${typeof value} ${String(value)}`)
  return text
}
