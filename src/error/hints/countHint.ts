/** Says what may be the reason that a statement has another number of parameters than the call gave. */
import { foreignPlaceholders, NO_PARAMETERS_HERE, quotedPlaceholder, plainOf } from "./sqlText.ts"

interface Counts {
  readonly expected: number
  readonly actual: number
  readonly sql: string
}

export const countHint = ({ actual, expected, sql }: Counts): string | undefined => {
  if (actual > expected) {
    const slip = quotedPlaceholder(sql) ?? foreignPlaceholders(sql)
    if (slip !== undefined) return slip
    if (expected === 0 && /\$\d/.test(plainOf(sql))) return NO_PARAMETERS_HERE
    if (expected === 0) return "The text has no placeholder. Write $1, $2... for the values."
    if (expected === 1) return "If the array is the value of $1, put it into the array of values: [ids]."
    return "Give one value for each placeholder. A placeholder that occurs twice has one value."
  }
  return actual === 0
    ? "Give the values in an array after the SQL: fetch(sql, [first, second])."
    : "Give one value for each placeholder, and null for no value."
}
