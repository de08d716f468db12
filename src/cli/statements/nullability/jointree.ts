/**
 * What the FROM and the WHERE of a query say of NULL: which tables an outer join may leave without a row, and which
 * columns a condition does not let through if they are NULL.
 */
import type { Catalogue } from "./catalogue.ts"
import type { TreeNode } from "./queryTree.ts"

const JoinType = { inner: 0, left: 1, full: 2, right: 3 } as const
const NullTest = { isNull: 0, isNotNull: 1 } as const
/** IS TRUE, IS FALSE, IS NOT UNKNOWN. */
const REFUSING_BOOLEAN_TESTS: ReadonlySet<number> = new Set([0, 2, 5])

/** Names a column of the range table: `2.1` is the first column of its second entry. */
export const columnKey = (entry: number, column: number): string => `${entry}.${column}`

export interface Joined {
  /** The joins that may leave an entry of the range table without a row. */
  readonly nulledBy: ReadonlyMap<number, ReadonlySet<number>>
  /** Columns that are not NULL in a row of the result. */
  readonly sure: ReadonlySet<string>
  /** Entries that have a row in each row of the result. */
  readonly present: ReadonlySet<number>
  /** Joins that have left nothing without a row in any row of the result. */
  readonly inert: ReadonlySet<number>
  readonly fullJoins: ReadonlySet<number>
}

/** What is known of the entries of a query's range table. */
export const joinedOf = (query: TreeNode, catalogue: Catalogue): Joined => {
  const nulledBy = new Map<number, Set<number>>()
  const fullJoins = new Set<number>()
  const sure = new Set<string>()
  const present = new Set<number>()
  const inert = new Set<number>()
  const tree = query.node("jointree")
  if (tree === undefined) return { nulledBy, sure, present, inert, fullJoins }
  visitJoins(tree, nulledBy, fullJoins)
  addSure(tree, catalogue, sure)
  const joins = tree.all(({ kind }) => kind === "JOINEXPR")
  // A join that has found a row for each has fulfilled its condition, which may show more.
  for (let known = -1; known < sure.size;) {
    known = sure.size
    for (const key of sure) present.add(Number(key.split(".")[0]))
    for (const entry of present) {
      for (const join of nulledBy.get(entry) ?? []) if (!fullJoins.has(join)) inert.add(join)
    }
    for (const join of joins) {
      const quals = join.node("quals")
      if (quals !== undefined && inert.has(join.number("rtindex"))) addAll(sure, trueOnlyWith(quals, catalogue))
    }
  }
  return { nulledBy, sure, present, inert, fullJoins }
}

/** Returns the entries of the range table that are below a node of the join tree. */
const visitJoins = (
  node: TreeNode,
  nulledBy: Map<number, Set<number>>,
  fullJoins: Set<number>
): ReadonlyArray<number> => {
  switch (node.kind) {
    case "RANGETBLREF":
      return [node.number("rtindex")]
    case "FROMEXPR":
      return node.nodes("fromlist").flatMap((part) => visitJoins(part, nulledBy, fullJoins))
    case "JOINEXPR": {
      const [left = [], right = []] = [node.node("larg"), node.node("rarg")].map((side) =>
        side === undefined ? [] : visitJoins(side, nulledBy, fullJoins)
      )
      const join = node.number("rtindex")
      const type = node.number("jointype")
      const nulled =
        type === JoinType.left
          ? right
          : type === JoinType.right
            ? left
            : type === JoinType.full
              ? [...left, ...right]
              : []
      if (type === JoinType.full) fullJoins.add(join)
      for (const entry of nulled) nulledBy.set(entry, (nulledBy.get(entry) ?? new Set()).add(join))
      return [...left, ...right, join]
    }
    default:
      return []
  }
}

/** Adds the columns for which a condition holds in each row of the result. */
const addSure = (node: TreeNode, catalogue: Catalogue, sure: Set<string>): void => {
  const quals = node.node("quals")
  if (node.kind === "FROMEXPR") {
    if (quals !== undefined) addAll(sure, trueOnlyWith(quals, catalogue))
    for (const part of node.nodes("fromlist")) addSure(part, catalogue, sure)
  }
  if (node.kind !== "JOINEXPR") return
  const type = node.number("jointype")
  const [left, right] = [node.node("larg"), node.node("rarg")]
  if (type === JoinType.inner && quals !== undefined) addAll(sure, trueOnlyWith(quals, catalogue))
  if (left !== undefined && (type === JoinType.inner || type === JoinType.left)) addSure(left, catalogue, sure)
  if (right !== undefined && (type === JoinType.inner || type === JoinType.right)) addSure(right, catalogue, sure)
}

const addAll = (to: Set<string>, keys: Iterable<string>): void => {
  for (const key of keys) to.add(key)
}

/** The columns that are not NULL if a condition is true. */
const trueOnlyWith = (condition: TreeNode, catalogue: Catalogue): ReadonlySet<string> => {
  switch (condition.kind) {
    case "BOOLEXPR": {
      const args = condition.nodes("args")
      const sets = args.map((arg) => trueOnlyWith(arg, catalogue))
      if (condition.text("boolop") === "and") return new Set(sets.flatMap((set) => [...set]))
      if (condition.text("boolop") === "or") {
        return new Set([...(sets[0] ?? [])].filter((key) => sets.every((set) => set.has(key))))
      }
      return new Set(args.flatMap((arg) => [...thereOnlyWith(arg, catalogue)]))
    }
    case "SCALARARRAYOPEXPR": {
      // `x = ANY (array)` is true only if some comparison is. `x = ALL (array)` is true of an empty array.
      const [scalar] = condition.nodes("args")
      const isStrict = catalogue.functionOf(condition.number("opfuncid")).isStrict
      return condition.flag("useOr") && isStrict && scalar !== undefined ? thereOnlyWith(scalar, catalogue) : new Set()
    }
    case "NULLTEST": {
      const arg = condition.node("arg")
      const isTest = condition.number("nulltesttype") === NullTest.isNotNull && !condition.flag("argisrow")
      return isTest && arg !== undefined ? thereOnlyWith(arg, catalogue) : new Set()
    }
    case "BOOLEANTEST": {
      const arg = condition.node("arg")
      const isTest = REFUSING_BOOLEAN_TESTS.has(condition.number("booltesttype"))
      return isTest && arg !== undefined ? thereOnlyWith(arg, catalogue) : new Set()
    }
    default:
      return thereOnlyWith(condition, catalogue)
  }
}

/** The columns that are not NULL if the value of an expression is not. */
const thereOnlyWith = (expression: TreeNode, catalogue: Catalogue): ReadonlySet<string> => {
  switch (expression.kind) {
    case "VAR":
      return expression.number("varlevelsup") === 0 && expression.number("varattno") !== 0
        ? new Set([columnKey(expression.number("varno"), expression.number("varattno"))])
        : new Set()
    case "OPEXPR":
    case "FUNCEXPR": {
      const oid = expression.number(expression.kind === "OPEXPR" ? "opfuncid" : "funcid")
      const returnsSet = expression.flag("opretset") || expression.flag("funcretset")
      if (returnsSet || !catalogue.functionOf(oid).isStrict) return new Set()
      return new Set(expression.nodes("args").flatMap((arg) => [...thereOnlyWith(arg, catalogue)]))
    }
    case "RELABELTYPE":
    case "COERCEVIAIO":
    case "ARRAYCOERCEEXPR":
    case "COLLATE":
    case "COLLATEEXPR": {
      const arg = expression.node("arg")
      return arg === undefined ? new Set() : thereOnlyWith(arg, catalogue)
    }
    default:
      return new Set()
  }
}
