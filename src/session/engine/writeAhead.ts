/** How far requests are written ahead of their answers, and how many in one write: a write costs as much as a short query. */

/** One write is not let grow beyond this before the socket has been asked whether it can take more. */
export const WRITE_BYTES = 262_144

/** With so many before it the server does not run out of work while more are written. */
const BUSY_REQUESTS = 16

/**
 * Whether those that wait can be written later, together: the server answers one request after the other, and has more
 * of them before it than wait. Nothing is lost by that: it would not have come to them yet.
 */
export const isServerBusy = (unanswered: number, waiting: number): boolean =>
  unanswered >= BUSY_REQUESTS && unanswered > waiting
