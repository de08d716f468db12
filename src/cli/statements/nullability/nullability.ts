/**
 * Says which columns of a statement are never NULL. It follows each column through the analyzed query, and answers "may be
 * NULL" for everything that it does not know.
 */
import type { Catalogue } from "./catalogue.ts"
import { columnKey, type Joined, joinedOf } from "./jointree.ts"
import * as NeverNull from "./neverNull.ts"
import type { TreeNode } from "./queryTree.ts"

/** What is never NULL of a value: the value itself, and the elements if it is an array. */
export interface Presence {
  readonly value: boolean
  readonly elements: boolean
}

export const MAYBE: Presence = { value: false, elements: false }
const THERE: Presence = { value: true, elements: false }

const thereIf = (value: boolean): Presence => (value ? THERE : MAYBE)
const both = (a: Presence, b: Presence): Presence => ({ value: a.value && b.value, elements: a.elements && b.elements })

/** The presence of each column of a statement's rows. */
export const presenceOf = (query: TreeNode, catalogue: Catalogue): ReadonlyArray<Presence> =>
  new QueryScope(query, undefined, { catalogue, entered: new Map(), left: MAX_STEPS }).columns()

/** Deeply nested views could take forever; the columns that are left then may be NULL. */
const MAX_STEPS = 200_000

interface Work {
  readonly catalogue: Catalogue
  /** The columns of recursive queries that are being followed. They are presumed to be there, which induction justifies. */
  readonly entered: Map<TreeNode, Set<number>>
  left: number
}

const Command = { select: 1, update: 2, insert: 3, delete: 4, merge: 5 } as const
const Entry = { relation: 0, subquery: 1, join: 2, function: 3, values: 5, cte: 6, group: 9 } as const
const SetOperation = { union: 1, intersect: 2 } as const
const SubLink = { exists: 0, all: 1, any: 2, expression: 4, array: 6 } as const
/** A cast that is written, and one that the server has added. */
const CASTS: ReadonlySet<number> = new Set([1, 2])
const NON_DEFAULT_FRAME = 1
const PARAMETER_OF_SUBLINK = 2
const CURRENT_SCHEMA = "14"
/** The types that come with PostgreSQL and have a fixed OID have lower ones. */
const FIRST_OTHER_TYPE = 10_000

class QueryScope {
  private readonly query: TreeNode
  private readonly parent: QueryScope | undefined
  private readonly work: Work
  private readonly entries: ReadonlyArray<TreeNode>
  private readonly joined: Joined
  private readonly command: number

  constructor(query: TreeNode, parent: QueryScope | undefined, work: Work) {
    this.query = query
    this.parent = parent
    this.work = work
    this.entries = query.nodes("rtable")
    this.joined = joinedOf(query, work.catalogue)
    this.command = query.number("commandType")
  }

  columns(): ReadonlyArray<Presence> {
    return this.targets().map((_, index) => this.column(index + 1))
  }

  private targets(): ReadonlyArray<TreeNode> {
    const list = this.command === Command.select ? "targetList" : "returningList"
    return this.query.nodes(list).filter((target) => !target.flag("resjunk"))
  }

  /** The presence of a column of the result, counted from 1. */
  column(number: number): Presence {
    const operation = this.query.node("setOperations")
    if (operation !== undefined) return this.ofOperation(operation, number)
    const expression = this.targets()[number - 1]?.node("expr")
    if (expression === undefined) return MAYBE
    // In some of its rows, a query with several groupings has NULL for whatever it groups by.
    if (this.query.has("groupingSets")) return thereIf(this.isCountOrGrouping(expression))
    if (this.query.flag("hasTargetSRFs")) return this.besideSets(expression)
    return this.of(expression)
  }

  private ofOperation(operation: TreeNode, number: number): Presence {
    if (operation.kind === "RANGETBLREF") return this.ofEntry(operation.number("rtindex"), number)
    const left = operation.node("larg")
    const right = operation.node("rarg")
    if (operation.kind !== "SETOPERATIONSTMT" || left === undefined || right === undefined) return MAYBE
    const first = this.ofOperation(left, number)
    switch (operation.number("op")) {
      case SetOperation.union:
        return both(first, this.ofOperation(right, number))
      case SetOperation.intersect:
        return first.value ? first : thereIf(this.ofOperation(right, number).value)
      default:
        return first
    }
  }

  private isCountOrGrouping(expression: TreeNode): boolean {
    if (expression.kind === "GROUPINGFUNC") return true
    return expression.kind === "AGGREF" && NeverNull.isCount(this.functionIn(expression, "aggfnoid"))
  }

  /** If several functions in the list of columns return rows, the shorter ones are filled up with NULL. */
  private besideSets(expression: TreeNode): Presence {
    const sets = this.query.nodes("targetList").flatMap((target) => target.all(returnsSet))
    if (sets.length !== 1) return MAYBE
    return expression.kind === "FUNCEXPR" && expression.flag("funcretset")
      ? thereIf(NeverNull.isNeverNullSet(this.functionIn(expression, "funcid")))
      : this.of(expression)
  }

  // ---------------------------------------------------------------------------------------------- range table

  /** A column of an entry of the range table, in the rows that the entry has. */
  private ofEntry(number: number, column: number): Presence {
    const entry = this.entries[number - 1]
    if (entry === undefined || this.work.left-- <= 0) return MAYBE
    switch (entry.number("rtekind")) {
      case Entry.relation:
        return this.ofRelation(entry, column)
      case Entry.subquery: {
        const subquery = entry.node("subquery")
        return subquery === undefined ? MAYBE : this.inner(subquery).column(column)
      }
      case Entry.join:
        return this.ofMergedColumn(number, entry.nodes("joinaliasvars")[column - 1])
      case Entry.function:
        return this.ofFunctions(entry, column)
      case Entry.values: {
        const values = entry.lists("values_lists").map((row) => row[column - 1])
        return values.map((value) => (value === undefined ? MAYBE : this.of(value))).reduce(both)
      }
      case Entry.cte:
        return this.ofCommonTable(entry.text("ctename"), entry.number("ctelevelsup"), column)
      case Entry.group: {
        const expression = entry.nodes("groupexprs")[column - 1]
        return expression === undefined ? MAYBE : this.of(expression)
      }
      default:
        return MAYBE
    }
  }

  private ofRelation(entry: TreeNode, column: number): Presence {
    const { catalogue } = this.work
    const oid = entry.number("relid")
    if (entry.text("relkind") !== "v") {
      // Whole rows are there, and so are the columns that the system adds, which have negative numbers.
      return thereIf(column <= 0 ? entry.text("relkind") !== "f" : catalogue.isNotNull(oid, column))
    }
    const query = catalogue.viewQuery(oid)
    return query === undefined || column <= 0 ? MAYBE : new QueryScope(query, undefined, this.work).column(column)
  }

  /** The column that `USING` makes of two. In a full join one of them is there in each row. */
  private ofMergedColumn(join: number, expression: TreeNode | undefined): Presence {
    if (expression === undefined) return MAYBE
    if (!expression.kind.startsWith("COALESCE") || !this.joined.fullJoins.has(join)) return this.of(expression)
    return thereIf(
      expression.nodes("args").every((arg) => arg.kind === "VAR" && this.ofVariable(arg, join).value) ||
        this.of(expression).value
    )
  }

  private ofFunctions(entry: TreeNode, column: number): Presence {
    const functions = entry.nodes("functions")
    const [only] = functions
    const expression = only?.node("funcexpr")
    if (functions.length !== 1 || only === undefined || expression === undefined) return MAYBE
    if (entry.flag("funcordinality") && column === only.number("funccolcount") + 1) return THERE
    if (column !== 1) return MAYBE
    if (expression.kind !== "FUNCEXPR" || !expression.flag("funcretset")) return this.of(expression)
    const known = this.functionIn(expression, "funcid")
    const [array] = expression.nodes("args")
    if (known.name === "unnest") {
      // The elements of a composite type become several columns, or the only one of that type.
      const isScalar = only.number("funccolcount") === 1 && expression.number("funcresulttype") < FIRST_OTHER_TYPE
      return thereIf(isScalar && array !== undefined && this.of(array).elements)
    }
    return thereIf(NeverNull.isNeverNullSet(known))
  }

  private ofCommonTable(name: string, levelsUp: number, column: number): Presence {
    const owner = this.above(levelsUp)
    const table = owner?.query.nodes("cteList").find((table) => table.text("ctename") === name)
    const query = table?.node("ctequery")
    if (owner === undefined || table === undefined || query === undefined) return MAYBE
    if (!table.flag("cterecursive")) return owner.inner(query).column(column)
    const entered = this.work.entered.get(query) ?? new Set()
    if (entered.has(column)) return { value: true, elements: true }
    this.work.entered.set(query, entered.add(column))
    const presence = owner.inner(query).column(column)
    entered.delete(column)
    return presence
  }

  private inner(query: TreeNode): QueryScope {
    return new QueryScope(query, this, this.work)
  }

  private above(levels: number): QueryScope | undefined {
    return levels === 0 ? this : this.parent?.above(levels - 1)
  }

  // ---------------------------------------------------------------------------------------------- expressions

  private of(expression: TreeNode): Presence {
    if (this.work.left-- <= 0) return MAYBE
    const args = expression.nodes("args")
    switch (expression.kind) {
      case "CONST":
        return thereIf(!expression.flag("constisnull"))
      case "VAR":
        return this.above(expression.number("varlevelsup"))?.ofVariable(expression) ?? MAYBE
      case "RELABELTYPE":
      case "COERCETODOMAIN":
      case "COLLATE":
      case "COLLATEEXPR": {
        const arg = expression.node("arg")
        return arg === undefined ? MAYBE : this.of(arg)
      }
      case "COERCEVIAIO":
      case "ARRAYCOERCEEXPR":
      case "CONVERTROWTYPEEXPR": {
        const arg = expression.node("arg")
        return thereIf(arg !== undefined && this.of(arg).value)
      }
      case "COALESCE":
      case "COALESCEEXPR": {
        const presences = args.map((arg) => this.of(arg))
        return {
          value: presences.some(({ value }) => value),
          elements: presences.every(({ elements }) => elements)
        }
      }
      case "MINMAX":
      case "MINMAXEXPR":
        return thereIf(args.some((arg) => this.of(arg).value))
      case "CASE":
      case "CASEEXPR": {
        const results = [...args.map((when) => when.node("result")), expression.node("defresult")]
        return results.map((result) => (result === undefined ? MAYBE : this.of(result))).reduce(both)
      }
      case "BOOLEXPR":
        return thereIf(this.areThere(args))
      case "NULLTEST":
      case "BOOLEANTEST":
      case "DISTINCTEXPR":
      case "ROW":
      case "ROWEXPR":
      case "NEXTVALUEEXPR":
      case "GROUPINGFUNC":
      case "MERGESUPPORTFUNC":
      case "MERGE_SUPPORT_FUNC":
        return THERE
      case "ARRAYEXPR":
      case "ARRAY":
        return { value: true, elements: expression.nodes("elements").every((element) => this.of(element).value) }
      case "ROWCOMPAREEXPR":
      case "ROWCOMPARE":
        return thereIf(this.areThere([...expression.nodes("largs"), ...expression.nodes("rargs")]))
      case "SQLVALUEFUNCTION":
        return thereIf(expression.text("op") !== CURRENT_SCHEMA)
      case "OPEXPR": {
        const operator = this.work.catalogue.operatorName(expression.number("opno"))
        const known = this.functionIn(expression, "opfuncid")
        return thereIf(NeverNull.isNeverNullOperator(operator, known) && this.areThere(args))
      }
      case "SCALARARRAYOPEXPR":
        return thereIf(this.isThereForEach(expression, args))
      case "FUNCEXPR":
        return this.ofFunction(expression, args)
      case "AGGREF":
        return this.ofAggregate(expression)
      case "WINDOWFUNC":
        return this.ofWindowFunction(expression, args)
      case "SUBLINK":
        return this.ofSubLink(expression)
      default:
        return MAYBE
    }
  }

  private areThere(expressions: ReadonlyArray<TreeNode>): boolean {
    return expressions.every((expression) => this.of(expression).value)
  }

  private functionIn(expression: TreeNode, field: string): NeverNull.KnownFunction {
    return this.work.catalogue.functionOf(expression.number(field))
  }

  /** A column of this query's range table. A join that is `ignored` is not asked whether it leaves it without a row. */
  private ofVariable(variable: TreeNode, ignored?: number): Presence {
    const number = variable.number("varno")
    const column = variable.number("varattno")
    const isTarget = this.command !== Command.select && number === this.query.number("resultRelation")
    // Before an INSERT there is no old row, and after a DELETE no new one.
    if (variable.number("varreturningtype") !== 0) return MAYBE
    if (isTarget) return this.ofTarget(number, column)
    // A row of a MERGE may have no row of the source.
    if (this.command === Command.merge) return MAYBE
    const { inert, nulledBy, present, sure } = this.joined
    if (sure.has(columnKey(number, column))) return { ...this.ofEntry(number, column), value: true }
    const isNulled = [...(nulledBy.get(number) ?? [])].some((join) => join !== ignored && !inert.has(join))
    return isNulled && !present.has(number) ? MAYBE : this.ofEntry(number, column)
  }

  /** What RETURNING reads of the table that is written to. A trigger or a rule of a view may return anything. */
  private ofTarget(number: number, column: number): Presence {
    const entry = this.entries[number - 1]
    if (entry === undefined || entry.text("relkind") === "v") return MAYBE
    return this.work.catalogue.hasRules(entry.number("relid")) ? MAYBE : this.ofEntry(number, column)
  }

  private isThereForEach(expression: TreeNode, [scalar, array]: ReadonlyArray<TreeNode>): boolean {
    const operator = this.work.catalogue.operatorName(expression.number("opno"))
    if (scalar === undefined || array === undefined) return false
    if (!NeverNull.isNeverNullOperator(operator, this.functionIn(expression, "opfuncid"))) return false
    const elements = this.of(array)
    return this.of(scalar).value && elements.value && elements.elements
  }

  private ofFunction(expression: TreeNode, args: ReadonlyArray<TreeNode>): Presence {
    const known = this.functionIn(expression, "funcid")
    if (expression.flag("funcretset") || expression.flag("funcvariadic")) return MAYBE
    if (NeverNull.isAlwaysThere(known)) return THERE
    const isCast = CASTS.has(expression.number("funcformat")) && NeverNull.isNeverNullCast(known)
    return thereIf((isCast || NeverNull.isNeverNullFunction(known)) && this.areThere(args))
  }

  private ofAggregate(expression: TreeNode): Presence {
    const known = this.functionIn(expression, "aggfnoid")
    if (NeverNull.isCount(known)) return THERE
    const [value] = expression.nodes("args").map((target) => target.node("expr"))
    const elements =
      known.name === "array_agg" && value !== undefined && !expression.has("aggfilter") && this.of(value).value
    const hasGroups = this.query.has("groupClause") && expression.number("agglevelsup") === 0
    if (!hasGroups || expression.has("aggfilter")) return { value: false, elements }
    if (NeverNull.isNeverNullOfRows(known)) return { value: true, elements }
    return thereIf(NeverNull.isNeverNullOfValues(known) && value !== undefined && this.of(value).value)
  }

  private ofWindowFunction(expression: TreeNode, args: ReadonlyArray<TreeNode>): Presence {
    const known = this.functionIn(expression, "winfnoid")
    if (NeverNull.isCount(known)) return THERE
    if (NeverNull.isRank(known)) return thereIf(this.areThere(args))
    if (NeverNull.isBeside(known)) return thereIf(args.length === 3 && this.areThere(args))
    const window = this.query
      .nodes("windowClause")
      .find((clause) => clause.number("winref") === expression.number("winref"))
    const hasCurrentRow = window !== undefined && (window.number("frameOptions") & NON_DEFAULT_FRAME) === 0
    if (!hasCurrentRow || expression.has("aggfilter")) return MAYBE
    const [value] = args
    const isValue = NeverNull.isInFrame(known) || NeverNull.isNeverNullOfValues(known)
    return thereIf(NeverNull.isNeverNullOfRows(known) || (isValue && value !== undefined && this.of(value).value))
  }

  private ofSubLink(expression: TreeNode): Presence {
    const query = expression.node("subselect")
    if (query === undefined) return MAYBE
    const scope = this.inner(query)
    switch (expression.number("subLinkType")) {
      case SubLink.exists:
        return THERE
      case SubLink.array:
        return { value: true, elements: scope.column(1).value }
      case SubLink.expression:
        return scope.hasOneRow() ? scope.column(1) : MAYBE
      case SubLink.any:
      case SubLink.all: {
        const test = expression.node("testexpr")
        if (test?.kind !== "OPEXPR" || !scope.column(1).value) return MAYBE
        const operator = this.work.catalogue.operatorName(test.number("opno"))
        const isSafe = NeverNull.isNeverNullOperator(operator, this.functionIn(test, "opfuncid"))
        // The other argument stands for the column of the subquery.
        return thereIf(
          isSafe && this.areThere(test.nodes("args").filter((arg) => arg.number("paramkind") !== PARAMETER_OF_SUBLINK))
        )
      }
      default:
        return MAYBE
    }
  }

  /** Whether the query returns a row in any case, as an aggregate without groups does. */
  private hasOneRow(): boolean {
    const { query } = this
    const mayHaveNone = ["setOperations", "groupClause", "groupingSets", "havingQual", "limitCount", "limitOffset"]
    if (mayHaveNone.some((field) => query.has(field)) || query.flag("hasTargetSRFs")) return false
    if (query.flag("hasAggs")) return true
    const tree = query.node("jointree")
    return tree !== undefined && tree.nodes("fromlist").length === 0 && !tree.has("quals")
  }
}

const returnsSet = (node: TreeNode): boolean => node.flag("funcretset") || node.flag("opretset")
