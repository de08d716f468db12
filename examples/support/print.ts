/** Prints what the examples show in a terminal. */
import { Console, type Effect } from "effect"
import type { PgConnection } from "../../src/index.ts"

const RULE_WIDTH = 76
const INDENT = "  "

/** Prints a heading. */
export const chapter = (title: string): Effect.Effect<void> =>
  Console.log(`\n── ${title} ${"─".repeat(RULE_WIDTH - title.length)}\n`)

/** Prints one paragraph without changing its line breaks. */
export const say = (text: string): Effect.Effect<void> => Console.log(text.replaceAll(/^(?=.)/gm, INDENT))

/** Prints rows as a table with the names of their columns. */
export const table = (rows: ReadonlyArray<PgConnection.Row>): Effect.Effect<void> => {
  const names = Object.keys(rows[0] ?? {})
  const columns = names.map((name) => {
    const cells = rows.map((row) => cell(row[name]))
    const width = Math.max(name.length, ...cells.map((text) => text.length))
    const pad = rows.every((row) => isNumeric(row[name]))
      ? (text: string) => text.padStart(width)
      : (text: string) => text.padEnd(width)
    return [pad(name), "─".repeat(width), ...cells.map(pad)]
  })
  const lines = ["", "", ...rows].map((_, at) =>
    columns
      .map((column) => column[at])
      .join("   ")
      .trimEnd()
  )
  return say(lines.join("\n"))
}

const isNumeric = (value: unknown): boolean =>
  typeof value === "number" || typeof value === "bigint" || (typeof value === "string" && /^-?\d+\.\d+$/.test(value))

const cell = (value: unknown): string => {
  if (value instanceof Date) return value.toISOString()
  return Array.isArray(value) ? value.join(", ") : String(value)
}
