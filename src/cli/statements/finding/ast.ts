/** The syntax tree of a file, as the parser gives it (ESTree). Its nodes are read as they come, and checked when read. */
import type * as OxcParser from "oxc-parser"
import type { SourceFile } from "./source.ts"

export interface AstNode {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [key: string]: unknown
}

export interface Comment {
  readonly value: string
  readonly start: number
  readonly end: number
}

export interface ParsedFile {
  readonly source: SourceFile
  readonly program: AstNode
  readonly comments: ReadonlyArray<Comment>
  /** Why the file could not be parsed. */
  readonly problem: { readonly offset: number; readonly message: string } | undefined
}

/** The parser, which is loaded when a command needs it. */
export type Parser = Pick<typeof OxcParser, "parseSync">

/** Parses a file. What cannot be parsed has no statements; the compiler says all that is wrong with it. */
export const parse = (parser: Parser, source: SourceFile): ParsedFile => {
  const { comments, errors, program } = parser.parseSync(source.path, source.text, optionsFor(source.path))
  const [error] = errors
  const isParsed = isNode(program) && (error === undefined || children(program, "body").length > 0)
  return isParsed
    ? { source, program, comments, problem: undefined }
    : {
        source,
        program: EMPTY,
        comments,
        problem: { offset: error?.labels[0]?.start ?? 0, message: error?.message ?? "it is no program" }
      }
}

/** A file of JavaScript may have JSX whatever its name is, as compilers take it. */
const optionsFor = (file: string): OxcParser.ParserOptions => (/\.[cm]?js$/.test(file) ? { lang: "jsx" } : {})

const EMPTY: AstNode = { type: "Program", start: 0, end: 0 }

export const isNode = (value: unknown): value is AstNode =>
  typeof value === "object" && value !== null && "type" in value && typeof value.type === "string" && "start" in value

export const child = (node: AstNode | undefined, key: string): AstNode | undefined => {
  const value = node?.[key]
  return isNode(value) ? value : undefined
}

export const children = (node: AstNode | undefined, key: string): ReadonlyArray<AstNode> => {
  const value = node?.[key]
  return Array.isArray(value) ? value.filter(isNode) : []
}

export const textIn = (node: AstNode | undefined, key: string): string | undefined => {
  const value = node?.[key]
  return typeof value === "string" ? value : undefined
}

/** The nodes right below a node, in the order of the text. */
export const below = (node: AstNode): ReadonlyArray<AstNode> =>
  Object.values(node).flatMap((value) => (Array.isArray(value) ? value.filter(isNode) : isNode(value) ? [value] : []))

/**
 * Visits a node and all below it, in the order of the text. What a visit returns is given to those of the nodes right
 * below. It is a loop, because a long concatenation is a deeper tree than a recursion can go down.
 */
export const walk = <S>(root: AstNode, state: S, visit: (node: AstNode, state: S) => S): void => {
  const waiting: Array<readonly [node: AstNode, state: S]> = [[root, state]]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [node] = next
    const inner = visit(node, next[1])
    for (const part of below(node).toReversed()) waiting.push([part, inner])
  }
}

const WRAPPERS: ReadonlySet<string> = new Set([
  "ParenthesizedExpression",
  "TSAsExpression",
  "TSSatisfiesExpression",
  "TSNonNullExpression",
  "TSTypeAssertion",
  "ChainExpression"
])

/** The expression without what changes only its type. */
export const unwrapped = (node: AstNode | undefined): AstNode | undefined => {
  let inner = node
  while (inner !== undefined && WRAPPERS.has(inner.type)) inner = child(inner, "expression")
  return inner
}

/** The name of a property that is not computed, or is a literal: `a.name`, `a["name"]`, `{ name: 1 }`. */
export const keyOf = (node: AstNode, field: "property" | "key"): string | undefined => {
  const key = child(node, field)
  if (key?.type === "Literal") return textIn(key, "value")
  return node["computed"] === true ? undefined : textIn(key, "name")
}
