/**
 * Manages the sessions of a pool and decides which caller gets the next one, with plain state and callbacks, because
 * every query of a pool passes here. The session used last is lent first; waiting callers are served in order.
 *
 * A session is in one of three states, and only the pool changes it: being opened (`connecting`), idle, or in use,
 * which includes being rolled back, checked or closed. Together they never exceed the maximum.
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import type { ResolvedPoolConfig } from "../PgConfig.ts"
import * as PgError from "../PgError.ts"
import { Fifo } from "../session/engine/fifo.ts"
import { submitControl } from "../session/transaction/control.ts"
import { TransactionStatus } from "../wire/backendMessage.ts"
import type { Borrower, Waiting } from "./borrower.ts"
import { Cleaning, lendUnclean } from "./resetting/cleaning.ts"
import type { Member } from "./member.ts"
import type { PoolHealth } from "./observing/health.ts"
import type { PoolCounts } from "./observing/counts.ts"
import type { PoolReports } from "./observing/meter.ts"
import type { OpenMember } from "./opening/opener.ts"
import { check, CHECK_AFTER_IDLE_MILLIS, isBeside, isFit, isSuspicious } from "./opening/fitness.ts"
import { Retries } from "./opening/retries.ts"
import type { Reset } from "./resetting/memberReset.ts"
import type { Timers } from "./timers.ts"

export type PoolLimits = Pick<
  ResolvedPoolConfig,
  "acquireTimeoutMillis" | "idleTimeoutMillis" | "maxConnections" | "maxUses" | "maxWaiters" | "minConnections"
>

/** A caller that has waited this long for a session being reset or checked gets a new one, if there is room. */
const RETURN_MILLIS = 100

export class SessionPool {
  private readonly limits: PoolLimits
  private readonly timers: Timers
  private readonly openMember: OpenMember
  private readonly cleaning: Cleaning
  private readonly meter: PoolReports["meter"]
  private readonly health: PoolHealth | undefined
  /** All open sessions. Only the pool changes this. */
  readonly members = new Set<Member>()
  private readonly idle: Array<Member> = []
  /** Sessions that are being closed; they count until they are gone. */
  private readonly leaving = new Set<Member>()
  private readonly waiting = new Fifo<Waiting>()
  private readonly emptyListeners = new Set<() => void>()
  private connecting = 0
  /** How many sessions will soon be back, because they are being reset or checked. */
  private returning = 0
  /** Each call of `expire` begins a new one. */
  generation = 0
  private isClosed = false
  private readonly retries: Retries
  private cancelSweep: (() => void) | undefined
  private cancelDeadline: (() => void) | undefined
  private cancelImpatience: (() => void) | undefined

  constructor(limits: PoolLimits, timers: Timers, openMember: OpenMember, reset: Reset, reports: PoolReports = {}) {
    this.limits = limits
    this.timers = timers
    this.openMember = openMember
    this.cleaning = new Cleaning(reset, this)
    this.meter = reports.meter
    this.health = reports.health
    this.retries = new Retries(timers, () => this.grow())
  }

  /** Whether a session could be lent at once. */
  get hasIdle(): boolean {
    return this.idle.length > 0
  }

  /** Whether a session could be lent at once, or will soon be back without a caller waiting for it. */
  get lendsSoon(): boolean {
    return this.hasIdle || this.returning + this.cleaning.keptCount > this.waiting.length
  }

  get waitingCount(): number {
    return this.waiting.length
  }

  get counts(): PoolCounts {
    return {
      size: this.members.size,
      idle: this.idle.length + this.cleaning.count,
      connecting: this.connecting,
      waiting: this.waiting.length
    }
  }

  // ------------------------------------------------------------------------------------------------- lending

  /** Lends an idle session at once, or the next one to become free. Returns a function that gives up the wait. */
  acquire(borrower: Borrower): () => void {
    if (this.isClosed) return refuse(borrower, Cause.fail(new PgError.PoolClosedError()))
    const member = this.cleaning.take(borrower) ?? this.idle.pop()
    if (member === undefined) {
      const refusal = this.members.size + this.connecting === 0 ? this.retries.standingRefusal : undefined
      if (refusal !== undefined) return refuse(borrower, refusal)
      const mayWait = borrower.isCounted === true || this.waiting.length - this.returning < this.limits.maxWaiters
      if (mayWait) return this.wait(borrower)
      const { inUse, waiting } = this
      return refuse(borrower, Cause.fail(new PgError.TooManyWaitersError({ waiting: waiting.length, inUse })))
    }
    const now = this.timers.now()
    if (this.isWornOut(member, now)) {
      this.dismiss(member)
      return this.acquire(borrower)
    }
    if (member.isSuspect === true || now - member.idleSince > CHECK_AFTER_IDLE_MILLIS) {
      this.check(member)
      return this.wait(borrower)
    }
    this.lend(member, borrower)
    return nothing
  }

  private wait(borrower: Borrower): () => void {
    const { acquireTimeoutMillis } = this.limits
    const since = this.timers.now()
    const deadline = acquireTimeoutMillis === 0 ? Infinity : since + acquireTimeoutMillis
    const waiting: Waiting = { borrower, since, deadline }
    this.waiting.push(waiting)
    this.meter?.changed(this.counts)
    this.watchDeadlines()
    this.watchReturns()
    this.retries.hurry()
    this.grow()
    return () => {
      if (this.waiting.remove(waiting)) this.meter?.changed(this.counts)
    }
  }

  /** Lends a session after all others that are idle, because they may serve better. */
  demote(session: Member["session"]): void {
    const at = this.idle.findIndex((member) => member.session === session)
    if (at > 0) this.idle.unshift(...this.idle.splice(at, 1))
  }

  private lend(member: Member, borrower: Borrower, waitedMillis = 0): void {
    member.uses++
    this.meter?.lent(member, waitedMillis)
    this.meter?.changed(this.counts)
    lendUnclean(member)
    borrower.lend(member)
  }

  /** Lends a session if it proves to be alive; otherwise the session is lost, and another one takes its place. */
  private check(member: Member): void {
    this.returning++
    check(member, this.timers, (isUsable) => this.returned(member, isUsable))
  }

  /** Checks the other sessions to a server: idle ones now, the others when they are returned. */
  private suspectBeside(gone: Member): void {
    for (const member of this.members) if (isBeside(member, gone)) member.isSuspect = true
    const suspects = this.idle.filter(({ isSuspect }) => isSuspect === true)
    for (const member of suspects) {
      this.idle.splice(this.idle.indexOf(member), 1)
      this.check(member)
    }
  }

  /** A session will soon be back, because it is being reset. */
  awaitReturn(): void {
    this.returning++
    this.meter?.changed(this.counts)
  }

  /** Data behind the answer is read first, because it may say that the server ends the session. */
  returned(member: Member, isUsable: boolean): void {
    queueMicrotask(() => {
      this.returning--
      if (isUsable && member.session.lost === undefined) return this.release(member)
      member.session.terminate()
      this.grow()
    })
  }

  /**
   * Takes a session back. It is lent again only when all requests on it are answered, no cancel is in progress, no
   * transaction is open, and nothing is left of its last borrower.
   */
  release(member: Member): void {
    const { session } = member
    const now = this.timers.now()
    this.meter?.returned(member)
    if (session.lost !== undefined) return
    session.residue.due = undefined
    if (member.earlyReset !== undefined) return this.cleaning.clean(member)
    if (!session.settled) {
      session.onIdle(() => this.release(member))
    } else if (session.transactionStatus !== TransactionStatus.idle) {
      submitControl(session, { operation: "ROLLBACK", sql: "ROLLBACK" }, () => {
        if (session.transactionStatus === TransactionStatus.idle) this.release(member)
        else session.terminate()
      })
    } else if (this.isClosed || this.isWornOut(member, now)) {
      this.dismiss(member)
    } else if (session.residue.isSoiled) {
      this.cleaning.clean(member)
    } else if (session.residue.isDoubtful) {
      this.offerUnclean(member, now)
    } else if (member.isSuspect === true) {
      this.check(member)
    } else {
      this.offer(member, now)
    }
  }

  private isWornOut(member: Member, now: number): boolean {
    const { maxUses } = this.limits
    if (member.isChosen === true && !isFit(member)) return true
    if (member.session.residue.isBeyondReset || member.generation !== this.generation) return true
    return (maxUses > 0 && member.uses >= maxUses) || member.expiresAt <= now
  }

  private offer(member: Member, now: number): void {
    const next = this.waiting.shift()
    if (next !== undefined) return this.lend(member, next.borrower, now - next.since)
    member.idleSince = now
    this.idle.push(member)
    this.meter?.changed(this.counts)
    this.scheduleSweep()
  }

  private offerUnclean(member: Member, now: number): void {
    const next = this.waiting.peek()?.borrower
    if (!this.cleaning.mayLend(member, next)) return this.cleaning.clean(member)
    if (next !== undefined) return this.offer(member, now)
    member.idleSince = now
    this.cleaning.keep(member)
    this.meter?.changed(this.counts)
  }

  /** Makes sure that a slow or unanswered reset or check delays no caller for which there is room. */
  private watchReturns(): void {
    const first = this.waiting.peek()
    if (first === undefined || this.returning === 0 || this.cancelImpatience !== undefined || !this.hasRoom) return
    const due = first.since + RETURN_MILLIS
    this.cancelImpatience = this.timers.after(Math.max(1, due - this.timers.now()), () => {
      this.cancelImpatience = undefined
      if (this.waiting.peek() !== first) this.watchReturns()
      else if (this.hasRoom && this.mayTry && this.connecting === 0) this.openOne()
    })
  }

  /** All callers wait equally long, so the first in the queue is the first whose time is up. */
  private watchDeadlines(): void {
    const first = this.waiting.peek()
    if (first === undefined || first.deadline === Infinity || this.cancelDeadline !== undefined) return
    this.cancelDeadline = this.timers.after(Math.max(0, first.deadline - this.timers.now()), () => {
      this.cancelDeadline = undefined
      const now = this.timers.now()
      for (let next = this.waiting.peek(); next !== undefined && next.deadline <= now; next = this.waiting.peek()) {
        this.waiting.shift()
        this.meter?.changed(this.counts)
        next.borrower.refuse(next.borrower.isCounted === true ? this.timedOut : this.timeIsUp(), true)
      }
      this.watchDeadlines()
    })
  }

  /** The error for a caller that has waited for a session as long as it may. */
  timeIsUp(): Cause.Cause<PgError.PgError> {
    this.meter?.timedOut()
    return this.timedOut
  }

  /** If no session could be opened, report that failure instead of a timeout. */
  private get timedOut(): Cause.Cause<PgError.PgError> {
    if (this.members.size === 0 && this.retries.lastFailure !== undefined) return this.retries.lastFailure
    return Cause.fail(
      new PgError.AcquireTimeoutError({
        waitedMillis: this.limits.acquireTimeoutMillis,
        waiting: this.waiting.length,
        inUse: this.inUse,
        connecting: this.connecting
      })
    )
  }

  private get inUse(): number {
    return this.members.size - this.idle.length
  }

  refuseAll(cause: Cause.Cause<PgError.PgError>): void {
    const refused = this.waiting.drain()
    this.meter?.changed(this.counts)
    for (const { borrower } of refused) borrower.refuse(cause, false)
  }

  // ------------------------------------------------------------------------------------------------- opening

  /** Opens a session for the pool to keep. */
  open(done: (opened: Exit.Exit<Member, PgError.PgError>) => void): void {
    this.connecting++
    this.openMember((opened) => {
      this.connecting--
      if (Exit.isSuccess(opened)) this.welcome(opened.value)
      done(opened)
    })
  }

  private welcome(member: Member): void {
    this.retries.succeeded()
    this.members.add(member)
    this.health?.opened()
    member.session.onEnd((error) => this.forget(member, error))
    this.release(member)
  }

  private forget(member: Member, error: PgError.PgError): void {
    this.members.delete(member)
    this.leaving.delete(member)
    const at = this.idle.indexOf(member)
    if (at >= 0) this.idle.splice(at, 1)
    this.meter?.returned(member)
    this.meter?.changed(this.counts)
    if (member.session.closing === undefined) {
      this.health?.lost(error, this.members.size === 0 || this.lacks)
      if (isSuspicious(error)) this.suspectBeside(member)
    }
    if (this.members.size === 0) for (const listener of this.emptyListeners) listener()
    this.grow()
  }

  /**
   * Opens sessions for waiting callers that have none coming, and up to the minimum, as far as the maximum allows.
   * After a failure, a single attempt is made for all, after a growing pause. A server that has refused a connection
   * answers at once, so a new caller waits for its answer and not for the pause.
   */
  private grow(): void {
    while (!this.isClosed && this.mayTry && this.lacks && this.hasRoom) {
      if (this.retries.isFailing && this.connecting > 0) return
      this.openOne()
    }
  }

  private openOne(): void {
    this.open((opened) => {
      if (Exit.isFailure(opened)) this.failedToOpen(opened.cause)
      this.grow()
    })
  }

  private get lacks(): boolean {
    return (
      this.waiting.length > this.connecting + this.returning ||
      this.members.size + this.connecting < this.limits.minConnections
    )
  }

  private get mayTry(): boolean {
    return this.retries.mayTry(this.waiting.length > 0)
  }

  get hasRoom(): boolean {
    return this.members.size + this.connecting < this.limits.maxConnections
  }

  /** A failure that may pass is waited out; any other is the answer to all who wait. */
  private failedToOpen(cause: Cause.Cause<PgError.PgError>): void {
    if (!this.isClosed) this.health?.notOpened(cause)
    if (this.retries.failed(cause)) this.refuseAll(cause)
    if (!this.isClosed) this.retries.pause(this.waiting.length > 0)
  }

  // ------------------------------------------------------------------------------------------------- upkeep

  private scheduleSweep(): void {
    const { idleTimeoutMillis } = this.limits
    const first = this.idle[0]
    if (this.cancelSweep !== undefined || first === undefined) return
    // With no session to spare, none has to be closed, and one that becomes spare has its full idle time ahead.
    const idleSince = this.spare > 0 ? first.idleSince : this.timers.now()
    const idleUntil = idleTimeoutMillis === 0 ? Infinity : idleSince + idleTimeoutMillis
    const next = this.idle.reduce((earliest, { expiresAt }) => Math.min(earliest, expiresAt), idleUntil)
    if (next === Infinity) return
    this.cancelSweep = this.timers.after(Math.max(1, next - this.timers.now()), () => {
      this.cancelSweep = undefined
      this.sweep()
      this.scheduleSweep()
    })
  }

  /** Closes sessions that are worn out or, down to the minimum, idle for too long; then restores the minimum. */
  private sweep(): void {
    const { idleTimeoutMillis } = this.limits
    const now = this.timers.now()
    for (const member of this.idle.slice()) {
      // Another one may have put it in doubt meanwhile.
      if (!this.idle.includes(member)) continue
      const isStale = idleTimeoutMillis > 0 && now - member.idleSince >= idleTimeoutMillis && this.spare > 0
      if (isStale || this.isWornOut(member, now)) this.retire(member)
    }
  }

  /** How many sessions there are above the minimum. */
  private get spare(): number {
    return this.members.size - this.leaving.size - this.limits.minConnections
  }

  private retire(member: Member): void {
    this.idle.splice(this.idle.indexOf(member), 1)
    this.dismiss(member)
  }

  private dismiss(member: Member): void {
    if (!isFit(member)) this.suspectBeside(member)
    this.leaving.add(member)
    member.session.close()
  }

  /** Replaces every session: idle ones now, the others when they are returned. */
  expire(): void {
    this.generation++
    for (const member of this.idle.splice(0)) this.dismiss(member)
  }

  /** Refuses all waiting and future callers, and closes each session when it is returned. */
  close(): void {
    this.isClosed = true
    this.retries.stop()
    this.cancelSweep?.()
    this.cancelDeadline?.()
    this.cancelImpatience?.()
    this.refuseAll(Cause.fail(new PgError.PoolClosedError()))
    for (const member of this.idle.splice(0)) this.dismiss(member)
  }

  /** Calls back when the last session has gone. Returns a function that unsubscribes. */
  onEmpty(listener: () => void): () => void {
    if (this.members.size === 0) {
      listener()
      return nothing
    }
    this.emptyListeners.add(listener)
    return () => this.emptyListeners.delete(listener)
  }
}

const nothing = (): void => {}

const refuse = (borrower: Borrower, cause: Cause.Cause<PgError.PgError>): (() => void) => {
  borrower.refuse(cause, false)
  return nothing
}
