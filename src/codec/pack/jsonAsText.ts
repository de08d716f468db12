/** json and jsonb as the text that the server has of them, for those who hand it on, or need every digit of it. */
import type { Codec } from "../codec.ts"
import { json, jsonb, jsonbText } from "../json.ts"
import { PgLiteral } from "../pgLiteral.ts"
import { readText } from "../text.ts"
import { builtinTypeCodec, type TypeCodec } from "../typeCodec.ts"

/** A string is the text itself, any other value what `JSON.stringify` makes of it. */
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
 * Reads `json` as its text, exactly as it was stored. A string that is a parameter is JSON text too, and any other value
 * is what `JSON.stringify` makes of it. JSON's null is `"null"`, and NULL is null.
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
 * Reads `jsonb` as its text, with all digits of its numbers; otherwise as `jsonAsText`.
 *
 * @category codecs
 * @since 0.1.0
 */
export const jsonbAsText: TypeCodec = asText(jsonb, jsonbText)
