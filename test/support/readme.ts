/** Reads the parts of README.md and of other pages, for the tests that check them. */
import * as fs from "node:fs"

export const readme = fs.readFileSync(new URL("../../README.md", import.meta.url), "utf8")

/** The contents of its fenced blocks in one language. */
export const blocks = (language: string): ReadonlyArray<string> =>
  Array.from(readme.matchAll(/^```(\w*)\n([\s\S]*?)\n```$/gm))
    .filter(([, fence]) => fence === language)
    .map(([, , content = ""]) => content)

/** The words in backquotes in the first column of the tables of a page. */
export const rowNames = (page: string): ReadonlyArray<string> =>
  Array.from(page.matchAll(/^\|([^|]*)\|/gm)).flatMap(([, cell = ""]) =>
    Array.from(cell.matchAll(/`([^`]+)`/g), ([, name = ""]) => name)
  )
