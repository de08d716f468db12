/** Names and strings as SQL text, for the commands that take no parameters. */

/** How every name begins that the library gives to something on the server: a statement, a portal, a savepoint. */
export const OUR_PREFIX = "effectpg_"

/** Matches strings, quoted names, comments and dollar quotes. */
const QUOTED = /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\/|\$(\w*)\$[\s\S]*?\$\1\$/g

/** The text with blanks in place of all that is quoted or commented out, so that positions stay. */
export const withoutQuoted = (sql: string): string => sql.replaceAll(QUOTED, (quoted) => " ".repeat(quoted.length))

/**
 * Names the schema of the operators that stand between blanks, because a user may have created others with these names.
 * Not for `IN`, `NULLIF` and `BETWEEN`, which stand for operators without naming them.
 */
export const withQualifiedOperators = (sql: string): string =>
  sql.replaceAll(/(?<= )(?:<>|[<>]=?|=|\|\|)(?= )/g, (operator) => `OPERATOR(pg_catalog.${operator})`)

export const quoteName = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** Quotes a string so that its meaning does not depend on `standard_conforming_strings`. */
export const quoteText = (text: string): string => {
  const quoted = `'${text.replaceAll("'", "''")}'`
  return text.includes("\\") ? `E${quoted.replaceAll("\\", "\\\\")}` : quoted
}
