/**
 * Decides how far requests are written ahead of their answers, and how many share a write. A write costs as much as a
 * short query.
 */

/** The session writes as soon as it has encoded more than this. */
export const WRITE_BYTES = 262_144

/** With this many unanswered requests the server does not run out of work while more are written. */
const BUSY_REQUESTS = 16

/**
 * Whether the waiting requests can be written later, together. This delays none of them: the server answers requests
 * one after the other, and more of them are unanswered than are waiting.
 */
export const isServerBusy = (unanswered: number, waiting: number): boolean =>
  unanswered >= BUSY_REQUESTS && unanswered > waiting
