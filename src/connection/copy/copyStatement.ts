/** Builds the SQL of a COPY. It quotes all names and values, so that `where` is the only option whose text is SQL. */
import * as Effect from "effect/Effect"
import * as PgError from "../../PgError.ts"
import type * as PgCopy from "../../PgCopy.ts"
import { isStatement } from "../../PgSql.ts"
import type { ServerVersion } from "../../wire/serverVersion.ts"
import { quoteName, quoteText } from "../../wire/sqlText.ts"
import { didYouMean } from "../../config/source/likeness.ts"
import * as Shape from "../../call/shape.ts"

export type Refusal = PgError.InvalidConfigError | PgError.UnsupportedError

/** The kinds of values that options have. */
type Kind = "literal" | "flag" | "columns"

/** An option with PostgreSQL's name for it. */
interface Option {
  readonly sql: string
  readonly kind: Kind
}

const literal = (sql: string): Option => ({ sql, kind: "literal" })
const flag = (sql: string): Option => ({ sql, kind: "flag" })
const columns = (sql: string): Option => ({ sql, kind: "columns" })

const common = {
  format: literal("FORMAT"),
  delimiter: literal("DELIMITER"),
  null: literal("NULL"),
  header: flag("HEADER"),
  quote: literal("QUOTE"),
  escape: literal("ESCAPE"),
  encoding: literal("ENCODING")
} as const

const outOptions = { ...common, forceQuote: columns("FORCE_QUOTE") } as const

const inOptions = {
  ...common,
  default: literal("DEFAULT"),
  forceNotNull: columns("FORCE_NOT_NULL"),
  forceNull: columns("FORCE_NULL"),
  freeze: flag("FREEZE"),
  onError: literal("ON_ERROR")
} as const

/** The first PostgreSQL version that has an option, or a value of an option. */
const since: ReadonlyArray<readonly [option: string, value: unknown, major: number]> = [
  ["where", undefined, 12],
  ["header", "match", 15],
  ["default", undefined, 16],
  ["forceNotNull", "*", 17],
  ["forceNull", "*", 17],
  ["onError", undefined, 17]
]

const TABLE: Shape.Kinds = { table: Shape.text, schema: Shape.text, columns: Shape.names }
const SOURCE: Shape.Kinds = {
  ...TABLE,
  query: {
    is: (value) => typeof value === "string" || isStatement(value),
    takes: "a string or a template of PgSql"
  },
  params: Shape.values
}

/** Checks a table and passes on a copy of it. */
export const withTable = <A, E, R>(
  table: PgCopy.Table,
  use: (table: PgCopy.Table) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | PgError.PgError, R> => {
  const known = typeof table === "object" && table !== null ? Shape.read(table, "table", TABLE) : noTable(table)
  if (known instanceof PgError.InvalidConfigError) return Effect.fail(known)
  return typeof known.table === "string" ? use(known) : Effect.fail(noTable(table))
}

/** Checks the table or query that a COPY TO reads and passes it on. */
export const withSource = <A, E, R>(
  source: PgCopy.Source,
  use: (source: PgCopy.Source) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | PgError.PgError, R> => {
  const known = typeof source === "object" && source !== null ? Shape.read(source, "source", SOURCE) : noTable(source)
  if (known instanceof PgError.InvalidConfigError) return Effect.fail(known)
  return "query" in known ? use(known) : withTable(known, use)
}

const noTable = (given: unknown): PgError.InvalidConfigError =>
  new PgError.InvalidConfigError({
    setting: "table",
    reason: `must be an object with the name of the table, such as { table: "readings" }, not ${Shape.words(given)}`
  })

export const tableName = ({ schema, table }: PgCopy.Table): string =>
  schema === undefined ? quoteName(table) : `${quoteName(schema)}.${quoteName(table)}`

const nameList = (names: ReadonlyArray<string>): string => `(${names.map(quoteName).join(", ")})`

export const copyInStatement = (
  table: PgCopy.Table,
  options: PgCopy.InOptions | PgCopy.RowsInOptions,
  version: ServerVersion
): Effect.Effect<string, Refusal> => {
  const { onProgress: _, timeout: _timeout, where, ...rest } = options
  const condition = where === undefined ? "" : ` WHERE ${where}`
  return Effect.map(
    Effect.all([target(table), optionList(inOptions, { ...rest }), checkVersion({ ...rest, where }, version)]),
    ([into, list]) => `COPY ${into} FROM STDIN${list}${condition}`
  )
}

export const copyOutStatement = (
  source: PgCopy.Table | { readonly query: string },
  options: PgCopy.OutOptions,
  version: ServerVersion
): Effect.Effect<string, Refusal> => {
  const { onProgress: _, timeout: _timeout, ...rest } = options
  // The line breaks keep a comment at the end of the query from hiding the parenthesis.
  const from = "query" in source ? Effect.succeed(`(\n${source.query}\n)`) : target(source)
  return Effect.map(
    Effect.all([from, optionList(outOptions, { ...rest }), checkVersion({ ...rest }, version)]),
    ([what, list]) => `COPY ${what} TO STDOUT${list}`
  )
}

const target = (table: PgCopy.Table): Effect.Effect<string, PgError.InvalidConfigError> => {
  if (table.columns === undefined) return Effect.succeed(tableName(table))
  if (table.columns.length > 0) return Effect.succeed(`${tableName(table)} ${nameList(table.columns)}`)
  return Effect.fail(
    new PgError.InvalidConfigError({
      setting: "columns",
      reason: "must name at least one column; leave it out for all columns"
    })
  )
}

type Given = Readonly<Record<string, unknown>>

const optionList = (
  known: Readonly<Record<string, Option>>,
  given: Given
): Effect.Effect<string, PgError.InvalidConfigError> => {
  const parts: Array<string> = []
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue
    const option = Object.hasOwn(known, name) ? known[name] : undefined
    if (option === undefined) {
      const names = Object.keys(known)
      return refuse(
        name,
        `is not an option of this COPY${didYouMean(name, names)}; the options are: ${names.join(", ")}`
      )
    }
    const text = optionValue(option.kind, value)
    if (text === undefined) return refuse(name, `must be ${TAKES[option.kind]}`)
    parts.push(`${option.sql} ${text}`)
  }
  return Effect.succeed(parts.length === 0 ? "" : ` (${parts.join(", ")})`)
}

const TAKES: Readonly<Record<Kind, string>> = {
  literal: "a string",
  flag: "true or false",
  columns: 'a list of columns, or "*"'
}

const optionValue = (kind: Kind, value: unknown): string | undefined => {
  switch (kind) {
    case "literal":
      return typeof value === "string" ? quoteText(value) : undefined
    case "flag":
      if (typeof value === "boolean") return String(value)
      return value === "match" ? "match" : undefined
    case "columns":
      if (value === "*") return "*"
      return isNames(value) ? nameList(value) : undefined
  }
}

const isNames = (value: unknown): value is ReadonlyArray<string> =>
  Array.isArray(value) && value.length > 0 && value.every((name) => typeof name === "string")

const refuse = (setting: string, reason: string): Effect.Effect<never, PgError.InvalidConfigError> =>
  Effect.fail(new PgError.InvalidConfigError({ setting, reason }))

/** Names the version that an option needs, where an older server would only report a syntax error. */
const checkVersion = (given: Given, version: ServerVersion): Effect.Effect<void, PgError.UnsupportedError> => {
  if (version.major === 0) return Effect.void
  for (const [option, value, major] of since) {
    const asked = given[option]
    if (asked === undefined || (value !== undefined && asked !== value) || version.major >= major) continue
    return Effect.fail(
      new PgError.UnsupportedError({
        feature:
          value === undefined ? `the option ${option} of COPY` : `the option ${option}: "${String(value)}" of COPY`,
        instead: `it needs PostgreSQL ${major} or later, but the server is ${version.text}`,
        sql: "COPY"
      })
    )
  }
  return Effect.void
}
