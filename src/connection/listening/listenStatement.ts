/** Checks the name of a channel, and makes its LISTEN. */
import * as Effect from "effect/Effect"
import * as Shape from "../../call/shape.ts"
import * as PgError from "../../PgError.ts"
import { MAX_NAME_BYTES } from "../../wire/limits.ts"
import { quoteName } from "../../wire/sqlText.ts"

/** Checks the name of a channel that a setting or an argument gives, before anything is sent. */
export const checkChannel = (setting: string, channel: string): Effect.Effect<void, PgError.PgError> =>
  Shape.unless(Shape.faultOf(setting, channel, Shape.text), () => Effect.asVoid(listenStatement(channel)))

/** Makes the LISTEN of a channel, or fails if the name cannot be one. Sending it twice does no harm. */
export const listenStatement = (channel: string): Effect.Effect<string, PgError.EncodeError> => {
  const reason = refusal(channel)
  return reason === undefined
    ? Effect.succeed(`LISTEN ${quoteName(channel)}`)
    : Effect.fail(new PgError.EncodeError({ parameter: 0, type: "channel name", reason, sql: "LISTEN" }))
}

/** Says why a name cannot be a channel. The server would cut a longer name short, and it would receive nothing. */
const refusal = (channel: string): string | undefined => {
  if (channel === "") return "the name of the channel is empty"
  if (channel.includes("\0") || !channel.isWellFormed())
    return "the name of the channel contains a NUL character or a lone surrogate"
  const bytes = new TextEncoder().encode(channel).length
  return bytes > MAX_NAME_BYTES
    ? `the name of the channel has ${bytes} bytes, but PostgreSQL allows at most ${MAX_NAME_BYTES}`
    : undefined
}
