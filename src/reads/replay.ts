/**
 * Knows how far the servers of sessions have replayed the primary's log. A server never goes back, so what is known stays
 * true, and a session is asked again only for a later position.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { TupleRow } from "../codec/rowReader.ts"
import { lsnOf } from "../call/lsn.ts"
import type { Session } from "../session/engine/session.ts"
import { ownTupleRows, type Request, withExchange } from "../session/request/request.ts"
import type { TransactionLevel } from "../session/transaction/transactionLevel.ts"

/** A request that was answered, or a session that was asked how far its server is. */
export type Guarded<A> =
  | { readonly isThere?: undefined; readonly answer: A }
  | { readonly isThere: boolean; readonly session: Session; readonly answer?: undefined }

/** Every position is before this one. A primary has it, because it is its log. */
const END = 2n ** 64n

const POSITION: Request<ReadonlyArray<TupleRow>> = ownTupleRows(
  "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.pg_last_wal_replay_lsn()"
)

export class Replay {
  private readonly positions = new WeakMap<Session, bigint>()

  private isAt(session: Session, lsn: bigint): boolean {
    return (this.positions.get(session) ?? -1n) >= lsn
  }

  private saw(session: Session, [row]: ReadonlyArray<TupleRow>): void {
    const [isStandby, replayed] = row ?? []
    const position = isStandby === false ? END : lsnOf(replayed)
    if (position !== undefined) this.positions.set(session, position)
  }

  /** Whether the server of a level has replayed the log up to there. A session that does not answer has not. */
  isThere(level: TransactionLevel, lsn: bigint): Effect.Effect<boolean> {
    const { session } = level
    if (this.isAt(session, lsn)) return Effect.succeed(true)
    return Effect.match(level.run(POSITION), {
      onFailure: () => false,
      onSuccess: (rows) => {
        this.saw(session, rows)
        return this.isAt(session, lsn)
      }
    })
  }

  /** Asks a session for its position if it has to be asked. */
  asked(lsn: bigint): Request<Guarded<unknown>> {
    return this.guarded(POSITION, lsn)
  }

  /** Runs a request on a session that is known to be up to date; asks any other session for its position instead. */
  guarded<A>(request: Request<A>, lsn: bigint): Request<Guarded<A>> {
    return withExchange(request, (session, resume) =>
      this.isAt(session, lsn)
        ? request.exchange(session, (exit) => resume(Exit.map(exit, (answer) => ({ answer }))))
        : POSITION.exchange(session, (exit) => {
            if (Exit.isSuccess(exit)) this.saw(session, exit.value)
            resume(Exit.succeed({ isThere: this.isAt(session, lsn), session }))
          })
    )
  }
}
