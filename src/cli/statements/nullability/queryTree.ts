/**
 * Reads the text in which PostgreSQL prints what its analyzer has made of a statement (the type `pg_node_tree`): names are
 * resolved, stars expanded, and the functions behind operators chosen. The names of nodes and fields are PostgreSQL's own.
 *
 * ```
 * {NAME :field value :field value}   a node
 * (value value)   (i 1 2)   (b 3)    a list; one of integers, OIDs or bits begins with a letter
 * <>                                 nothing
 * 5 [ 20 0 0 0 120 ]                 the bytes of a constant, which are skipped
 * ```
 */

export type TreeValue = string | undefined | TreeNode | ReadonlyArray<TreeValue>

export class TreeNode {
  /** Such as `OPEXPR`. */
  readonly kind: string
  private readonly fields: ReadonlyMap<string, TreeValue>

  constructor(kind: string, fields: ReadonlyMap<string, TreeValue>) {
    this.kind = kind
    this.fields = fields
  }

  node(field: string): TreeNode | undefined {
    const value = this.fields.get(field)
    return value instanceof TreeNode ? value : undefined
  }

  /** The nodes of a list. */
  nodes(field: string): ReadonlyArray<TreeNode> {
    const value = this.fields.get(field)
    return Array.isArray(value) ? value.filter((element) => element instanceof TreeNode) : []
  }

  /** The lists of a list. */
  lists(field: string): ReadonlyArray<ReadonlyArray<TreeNode>> {
    const value = this.fields.get(field)
    if (!Array.isArray(value)) return []
    return value.map((inner) => (Array.isArray(inner) ? inner.filter((element) => element instanceof TreeNode) : []))
  }

  text(field: string): string {
    const value = this.fields.get(field)
    return typeof value === "string" ? value : ""
  }

  /** The texts of a list. */
  texts(field: string): ReadonlyArray<string> {
    const value = this.fields.get(field)
    return Array.isArray(value) ? value.map(String) : []
  }

  /** A number that the release of the server does not print is 0. */
  number(field: string): number {
    return Number(this.text(field))
  }

  flag(field: string): boolean {
    return this.text(field) === "true"
  }

  /** All nodes below this one, and itself, for which a test holds. */
  all(test: (node: TreeNode) => boolean): ReadonlyArray<TreeNode> {
    const below = (value: TreeValue): ReadonlyArray<TreeNode> => {
      if (value instanceof TreeNode) return value.all(test)
      return Array.isArray(value) ? value.flatMap(below) : []
    }
    return [...(test(this) ? [this] : []), ...[...this.fields.values()].flatMap(below)]
  }

  has(field: string): boolean {
    return this.fields.get(field) !== undefined
  }
}

/** All queries of a printed tree: a view has one, and so has the body of a function with one statement. */
export const queriesOf = (text: string): ReadonlyArray<TreeNode> => {
  const found: Array<TreeNode> = []
  const collect = (value: TreeValue): void => {
    if (value instanceof TreeNode) {
      if (value.kind === "QUERY") found.push(value)
    } else if (Array.isArray(value)) value.forEach(collect)
  }
  collect(new TreeReader(text).value())
  return found
}

const SPACE = /\s/
const ENDS_TOKEN = /[\s(){}]/

class TreeReader {
  private readonly text: string
  private at = 0

  constructor(text: string) {
    this.text = text
  }

  value(): TreeValue {
    this.skipSpaces()
    switch (this.text[this.at]) {
      case "{":
        return this.nodeHere()
      case "(":
        return this.listHere()
      case '"':
        return this.quoted()
      default: {
        const token = this.token()
        if (token === "<>") return undefined
        this.skipBytes()
        return token
      }
    }
  }

  private nodeHere(): TreeNode {
    this.at++
    const kind = this.token()
    const fields = new Map<string, TreeValue>()
    for (this.skipSpaces(); this.text[this.at] === ":"; this.skipSpaces()) {
      const name = this.token().slice(1)
      fields.set(name, this.value())
    }
    this.at++
    return new TreeNode(kind, fields)
  }

  private listHere(): ReadonlyArray<TreeValue> {
    this.at++
    const elements: Array<TreeValue> = []
    for (this.skipSpaces(); this.text[this.at] !== ")" && this.at < this.text.length; this.skipSpaces()) {
      elements.push(this.value())
    }
    this.at++
    return elements
  }

  private quoted(): string {
    const start = ++this.at
    while (this.at < this.text.length && this.text[this.at] !== '"') this.at += this.text[this.at] === "\\" ? 2 : 1
    return unescaped(this.text.slice(start, this.at++))
  }

  private token(): string {
    const start = this.at
    while (this.at < this.text.length && !ENDS_TOKEN.test(this.text[this.at] ?? "")) {
      this.at += this.text[this.at] === "\\" ? 2 : 1
    }
    // A character that begins nothing would never be passed.
    if (this.at === start) this.at++
    return unescaped(this.text.slice(start, this.at))
  }

  private skipBytes(): void {
    this.skipSpaces()
    if (this.text[this.at] === "[") this.at = this.text.indexOf("]", this.at) + 1
  }

  private skipSpaces(): void {
    while (SPACE.test(this.text[this.at] ?? "")) this.at++
  }
}

const unescaped = (token: string): string => (token.includes("\\") ? token.replaceAll(/\\([\s\S])/g, "$1") : token)
