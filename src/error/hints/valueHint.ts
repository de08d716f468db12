/** Says what to give instead of a value that cannot be sent. */
import { withoutQuoted } from "./sqlText.ts"

/** By the kind of the value, as `kindOf` names it. */
const instead: ReadonlyMap<string, string> = new Map(
  Object.entries({
    "an Effect": "It is an Effect that has not run: write `yield*` before it.",
    "a Promise": "It is a Promise: write `await` before it, or `yield* Effect.promise(() => ...)`.",
    "a Stream": "Collect it first: `yield* Stream.runCollect(stream)`.",
    "an Option": "Give its value: `Option.getOrNull(option)`, which is null for none.",
    "a Redacted": "Give its value: `Redacted.value(secret)`.",
    "a DateTime": "Give a Date, `DateTime.toDateUtc(at)`, or use the codec PgTypes.timestamptzAsDateTime.",
    "a Duration": "Give the number of milliseconds, or for an interval a PgTypes.PgInterval.",
    "a BigDecimal": "Give its text, `BigDecimal.format(amount)`, or use the codec PgTypes.numericAsBigDecimal.",
    "a Date": "Give its text, such as `date.toISOString()`, or cast the placeholder: `$1::timestamptz`.",
    "a Set": "Give an array: `Array.from(set)`.",
    "a Map": "Give a plain object: `Object.fromEntries(map)`.",
    "a function": "Call the function, and give what it returns.",
    "an object": "For a text, give `JSON.stringify(value)`. Cast the placeholder for another type: `$1::jsonb`.",
    "a number": "Give `String(value)`, or cast the placeholder to the type of the value: `$1::int`.",
    "a bigint": "Give `String(value)`, or cast the placeholder to the type of the value: `$1::bigint`.",
    "a boolean": "Give `String(value)`, or cast the placeholder to the type of the value: `$1::boolean`."
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
  if (kind === "an array") return arrayHint(refused)
  if (kind === "a number" && IN_TIME.test(refused.type)) return "Give a Date: `new Date(millis)`."
  if (SINGLE.test(kind) && refused.type.endsWith("[]")) return "Put the value into an array."
  return instead.get(kind)
}

const IN_TIME = /^(?:timestamp|date)/
const SINGLE = /^a (?:number|bigint|boolean|string)$/

const arrayHint = ({ parameter, sql }: Refused): string => {
  const name = `$${parameter}`
  const list = new RegExp(String.raw`\bIN\s*\([^()]*\$${parameter}(?!\d)[^()]*\)`, "i").exec(withoutQuoted(sql))
  if (list === null) return `For an array of values, cast the placeholder to an array type: ${name}::int[].`
  const isNegated = /\bNOT\s*$/i.test(sql.slice(0, list.index))
  return isNegated
    ? `An array is one value. Write \`<> ALL (${name})\` instead of \`NOT IN (${name})\`.`
    : `An array is one value. Write \`= ANY (${name})\` instead of \`IN (${name})\`, or use sql.in of PgSql.`
}
