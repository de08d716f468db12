/** Has the server turn values of any number from their binary form into their text. */
import * as Effect from "effect/Effect"
import { readText } from "../../codec/text.ts"
import * as PgError from "../../PgError.ts"
import type { Session } from "../engine/session.ts"
import { type BinaryValue, MAX_TEXT_FORMS, TextForms } from "../exchange/unreadRows.ts"

/** Returns the texts of values that are not NULL. */
export const textForms = (
  session: Session,
  values: ReadonlyArray<BinaryValue>
): Effect.Effect<ReadonlyArray<string>, PgError.PgError> => {
  const parts: Array<ReadonlyArray<BinaryValue>> = []
  for (let at = 0; at < values.length; at += MAX_TEXT_FORMS) parts.push(values.slice(at, at + MAX_TEXT_FORMS))
  return Effect.map(
    Effect.forEach(parts, (part) => textFormsOf(session, part)),
    (texts) => texts.flat()
  )
}

const textFormsOf = (
  session: Session,
  values: ReadonlyArray<BinaryValue>
): Effect.Effect<ReadonlyArray<string>, PgError.PgError> =>
  Effect.callback((resume) => {
    const exchange = new TextForms(values, (texts) =>
      resume(
        PgError.isPgError(texts)
          ? Effect.fail(texts)
          : Effect.succeed(texts.map((text) => readText(text, 0, text.length)))
      )
    )
    session.submit(exchange)
    return Effect.sync(() => session.abandon(exchange))
  })
