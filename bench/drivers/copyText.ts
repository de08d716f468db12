/** Writes records in the text format of COPY, for drivers that leave the encoding to their users. */
import type { Value } from "../workloads/workload.ts"
import type { Records } from "./driver.ts"

/** How many rows a chunk has. A chunk for each row would be slow. */
const BLOCK_ROWS = 500

export function* copyBlocks(records: Records): Generator<string> {
  for (let at = 0; at < records.length; at += BLOCK_ROWS) {
    yield records
      .slice(at, at + BLOCK_ROWS)
      .map((record) => `${record.map(copyText).join("\t")}\n`)
      .join("")
  }
}

const ESCAPES: Readonly<Record<string, string>> = { "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" }

const copyText = (value: Value): string =>
  typeof value === "string" ? value.replace(/[\\\t\n\r]/g, (character) => ESCAPES[character] ?? "") : String(value)
