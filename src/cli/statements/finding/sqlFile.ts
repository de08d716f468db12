/**
 * Reads a file of named statements:
 *
 * ```sql
 * -- name: findUser :one
 * SELECT id, name FROM users WHERE id = $1;
 * ```
 *
 * Each name stands on a line of its own, and its statement goes on to the next name.
 */
import { type Origin, SqlText } from "./sqlText.ts"
import type { SourceFile } from "./source.ts"

/** What the function of a statement returns: all rows by default. */
export type Mode = "many" | "one" | "first" | "value" | "stream" | "execute"

const MODES: ReadonlySet<string> = new Set<Mode>(["many", "one", "first", "value", "stream", "execute"])

export interface NamedStatement {
  readonly name: string
  readonly mode: Mode
  readonly sql: SqlText
  readonly origin: Origin
}

/** A file without a name has neither statements nor faults. */
export interface SqlFile {
  readonly source: SourceFile
  readonly statements: ReadonlyArray<NamedStatement>
  readonly faults: ReadonlyArray<{ readonly offset: number; readonly message: string }>
}

const NAME = /^--[ \t]*name:[ \t]*(\S*)(?:[ \t]+:(\S+))?[^\n]*(?:\n|$)/gm
const IDENTIFIER = /^[A-Za-z_$][\w$]*$/
/** No name of a constant in a module. */
const RESERVED =
  /^(?:await|break|case|catch|class|const|continue|debugger|default|delete|do|else|enum|export|extends|false|finally|for|function|if|implements|import|in|instanceof|interface|let|new|null|package|private|protected|public|return|static|super|switch|this|throw|true|try|typeof|var|void|while|with|yield|eval|arguments)$/

export const isName = (text: string): boolean => IDENTIFIER.test(text) && !RESERVED.test(text)

export const parseSqlFile = (source: SourceFile): SqlFile => {
  const heads = [...source.text.matchAll(NAME)]
  const faults: Array<{ offset: number; message: string }> = []
  const statements: Array<NamedStatement> = []
  const names = new Set<string>()
  for (const [index, head] of heads.entries()) {
    const [line, name = "", mode = "many"] = head
    const start = head.index + line.length
    const body = source.text.slice(start, heads[index + 1]?.index)
    const text = body.trim().replace(/;$/, "").trimEnd()
    const at = start + body.indexOf(text)
    const fault = !isName(name)
      ? `the name ${JSON.stringify(name)} cannot be the name of a function`
      : names.has(name)
        ? `the name ${name} is there twice`
        : !isMode(mode)
          ? `:${mode} is not known; there are ${[...MODES].map((known) => `:${known}`).join(", ")}`
          : text === ""
            ? `the name ${name} has no statement`
            : undefined
    if (fault !== undefined || !isMode(mode)) {
      faults.push({ offset: head.index, message: fault ?? "" })
      continue
    }
    names.add(name)
    const sql = new SqlText()
    sql.add(
      text,
      source,
      Array.from({ length: text.length }, (_, offset) => at + offset)
    )
    statements.push({ name, mode, sql, origin: { source, offset: at } })
  }
  return { source, statements, faults }
}

const isMode = (text: string): text is Mode => MODES.has(text)
