/**
 * The types of a database as JSON shows them: arrays and composites become arrays and objects, and no value loses a
 * digit. What JSON cannot express exactly is a string in PostgreSQL's own form.
 */
import * as PgTypes from "../../PgTypes.ts"

/** JSON from the server, which becomes a part of the output as it is. */
export class JsonDocument {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

const asDocument = (name: string): PgTypes.Codec =>
  PgTypes.codec({
    name,
    schema: "pg_catalog",
    format: "text",
    decode: (text) => new JsonDocument(text),
    encode: String
  })

/** Its text has the digits that tell it from its neighbors; as a double it would have nine more. */
const float4 = PgTypes.codec({ name: "float4", schema: "pg_catalog", format: "text", decode: Number, encode: String })

export const JSON_TYPES: ReadonlyArray<PgTypes.Codec> = [
  float4,
  asDocument("json"),
  asDocument("jsonb"),
  PgTypes.timestampAsText,
  PgTypes.timestamptzAsText
]

const HEX = "\\x"

/** A value as JSON. */
export const toJson = (value: unknown): string => {
  switch (typeof value) {
    case "bigint":
      return `"${value}"`
    case "number":
      // JSON has neither infinity nor NaN, and readers turn -0 into 0.
      return Number.isFinite(value) && !Object.is(value, -0) ? JSON.stringify(value) : `"${numberText(value)}"`
    case "string":
    case "boolean":
      return JSON.stringify(value)
    case "object":
      return value === null ? "null" : objectToJson(value)
    default:
      return "null"
  }
}

const numberText = (value: number): string => (Object.is(value, -0) ? "-0" : String(value))

const objectToJson = (value: object): string => {
  if (value instanceof JsonDocument) return value.text
  if (value instanceof Uint8Array) return JSON.stringify(HEX + Buffer.from(value).toString("hex"))
  if (Array.isArray(value)) return `[${value.map(toJson).join(", ")}]`
  if ("toJSON" in value && typeof value.toJSON === "function") return toJson(value.toJSON())
  return `{${Object.entries(value)
    .map(([key, inner]) => `${JSON.stringify(key)}: ${toJson(inner)}`)
    .join(", ")}}`
}
