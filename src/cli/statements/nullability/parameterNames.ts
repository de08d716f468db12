/** Names the parameters of a statement after the columns that they are compared with or written to. */
import type { TreeNode } from "./queryTree.ts"

const EXTERNAL = 0
const IMPLICIT_CAST = 2
const Command = { update: 2, insert: 3 } as const
const CASTS: ReadonlySet<string> = new Set(["RELABELTYPE", "COERCEVIAIO", "COERCETODOMAIN", "ARRAYCOERCEEXPR"])

/** The names by the number of the parameter, from 0. A name that two parameters would have is given to none. */
export const parameterNamesOf = (query: TreeNode): ReadonlyArray<string | undefined> => {
  const names: Array<string | undefined> = []
  for (const inner of query.all(({ kind }) => kind === "QUERY")) {
    const command = inner.number("commandType")
    if (command === Command.insert || command === Command.update) {
      for (const target of inner.nodes("targetList")) name(names, target.node("expr"), target.text("resname"))
      nameValues(names, inner)
    }
    for (const comparison of below(inner, "OPEXPR", "SCALARARRAYOPEXPR")) {
      const [left, right] = comparison.nodes("args")
      name(names, right, columnOf(left, inner))
      name(names, left, columnOf(right, inner))
    }
  }
  return names.map((given, index) =>
    names.indexOf(given) === index && names.lastIndexOf(given) === index ? given : undefined
  )
}

/** The rows of an INSERT with several rows: the columns are those that the targets read. */
const nameValues = (names: Array<string | undefined>, query: TreeNode): void => {
  for (const target of query.nodes("targetList")) {
    const variable = uncast(target.node("expr"))
    if (variable?.kind !== "VAR") continue
    const entry = query.nodes("rtable")[variable.number("varno") - 1]
    for (const row of entry?.lists("values_lists") ?? []) {
      name(names, row[variable.number("varattno") - 1], target.text("resname"))
    }
  }
}

const name = (names: Array<string | undefined>, expression: TreeNode | undefined, given: string | undefined): void => {
  const parameter = uncast(expression)
  if (parameter?.kind !== "PARAM" || parameter.number("paramkind") !== EXTERNAL) return
  names[parameter.number("paramid") - 1] ??= given
}

const columnOf = (expression: TreeNode | undefined, query: TreeNode): string | undefined => {
  const variable = uncast(expression)
  if (variable?.kind !== "VAR" || variable.number("varlevelsup") !== 0) return undefined
  return query.nodes("rtable")[variable.number("varno") - 1]?.node("eref")?.texts("colnames")[
    variable.number("varattno") - 1
  ]
}

const uncast = (expression: TreeNode | undefined): TreeNode | undefined => {
  if (expression === undefined) return undefined
  if (CASTS.has(expression.kind)) return uncast(expression.node("arg"))
  const isCast = expression.kind === "FUNCEXPR" && expression.number("funcformat") === IMPLICIT_CAST
  return isCast ? uncast(expression.nodes("args")[0]) : expression
}

/** The nodes of these kinds in a query, but not those in queries within it. */
const below = (query: TreeNode, ...kinds: ReadonlyArray<string>): ReadonlyArray<TreeNode> => {
  const inner = new Set(query.all(({ kind }) => kind === "QUERY").filter((other) => other !== query))
  const others = new Set([...inner].flatMap((other) => other.all(({ kind }) => kinds.includes(kind))))
  return query.all((node) => kinds.includes(node.kind)).filter((node) => !others.has(node))
}
