/**
 * json and jsonb: read as what `JSON.parse` makes of them, so numbers beyond a double lose digits; written as what
 * `JSON.stringify` makes of any value but a string. A string is taken to be JSON text already, as it is for every other
 * type: it travels as text and the server parses it. To send a JSON string, stringify it. And jsonpath, which is text.
 */
import { Undecodable, Unencodable } from "../wire/failure.ts"
import { type Codec, refusedKind } from "./codec.ts"
import { readText } from "./text.ts"

/**
 * JSON's null as a parameter, where `null` is SQL's NULL: `[jsonNull]` stores the document `null`, `[null]` no document.
 * Within a document both are the same. A stored `null` is read as `null`.
 *
 * @category constants
 * @since 0.1.0
 */
export const jsonNull: { readonly toJSON: () => null } = Object.freeze({ toJSON: () => null })

/** The first byte of a jsonb; there is no other version yet. */
const JSONB_VERSION = 1

// What JSON.parse and JSON.stringify have to say quotes the value, so neither's error is passed on.

const parse = (name: string, json: string): unknown => {
  try {
    return JSON.parse(json)
  } catch {
    throw new Undecodable(`${name} that is not JSON`)
  }
}

const stringify = (name: string, value: unknown): string => {
  if (typeof value === "string") throw refusedKind(name, "values that are not strings (those travel as text)", value)
  let json: string | undefined
  try {
    json = JSON.stringify(value)
  } catch {
    throw new Unencodable(`${name} takes what JSON.stringify takes: no cycle, no bigint, no toJSON that throws`)
  }
  if (json === undefined) throw refusedKind(name, "what JSON.stringify takes", value)
  return json
}

export const json: Codec = {
  name: "json",
  read: (bytes, start, end) => parse("json", readText(bytes, start, end)),
  write: (writer, value) => writer.utf8(stringify("json", value)),
  writesStrings: false,
  textOf: (value) => stringify("json", value),
  ofText: (text) => parse("json", text)
}

export const jsonb: Codec = {
  name: "jsonb",
  read: (bytes, start, end) => {
    if (start === end || bytes[start] !== JSONB_VERSION) throw new Undecodable("jsonb of an unknown version")
    return parse("jsonb", readText(bytes, start + 1, end))
  },
  write: (writer, value) => {
    const json = stringify("jsonb", value)
    writer.uint8(JSONB_VERSION)
    writer.utf8(json)
  },
  writesStrings: false,
  textOf: (value) => stringify("jsonb", value),
  ofText: (text) => parse("jsonb", text)
}

/** The first byte of a jsonpath; there is no other version yet. */
const JSONPATH_VERSION = 1

/** A path as its text, `$."a"[*]`. */
export const jsonpath: Codec<string> = {
  name: "jsonpath",
  read: (bytes, start, end) => {
    if (start === end || bytes[start] !== JSONPATH_VERSION) throw new Undecodable("jsonpath of an unknown version")
    return readText(bytes, start + 1, end)
  },
  write: (writer, value) => {
    if (typeof value !== "string") throw refusedKind("jsonpath", "a string", value)
    writer.uint8(JSONPATH_VERSION)
    writer.utf8(value)
  },
  writesStrings: true
}
