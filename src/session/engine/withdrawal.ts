/** Ends requests of a session without ending the session. */
import type * as PgError from "../../PgError.ts"
import { type Exchange, wholeOf } from "./exchange.ts"
import type { Fifo } from "./fifo.ts"
import { lostInFlight, refusedWaiting } from "./lostErrors.ts"

/** Refuses the requests that are not written yet, except control statements. */
export const refuseUnwritten = (waiting: Fifo<Exchange>, error: PgError.PgError): void => {
  for (const exchange of waiting.drain()) {
    if (exchange.isControl === true) {
      waiting.push(exchange)
    } else {
      const whole = wholeOf(exchange)
      exchange.withdrawn?.()
      if (whole !== exchange) whole.withdrawn?.()
      whole.lost(refusedWaiting(whole, error))
    }
  }
}

/**
 * Abandons the requests that have been written, except control statements, which the server answers at once. Returns
 * whether anything in flight is abandoned now.
 */
export const abandonWritten = (inFlight: Fifo<Exchange>, error: PgError.PgError): boolean => {
  for (const exchange of inFlight.toArray()) {
    if (exchange.abandoned || exchange.isControl === true) continue
    const whole = wholeOf(exchange)
    whole.lost(lostInFlight(whole, error))
    exchange.abandoned = true
    if (whole === exchange) continue
    whole.abandoned = true
    whole.withdrawn?.()
  }
  return inFlight.some(({ abandoned }) => abandoned)
}
