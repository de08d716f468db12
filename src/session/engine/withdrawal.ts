/** What becomes of requests when those who asked have to be refused, although the session goes on. */
import type * as PgError from "../../PgError.ts"
import type { Exchange } from "./exchange.ts"
import type { Fifo } from "./fifo.ts"
import { lostInFlight, refusedWaiting } from "./lostErrors.ts"

/** Refuses what is not written yet, but for what begins, ends and cleans up. */
export const refuseUnwritten = (waiting: Fifo<Exchange>, error: PgError.PgError): void => {
  for (const exchange of waiting.drain()) {
    if (exchange.isControl === true) {
      waiting.push(exchange)
    } else {
      exchange.withdrawn?.()
      exchange.lost(refusedWaiting(exchange, error))
    }
  }
}

/**
 * Abandons what has been written, but for what begins, ends and cleans up, which the server answers at once. Tells whether
 * anything in flight is abandoned now.
 */
export const abandonWritten = (inFlight: Fifo<Exchange>, error: PgError.PgError): boolean => {
  for (const exchange of inFlight.toArray()) {
    if (exchange.abandoned || exchange.isControl === true) continue
    exchange.lost(lostInFlight(exchange, error))
    exchange.abandoned = true
  }
  return inFlight.some(({ abandoned }) => abandoned)
}
