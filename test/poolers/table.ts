/** The table of the endpoints, as Markdown between two markers of a page. */
import * as fs from "node:fs"

/** How a use went. */
export type Verdict = "works" | "fails" | "said in the log" | "wrong" | "hangs"

export interface Outcome {
  readonly use: string
  readonly verdict: Verdict
  /** What it said, in a few words. */
  readonly detail: string
}

export interface Row {
  readonly endpoint: string
  readonly outcomes: ReadonlyArray<Outcome>
}

const BEGIN = "<!-- endpoints: begin -->"
const END = "<!-- endpoints: end -->"

const named = (outcomes: ReadonlyArray<Outcome>, verdict: Verdict): string => {
  const those = outcomes.filter((outcome) => outcome.verdict === verdict)
  if (those.length === 0) return "0"
  const groups = Array.from(new Set(those.map(({ detail }) => detail)), (detail) => {
    const uses = those.filter((outcome) => outcome.detail === detail)
    return `${uses.map(({ use }) => use).join(", ")} (${detail})`
  })
  return `${those.length}: ${groups.join("; ")}`
}

export const tableOf = (rows: ReadonlyArray<Row>, date: string): string =>
  [
    BEGIN,
    `As of ${date}. Made by \`npm run poolers\`.`,
    "",
    "| endpoint | works | fails clearly | said in the log | wrong in silence | hangs |",
    "|---|--:|---|---|---|---|",
    ...rows.map(({ endpoint, outcomes }) => {
      const works = outcomes.filter(({ verdict }) => verdict === "works").length
      const others = (["fails", "said in the log", "wrong", "hangs"] as const)
        .map((verdict) => named(outcomes, verdict))
        .join(" | ")
      return `| ${endpoint} | ${works} of ${outcomes.length} | ${others} |`
    }),
    END
  ].join("\n")

/** Replaces what lies between the markers of a page. */
export const writeTable = (page: URL, table: string): void => {
  const text = fs.readFileSync(page, "utf8")
  const begin = text.indexOf(BEGIN)
  const end = text.indexOf(END)
  if (begin < 0 || end < begin) throw new Error(`${page.pathname} has no markers for the table`)
  fs.writeFileSync(page, text.slice(0, begin) + table + text.slice(end + END.length))
}
