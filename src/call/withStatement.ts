/** Takes apart the forms of a call: SQL with or without parameters, or a template that has both. */
import * as Effect from "effect/Effect"
import type { ColumnNames } from "../codec/columnNames.ts"
import * as PgError from "../PgError.ts"
import { type Statement, Template } from "./template.ts"
import type { BatchStatement, Call, Parameters } from "./call.ts"
import * as Shape from "./shape.ts"

const NO_PARAMETERS: Parameters = []

/** All forms of a call in one, because their first two elements decide together which form it is. */
type AnyForm<Options> = readonly [
  statement: string | Statement,
  paramsOrOptions?: Parameters | Options | undefined,
  options?: Options | undefined
]

/**
 * Passes on the SQL, the parameters and the options of a call. If one of them is wrong, the call fails and sends
 * nothing. A template gets the names of its columns here.
 */
export const withStatement = <Options extends object, A, E, R>(
  call: Call<Options>,
  names: ColumnNames,
  kinds: Shape.Kinds,
  use: (sql: string, params: Parameters, options: Options | undefined) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | PgError.PgError, R> => {
  const [statement, second, third]: AnyForm<Options> = call
  if (typeof statement !== "string") {
    if (!Template.isOne(statement)) return Effect.fail(Shape.statementFault(noStatement(statement)))
    const fault = faultOfTemplate(statement)
    if (fault !== undefined) return Effect.fail(fault)
    if (third !== undefined || Shape.isArray(second)) return Effect.fail(Shape.statementFault(HAS_VALUES))
    return Shape.withOptions(second, kinds, (known) => use(Template.sqlAs(statement, names), statement.params, known))
  }
  if (second === undefined || second === null || Shape.isArray(second)) {
    const params = second ?? NO_PARAMETERS
    if (third === undefined) return use(statement, params, undefined)
    return Shape.withOptions(third, kinds, (known) => use(statement, params, known))
  }
  if (third !== undefined || !Shape.isPlain(second)) return Effect.fail(noParameters(second, statement))
  return Shape.withOptions(second, kinds, (known) => use(statement, NO_PARAMETERS, known), OR_VALUES)
}

const HAS_VALUES = "a template already contains its values; the second argument must be the options of the call"
const OR_VALUES = "; give the values of parameters in an array"

/** Checks the statements of a batch and passes them on, each with a copy of its values. */
export const withBatch = <A, E, R>(
  given: ReadonlyArray<BatchStatement>,
  names: ColumnNames,
  use: (statements: ReadonlyArray<BatchStatement>) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | PgError.PgError, R> => {
  const fault = Shape.faultOf("statements", given, STATEMENTS)
  if (fault !== undefined) return Effect.fail(fault)
  const statements: Array<BatchStatement> = []
  // `Array.from` turns a hole of the array into undefined, which is then refused.
  for (const [index, statement] of Array.from(given).entries()) {
    const known = ofBatch(statement, names, index + 1)
    if (PgError.isPgError(known)) return Effect.fail(known)
    statements.push(known)
  }
  return use(statements)
}

const STATEMENTS: Shape.Kind = { ...Shape.values, takes: "an array of statements" }

const ofBatch = (statement: BatchStatement, names: ColumnNames, row: number): BatchStatement | Shape.Fault => {
  if (Template.isOne(statement)) {
    return faultOfTemplate(statement, row) ?? { sql: Template.sqlAs(statement, names), params: statement.params }
  }
  if (typeof statement !== "object" || statement === null) {
    return Shape.statementFault(
      `each statement must be { sql, params } or a template of PgSql, not ${Shape.words(statement)}`,
      row
    )
  }
  const known = Shape.read(statement, "statements", { sql: Shape.text, params: Shape.values })
  if (PgError.isPgError(known)) return known
  if (typeof known.sql !== "string") return Shape.statementFault("the statement has no sql", row)
  return { sql: known.sql, params: known.params?.slice() }
}

/** Says why a template cannot be run; undefined if it can. */
const faultOfTemplate = ({ fault, sql }: Statement, row?: number): PgError.EncodeError | undefined =>
  fault === undefined ? undefined : new PgError.EncodeError({ parameter: 0, type: "SQL text", reason: fault, sql, row })

const noParameters = (params: unknown, sql: string): PgError.EncodeError => {
  const reason = `the values of the parameters must be in an array, not ${Shape.words(params)}`
  return new PgError.EncodeError({ parameter: 0, type: "SQL text", reason, sql })
}

const noStatement = (value: unknown): string =>
  Shape.isSafely(looksLikeOne, value)
    ? "an object that contains SQL is not accepted, because it may come from the body of a request: give the text " +
      "and its values, as in fetch(sql, params), or a template of PgSql"
    : `the statement must be a string or a template of PgSql, not ${Shape.words(value)}`

const looksLikeOne = (value: unknown): boolean =>
  typeof value === "object" && value !== null && ("sql" in value || "text" in value)
