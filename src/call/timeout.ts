/** The `timeout` of a call. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as PgError from "../PgError.ts"
import { timeoutOrElse } from "./realTime.ts"

export const withTimeout = <A, E, R>(
  operation: string,
  sql: string | undefined,
  answer: Effect.Effect<A, E | PgError.PgError, R>,
  timeout: Duration.Input | undefined
): Effect.Effect<A, E | PgError.PgError, R> => {
  if (timeout === undefined) return answer
  const duration = Duration.fromInput(timeout)
  if (Option.isNone(duration)) {
    return Effect.fail(
      new PgError.InvalidConfigError({ setting: "timeout", reason: 'must be a duration, such as "5 seconds"' })
    )
  }
  const durationMillis = Duration.toMillis(duration.value)
  return timeoutOrElse(answer, durationMillis, () =>
    Effect.fail(new PgError.QueryTimeoutError({ operation, durationMillis, sql }))
  )
}
