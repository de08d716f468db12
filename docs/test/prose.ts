/**
 * Lists what is hard to read in the Markdown of the repository: sentences of more than 40 words, paragraphs of more than 8
 * lines, and lines of more than 125 characters. Code, tables, diagrams and the targets of links do not count.
 */
import * as fs from "node:fs"
import { fileURLToPath } from "node:url"

const MAX_WORDS = 40
const MAX_LINES = 8
const MAX_CHARACTERS = 125

export interface Paragraph {
  /** The number of its first line, from 1. */
  readonly line: number
  readonly lines: ReadonlyArray<string>
}

/** The paragraphs and the items of lists in a page. */
export const paragraphsOf = (markdown: string): ReadonlyArray<Paragraph> => {
  const paragraphs: Array<{ line: number; lines: Array<string> }> = []
  let current: Array<string> | undefined
  let isCode = false
  let isFrontmatter = markdown.startsWith("---\n")
  for (const [at, line] of markdown.split("\n").entries()) {
    if (isFrontmatter) {
      isFrontmatter = at === 0 || line !== "---"
      continue
    }
    if (/^\s*```/.test(line)) isCode = !isCode
    const isProse = !isCode && !NO_PROSE.test(line)
    if (!isProse) current = undefined
    else if (current === undefined || ITEM.test(line)) {
      current = [line]
      paragraphs.push({ line: at + 1, lines: current })
    } else current.push(line)
  }
  return paragraphs
}

/** Blank lines, fences, tables, headings, included code, containers, images and comments. */
const NO_PROSE = /^\s*($|```|\||#|<<<|:::|!\[|<!--)/
const ITEM = /^\s*(?:[-*]|\d+\.)\s/

export const sentencesOf = ({ lines }: Paragraph): ReadonlyArray<string> =>
  withoutTargets(lines.join(" "))
    .replaceAll(/`[^`]*`/g, "code")
    .split(/(?<=[.?!][)*_"]*)\s+(?=\S)/)

const withoutTargets = (text: string): string => text.replaceAll(/\]\([^)]*\)/g, "]")

export const complaintsOf = (file: string, markdown: string): ReadonlyArray<string> =>
  paragraphsOf(markdown).flatMap((paragraph) => {
    const at = `${file}:${paragraph.line}`
    const long = sentencesOf(paragraph).filter((sentence) => wordsIn(sentence) > MAX_WORDS)
    const wide = paragraph.lines.filter((line) => withoutTargets(line).length > MAX_CHARACTERS)
    return [
      ...(paragraph.lines.length > MAX_LINES ? [`${at}: a paragraph of ${paragraph.lines.length} lines`] : []),
      ...long.map((sentence) => `${at}: a sentence of ${wordsIn(sentence)} words: ${sentence.slice(0, 60)}...`),
      ...wide.map((line) => `${at}: a line of ${line.length} characters: ${line.trim().slice(0, 60)}...`)
    ]
  })

const wordsIn = (sentence: string): number => sentence.split(/\s+/).filter((word) => /\w/.test(word)).length

const repository = fileURLToPath(new URL("../../", import.meta.url))

const markdownIn = (folder: string): ReadonlyArray<string> =>
  fs
    .readdirSync(repository + folder)
    .filter((file) => file.endsWith(".md"))
    .map((file) => folder + file)

/** Every page that people write, as a path from the root. */
export const pages: ReadonlyArray<string> = ["", "docs/", "docs/guide/", "docs/decisions/", "bench/"].flatMap(
  markdownIn
)

export const textOf = (page: string): string => fs.readFileSync(repository + page, "utf8")
