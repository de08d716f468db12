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

/** The constant of a module that has the text of a statement. */
export const sqlNameOf = (name: string): string => `${name}Sql`

/** The type of a statement's rows in a module. */
export const rowNameOf = (name: string): string => `${name.charAt(0).toUpperCase()}${name.slice(1)}Row`

/** What a module imports, each by the name that it has there. */
const IMPORTS = ["Effect", "Option", "Stream", "PgConnection", "PgError", "PgTypes"]

export const parseSqlFile = (source: SourceFile): SqlFile => {
  const heads = [...source.text.matchAll(NAME)]
  const faults: Array<{ offset: number; message: string }> = []
  const statements: Array<NamedStatement> = []
  const owners = new Map(IMPORTS.map((name) => [name, "an import"]))
  for (const [index, head] of heads.entries()) {
    const [line, name = "", mode = "many"] = head
    const start = head.index + line.length
    const body = source.text.slice(start, heads[index + 1]?.index)
    const text = body.trim().replace(/;$/, "").trimEnd()
    const at = start + body.indexOf(text)
    const declared = [name, sqlNameOf(name), rowNameOf(name)]
    const clash = declared.find((each) => owners.has(each))
    const fault = !isName(name)
      ? `the name ${JSON.stringify(name)} cannot be the name of a function`
      : clash !== undefined
        ? owners.get(clash) === name
          ? `the name ${name} is there twice`
          : `the name ${name} does not fit: the module would have ${clash} twice, also for ${owners.get(clash)}`
        : !isMode(mode)
          ? `:${mode} is not known; there are ${[...MODES].map((known) => `:${known}`).join(", ")}`
          : text === ""
            ? `the name ${name} has no statement`
            : undefined
    if (fault !== undefined || !isMode(mode)) {
      faults.push({ offset: head.index, message: fault ?? "" })
      continue
    }
    for (const each of declared) owners.set(each, name)
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
