/** What a name stands for at a place of a file: a constant whose value is written there, an import, or something else. */
import { type AstNode, below, child, children, keyOf, type ParsedFile, textIn, unwrapped } from "./ast.ts"

export type Binding =
  | { readonly kind: "constant"; readonly value: AstNode; readonly scope: Scope }
  | { readonly kind: "import"; readonly module: string; readonly name: string }
  | { readonly kind: "other" }

const OTHER: Binding = { kind: "other" }

/** The names of a block of code. */
export class Scope {
  readonly file: ParsedFile
  private readonly parent: Scope | undefined
  private readonly names = new Map<string, Binding>()

  constructor(file: ParsedFile, parent: Scope | undefined, statements: ReadonlyArray<AstNode>) {
    this.file = file
    this.parent = parent
    for (const statement of statements) this.bind(statement)
  }

  find(name: string): Binding | undefined {
    return this.names.get(name) ?? this.parent?.find(name)
  }

  /** The scope within a node, which is this one unless the node begins another. */
  within(node: AstNode): Scope {
    switch (node.type) {
      case "BlockStatement":
      case "StaticBlock":
      case "TSModuleBlock":
        return new Scope(this.file, this, children(node, "body"))
      case "FunctionDeclaration":
      case "FunctionExpression":
      case "ArrowFunctionExpression": {
        const scope = new Scope(this.file, this, [])
        for (const parameter of children(node, "params")) scope.hide(parameter)
        return scope
      }
      case "ForStatement":
      case "ForInStatement":
      case "ForOfStatement":
      case "CatchClause": {
        const scope = new Scope(this.file, this, [])
        for (const key of ["init", "left", "param"]) {
          const declared = child(node, key)
          if (declared !== undefined) scope.hide(declared)
        }
        return scope
      }
      default:
        return this
    }
  }

  private bind(statement: AstNode): void {
    switch (statement.type) {
      case "ExportNamedDeclaration":
      case "ExportDefaultDeclaration": {
        const declaration = child(statement, "declaration")
        if (declaration !== undefined) this.bind(declaration)
        break
      }
      case "VariableDeclaration":
        for (const declarator of children(statement, "declarations")) {
          const id = child(declarator, "id")
          const value = child(declarator, "init")
          const name = textIn(id, "name")
          if (statement["kind"] === "const" && name !== undefined && value !== undefined) {
            this.names.set(name, { kind: "constant", value, scope: this })
          } else if (id !== undefined) this.hide(id)
        }
        break
      case "ImportDeclaration": {
        const module = textIn(child(statement, "source"), "value") ?? ""
        for (const specifier of children(statement, "specifiers")) {
          const local = textIn(child(specifier, "local"), "name")
          const imported = child(specifier, "imported")
          const name = textIn(imported, "name") ?? textIn(imported, "value") ?? "default"
          if (local !== undefined) this.names.set(local, { kind: "import", module, name })
        }
        break
      }
      case "FunctionDeclaration":
      case "ClassDeclaration": {
        const id = child(statement, "id")
        if (id !== undefined) this.hide(id)
        break
      }
    }
  }

  /** Declares the names in a pattern, whose values are not known. */
  private hide(pattern: AstNode): void {
    if (pattern.type === "Identifier") {
      const name = textIn(pattern, "name")
      if (name !== undefined) this.names.set(name, OTHER)
      return
    }
    for (const part of pattern.type === "Property" ? children(pattern, "value") : below(pattern)) this.hide(part)
    const value = child(pattern, "value")
    if (pattern.type === "Property" && value !== undefined) this.hide(value)
  }
}

export const scopeOf = (file: ParsedFile): Scope => new Scope(file, undefined, children(file.program, "body"))

/** Names that are followed, one to the other. Constants that name each other would never end. */
const MAX_NAMES = 100

/** The module that a value comes from, as far as the file shows it: `new Database()` comes from where `Database` does. */
export const originOf = (node: AstNode | undefined, scope: Scope): string | undefined => {
  let inner = unwrapped(node)
  let where = scope
  for (let names = 0; names < MAX_NAMES;) {
    switch (inner?.type) {
      case "Identifier": {
        const binding = where.find(textIn(inner, "name") ?? "")
        if (binding?.kind === "import") return binding.module
        if (binding?.kind !== "constant") return undefined
        inner = unwrapped(binding.value)
        where = binding.scope
        names++
        break
      }
      case "NewExpression":
      case "CallExpression":
        inner = unwrapped(child(inner, "callee"))
        break
      case "AwaitExpression":
      case "YieldExpression":
        inner = unwrapped(child(inner, "argument"))
        break
      case "MemberExpression":
        inner = keyOf(inner, "property") === undefined ? undefined : unwrapped(child(inner, "object"))
        break
      default:
        return undefined
    }
  }
  return undefined
}
