/**
 * A session that several calls share at once: which calls it has, and whether it can take more. An abandoned call stays
 * until its answer has arrived, because the server is still working on it.
 */
import { Fifo } from "../../session/engine/fifo.ts"
import type { Member } from "../member.ts"
import { isFit } from "../opening/fitness.ts"
import type { RoundTrips } from "../roundTrips.ts"

/** How many statements may be unanswered on one connection. */
const MAX_RUNNING = 64
/** A server that has not answered for this long, plus the round trip, gets no more statements. */
const MAX_SILENCE_MILLIS = 20

/** What a seat needs from a call. */
export interface Seated {
  /** When the call got its seat, in milliseconds. */
  readonly seatedAt: number
  /** Since when the call has wanted a connection. */
  readonly askedAt: number
  /** Whether nothing may be sent behind this call. */
  readonly locksRows: boolean
  /** Whether the caller has gone and no longer waits for the answer. */
  readonly isAbandoned: boolean
  /** Moves to another place if the call has not been written; returns false if it has. */
  moveAway(): boolean
  /** Fails the call: its time for getting a connection is up, and the server has not started it. */
  giveUp(): void
}

export class Seat {
  readonly member: Member
  /** When the pool lent the session. */
  readonly since = performance.now()
  /** How many of its calls still have a waiting caller. */
  running = 0
  /** The calls in the order of their answers. */
  private readonly calls = new Fifo<Seated>()
  private readonly roundTrips: RoundTrips
  /** When the last answer arrived. */
  private answeredAt = 0

  constructor(member: Member, roundTrips: RoundTrips) {
    this.member = member
    this.roundTrips = roundTrips
  }

  /** The network round trip in milliseconds. */
  get roundTrip(): number {
    return this.roundTrips.of(this.member.session)
  }

  canTakeMore(now: number): boolean {
    const { session } = this.member
    if (session.lost !== undefined || session.isFenced || session.residue.isSoiled) return false
    if (this.member.isChosen === true && !isFit(this.member)) return false
    const last = this.calls.last()
    if (last === undefined) return true
    return !last.locksRows && this.calls.length < MAX_RUNNING && !this.isSilent(now)
  }

  /** Whether the server has been working on the first call for so long that it may be waiting for something. */
  isSilent(now: number): boolean {
    const head = this.calls.peek()
    return head !== undefined && now - this.hadSince(head) > MAX_SILENCE_MILLIS
  }

  /** The time at which the answer to the first call could have arrived if the server needed no time for it. */
  private hadSince(head: Seated): number {
    return Math.max(this.answeredAt, head.seatedAt + this.roundTrip)
  }

  /** Whether a call waits behind another one. */
  get isShared(): boolean {
    return this.calls.length > 1
  }

  /** Measures the line if it is in doubt, which takes a session that has nothing to answer. */
  measure(): void {
    if (this.calls.length === 0) this.roundTrips.measureIfNeeded(this.member.session)
  }

  add(call: Seated): void {
    this.calls.push(call)
    this.running++
  }

  /** A call was answered. Returns how long the server took for it, if that can be determined. */
  answered(call: Seated, now: number): number | undefined {
    this.running--
    const { calls } = this
    // Answers arrive in order, so the answers to abandoned calls before this one have arrived too.
    while (calls.peek()?.isAbandoned === true) calls.shift()
    const isHead = calls.peek() === call
    if (isHead && this.answeredAt <= call.seatedAt) this.roundTrips.saw(this.member.session, now - call.seatedAt)
    const millis = isHead ? Math.max(0, now - this.hadSince(call)) : undefined
    calls.remove(call)
    this.answeredAt = now
    return millis
  }

  /** The caller of a call has gone. The silence continues, because the server has not answered. */
  abandoned(): void {
    this.running--
  }

  /** A call left before it was written. */
  left(call: Seated): void {
    this.running--
    this.calls.remove(call)
  }

  /** Moves away the calls that have not been written, the last one first. */
  moveUnwritten(): void {
    for (let call = this.calls.last(); call !== undefined && this.isShared; call = this.calls.last()) {
      if (call.isAbandoned || !call.moveAway()) return
    }
  }

  /** Fails the calls that were requested before that time, and that the server has not started. */
  giveUpBehind(askedUntil: number): void {
    const [, ...behind] = this.calls.toArray()
    for (const call of behind) if (!call.isAbandoned && call.askedAt <= askedUntil) call.giveUp()
  }
}
