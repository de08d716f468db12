/** Checks whether types have changed since they were looked up, for COPY and pipelines, in which no error says so. */
import * as Effect from "effect/Effect"
import { DatabaseTypes } from "../codec/databaseTypes.ts"
import type * as PgError from "../PgError.ts"
import { readDescriptions, typeQuery } from "../session/types/typeQuery.ts"
import { wellFormed } from "../session/engine/lostErrors.ts"
import { ownTupleRows } from "../session/request/request.ts"
import type { PreparedStatement } from "../session/statement/preparedStatement.ts"
import type { TransactionLevel } from "../session/transaction/transactionLevel.ts"

type Answer<A> = Effect.Effect<A, PgError.PgError>

/** Looks types up, and adds them to `types`. */
const lookUp = (level: TransactionLevel, types: DatabaseTypes, oids: ReadonlyArray<number>): Answer<void> =>
  Effect.flatMap(level.run(ownTupleRows(typeQuery(level.session.parameters), [oids])), (rows) =>
    wellFormed(() => types.add(readDescriptions(rows)))
  )

/**
 * Whether these types, or the types within them, are no longer as the statement knows them. If so, all statements of
 * all sessions are described again.
 */
export const haveChanged = (
  level: TransactionLevel,
  statement: PreparedStatement,
  oids: ReadonlyArray<number>
): Answer<boolean> =>
  Effect.gen(function* () {
    const { types } = statement
    if (types === undefined) return false
    const doubted = oids.filter((oid) => !types.isFixed(oid))
    if (doubted.length === 0) return false
    const now = new DatabaseTypes(types.chosen)
    yield* lookUp(level, now, doubted)
    if (doubted.every((oid) => types.agreesWith(now, oid))) return false
    level.session.catalogue.outdateStatements(statement)
    return true
  })
