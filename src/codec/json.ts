/**
 * json, jsonb and jsonpath. Documents are read with `JSON.parse`, so numbers beyond a double lose digits, and any value
 * is written with `JSON.stringify`. So a string becomes a JSON string, as it is read; use a `PgLiteral` for text that
 * is JSON already. A jsonpath is its text.
 */
import type { Buffer } from "node:buffer"
import { limitMet, Undecodable, Unencodable } from "../wire/failure.ts"
import { type Codec, everyArray, refusedKind } from "./codec.ts"
import { documentOf } from "./document.ts"
import { misplacedInDocument } from "./kindOf.ts"
import { PgLiteral } from "./pgLiteral.ts"
import { readText } from "./text.ts"

/**
 * JSON's null as a parameter, since `null` is SQL's NULL: `[jsonNull]` stores the document `null`, `[null]` stores no
 * document. Within a document both are the same. A stored `null` is read as `null`; `jsonAsText` and `jsonbAsText` tell
 * it from NULL.
 *
 * @category constants
 * @since 0.1.0
 */
export const jsonNull: { readonly toJSON: () => null } = Object.freeze({ toJSON: () => null })

/** The first byte of a jsonb; there is no other version yet. */
const JSONB_VERSION = 1

// The errors of JSON.parse and JSON.stringify quote the value, so they are not passed on.

const parse = (name: string, json: string): unknown => {
  try {
    return JSON.parse(json)
  } catch {
    throw new Undecodable(`the ${name} is not valid JSON`)
  }
}

const stringify = (name: string, value: unknown): string => {
  if (value instanceof PgLiteral) return value.text
  let json: string | undefined
  try {
    const misplaced = misplacedInDocument(value)
    if (misplaced !== undefined)
      throw new Unencodable(`${name} takes only values that JSON can represent, not ${misplaced}`, misplaced)
    json = documentOf(value)
  } catch (thrown) {
    if (thrown instanceof Unencodable) throw thrown
    const limit = limitMet(thrown)
    if (limit !== undefined) throw new Unencodable(limit)
    throw new Unencodable(
      `${name} takes a value that JSON.stringify accepts: no cycle, no bigint, no toJSON that throws`
    )
  }
  if (json === undefined) throw refusedKind(name, "a value that JSON.stringify accepts", value)
  return json
}

/** @internal */
export const json: Codec = {
  name: "json",
  read: (bytes, start, end) => parse("json", readText(bytes, start, end)),
  write: (writer, value) => writer.utf8(stringify("json", value)),
  writesStrings: true,
  textOf: (value) => stringify("json", value),
  ofText: (text) => parse("json", text),
  isElement: everyArray
}

/**
 * The text that follows the version of a jsonb.
 *
 * @internal
 */
export const jsonbText = (bytes: Buffer, start: number, end: number): string => {
  if (start === end || bytes[start] !== JSONB_VERSION) throw new Undecodable("the jsonb has an unknown version")
  return readText(bytes, start + 1, end)
}

/** @internal */
export const jsonb: Codec = {
  name: "jsonb",
  read: (bytes, start, end) => parse("jsonb", jsonbText(bytes, start, end)),
  write: (writer, value) => {
    const json = stringify("jsonb", value)
    writer.uint8(JSONB_VERSION)
    writer.utf8(json)
  },
  writesStrings: true,
  textOf: (value) => stringify("jsonb", value),
  ofText: (text) => parse("jsonb", text),
  isElement: everyArray
}

/** The first byte of a jsonpath; there is no other version yet. */
const JSONPATH_VERSION = 1

/**
 * A path as its text, such as `$."a"[*]`.
 *
 * @internal
 */
export const jsonpath: Codec<string> = {
  name: "jsonpath",
  read: (bytes, start, end) => {
    if (start === end || bytes[start] !== JSONPATH_VERSION) throw new Undecodable("the jsonpath has an unknown version")
    return readText(bytes, start + 1, end)
  },
  write: (writer, value) => {
    if (typeof value !== "string") throw refusedKind("jsonpath", "a string", value)
    writer.uint8(JSONPATH_VERSION)
    writer.utf8(value)
  },
  writesStrings: true
}
