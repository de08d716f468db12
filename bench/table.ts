/** Formats tables for a terminal. */
export type Line = ReadonlyArray<string>

/** Formats lines as a table. The first columns are aligned to the left, the others to the right. */
export const table = (lines: ReadonlyArray<Line>, leftColumns = 1): string => {
  const columns = Math.max(...lines.map((line) => line.length))
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...lines.map((line) => line[column]?.length ?? 0))
  )
  return lines
    .map((line) =>
      line
        .map((cell, column) =>
          column < leftColumns ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)
        )
        .join("  ")
        .trimEnd()
    )
    .join("\n")
}
