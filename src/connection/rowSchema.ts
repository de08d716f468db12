/**
 * Decodes rows with a schema. A row that does not fit is a `DecodeError`, which names the column and its PostgreSQL
 * type. A call without a schema runs nothing of this file.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaParser from "effect/SchemaParser"
import * as PgError from "../PgError.ts"
import { propertyOf } from "../codec/columnNames.ts"
import type { DatabaseTypes } from "../codec/databaseTypes.ts"
import type { RowColumn } from "../codec/rowReader.ts"
import { columnHint, schemaHint } from "../error/hints/schemaHint.ts"
import type { Request, StatementRequest } from "../session/request/request.ts"

/** An answer with the columns that it was read from. */
export interface Described<A> {
  readonly answer: A
  readonly columns: ReadonlyArray<RowColumn>
  readonly types: DatabaseTypes
  readonly sql: string
}

/** Makes a request whose answer has its columns too. */
export const described = <A>(request: StatementRequest<A>): Request<Described<A>> => {
  const { params, sql } = request
  return {
    ...(request.commented && { commented: (comment: string) => described(request.commented?.(comment) ?? request) }),
    sql,
    params,
    exchange: (session, resume) => {
      const exchange = request.exchange(session, (exit) =>
        resume(Exit.map(exit, (answer) => ({ answer, columns: exchange.columns, types: session.catalogue.types, sql })))
      )
      return exchange
    }
  }
}

type Decoder<A, R> = Schema.ConstraintDecoder<A, R>
type Decoded<A, R> = Effect.Effect<A, PgError.DecodeError, R>

/** Decodes an answer with a schema. Its rows may be objects or tuples. */
export type Decode<Answer, Result> = (
  schema: Decoder<unknown, unknown>,
  answer: Described<Answer>
) => Decoded<Result, unknown>

/** Keeps the values out of the messages of errors. */
export const DECODE_OPTIONS = { reportInput: false } as const

export const decodeRows = <A, R>(
  schema: Decoder<A, R>,
  rows: Described<ReadonlyArray<unknown>>
): Decoded<ReadonlyArray<A>, R> => {
  const decode = SchemaParser.decodeUnknownEffect(schema, DECODE_OPTIONS)
  const decoded: Array<A> = []
  for (const row of rows.answer) {
    const result = decode(row)
    // A row that does not fit, or that is not decoded synchronously, takes the slow way below.
    if (!isSuccess(result)) break
    decoded.push(result.value)
  }
  if (decoded.length === rows.answer.length) return Effect.succeed(decoded)
  return Effect.forEach(rows.answer, (row, at) =>
    Effect.mapErrorEager(decode(row), (issue) =>
      misfit(issue, { ...rows, answer: row }, columnOf, `, in row ${at + 1}`)
    )
  )
}

/** Decodes the rows of all runs of one statement, if there is a schema. The runs come in portions. */
export const decodePortions = <A, R>(
  schema: Decoder<A, R> | undefined,
  portions: ReadonlyArray<Described<ReadonlyArray<ReadonlyArray<unknown>>>>
): Decoded<ReadonlyArray<ReadonlyArray<unknown>>, R> =>
  schema === undefined
    ? Effect.succeed(portions.flatMap(({ answer }) => answer))
    : Effect.map(
        Effect.forEach(portions, (portion) =>
          Effect.forEach(portion.answer, (answer) => decodeRows(schema, { ...portion, answer }))
        ),
        (runs) => runs.flat()
      )

const isSuccess = <A, E, R>(effect: Effect.Effect<A, E, R>): effect is Exit.Success<A, E> =>
  Exit.isExit(effect) && Exit.isSuccess(effect)

export const decodeRow = <A, R>(schema: Decoder<A, R>, row: Described<unknown>): Decoded<A, R> =>
  Effect.mapError(SchemaParser.decodeUnknownEffect(schema, DECODE_OPTIONS)(row.answer), (issue) =>
    misfit(issue, row, columnOf, "")
  )

export const decodeFirstRow = <A, R>(
  schema: Decoder<A, R>,
  row: Described<Option.Option<unknown>>
): Decoded<Option.Option<A>, R> =>
  Option.match(row.answer, {
    onNone: () => Effect.succeedNone,
    onSome: (answer) => Effect.asSome(decodeRow(schema, { ...row, answer }))
  })

/** Decodes the value of the column with this name, or with this position from 0. */
export const decodeValue =
  (column: string | number) =>
  <A, R>(schema: Decoder<A, R>, value: Described<Option.Option<unknown>>): Decoded<Option.Option<A>, R> =>
    Option.match(value.answer, {
      onNone: () => Effect.succeedNone,
      onSome: (answer) =>
        SchemaParser.decodeUnknownEffect(
          schema,
          DECODE_OPTIONS
        )(answer).pipe(
          Effect.mapError((issue) =>
            misfit(issue, { ...value, answer }, (columns, path) => [columnAt(columns, column), path, answer], "")
          ),
          Effect.asSome
        )
    })

// ------------------------------------------------------------------------------------------------------- errors

type Columns = ReadonlyArray<RowColumn>
type Path = ReadonlyArray<PropertyKey>

/** Finds the column that a path within the answer leads into, the rest of the path within its value, and the value. */
type Locate = (
  columns: Columns,
  path: Path,
  answer: unknown
) => readonly [column: RowColumn | undefined, inside: Path, value: unknown]

/** The first key of the path is a name in an object, and a position in a tuple. */
const columnOf: Locate = (columns, [key, ...inside], row) =>
  key === undefined
    ? [undefined, inside, undefined]
    : [columnAt(columns, key), inside, typeof row === "object" && row !== null ? Reflect.get(row, key) : undefined]

/** If several columns have the same name, the row has the value of the last one. */
const columnAt = (columns: Columns, key: PropertyKey): RowColumn | undefined =>
  typeof key === "number" ? columns[key] : columns.findLast((column) => propertyOf(column) === key)

/** Stands for the column in the error if the row as a whole does not fit. */
const WHOLE_ROW = { name: "*", type: "record" }

const issuesOf = SchemaIssue.makeFormatterStandardSchemaV1()

const misfit = (
  issue: SchemaIssue.Issue,
  { answer, columns, sql, types }: Described<unknown>,
  locate: Locate,
  row: string
): PgError.DecodeError => {
  const { message, path } = firstOf(issue)
  const [column, inside, value] = locate(columns, path, answer)
  const [key] = path
  if (column === undefined && key !== undefined) {
    const names = columns.map(propertyOf)
    const reason = `the schema asks for it, but the result has no such column; its columns are: ${names.join(", ")}`
    return new PgError.DecodeError({
      column: String(key),
      type: "unknown",
      reason,
      sql,
      hint: columnHint(String(key), names)
    })
  }
  const type = column === undefined ? WHOLE_ROW.type : types.typeName(column.typeOid)
  return new PgError.DecodeError({
    column: column?.name ?? WHOLE_ROW.name,
    type,
    reason: schemaSays(message, inside) + row,
    sql,
    hint: column === undefined ? undefined : schemaHint({ type, value, isWhole: inside.length === 0 })
  })
}

/** Makes the error of a notification whose payload does not fit. */
export const misfitPayload = (issue: SchemaIssue.Issue, sql: string): PgError.DecodeError => {
  const { message, path } = firstOf(issue)
  return new PgError.DecodeError({ column: "payload", type: "text", reason: schemaSays(message, path), sql })
}

interface FirstIssue {
  readonly message: string
  readonly path: Path
}

const firstOf = (issue: SchemaIssue.Issue): FirstIssue => {
  const [first] = issuesOf(issue).issues
  const path = (first?.path ?? []).map((part) => (typeof part === "object" ? part.key : part))
  return { message: first?.message ?? "the value does not match", path }
}

const schemaSays = (message: string, path: Path): string =>
  `the schema rejects the value: ${message}${path.length === 0 ? "" : ` at ${path.map(String).join(".")}`}`
