/**
 * A reset together with the first request of the next borrower, so that it costs no round trip. If it fails, the request
 * does not run on the unclean session either, see `LedRequest`; the session ends.
 *
 * This is for a session of which nothing shows that its last borrower left something behind. Such a reset all but never
 * fails. After a borrower that left something, the reset has a round trip of its own, and if it fails, the next borrower
 * gets another session and does not notice.
 */
import * as Exit from "effect/Exit"
import type * as PgError from "../../PgError.ts"
import type { ByteWriter } from "../../wire/byteWriter.ts"
import type { ErrorFields } from "../../wire/errorFields.ts"
import type { Exchange } from "../engine/exchange.ts"
import type { Watched } from "../engine/liveness.ts"
import { lostWith } from "../engine/lostErrors.ts"
import type * as Residue from "../engine/residue.ts"
import type { Session } from "../engine/session.ts"
import { ControlQuery } from "./controlQuery.ts"
import { LedRequest } from "./ledRequest.ts"
import { RESET_ANSWERS, resetBetweenBorrowers, writeResetCommands } from "./reset.ts"

/**
 * Whether the reset of a session may travel. The first one of each session has a round trip of its own, because it finds
 * out whether there is a pooler, and what a reset makes of the settings of the startup.
 */
export const mayTravel = ({ residue, statements }: Session): boolean =>
  residue.process !== undefined &&
  residue.startup?.hasBeenReset !== false &&
  !statements.pooler.isThere &&
  !statements.pooler.losesSettings

export class DueReset implements Residue.DueReset {
  private readonly session: Session

  private constructor(session: Session) {
    this.session = session
  }

  /** Has the session reset with its next request, but at the end of this tick without one. */
  static await(session: Session): void {
    const due = new DueReset(session)
    session.residue.due = due
    queueMicrotask(() => {
      if (session.residue.due === due) due.alone()
    })
  }

  together(request: Exchange): Exchange {
    const { session } = this
    session.residue.due = undefined
    const both = new ResetAndRequest(session, request)
    session.liveness.watch(both)
    return both
  }

  alone(): void {
    this.session.residue.due = undefined
    resetAhead(this.session)
  }
}

const resetAhead = (session: Session): void => {
  const control = { ...resetBetweenBorrowers(session, false), isExclusive: true }
  const query = new ControlQuery(session, control, (exit) => {
    if (Exit.isSuccess(exit)) session.residue.cleaned()
    else end(session)
  })
  session.liveness.watch(query)
  session.submitFirst(query)
}

/** Ends a session that was not reset, and returns the reason. */
const end = (session: Session): PgError.ConnectionLostError => {
  const reason = lostWith("the server could not undo what the last borrower had left on it", { safeToRetry: true })
  session.die((session.closing ??= reason))
  return reason
}

class ResetAndRequest extends LedRequest implements Watched {
  readonly operation = "the reset"
  nextSince: number | undefined

  constructor(session: Session, request: Exchange) {
    super(session, request, RESET_ANSWERS)
  }

  protected writeCommands(writer: ByteWriter): void {
    writeResetCommands(writer)
  }

  /** The session stays in doubt: the request runs at once, and its borrower may have given the session back already. */
  protected led(): void {
    this.session.liveness.forget(this)
  }

  protected settled(): void {
    this.session.liveness.forget(this)
  }

  protected failed(_error: ErrorFields): PgError.PgError {
    return end(this.session)
  }

  protected unwritten(): void {
    this.session.liveness.forget(this)
    resetAhead(this.session)
  }
}
