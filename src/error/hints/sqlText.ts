/** What hints look for in the text of a statement. It runs only for errors. */
import { withoutQuoted } from "../../wire/sqlText.ts"

/** The text without what is quoted or commented out, in which hints look for words. */
export const plainOf = (sql: string): string => (sql.length > MAX_LENGTH ? "" : withoutQuoted(sql))

/** Longer texts are not searched: programs write them, not people. */
const MAX_LENGTH = 100_000

/** Where MySQL and JDBC have a parameter: `= ?`, `(?, ?)`, `LIMIT ?`. PostgreSQL has operators with a question mark. */
const QUESTION_MARK = /(?:[=<>(,]|\b(?:LIKE|IN|LIMIT|OFFSET|SET|AND|OR|THEN|ELSE|SELECT)\s)\s*\?(?=\s*(?:[,);]|$|\s))/i

/** `:id`, but not the cast `::int` or the slice `[1:n]`. */
const COLON_NAME = /(?<![:\w\]]):[A-Za-z_]\w*/

/** Says what a parameter looks like, if the text has those of another client. */
export const foreignPlaceholders = (sql: string): string | undefined => {
  const text = plainOf(sql)
  if (QUESTION_MARK.test(text)) return `Write parameters as $1, $2..., not as ?. ${OR_TEMPLATE}`
  if (text.includes("${")) return "The text contains ${...}. Write the statement as a template of PgSql, sql`...`."
  if (COLON_NAME.test(text)) return `Write parameters as $1, $2..., not as :name. ${OR_TEMPLATE}`
  return undefined
}

const OR_TEMPLATE = "A template of PgSql numbers them for you: sql`... ${value}`."

/** Matches a placeholder within a string: `'$1'`, `'%$1%'`. */
const QUOTED_PLACEHOLDER = /'([^'\n]*)\$(\d+)([^'\n]*)'/

/** Says how to write a placeholder that is within quotes. */
export const quotedPlaceholder = (sql: string): string | undefined => {
  const found = QUOTED_PLACEHOLDER.exec(sql)
  if (found === null) return undefined
  const [, before = "", number = "", after = ""] = found
  const parts = [before && `'${before}'`, `$${number}`, after && `'${after}'`].filter((part) => part !== "")
  const written = parts.length === 1 ? `$${number}` : `(${parts.join(" || ")})`
  return `A placeholder in quotes is only text. Write ${written} instead of ${found[0]}.`
}

export const NO_PARAMETERS_HERE =
  "Only SELECT, INSERT, UPDATE, DELETE, MERGE and VALUES have parameters. Insert names with sql.id of PgSql."
