/** Writes the module of a file of named statements: one function for each, with the types of its parameters and rows. */
import { camelCase } from "../../../codec/columnNames.ts"
import { isName, type Mode, type NamedStatement, rowNameOf, sqlNameOf } from "../finding/sqlFile.ts"
import { type Entry, rowType } from "./entry.ts"

export interface NamedEntry {
  readonly statement: NamedStatement
  readonly entry: Entry
}

interface Shape {
  readonly method: string
  /** What the function returns, for the type of a row. */
  readonly returns: (row: string) => string
}

const effectOf = (result: string): string => `Effect.Effect<${result}, PgError.PgError>`

const SHAPES: Readonly<Record<Mode, Shape>> = {
  many: { method: "fetch", returns: (row) => effectOf(`ReadonlyArray<${row}>`) },
  one: { method: "fetchOne", returns: effectOf },
  first: { method: "fetchRow", returns: (row) => effectOf(`Option.Option<${row}>`) },
  value: { method: "fetchValue", returns: (value) => effectOf(`Option.Option<${value}>`) },
  stream: { method: "stream", returns: (row) => `Stream.Stream<${row}, PgError.PgError>` },
  execute: { method: "execute", returns: () => effectOf("PgConnection.CommandResult") }
}

/** `file` is the name of the SQL file. */
export const sqlModule = (file: string, entries: ReadonlyArray<NamedEntry>): string => {
  const functions = entries.map(functionOf).join("\n")
  const imports = [
    ['import type * as Effect from "effect/Effect"', "Effect."],
    ['import type * as Option from "effect/Option"', "Option."],
    ['import type * as Stream from "effect/Stream"', "Stream."],
    ['import type * as PgConnection from "effectpg/PgConnection"', "PgConnection."],
    ['import type * as PgError from "effectpg/PgError"', "PgError."],
    ['import type * as PgTypes from "effectpg/PgTypes"', "PgTypes."]
  ].flatMap(([line = "", use = ""]) => (functions.includes(use) ? [line] : []))
  return `/** The statements of ${file} as functions. \`effectpg types\` has written this file; do not change it. */
${imports.join("\n")}

${functions}`
}

const functionOf = ({ entry, statement: { mode, name, sql } }: NamedEntry): string => {
  const { method, returns } = SHAPES[mode]
  const sqlName = sqlNameOf(name)
  const rowName = rowNameOf(name)
  const row = mode === "value" ? (entry.columns[0]?.type ?? "unknown") : rowName
  const names = namesOf(entry, sqlName)
  const parameters = names.map((parameter, index) => `${parameter}: ${entry.parameters[index]?.type ?? "unknown"}`)
  const values = names.join(", ")
  const rows = mode === "execute" ? "" : `<${row}>`
  const type = mode === "execute" || mode === "value" ? "" : `export interface ${rowName} ${rowType(entry)}\n\n`
  return `${type}const ${sqlName} = ${JSON.stringify(sql.text)}

export const ${name} = (${["pg: PgConnection.Queryable", ...parameters].join(", ")}): ${returns(row)} =>
  pg.${method}${rows}(${sqlName}, [${values}])
`
}

/**
 * The names of the parameters, as the columns have them, or `value1`, `value2`... No two are the same, and none hides
 * what the function uses.
 */
const namesOf = ({ parameters }: Entry, sqlName: string): ReadonlyArray<string> => {
  const wanted = parameters.map(({ name }) => (name === undefined ? "" : camelCase.propertyOf(name)))
  const others = new Set(["pg", sqlName])
  return wanted.map((name, index) => {
    const isFree = wanted.indexOf(name) === index && !others.has(name) && !VALUE.test(name)
    return isName(name) && isFree ? name : `value${index + 1}`
  })
}

const VALUE = /^value\d+$/
