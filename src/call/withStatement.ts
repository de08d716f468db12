/** Takes apart the two forms of a call: SQL with parameters, or a template that has both. */
import * as Effect from "effect/Effect"
import type { ColumnNames } from "../codec/columnNames.ts"
import * as PgError from "../PgError.ts"
import { type Statement, Template } from "./template.ts"
import type { BatchStatement, Call, Parameters } from "./call.ts"
import * as Shape from "./shape.ts"

const NO_PARAMETERS: Parameters = []

type InTwo<Options> = Extract<Call<Options>, readonly [string, ...ReadonlyArray<unknown>]>

const isInTwo = <Options>(call: Call<Options>): call is InTwo<Options> => typeof call[0] === "string"

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
  if (isInTwo(call)) {
    const [sql, params, options] = call
    if (params !== undefined && params !== null && !Shape.isArray(params)) return Effect.fail(noParameters(params, sql))
    if (options === undefined) return use(sql, params ?? NO_PARAMETERS, undefined)
    return Shape.withOptions(options, kinds, (known) => use(sql, params ?? NO_PARAMETERS, known))
  }
  const [statement, options] = call
  if (!Template.isOne(statement)) return Effect.fail(Shape.statementFault(noStatement(statement)))
  const fault = faultOfTemplate(statement) ?? excess(call)
  if (fault !== undefined) return Effect.fail(fault)
  return Shape.withOptions(options, kinds, (known) => use(Template.sqlAs(statement, names), statement.params, known))
}

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

const STATEMENTS: Shape.Kind = {
  is: (value) => Array.isArray(value) && Array.from(value).length >= 0,
  takes: "an array of statements"
}

const ofBatch = (statement: BatchStatement, names: ColumnNames, row: number): BatchStatement | Shape.Fault => {
  if (Template.isOne(statement)) {
    return faultOfTemplate(statement, row) ?? { sql: Template.sqlAs(statement, names), params: statement.params }
  }
  if (typeof statement !== "object" || statement === null) {
    return Shape.statementFault(`it is { sql, params } or a template of PgSql, and not ${Shape.words(statement)}`, row)
  }
  const known = Shape.read(statement, "statements", { sql: Shape.text, params: Shape.values })
  if (PgError.isPgError(known)) return known
  if (typeof known.sql !== "string") return Shape.statementFault("it has no sql", row)
  return { sql: known.sql, params: known.params?.slice() }
}

/** Says why a template cannot be run; undefined if it can. */
const faultOfTemplate = ({ fault, sql }: Statement, row?: number): PgError.EncodeError | undefined => {
  return fault === undefined
    ? undefined
    : new PgError.EncodeError({ parameter: 0, type: "SQL text", reason: fault, sql, row })
}

const noParameters = (params: unknown, sql: string, row?: number): PgError.EncodeError => {
  const reason = `the values of its parameters come in an array, and not as ${Shape.words(params)}`
  return new PgError.EncodeError({ parameter: 0, type: "SQL text", reason, sql, row })
}

const noStatement = (value: unknown): string =>
  Shape.isSafely(looksLikeOne, value)
    ? "an object with SQL in it is no statement, for it may come from a parsed body: give the text and its values, " +
      "fetch(sql, params), or a template of PgSql"
    : `it is SQL as a string, or a template of PgSql, and not ${Shape.words(value)}`

const looksLikeOne = (value: unknown): boolean =>
  typeof value === "object" && value !== null && ("sql" in value || "text" in value)

/** Refuses a third argument after a template, because it would have no effect. */
const excess = ([, , third]: ReadonlyArray<unknown>): PgError.EncodeError | undefined =>
  third === undefined
    ? undefined
    : Shape.statementFault("a template has its values already, and what stands behind it are the options of the call")
