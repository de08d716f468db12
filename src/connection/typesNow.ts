/** Whether types are still as they are known, for those who would not be told by the server. */
import * as Effect from "effect/Effect"
import { DatabaseTypes } from "../codec/databaseTypes.ts"
import type * as PgError from "../PgError.ts"
import { readDescriptions, typeQuery } from "../session/types/typeQuery.ts"
import { violation } from "../session/engine/lostErrors.ts"
import { ownTupleRows } from "../session/request/request.ts"
import type { PreparedStatement } from "../session/statement/preparedStatement.ts"
import type { TransactionLevel } from "../session/transaction/transactionLevel.ts"

type Answer<A> = Effect.Effect<A, PgError.PgError>

/** Looks types up, and adds them to `types`. */
export const lookUp = (level: TransactionLevel, types: DatabaseTypes, oids: ReadonlyArray<number>): Answer<void> =>
  Effect.flatMap(level.run(ownTupleRows(typeQuery(level.session.parameters), [oids])), (rows) =>
    wellFormed(() => types.add(readDescriptions(rows)))
  )

/** What the server says of its types may be as malformed as its rows. */
export const wellFormed = <A>(read: () => A): Answer<A> => Effect.try({ try: read, catch: violation })

/** Whether these types, or what they are made of, are not as the statement knows them. Then all that is known is given up. */
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
