/**
 * Makes the comment of a statement from what the `comment` hook returns, in the format of sqlcommenter:
 * `route='%2Fbooks',traceparent='00-...'`.
 */
import * as Effect from "effect/Effect"
import type { CommentedCall, Observing } from "../../PgConfig.ts"

type Hook = NonNullable<Observing["comment"]>

/** Runs the hook. Returns an empty text if there is no comment. A hook that dies must not make the call die. */
export const commentOf = (hook: Hook, call: CommentedCall): Effect.Effect<string> =>
  Effect.catchDefect(
    Effect.suspend(() => {
      const told = hook(call)
      return Effect.isEffect(told)
        ? Effect.map(told, commentWith)
        : withoutComment("the comment hook did not return an Effect")
    }),
    () => withoutComment("the comment hook died")
  )

const withoutComment = (warning: string): Effect.Effect<string> => Effect.as(Effect.logWarning(warning), "")

/** Writes keys and values in the order of the keys. Both are encoded, so that neither can end the comment. */
const commentWith = (tags: Readonly<Record<string, string>>): string => {
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
