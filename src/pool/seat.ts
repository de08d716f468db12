/**
 * A session that several calls share at once: which of them it has, and whether it can take more. A call that was
 * abandoned stays until its answer has come, because the server still works on it.
 */
import { Fifo } from "../session/fifo.ts"
import type { Member } from "./member.ts"
import type { RoundTrips } from "./roundTrips.ts"

/** How many statements may be unanswered on one connection. */
const MAX_RUNNING = 64
/** A server that has not answered for so long takes no more statements; the time that the line takes is added. */
const MAX_SILENCE_MILLIS = 20

/** What a seat has to know of a call, and what it asks of it. */
export interface Seated {
  /** When it came here, in milliseconds. */
  readonly seatedAt: number
  /** Since when it has wanted a connection. */
  readonly askedAt: number
  /** Whether nothing may be sent behind it. */
  readonly locksRows: boolean
  /** Whether nobody waits for its answer any more. */
  readonly isAbandoned: boolean
  /** Looks for another place, if the server has not been told of it; false if it has. */
  moveAway(): boolean
  /** Its time for getting a connection is up, and the server has not come to it. */
  giveUp(): void
}

export class Seat {
  readonly member: Member
  /** How many of its calls have somebody who waits for the answer. */
  running = 0
  /** In the order in which they are answered. */
  private readonly calls = new Fifo<Seated>()
  private readonly roundTrips: RoundTrips
  /** When the last answer came. */
  private answeredAt = 0

  constructor(member: Member, roundTrips: RoundTrips) {
    this.member = member
    this.roundTrips = roundTrips
  }

  /** How long the line takes there and back, in milliseconds. */
  get roundTrip(): number {
    return this.roundTrips.of(this.member.session)
  }

  canTakeMore(now: number): boolean {
    const { session } = this.member
    if (session.lost !== undefined || session.isFenced || session.residue.isSoiled) return false
    const last = this.calls.last()
    if (last === undefined) return true
    return !last.locksRows && this.calls.length < MAX_RUNNING && !this.isSilent(now)
  }

  /** Whether the server has been at its first call for so long that it may wait for something. */
  isSilent(now: number): boolean {
    const head = this.calls.peek()
    return head !== undefined && now - this.hadSince(head) > MAX_SILENCE_MILLIS
  }

  /** When the answer to the first call could have come, had the server nothing to do for it. */
  private hadSince(head: Seated): number {
    return Math.max(this.answeredAt, head.seatedAt + this.roundTrip)
  }

  /** Whether there is a call behind another. */
  get isShared(): boolean {
    return this.calls.length > 1
  }

  add(call: Seated): void {
    this.calls.push(call)
    this.running++
  }

  /** A call was answered. Tells how long the server had it, if that can be told. */
  answered(call: Seated, now: number): number | undefined {
    this.running--
    const { calls } = this
    // Answers come in order: those before it that nobody waited for have come too.
    while (calls.peek()?.isAbandoned === true) calls.shift()
    const isHead = calls.peek() === call
    const millis = isHead ? Math.max(0, now - this.hadSince(call)) : undefined
    calls.remove(call)
    this.answeredAt = now
    return millis
  }

  /** Nobody waits for a call any more. The silence goes on: what the server is at has not been answered. */
  abandoned(): void {
    this.running--
  }

  /** A call has left before the server was told of it. */
  left(call: Seated): void {
    this.running--
    this.calls.remove(call)
  }

  /** Sends those away that have not been written, the last first. */
  moveUnwritten(): void {
    for (let call = this.calls.last(); call !== undefined && this.isShared; call = this.calls.last()) {
      if (call.isAbandoned || !call.moveAway()) return
    }
  }

  /** Has those give up that were asked for before that time, and that the server has not come to. */
  giveUpBehind(askedUntil: number): void {
    const [, ...behind] = this.calls.toArray()
    for (const call of behind) if (!call.isAbandoned && call.askedAt <= askedUntil) call.giveUp()
  }
}
