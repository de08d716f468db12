/** Writes statements of effect/sql in PostgreSQL's dialect. */
import * as Statement from "effect/sql/Statement"
import { jsonb } from "../codec/typedParameter.ts"

/** A parameter that is a JSON document. */
interface PgJson extends Statement.Custom<"PgJson", unknown> {}

const PgJson = Statement.custom<PgJson>("PgJson")

/** A value as a parameter of the type `jsonb`. A string is a JSON string, and null is NULL. */
export const json = (value: unknown): Statement.Fragment => Statement.fragment([PgJson(value)])

const escaped = Statement.defaultEscape('"')

/** How the names of a program become names of the database, if they differ. */
export interface QueryNames {
  readonly transformQueryNames?: ((name: string) => string) | undefined
  /** Whether the keys of JSON parameters are changed too. */
  readonly transformJson?: boolean | undefined
}

export const makeCompiler = ({ transformJson = true, transformQueryNames: transform }: QueryNames) => {
  const transformValue = transformJson && transform ? Statement.defaultTransforms(transform).value : undefined
  return Statement.makeCompiler<PgJson>({
    dialect: "pg",
    placeholder: (index) => `$${index}`,
    onIdentifier: transform ? (name, withoutTransform) => escaped(withoutTransform ? name : transform(name)) : escaped,
    onRecordUpdate: (placeholders, alias, columns, values, returning) => [
      `(values ${placeholders}) AS ${alias}${columns}${returning ? ` RETURNING ${returning[0]}` : ""}`,
      returning ? [...values.flat(), ...returning[1]] : values.flat()
    ],
    onCustom: ({ paramA }, placeholder, withoutTransform) => [
      placeholder(undefined),
      [jsonb(withoutTransform || transformValue === undefined ? paramA : transformValue(paramA))]
    ]
  })
}
