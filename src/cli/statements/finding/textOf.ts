/** Follows an expression to the SQL that it stands for, as far as the sources show it. */
import { quoteName } from "../../../wire/sqlText.ts"
import { type AstNode, child, children, isNode, keyOf, textIn, unwrapped } from "./ast.ts"
import type { Scope } from "./scopes.ts"
import { cooked, SqlText } from "./sqlText.ts"

/** The project beyond one file. */
export interface Project {
  /** The top of the file that a relative import names, if it is there. */
  readonly imported: (scope: Scope, module: string) => Scope | undefined
  /** The column that a key of an object is written to, as the setting `names` says. */
  readonly columnOf: (key: string) => string
}

export type Form =
  /** TypeScript knows the text too. */
  | "literal"
  /** The text is put together, so that TypeScript knows only that it is a string. */
  | "computed"
  | "template"

export interface Told {
  readonly sql: SqlText
  readonly form: Form
}

/** The SQL of an expression; undefined if nothing of it is known before the program runs. */
export const textOf = (node: AstNode | undefined, scope: Scope, project: Project): Told | undefined => {
  const sql = new SqlText()
  const form = new Reader(project, sql).read(node, scope, 0)
  return form === undefined || sql.holes.some(({ start, end }) => end - start === sql.text.length)
    ? undefined
    : { sql, form }
}

/** The value that a name stands for, and the scope in which it was written. */
export const resolved = (
  node: AstNode | undefined,
  scope: Scope,
  project: Project
): { readonly node: AstNode; readonly scope: Scope } | undefined => {
  const inner = unwrapped(node)
  if (inner?.type !== "Identifier") return inner === undefined ? undefined : { node: inner, scope }
  const binding = scope.find(textIn(inner, "name") ?? "")
  if (binding?.kind === "constant") return { node: unwrapped(binding.value) ?? binding.value, scope: binding.scope }
  if (binding?.kind !== "import") return undefined
  const top = project.imported(scope, binding.module)
  const exported = top?.find(binding.name)
  return exported?.kind === "constant"
    ? { node: unwrapped(exported.value) ?? exported.value, scope: exported.scope }
    : undefined
}

/** Names that are followed within each other. Constants that name each other would never end. */
const MAX_DEPTH = 100
/** Behind so many characters no name is followed: constants of constants can mean a text that no memory holds. */
const MAX_LENGTH = 100_000

class Reader {
  private readonly project: Project
  private readonly sql: SqlText

  constructor(project: Project, sql: SqlText) {
    this.project = project
    this.sql = sql
  }

  /** Returns undefined if nothing is known of the expression, and has then added nothing. */
  read(node: AstNode | undefined, scope: Scope, depth: number): Form | undefined {
    const found = this.followed(node, scope, depth)
    if (found === undefined) return undefined
    const { depth: within, node: inner, scope: where } = found
    const { source } = where.file
    switch (inner.type) {
      case "Literal": {
        if (typeof inner["value"] !== "string") return undefined
        const { offsets, text } = cooked(source.text.slice(inner.start + 1, inner.end - 1), inner.start + 1)
        this.sql.add(text, source, offsets)
        return "literal"
      }
      case "TemplateLiteral":
        return this.templateLiteral(inner, where, within)
      case "BinaryExpression":
        return inner["operator"] === "+" ? this.concatenation(inner, where, within) : undefined
      case "Identifier":
        return this.read(inner, where, within)
      case "TaggedTemplateExpression":
        if (!isSqlTag(child(inner, "tag"))) return undefined
        this.template(child(inner, "quasi"), where, within)
        return "template"
      default:
        return undefined
    }
  }

  /** What an expression stands for, and how many names were followed to it. */
  private followed(
    node: AstNode | undefined,
    scope: Scope,
    depth: number
  ): { readonly node: AstNode; readonly scope: Scope; readonly depth: number } | undefined {
    const isName = unwrapped(node)?.type === "Identifier"
    if (isName && (depth === MAX_DEPTH || this.sql.text.length > MAX_LENGTH)) return undefined
    const found = resolved(node, scope, this.project)
    return found === undefined ? undefined : { ...found, depth: isName ? depth + 1 : depth }
  }

  private quasi(node: AstNode | undefined, scope: Scope): void {
    if (node === undefined) return
    const { source } = scope.file
    const { value } = node
    const raw = typeof value === "object" && value !== null && "raw" in value ? String(value.raw) : ""
    // Parsers differ on whether the place of a part includes the marks around it.
    const start = source.text.indexOf(raw, node.start)
    const { offsets, text } = cooked(raw, start)
    this.sql.add(text, source, offsets)
  }

  private templateLiteral(node: AstNode, scope: Scope, depth: number): Form {
    const expressions = children(node, "expressions")
    for (const [index, quasi] of children(node, "quasis").entries()) {
      this.quasi(quasi, scope)
      const expression = expressions[index]
      if (expression !== undefined) this.part(expression, scope, depth)
    }
    return expressions.length === 0 ? "literal" : "computed"
  }

  private concatenation(node: AstNode, scope: Scope, depth: number): Form {
    for (const part of operandsOf(node)) this.part(part, scope, depth)
    return "computed"
  }

  private part(node: AstNode, scope: Scope, depth: number): void {
    if (this.read(node, scope, depth) === undefined) this.sql.addHole("NULL", scope.file.source, node.start, true)
  }

  /** A template of the `sql` tag: values become parameters, and templates within it become part of it. */
  private template(quasi: AstNode | undefined, scope: Scope, depth: number): void {
    const expressions = children(quasi, "expressions")
    for (const [index, part] of children(quasi, "quasis").entries()) {
      this.quasi(part, scope)
      const expression = unwrapped(expressions[index])
      if (expression !== undefined) this.interpolated(expression, scope, depth)
    }
  }

  private interpolated(expression: AstNode, scope: Scope, depth: number): void {
    const { source } = scope.file
    const found = this.followed(expression, scope, depth)
    if (found?.node.type === "TaggedTemplateExpression" && isSqlTag(child(found.node, "tag"))) {
      this.template(child(found.node, "quasi"), found.scope, found.depth)
      return
    }
    const made = found?.node.type === "CallExpression" ? helperOf(found.node) : undefined
    if (made !== undefined && found !== undefined) return this.helper(made, found.node, found.scope, expression, scope)
    const isValue = VALUES.has(found?.node.type ?? "")
    this.sql.addParameter(source, expression.start, !isValue)
  }

  /** What a function of the tag makes, such as `sql.insert`. */
  private helper(name: string, call: AstNode, inner: Scope, expression: AstNode, scope: Scope): void {
    const { source } = scope.file
    const { start } = expression
    const [first, ...others] = children(call, "arguments")
    const rows = first === undefined ? undefined : this.keysOf(first, inner)
    switch (name) {
      case "id": {
        const path = [first, ...others].map((part) => textIn(unwrapped(part), "value"))
        if (path.every((part) => part !== undefined)) {
          this.sql.addFor(path.map(quoteName).join("."), source, start)
        } else this.sql.addParameter(source, start, true)
        return
      }
      case "in":
        this.sql.addFor("= ANY (", source, start)
        this.sql.addParameter(source, start, false)
        this.sql.addFor(")", source, start)
        return
      case "insert":
        if (rows === undefined) return this.sql.addHole("DEFAULT VALUES", source, start, true)
        this.sql.addFor(`(${rows.keys.map(quoteName).join(", ")}) VALUES `, source, start)
        for (let row = 0; row < rows.count; row++) {
          this.sql.addFor(row === 0 ? "(" : ", (", source, start)
          this.list(rows.keys, (index) => (index === 0 ? "" : ", "), source, start)
          this.sql.addFor(")", source, start)
        }
        return
      case "update":
        if (rows === undefined || others.length > 0) return this.sql.addHole("NULL", source, start, true)
        return this.list(
          rows.keys,
          (index) => `${index === 0 ? "" : ", "}${quoteName(rows.keys[index] ?? "")} = `,
          source,
          start
        )
      default:
        return this.sql.addParameter(source, start, true)
    }
  }

  private list(
    keys: ReadonlyArray<string>,
    before: (index: number) => string,
    source: Scope["file"]["source"],
    start: number
  ): void {
    for (const index of keys.keys()) {
      this.sql.addFor(before(index), source, start)
      this.sql.addParameter(source, start, false)
    }
  }

  /** The columns of an object that is written there, or of an array of such objects. */
  private keysOf(
    node: AstNode,
    scope: Scope
  ): { readonly keys: ReadonlyArray<string>; readonly count: number } | undefined {
    const found = resolved(node, scope, this.project)?.node
    const rows = found?.type === "ArrayExpression" ? children(found, "elements") : found === undefined ? [] : [found]
    const [first] = rows.map((row) => (row.type === "ObjectExpression" ? children(row, "properties") : []))
    if (first === undefined || first.length === 0 || rows.some((row) => row.type !== "ObjectExpression"))
      return undefined
    const keys = first.map((property) => (property.type === "Property" ? keyOf(property, "key") : undefined))
    return keys.every((key) => key !== undefined)
      ? { keys: keys.map((key) => this.project.columnOf(key)), count: rows.length }
      : undefined
  }
}

/** The operands of a concatenation, in their order. Those of `a + b + c` stand in each other, so that a loop takes them out. */
const operandsOf = (node: AstNode): ReadonlyArray<AstNode> => {
  const operands: Array<AstNode> = []
  let left: AstNode | undefined = node
  while (left?.type === "BinaryExpression" && left["operator"] === "+") {
    const right = child(left, "right")
    if (right !== undefined) operands.push(right)
    left = unwrapped(child(left, "left"))
  }
  if (left !== undefined) operands.push(left)
  return operands.toReversed()
}

/** What is a value in any case, and no part of a statement. */
const VALUES: ReadonlySet<string> = new Set([
  "Literal",
  "TemplateLiteral",
  "ArrayExpression",
  "ObjectExpression",
  "NewExpression",
  "UnaryExpression",
  "BinaryExpression",
  "UpdateExpression"
])

/** `sql` or `PgSql.sql`. */
export const isSqlTag = (tag: AstNode | undefined): boolean => {
  const inner = unwrapped(tag)
  if (inner?.type === "Identifier") return inner["name"] === "sql"
  return inner?.type === "MemberExpression" && keyOf(inner, "property") === "sql"
}

const helperOf = (call: AstNode): string | undefined => {
  const callee = unwrapped(child(call, "callee"))
  return callee?.type === "MemberExpression" && isNode(callee["object"]) && isSqlTag(callee["object"])
    ? keyOf(callee, "property")
    : undefined
}
