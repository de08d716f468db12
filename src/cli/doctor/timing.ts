/** Measures the round trip to the server, and how far its clock is from the clock of this machine. */
import * as Effect from "effect/Effect"
import type * as PgError from "../../PgError.ts"
import type { Session } from "../../session/engine/session.ts"
import { ownTupleRows, send } from "../../session/request/request.ts"
import { type Finding, ok, warning } from "./finding.ts"

const SAMPLES = 10
const FAR_MILLIS = 20
const SKEW_MILLIS = 1000

const CLOCK =
  "SELECT (pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) OPERATOR(pg_catalog.*) 1000)::pg_catalog.float8"

interface Sample {
  readonly millis: number
  /** How much the server's clock is ahead, if it was read in the middle of the round trip. */
  readonly skew: number
}

export const examineTiming = (session: Session): Effect.Effect<ReadonlyArray<Finding>, PgError.PgError> =>
  Effect.gen(function* () {
    yield* sample(session)
    const samples: Array<Sample> = []
    for (let count = 0; count < SAMPLES; count++) samples.push(yield* sample(session))
    samples.sort((a, b) => a.millis - b.millis)
    const [fastest, median] = [samples[0], samples[Math.floor(SAMPLES / 2)]]
    if (fastest === undefined || median === undefined) return []
    return [judgeLatency(median.millis), judgeSkew(fastest)]
  })

const sample = (session: Session): Effect.Effect<Sample, PgError.PgError> =>
  Effect.suspend(() => {
    const wall = Date.now()
    const began = performance.now()
    return Effect.map(send(session, ownTupleRows(CLOCK)), ([row]) => {
      const millis = performance.now() - began
      return { millis, skew: Number(row?.[0]) - (wall + millis / 2) }
    })
  })

export const judgeLatency = (millis: number): Finding => {
  const message = `a round trip takes ${millis.toFixed(1)} ms`
  return millis > FAR_MILLIS
    ? warning(
        "latency",
        message,
        "Run the program nearer to the server, or send several statements at once (batch, executeMany)."
      )
    : ok("latency", message)
}

/** The true difference is within half a round trip of what was measured. */
export const judgeSkew = ({ millis, skew }: Sample): Finding => {
  const distance = Math.max(0, Math.abs(skew) - millis / 2)
  const side = skew > 0 ? "ahead of" : "behind"
  return distance > SKEW_MILLIS
    ? warning(
        "clock",
        `the server's clock is ${(distance / 1000).toFixed(1)} s ${side} this machine's`,
        "Synchronize both with NTP: certificates, tokens and timestamps depend on it."
      )
    : ok("clock", `the server's clock agrees with this machine's, within ${Math.ceil(Math.abs(skew) + millis / 2)} ms`)
}
