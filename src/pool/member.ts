/** A session together with what its pool knows about it. */
import type { Place } from "../session/opening/knownHosts.ts"
import type { TypeCatalogue } from "../session/types/typeCatalogue.ts"
import type { Session } from "../session/engine/session.ts"

/** A reset that has been sent. */
export interface PendingReset {
  /** Calls back when the reset is answered, or at once if it has been. */
  onAnswer(done: (isClean: boolean) => void): void
}

export interface Member {
  readonly session: Session
  /**
   * The pool's generation at the time when the session was opened. Expiring all connections starts a new generation.
   */
  readonly generation: number
  /** When the session must be replaced, by the pool's clock; Infinity means never. */
  readonly expiresAt: number
  /** The session's types, with the codecs that the `init` hook set. */
  readonly catalogue: TypeCatalogue
  /** Where the session is, and which role its server has to have; undefined if that does not matter. */
  readonly place?: Place | undefined
  /** Whether the session has to be checked before it is lent, because another one to its server was lost. */
  isSuspect?: boolean
  /** The reset that has already been sent for the session, if nothing has been asked of it since. */
  earlyReset?: PendingReset | undefined
  /** How often the session has been lent. */
  uses: number
  /** Since when the session has been idle, by the pool's clock. */
  idleSince: number
}
