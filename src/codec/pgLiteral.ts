/** Parameters given as text that the server parses, whatever their type. */
import { Unencodable } from "../wire/failure.ts"
import { refuseWithinDocument } from "./document.ts"
import { INSPECT } from "./inspect.ts"

/**
 * A parameter given as the text of its type; made by `literal`.
 *
 * @category models
 * @since 0.1.0
 */
export class PgLiteral {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  /** Keeps the value out of logs and printed output. */
  toJSON(): unknown {
    refuseWithinDocument("a literal")
    return { length: this.text.length }
  }

  toString(): string {
    return "PgLiteral"
  }

  [INSPECT](): unknown {
    return this.toJSON()
  }
}

/** Throws for a literal if only a type's binary form can be sent, or if a user's codec would receive it. */
export const refuseLiteral = (value: unknown): void => {
  if (value instanceof PgLiteral)
    throw new Unencodable("a literal can be sent only as text, but this request needs the binary format")
}

/**
 * Makes a parameter of any type from the text that would stand between the quotes of a literal in the SQL: for a json
 * column, `literal(document)` is `'...'::json`. Most types accept a plain string for that. You need this for types
 * whose values may be strings: for text that is JSON already, which would otherwise be sent as a JSON string, and for a
 * type with a codec of your own, which a literal bypasses.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { PgClient, PgTypes } from "effectpg"
 *
 * export const store = Effect.fn(function* (body: string) {
 *   const pg = yield* PgClient.PgClient
 *   // The body of a request is a JSON document already.
 *   yield* pg.execute("INSERT INTO events (payload) VALUES ($1)", [PgTypes.literal(body)])
 * })
 * ```
 * @category parameters
 * @since 0.1.0
 */
export const literal = (text: string): PgLiteral => new PgLiteral(text)
