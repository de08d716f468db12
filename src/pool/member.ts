/** A session with what its pool has to know of it. */
import type { TypeCatalogue } from "../session/catalogue.ts"
import type { Session } from "../session/session.ts"

/** A reset that has been sent. */
export interface PendingReset {
  /** Calls back when it is answered, or at once. */
  onAnswer(done: (isClean: boolean) => void): void
}

export interface Member {
  readonly session: Session
  /** Of the pool's generation when it was opened; a pool that has expired its connections is in a later one. */
  readonly generation: number
  /** When its life is over, by the pool's clock; Infinity is never. */
  readonly expiresAt: number
  /** With the codecs that its `init` gave it. */
  readonly catalogue: TypeCatalogue
  /** Where it is being reset already, and nothing has been asked of it since. */
  earlyReset?: PendingReset | undefined
  /** How often it has been lent. */
  uses: number
  /** Since when it has been idle, by the pool's clock. */
  idleSince: number
}
