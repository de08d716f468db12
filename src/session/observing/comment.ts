// Makes the comment of a statement from what the `comment` hook returns, in the format of sqlcommenter:
// `/*route='%2Fbooks',traceparent='00-...'*/`.
import * as Effect from "effect/Effect"
import type { CommentedCall, Observing } from "../../PgConfig.ts"

type Hook = NonNullable<Observing["comment"]>

/** Runs the hook. Returns an empty text if there is no comment. */
export const commentOf = (hook: Hook, call: CommentedCall): Effect.Effect<string> => {
  const told = hook(call)
  // A hook may return something else, for example a record. That must not make the call die.
  if (!Effect.isEffect(told)) return Effect.as(Effect.logWarning("comment gave no Effect"), "")
  return Effect.map(told, commentWith)
}

/** Writes keys and values in the order of the keys. Both are encoded, so that neither can end the comment. */
export const commentWith = (tags: Readonly<Record<string, string>>): string => {
  const pairs = Object.entries(tags)
    .map(([key, value]) => `${encoded(key)}='${encoded(value)}'`)
    .toSorted()
  return pairs.length === 0 ? "" : `/*${pairs.join(",")}*/`
}

const encoded = (text: string): string =>
  encodeURIComponent(String(text).toWellFormed()).replace(
    /['*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`
  )

/** Appends the comment. If a line comment could swallow it, it begins in a line of its own. */
export const withComment = (sql: string, comment: string): string =>
  `${sql}${sql.includes("--") ? "\n" : " "}${comment}`
