/** Names and strings as SQL text, for the commands that take no parameters. */

export const quoteName = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** A string that means the same whatever `standard_conforming_strings` is. */
export const quoteText = (text: string): string => {
  const quoted = `'${text.replaceAll("'", "''")}'`
  return text.includes("\\") ? `E${quoted.replaceAll("\\", "\\\\")}` : quoted
}
