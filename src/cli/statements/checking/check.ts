/** Checks a statement: has the server parse it, and compares the number of values with that of its parameters. */
import * as Effect from "effect/Effect"
import { indexOfPosition } from "../../../error/report.ts"
import { LEXING, splitStatements } from "../../../migrator/splitStatements.ts"
import * as PgError from "../../../PgError.ts"
import { tokenEnd } from "../../../session/statement/sqlToken.ts"
import type { Asker, Checked } from "../asking/asker.ts"
import type { Hole, SqlText } from "../finding/sqlText.ts"
import type { Statement } from "../finding/statements.ts"
import type { Fault } from "./fault.ts"

export interface Verdict {
  readonly faults: ReadonlyArray<Fault>
  /** Whether all of the statement was checked: nothing of it is known only when the program runs. */
  readonly isWhole: boolean
  /** What the server says of it, if it is right. */
  readonly checked: Checked | undefined
}

export const checkStatement = (statement: Statement, asker: Asker): Effect.Effect<Verdict, PgError.PgError> =>
  statement.isScript ? checkScript(statement, asker) : checkOne(statement, asker)

const checkOne = (statement: Statement, asker: Asker): Effect.Effect<Verdict, PgError.PgError> => {
  const { sql } = statement
  const isCertain = !sql.holes.some(({ isUncertain }) => isUncertain)
  return asker.check(sql.text).pipe(
    Effect.map((checked): Verdict => ({
      faults: sql.holes.length > 0 ? [] : countFaults(statement, checked),
      isWhole: isCertain,
      checked
    })),
    Effect.catchIf(PgError.isPostgresError, (error): Effect.Effect<Verdict, PgError.PgError> => {
      // The session is over: that is no fault of the statement.
      if (error.severityUnlocalized !== "ERROR") return Effect.fail(error)
      const at = indexOfPosition(sql.text, error.position)
      if (!isCertain && mayComeFromHole(sql, at, error.code)) {
        return Effect.succeed({ faults: [], isWhole: false, checked: undefined })
      }
      return Effect.succeed({ faults: [faultOf(error, sql, at)], isWhole: isCertain, checked: undefined })
    })
  )
}

/**
 * A script may create what its later statements use, so that only its syntax can be checked once it has changed the
 * schema.
 */
const checkScript = ({ sql }: Statement, asker: Asker): Effect.Effect<Verdict, PgError.PgError> =>
  Effect.gen(function* () {
    const faults: Array<Fault> = []
    let hasChanged = false
    for (const part of splitStatements(sql.text)) {
      const error = yield* asker.check(part.sql).pipe(
        Effect.as(undefined),
        Effect.catchIf(PgError.isPostgresError, (error) =>
          error.severityUnlocalized === "ERROR" ? Effect.succeed(error) : Effect.fail(error)
        )
      )
      const isFault = error !== undefined && (!hasChanged || error.code === SYNTAX_ERROR) && sql.holes.length === 0
      if (isFault) {
        faults.push(faultOf(error, sql, part.start + (indexOfPosition(part.sql, error.position) ?? 0)))
      }
      if (CHANGING.test(part.sql)) hasChanged = true
    }
    return { faults, isWhole: !hasChanged && sql.holes.length === 0, checked: undefined }
  })

const SYNTAX_ERROR = "42601"
const INDETERMINATE_TYPE = "42P18"
const CHANGING = /^\s*(?:create|alter|drop|do|call|set|begin|start|import)\b/i

/** Whether an error may be due to what stands in the place of something that is not known. */
const mayComeFromHole = (sql: SqlText, at: number | undefined, code: string): boolean =>
  at === undefined ||
  code === INDETERMINATE_TYPE ||
  sql.holes.some((hole) => hole.isUncertain && touches(sql, hole, at))

/** The error is at the hole, or at a text in quotes that has the hole in it. */
const touches = ({ text }: SqlText, hole: Hole, at: number): boolean => {
  if (at >= hole.start && at < hole.end) return true
  // A number is many tokens there.
  const word = /^\w+/.exec(text.slice(at, hole.end))?.[0] ?? ""
  return hole.start >= at && hole.start < Math.max(at + word.length, tokenEnd(text, at, LEXING))
}

const faultOf = (error: PgError.PostgresError, sql: SqlText, at: number | undefined): Fault => {
  const start = sql.originOf(firstCharacter(sql.text))
  const origin = (at === undefined ? undefined : sql.originOf(at)) ?? start
  return {
    source: origin?.source ?? { path: "", text: "" },
    offset: origin?.offset ?? 0,
    start: start?.source === origin?.source ? (start?.offset ?? 0) : (origin?.offset ?? 0),
    code: error.code,
    message: error.message,
    detail: error.detail,
    hint: error.hint
  }
}

const firstCharacter = (text: string): number => Math.max(text.search(/\S/), 0)

const countFaults = ({ given, sql }: Statement, { parameters }: Checked): ReadonlyArray<Fault> =>
  given
    .filter(({ count }) => count !== parameters.length)
    .map(({ count, origin }) => {
      const values = count === 1 ? "1 value is given" : `${count === 0 ? "no" : count} values are given`
      const wanted =
        parameters.length === 1 ? "1 parameter" : `${parameters.length === 0 ? "no" : parameters.length} parameters`
      const start = sql.originOf(0)
      return {
        source: origin.source,
        offset: origin.offset,
        start: start?.source === origin.source ? start.offset : origin.offset,
        code: undefined,
        message: `the statement has ${wanted}, but ${values}`
      }
    })
