/** Says what to give instead of a value that cannot be sent. */
import { plainOf } from "./sqlText.ts"

/** For values that have another one in them. The keys are the kinds that `kindOf` names. */
const unwrapped: ReadonlyMap<string, string> = new Map(
  Object.entries({
    "an Effect": "It is an Effect that has not run: write `yield*` before it.",
    "a Promise": "It is a Promise: write `await` before it, or `yield* Effect.promise(() => ...)`.",
    "a Stream": "Collect it first: `yield* Stream.runCollect(stream)`.",
    "an Option": "Give its value: `Option.getOrNull(option)`, which is null for none.",
    "a Redacted": "Give its value: `Redacted.value(secret)`.",
    "a DateTime": "Give a Date, `DateTime.toDateUtc(at)`, or use the codec PgTypes.timestamptzAsDateTime.",
    "a Duration": "Give the number of milliseconds, or for an interval a PgTypes.PgInterval.",
    "a BigDecimal": "Give its text, `BigDecimal.format(amount)`, or use the codec PgTypes.numericAsBigDecimal.",
    "a Set": "Give an array: `Array.from(set)`.",
    "a Map": "Give a plain object: `Object.fromEntries(map)`.",
    "a function": "Call the function, and give what it returns."
  })
)

export const wrapperHint = (kind: string | undefined): string | undefined =>
  kind === undefined ? undefined : unwrapped.get(kind)

/** For values of a text. */
const asText: ReadonlyMap<string, string> = new Map(
  Object.entries({ "an object": "JSON.stringify(value)", "a Date": "date.toISOString()" })
)

/** A type for the values of a kind. */
const types: ReadonlyMap<string, string> = new Map(
  Object.entries({
    "an object": "jsonb",
    "a Date": "timestamptz",
    "a number": "int",
    "a bigint": "bigint",
    "a boolean": "boolean"
  })
)

interface Refused {
  /** PostgreSQL's name of the type. */
  readonly type: string
  readonly parameter: number
  readonly sql: string
}

export const valueHint = (kind: string | undefined, refused: Refused): string | undefined => {
  if (kind === undefined) return undefined
  const { parameter, type } = refused
  if (kind === "an array") return arrayHint(refused)
  if (kind === "a number" && IN_TIME.test(type)) return "Give a Date: `new Date(millis)`."
  if (types.has(kind) && type.endsWith("[]")) return "Put the value into an array."
  const cast = `cast the placeholder to the type of the value: \`$${parameter}::${types.get(kind)}\`.`
  if (types.has(kind)) {
    return TEXTS.test(type)
      ? `Give \`${asText.get(kind) ?? "String(value)"}\`, or ${cast}`
      : `If the value is right, ${cast}`
  }
  return wrapperHint(kind)
}

const IN_TIME = /^(?:timestamp|date)/
const TEXTS = /^(?:text|varchar|bpchar|name|citext)$/

const arrayHint = ({ parameter, sql }: Refused): string => {
  const name = `$${parameter}`
  const list = new RegExp(String.raw`\bIN\s*\([^()]*\$${parameter}(?!\d)[^()]*\)`, "i").exec(plainOf(sql))
  if (list === null) return `For an array of values, cast the placeholder to an array type: ${name}::int[].`
  return /\bNOT\s*$/i.test(sql.slice(0, list.index))
    ? `An array is one value. Write \`<> ALL (${name})\` instead of \`NOT IN (${name})\`.`
    : `An array is one value. Write \`= ANY (${name})\` instead of \`IN (${name})\`, or use sql.in of PgSql.`
}
