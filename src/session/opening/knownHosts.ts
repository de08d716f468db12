/**
 * What the connections of a pool share about their servers: which address each session has reached and which role it
 * was chosen for, and which addresses have not answered lately.
 */
import type { Session } from "../engine/session.ts"
import type { Address } from "../engine/transport.ts"
import type { Role } from "./role.ts"

/** Where a session is, and what its server has to be. */
export interface Place {
  /** The address that was reached, with the port. */
  readonly server: string
  readonly role: Role
}

/** An address that did not answer is tried after all others for this long. */
const SILENCE_MILLIS = 10_000

/** More addresses than this are not remembered. Names that move could otherwise add some forever. */
const MAX_SILENT = 1_000

export class KnownHosts {
  private readonly places = new WeakMap<Session, Place>()
  private readonly silentUntil = new Map<string, number>()

  /** A session has been opened. */
  arrived(session: Session, address: Address, role: Role): void {
    this.places.set(session, { server: keyOf(address), role })
  }

  placeOf(session: Session): Place | undefined {
    return this.places.get(session)
  }

  /** The time for connecting to an address has passed without an answer. */
  noAnswer(address: Address): void {
    if (this.silentUntil.size >= MAX_SILENT) this.silentUntil.clear()
    this.silentUntil.set(keyOf(address), this.now() + SILENCE_MILLIS)
  }

  answered(address: Address): void {
    this.silentUntil.delete(keyOf(address))
  }

  isSilent(address: Address): boolean {
    const until = this.silentUntil.get(keyOf(address))
    return until !== undefined && until > this.now()
  }

  private now(): number {
    return performance.now()
  }
}

const keyOf = (address: Address): string => (address._tag === "Unix" ? address.path : `${address.host} ${address.port}`)
