/**
 * Runs a pipeline after describing its statements. If a description proves out of date, the pipeline is sent again, but
 * only if nothing of it has run. Otherwise the call fails, and the next call describes the statement again.
 */
import * as Effect from "effect/Effect"
import { namedTypes } from "../../codec/typedParameter.ts"
import type * as PgError from "../../PgError.ts"
import { type Outcome, Stale } from "../../session/exchange/pipelinePlan.ts"
import { findOutLater } from "../../session/engine/asking/lostName.ts"
import { type PreparedStatement, silent, undescribed, unnamed } from "../../session/statement/preparedStatement.ts"
import { MAX_REPETITIONS } from "../../session/exchange/repetition.ts"
import { preparation, type Request } from "../../session/request/request.ts"
import { rememberedIn } from "../../session/statement/statementInUse.ts"
import { statementKey, type Statements } from "../../session/statement/statements.ts"
import { hasNoParameters, kindOf } from "../../session/statement/statementKind.ts"
import type { TransactionLevel } from "../../session/transaction/transactionLevel.ts"
import { haveChanged } from "../typesNow.ts"
import type { Parameters } from "../../call/call.ts"

type Answer<A> = Effect.Effect<A, PgError.PgError>
type Some<A> = readonly [A, ...ReadonlyArray<A>]

/** A statement to prepare. Its parameters are needed because some of them name their type. */
export interface StatementText {
  readonly sql: string
  readonly params?: Parameters | undefined
  /** Whether the server can describe it only after the statements before it have run. */
  readonly isLate?: boolean
}

export const whilePrepared = <A>(
  level: TransactionLevel,
  texts: Some<StatementText>,
  statements: Statements,
  make: (prepared: Some<PreparedStatement>) => Request<Outcome<A>>
): Answer<A> =>
  Effect.gen(function* () {
    const [first, ...others] = texts
    for (let attempt = 1; ; attempt++) {
      const remembered = new Set<string>()
      const prepare = (text: StatementText): Answer<PreparedStatement> => prepared(level, text, statements, remembered)
      const all: [PreparedStatement, ...Array<PreparedStatement>] = [yield* prepare(first)]
      for (const text of others) all.push(yield* prepare(text))
      // Later attempts prepare the statements within the pipeline, which leaves little time for another change.
      const outcome = yield* level.run(make(attempt === 1 ? all : [unnamed(all[0]), ...all.slice(1).map(unnamed)]))
      if (!(outcome instanceof Stale)) return outcome
      const isOutOfDate = outcome.isCertain || (yield* hasChanged(level, outcome, remembered))
      if (!isOutOfDate) return yield* Effect.fail(outcome.error(false))
      for (const statement of all) statements.evict(statement)
      noteLostName(level, outcome)
      if (!outcome.mayRepeat || attempt > MAX_REPETITIONS) return yield* Effect.fail(outcome.error(true))
    }
  })

/** If the server did not know the name of a statement, a pooler may have moved the session to another server process. */
const noteLostName = ({ session }: TransactionLevel, { error, statement }: Stale): void => {
  const refusal = error(true)
  const isMisplaced =
    refusal._tag === "InvalidSQLStatementNameError" && session.statements.isMisplaced(refusal, statement.name)
  if (isMisplaced) findOutLater(session, statement.name)
}

/** Whether a statement may have changed: it was described before this call, or one of its types is now different. */
const hasChanged = (
  level: TransactionLevel,
  { refusedType, statement }: Stale,
  remembered: ReadonlySet<string>
): Answer<boolean> =>
  Effect.map(
    haveChanged(level, statement, refusedType === undefined ? [] : [refusedType]),
    (isOther) => isOther || remembered.has(statement.key)
  )

const prepared = (
  level: TransactionLevel,
  { isLate = false, params = [], sql }: StatementText,
  statements: Statements,
  remembered: Set<string>
): Answer<PreparedStatement> =>
  Effect.suspend(() => {
    const { session } = level
    const key = statementKey(sql, namedTypes(params))
    if (isLate) return Effect.succeed(undescribed(session, sql, key))
    if (kindOf(sql) === "silent" && hasNoParameters(sql)) return Effect.succeed(silent(session, sql, key))
    const found = rememberedIn(statements, key, session.catalogue)
    if (found === undefined) return level.run(preparation(sql, params).with(statements))
    remembered.add(key)
    return Effect.succeed(found)
  })
