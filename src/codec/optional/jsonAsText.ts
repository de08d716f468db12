/** Reads json and jsonb as the server's text, for programs that pass it on or need every digit. */
import type { Codec } from "../codec.ts"
import { json, jsonb, jsonbText } from "../json.ts"
import { PgLiteral } from "../pgLiteral.ts"
import { readText } from "../text.ts"
import { builtinTypeCodec, type TypeCodec } from "../typeCodec.ts"

/** A string is JSON text itself; any other value goes through `JSON.stringify`. */
const given = (value: unknown): unknown => (typeof value === "string" ? new PgLiteral(value) : value)

const asText = (codec: Codec, read: Codec<string>["read"]): TypeCodec =>
  builtinTypeCodec({
    ...codec,
    read,
    write: (writer, value) => codec.write(writer, given(value)),
    textOf: (value) => (typeof value === "string" ? value : (codec.textOf?.(value) ?? String(value))),
    ofText: (text) => text
  })

/**
 * Reads `json` as text, exactly as it was stored. As a parameter, a string is JSON text too, and any other value goes
 * through `JSON.stringify`. JSON's null is `"null"`, and NULL is null.
 *
 * @example
 * ```ts
 * import { PgClient, PgTypes } from "effectpg"
 *
 * export const Database = PgClient.layer({ types: [PgTypes.jsonAsText, PgTypes.jsonbAsText] })
 * ```
 * @category codecs
 * @since 0.1.0
 */
export const jsonAsText: TypeCodec = asText(json, readText)

/**
 * Reads `jsonb` as text, with all digits of its numbers. As a parameter, a string is JSON text too, and any other value
 * goes through `JSON.stringify`. JSON's null is `"null"`, and NULL is null.
 *
 * @category codecs
 * @since 0.1.0
 */
export const jsonbAsText: TypeCodec = asText(jsonb, jsonbText)
