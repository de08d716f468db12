/**
 * Finds out whether a pooler stands before the server, and whether it keeps what a connection prepares. For that it opens
 * a second connection, which takes the server process away from the first one if a pooler lets it.
 */
import * as Effect from "effect/Effect"
import type { ResolvedConfig } from "../../PgConfig.ts"
import type * as PgError from "../../PgError.ts"
import type { Session } from "../../session/engine/session.ts"
import { connect } from "../../session/opening/connect.ts"
import { ownTupleRows, script, send, tupleRows } from "../../session/request/request.ts"
import { type Finding, ok, warning } from "./finding.ts"

const PROCESS = "SELECT pg_catalog.pg_backend_pid()"

export const examinePooler = (
  session: Session,
  config: ResolvedConfig
): Effect.Effect<ReadonlyArray<Finding>, PgError.PgError> =>
  Effect.gen(function* () {
    const { pooler } = session.statements
    yield* send(session, tupleRows(STATEMENT, []))
    const own = yield* processOf(session)
    const moved = yield* isProcessLent(session, config, own)
    yield* send(session, tupleRows(STATEMENT, []))
    const isThere = own !== session.processId
    return [presence(isThere, moved), cache(pooler.losesStatements, config)]
  }).pipe(Effect.scoped)

/** It has no other use than to be prepared. */
const STATEMENT = "SELECT 'effectpg doctor'::pg_catalog.text"

const processOf = (session: Session): Effect.Effect<number, PgError.PgError> =>
  Effect.map(send(session, ownTupleRows(PROCESS)), ([row]) => Number(row?.[0]))

/**
 * Whether another connection can get the server process that serves this one. While the other one keeps it, this one asks
 * for its statement again.
 */
const isProcessLent = (session: Session, config: ResolvedConfig, process: number) =>
  Effect.gen(function* () {
    const other = yield* connect(config)
    yield* send(other, script("BEGIN"))
    const others = yield* processOf(other)
    yield* send(session, tupleRows(STATEMENT, []))
    const again = yield* processOf(session)
    yield* send(other, script("ROLLBACK"))
    return others === process || again !== process
  })

const presence = (isThere: boolean, isMoved: boolean): Finding => {
  if (!isThere) return ok("pooler", "none: the server process is the one that has greeted")
  return isMoved
    ? warning(
        "pooler",
        "there is one, and it gives each transaction another server process",
        "LISTEN, session locks, temporary tables and SET do not last. For those, connect to the server itself."
      )
    : ok("pooler", "there is one, and a connection seems to keep its server process")
}

const cache = (isLost: boolean, { statementCache }: ResolvedConfig): Finding => {
  if (statementCache.mode === "unnamed") return ok("statements", "are not prepared under a name, as statementMode says")
  return isLost
    ? warning(
        "statements",
        "prepared ones get lost, so that each is prepared again at each use",
        "Set max_prepared_statements of PgBouncer (1.21 or later) to 200, or statementMode to unnamed."
      )
    : ok("statements", "prepared ones are found again")
}
