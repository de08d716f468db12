/**
 * Runs one statement that is not known to be short, on a connection that it has to itself. If its text proves to be short
 * while it still waits for that connection, it shares one instead.
 */
import type * as Cause from "effect/Cause"
import type * as PgError from "../../PgError.ts"
import type { Resume } from "../../session/engine/exchange.ts"
import type { Request } from "../../session/request/request.ts"
import type { Borrower } from "../borrower.ts"
import type { Member } from "../member.ts"
import { PooledCall, type Stopwatch } from "../pooledCall.ts"
import type { SessionPool } from "../sessionPool.ts"
import { type Seating, SharedCall, type Waiting } from "./sharedCall.ts"
import type { ShareableStatement } from "./shortStatements.ts"

/** Where undecided calls wait for the decision. */
export interface Deciding extends Seating, Stopwatch {
  /** The call no longer waits: its connection has come, or its caller has gone. */
  decided(call: Undecided): void
  /** The place of a call in the queue of the pool now serves all calls that wait to share. Its connection has come. */
  take(member: Member): void
  /** That place has got no connection. */
  refused(cause: Cause.Cause<PgError.PgError>, timeIsUp: boolean): void
}

export interface Undecided {
  readonly request: Request<unknown>
  /** Has the call share a connection. Its place in the queue of the pool is given up, or passed on to all such calls. */
  share(statement: ShareableStatement, passesPlaceOn: boolean): Waiting
}

export class UndecidedCall<A> extends PooledCall<A> implements Borrower, Undecided {
  /** Whether its place in the queue of the pool has been passed on. */
  isCounted = false
  private readonly deciding: Deciding
  private readonly askedAt = performance.now()
  private shared: SharedCall<A> | undefined

  constructor(deciding: Deciding, pool: SessionPool, request: Request<A>, resume: Resume<A>) {
    super(pool, request, resume, deciding)
    this.deciding = deciding
  }

  share(statement: ShareableStatement, passesPlaceOn: boolean): Waiting {
    this.isCounted = passesPlaceOn
    if (!passesPlaceOn) this.leavePool()
    this.shared = new SharedCall(this.deciding, this.request, statement, this.resume, this.askedAt)
    return this.shared
  }

  override lend(member: Member): void {
    if (this.isCounted) return this.deciding.take(member)
    this.deciding.decided(this)
    super.lend(member)
  }

  override refuse(cause: Cause.Cause<PgError.PgError>, timeIsUp: boolean): void {
    if (this.isCounted) return this.deciding.refused(cause, timeIsUp)
    this.deciding.decided(this)
    super.refuse(cause, timeIsUp)
  }

  override interrupt(): void {
    if (this.shared !== undefined) return this.shared.interrupt()
    this.deciding.decided(this)
    super.interrupt()
  }
}
