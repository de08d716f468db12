/** A result as CSV, in the form of COPY: NULL is nothing, and an empty text is a pair of quotes. */
import type { Result } from "./runStatement.ts"

export const csv = ({ columns, rows }: Result): string =>
  [columns.map(({ name }) => field(name)), ...rows.map((row) => row.map(field))]
    .map((fields) => `${fields.join(",")}\n`)
    .join("")

const field = (value: unknown): string => {
  if (value === null) return ""
  const text = String(value)
  return text === "" || NEEDS_QUOTES.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** Readers may trim a space at an end. COPY takes a line `\.` for the end of the data. */
const NEEDS_QUOTES = /[",\r\n]|^\s|\s$|^\\\.$/
