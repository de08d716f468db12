/** Finds the statements of a file: in the arguments of effectpg's calls and in templates of the `sql` tag. */
import { type AstNode, child, children, keyOf, type ParsedFile, textIn, unwrapped, walk } from "./ast.ts"
import { originOf, type Scope, scopeOf } from "./scopes.ts"
import { lineAt } from "./source.ts"
import type { Origin, SqlText } from "./sqlText.ts"
import { looksLikeSql } from "./sqlWords.ts"
import { type Form, isSqlTag, type Project, textOf } from "./textOf.ts"

/** The values that a call gives to the parameters of a statement, if the number of them can be seen. */
export interface Given {
  readonly count: number
  readonly origin: Origin
}

export interface Statement {
  readonly sql: SqlText
  readonly form: Form
  /** Where the call or the template begins. */
  readonly origin: Origin
  readonly given: ReadonlyArray<Given>
  /** The text has several statements. */
  readonly isScript: boolean
  /** The call takes the literal text as a key of the generated types. */
  readonly isTyped: boolean
}

export interface Found {
  readonly statements: ReadonlyArray<Statement>
  /** Calls of which nothing is known before the program runs. */
  readonly unknown: ReadonlyArray<Origin>
}

/** What the calls of `Queryable` take: their first argument, and behind it values or rows of values. */
const CALLS: Readonly<Record<string, "values" | "rows" | "text" | "script">> = {
  fetch: "values",
  fetchTuples: "values",
  fetchRow: "values",
  fetchOne: "values",
  fetchValue: "values",
  execute: "values",
  stream: "values",
  cursor: "values",
  fetchMany: "rows",
  executeMany: "rows",
  prepare: "text",
  executeScript: "script"
}

/** Libraries whose objects have calls of the same names. */
const OTHER_CLIENTS =
  /^(?:node:sqlite|pg|pg-promise|postgres|mysql2?|mariadb|better-sqlite3|sqlite3?|bun:sqlite|@libsql\/client|kysely|drizzle-orm|knex|slonik|mssql|tedious|oracledb|@prisma\/client|typeorm|sequelize|@neondatabase\/serverless|@vercel\/postgres|@electric-sql\/pglite)(?:\/|$)/

const IGNORE = "effectpg-ignore"
const IGNORE_FILE = "effectpg-ignore-file"

export const statementsOf = (file: ParsedFile, project: Project): Found => {
  if (file.comments.some(({ value }) => value.includes(IGNORE_FILE))) return { statements: [], unknown: [] }
  const finder = new Finder(file, project)
  walk(file.program, scopeOf(file), (node, scope) => finder.visit(node, scope))
  return { statements: merged(finder.statements), unknown: finder.unknown }
}

class Finder {
  readonly statements: Array<Statement> = []
  readonly unknown: Array<Origin> = []
  private readonly file: ParsedFile
  private readonly project: Project
  private readonly isOurs: boolean
  private readonly ignored: ReadonlySet<number>
  /** Templates that are part of another statement, or that a call has. */
  private readonly taken = new Set<AstNode>()
  private readonly namesInside = new Set<string>()

  constructor(file: ParsedFile, project: Project) {
    this.file = file
    this.project = project
    this.isOurs = children(file.program, "body").some(importsEffectpg)
    this.ignored = new Set(
      file.comments.filter(({ value }) => value.includes(IGNORE)).map(({ end }) => lineAt(file.source, end))
    )
    walk(file.program, undefined, (node) => this.takeInner(node))
  }

  /** Returns the scope within the node. */
  visit(node: AstNode, scope: Scope): Scope {
    const inner = scope.within(node)
    if (node.type === "VariableDeclarator") this.takeNamed(node)
    if (node.type === "CallExpression") this.call(node, inner)
    if (node.type === "TaggedTemplateExpression" && !this.taken.has(node)) this.template(node, inner)
    return inner
  }

  private call(node: AstNode, scope: Scope): void {
    const callee = unwrapped(child(node, "callee"))
    const method = callee?.type === "MemberExpression" ? keyOf(callee, "property") : undefined
    if (callee === undefined || method === undefined || this.isIgnored(node, callee)) return
    if (OTHER_CLIENTS.test(originOf(child(callee, "object"), scope) ?? "")) return
    const [first, ...others] = children(node, "arguments")
    if (first === undefined) return
    if (method === "batch") return this.batch(first, scope)
    if (method === "copyOut" || method === "copyOutRows") return this.object(first, "query", scope)
    const kind = CALLS[method]
    if (kind === undefined || !Object.hasOwn(CALLS, method)) return
    const given = kind === "values" ? this.given(others[0], first) : kind === "rows" ? this.rows(others[0]) : []
    for (const text of alternatives(first)) {
      this.add(text, scope, { given, isScript: kind === "script", isTyped: kind !== "script", at: node })
    }
  }

  private batch(list: AstNode, scope: Scope): void {
    const array = unwrapped(list)
    if (array?.type !== "ArrayExpression") return
    for (const element of children(array, "elements")) this.object(element, "sql", scope)
  }

  private object(node: AstNode, key: string, scope: Scope): void {
    const object = unwrapped(node)
    if (object?.type !== "ObjectExpression") return
    const properties = children(object, "properties")
    const valueOf = (name: string): AstNode | undefined =>
      child(
        properties.find((property) => property.type === "Property" && keyOf(property, "key") === name),
        "value"
      )
    const text = valueOf(key)
    if (text === undefined) return
    const given = this.given(valueOf("params"), text)
    this.add(text, scope, { given, isScript: false, isTyped: false, at: object })
  }

  private template(node: AstNode, scope: Scope): void {
    const tag = child(node, "tag")
    if (!isSqlTag(tag) || OTHER_CLIENTS.test(originOf(tag, scope) ?? "") || this.isIgnored(node, node)) return
    this.add(node, scope, { given: [], isScript: false, isTyped: false, at: node })
  }

  private add(
    node: AstNode,
    scope: Scope,
    how: {
      readonly given: ReadonlyArray<Given>
      readonly isScript: boolean
      readonly isTyped: boolean
      readonly at: AstNode
    }
  ): void {
    const inner = unwrapped(node)
    if (inner?.type === "TaggedTemplateExpression") this.taken.add(inner)
    if (inner === undefined || this.isIgnored(inner, inner)) return
    const told = textOf(inner, scope, this.project)
    const origin = { source: this.file.source, offset: how.at.start }
    if (told === undefined) {
      if (this.isOurs && mayBeText(inner)) this.unknown.push({ ...origin, offset: inner.start })
      return
    }
    if (!looksLikeSql(told.sql.text, this.isOurs)) return
    const { given, isScript, isTyped } = how
    this.statements.push({
      sql: told.sql,
      form: told.form,
      origin,
      given: told.form === "template" ? [] : given,
      isScript,
      isTyped: isTyped && told.form === "literal"
    })
  }

  /** The number of values that a call gives; nothing if that cannot be seen. */
  private given(values: AstNode | undefined, statement: AstNode): ReadonlyArray<Given> {
    const inner = unwrapped(values)
    const none = { count: 0, origin: { source: this.file.source, offset: statement.start } }
    if (inner === undefined || inner.type === "ObjectExpression" || textIn(inner, "name") === "undefined") return [none]
    return this.counted(inner)
  }

  private rows(rows: AstNode | undefined): ReadonlyArray<Given> {
    const inner = unwrapped(rows)
    return inner?.type === "ArrayExpression" ? children(inner, "elements").flatMap((row) => this.counted(row)) : []
  }

  private counted(values: AstNode): ReadonlyArray<Given> {
    const elements = children(values, "elements")
    if (values.type !== "ArrayExpression" || elements.some(({ type }) => type === "SpreadElement")) return []
    return [{ count: elements.length, origin: { source: this.file.source, offset: values.start } }]
  }

  /** Templates that stand in another one, or whose names do, are no statements of their own. */
  private takeInner(node: AstNode): void {
    if (node.type === "TaggedTemplateExpression" && isSqlTag(child(node, "tag"))) {
      for (const expression of children(child(node, "quasi"), "expressions")) this.takeAll(expression)
    }
    if (node.type === "CallExpression") {
      const callee = unwrapped(child(node, "callee"))
      if (callee?.type === "MemberExpression" && isSqlTag(child(callee, "object"))) {
        for (const argument of children(node, "arguments")) this.takeAll(argument)
      }
    }
  }

  private takeAll(root: AstNode): void {
    walk(root, undefined, (node) => {
      if (node.type === "TaggedTemplateExpression") this.taken.add(node)
      if (node.type === "Identifier") this.namesInside.add(textIn(node, "name") ?? "")
    })
  }

  private takeNamed(declarator: AstNode): void {
    const value = unwrapped(child(declarator, "init"))
    const name = textIn(child(declarator, "id"), "name")
    if (value !== undefined && name !== undefined && this.namesInside.has(name)) this.taken.add(value)
  }

  private isIgnored(node: AstNode, at: AstNode): boolean {
    if (this.ignored.size === 0) return false
    return [node.start, at.start, at.end].some((offset) => {
      const line = lineAt(this.file.source, offset)
      return this.ignored.has(line) || this.ignored.has(line - 1)
    })
  }
}

/** A text that several calls use is one statement. */
const merged = (statements: ReadonlyArray<Statement>): ReadonlyArray<Statement> => {
  const found = new Map<string, Statement>()
  for (const statement of statements) {
    const origin = statement.sql.originOf(0)
    const key = `${origin?.source.path}:${origin?.offset}:${statement.isScript}`
    const same = found.get(key)
    found.set(
      key,
      same === undefined
        ? statement
        : { ...same, given: [...same.given, ...statement.given], isTyped: same.isTyped || statement.isTyped }
    )
  }
  return [...found.values()]
}

/** The expressions of which one is the text: both branches of a condition. */
const alternatives = (node: AstNode): ReadonlyArray<AstNode> => {
  const inner = unwrapped(node)
  if (inner?.type !== "ConditionalExpression") return [node]
  return [child(inner, "consequent"), child(inner, "alternate")].flatMap((branch) =>
    branch === undefined ? [] : alternatives(branch)
  )
}

/** Arguments that may be text that is known only when the program runs. */
const mayBeText = ({ type }: AstNode): boolean =>
  ["Identifier", "CallExpression", "MemberExpression", "TemplateLiteral", "BinaryExpression"].includes(type)

const importsEffectpg = (statement: AstNode): boolean => {
  if (statement.type !== "ImportDeclaration") return false
  const module = textIn(child(statement, "source"), "value") ?? ""
  return (
    /^effectpg(?:\/|$)/.test(module) || /\/Pg(?:Client|Connection|Pool|Sql|Statement|Transaction)\.ts$/.test(module)
  )
}
