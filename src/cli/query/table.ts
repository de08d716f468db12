/**
 * A result as a table for a terminal, in the form of psql. NULL is the word NULL, and a text that could be taken for it is
 * quoted. Characters that would change the terminal are shown by their numbers.
 */
import { displayWidth } from "effect/cli/CliOutput"
import { pgType } from "../../codec/oid.generated.ts"
import type { Result } from "./runStatement.ts"

export const table = ({ columns, rows }: Result): string => {
  const count = `(${rows.length} ${rows.length === 1 ? "row" : "rows"})\n`
  if (columns.length === 0) return count
  const heads = columns.map(({ name }) => [visible(name)])
  const body = rows.map((row) => row.map(cellOf))
  const widths = columns.map((_, at) =>
    [heads, ...body].reduce((width, row) => Math.max(width, widthOf(row[at] ?? [])), 0)
  )
  const isRight = columns.map(({ typeOid }) => RIGHT_ALIGNED.has(typeOid))
  const lines = [
    line(heads, widths, centered),
    widths.map((width) => "-".repeat(width + 2)).join("+"),
    ...body.map((row) => line(row, widths, (text, width, at) => (isRight[at] ? right : left)(text, width)))
  ]
  return `${lines.join("\n")}\n${count}`
}

/** The lines of a value. */
type Cell = ReadonlyArray<string>
type Align = (text: string, width: number, column: number) => string

const NULL = "NULL"
const LIKE_NULL = /^"*NULL"*$/

const cellOf = (value: unknown): Cell => {
  if (value === null) return [NULL]
  const text = String(value)
  return LIKE_NULL.test(text) ? [`"${text}"`] : text.split("\n").map(visible)
}

const CONTROLS = /\p{Cc}/gu

const visible = (text: string): string =>
  text.replaceAll(CONTROLS, (character) => `\\x${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`)

/** Most texts are plain, and their width costs nothing. */
const PLAIN = /^[ -~]*$/
const columnsOf = (text: string): number => (PLAIN.test(text) ? text.length : displayWidth(text))

const widthOf = (cell: Cell): number => cell.reduce((width, line) => Math.max(width, columnsOf(line)), 0)

/** The lines of a row. A value that goes on in the next line has a plus sign behind it. */
const line = (row: ReadonlyArray<Cell>, widths: ReadonlyArray<number>, align: Align): string => {
  const height = row.reduce((most, cell) => Math.max(most, cell.length), 0)
  return Array.from({ length: height }, (_, at) =>
    widths
      .map((width, column) => {
        const cell = row[column] ?? []
        const text = align(cell[at] ?? "", width, column)
        return ` ${text}${at < cell.length - 1 ? "+" : " "}`
      })
      .join("|")
      .trimEnd()
  ).join("\n")
}

const blanks = (count: number): string => " ".repeat(Math.max(0, count))
const left = (text: string, width: number): string => text + blanks(width - columnsOf(text))
const right = (text: string, width: number): string => blanks(width - columnsOf(text)) + text
const centered: Align = (text, width) => {
  const free = width - columnsOf(text)
  return blanks(Math.floor(free / 2)) + text + blanks(Math.ceil(free / 2))
}

const RIGHT_ALIGNED: ReadonlySet<number> = new Set(
  [
    pgType.int2,
    pgType.int4,
    pgType.int8,
    pgType.float4,
    pgType.float8,
    pgType.numeric,
    pgType.oid,
    pgType.xid,
    pgType.cid,
    pgType.xid8,
    pgType.money
  ].map(({ oid }) => oid)
)
