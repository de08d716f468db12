/** Quotes names and strings as SQL text, for the commands that take no parameters. */

export const quoteName = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** Quotes a string so that its meaning does not depend on `standard_conforming_strings`. */
export const quoteText = (text: string): string => {
  const quoted = `'${text.replaceAll("'", "''")}'`
  return text.includes("\\") ? `E${quoted.replaceAll("\\", "\\\\")}` : quoted
}
