/**
 * Finds the commands and the tables of a query (SELECT, INSERT, UPDATE, DELETE, MERGE, VALUES, TABLE, WITH). It follows
 * the parentheses and the clauses that name tables, and skips everything else.
 */
import { isName, nameOf, type SqlTokens } from "./sqlTokens.ts"

/** What a name means where the reader is: nothing, an item of FROM, or the table of INSERT INTO, UPDATE or TABLE. */
type Expected = "nothing" | "source" | "table"

/** What is known of the text between two parentheses. */
interface Level {
  command: string
  expects: Expected
  /** Whether it is within a list of tables, where a comma or a JOIN brings another one. */
  isInList: boolean
  hasFrom: boolean
  hasUsing: boolean
  /** Where it is in the list of a WITH: before a name, behind it, or not there. */
  with: "name" | "body" | undefined
  /** The name that WITH gives to the query that is being read. */
  given: string | undefined
}

const level = (expects: Expected): Level => ({
  command: "",
  expects,
  isInList: false,
  hasFrom: false,
  hasUsing: false,
  with: undefined,
  given: undefined
})

/** Commands that begin a query only behind one of the tokens of `BEFORE`. They are also names and other clauses. */
const COMMANDS: ReadonlySet<string> = new Set(["DELETE", "INSERT", "MERGE", "TABLE", "UPDATE", "VALUES"])
const BEFORE: ReadonlySet<string | undefined> = new Set([undefined, "(", ")", "ANALYZE", "VERBOSE"])

/** The words that end a list of tables. */
const ENDS: ReadonlySet<string> = new Set(
  "EXCEPT FETCH FOR GROUP HAVING INTERSECT LIMIT OFFSET ORDER OVERRIDING RETURNING SET UNION VALUES WHEN WHERE WINDOW".split(
    " "
  )
)

/** Words that may stand before the name of a table. */
const FILLERS: ReadonlySet<string> = new Set(["LATERAL", "ONLY"])

export class QueryReader {
  /** Commands and names, in the order of the text. */
  readonly parts: Array<string> = []
  private readonly tokens: SqlTokens
  private readonly levels: Array<Level> = []
  private current: Level = level("nothing")
  private readonly tables = new Set<string>()
  private readonly given = new Set<string>()
  private hasFunctions = false
  private mainCommand: string | undefined

  constructor(tokens: SqlTokens) {
    this.tokens = tokens
  }

  /** The command of the whole, and not of a query within. */
  get operation(): string | undefined {
    return this.mainCommand ?? this.parts[0]
  }

  get onlyTable(): string | undefined {
    const [table] = this.tables
    return this.tables.size === 1 && !this.hasFunctions ? table : undefined
  }

  read(): void {
    for (let at = 0; at < this.tokens.length;) at = this.token(at)
  }

  /** Reads what begins at a token. Returns the index of the next one to read. */
  private token(at: number): number {
    const token = this.tokens[at]
    if (token === "(") this.open()
    else if (token === ")") this.close()
    else if (token === ",") this.comma()
    else if (isName(token)) return this.word(at, token.toUpperCase())
    return at + 1
  }

  private open(): void {
    this.levels.push(this.current)
    this.current = level(this.current.expects === "source" ? "source" : "nothing")
  }

  private close(): void {
    const outer = this.levels.pop()
    if (outer === undefined) return
    this.current = outer
    if (outer.expects === "source") {
      outer.expects = "nothing"
      outer.isInList = true
    }
    // A query of a WITH does not see its own name, unless the WITH is recursive.
    if (outer.given !== undefined) this.given.add(outer.given)
    outer.given = undefined
  }

  private comma(): void {
    const { current } = this
    if (current.with === "body") current.with = "name"
    else if (current.isInList) current.expects = "source"
  }

  private word(at: number, word: string): number {
    const { current, tokens } = this
    const before = tokens[at - 1]?.toUpperCase()
    if (word === "SELECT" || (COMMANDS.has(word) && BEFORE.has(before) && (word !== "VALUES" || before !== ")"))) {
      this.command(word)
    } else if (word === "WITH" && BEFORE.has(before)) {
      current.with = "name"
      if (tokens[at + 1]?.toUpperCase() === "RECURSIVE") return this.givenName(at + 2, true)
    } else if (current.with === "name") {
      return this.givenName(at, false)
    } else if (current.expects !== "nothing") {
      return FILLERS.has(word) ? at + 1 : this.target(at)
    } else {
      this.clause(word, before)
    }
    return at + 1
  }

  private command(command: string): void {
    const { current } = this
    if (this.levels.length === 0) this.mainCommand ??= command
    if (command !== "VALUES" || this.parts.length === 0) this.parts.push(command)
    this.current = {
      ...level(command === "UPDATE" || command === "TABLE" ? "table" : "nothing"),
      command,
      given: current.given
    }
  }

  private givenName(at: number, isRecursive: boolean): number {
    const name = nameOf(this.tokens, at)
    this.current.with = "body"
    if (name === undefined) return at
    if (isRecursive) this.given.add(name.text)
    else this.current.given = name.text
    return name.end
  }

  private target(at: number): number {
    const { current, tokens } = this
    const name = nameOf(tokens, at)
    if (name === undefined) return at + 1
    const isFunction = current.expects === "source" && tokens[name.end] === "("
    current.isInList = current.expects === "source"
    current.expects = "nothing"
    if (this.given.has(name.text)) return name.end
    this.parts.push(name.text)
    if (isFunction) this.hasFunctions = true
    else this.tables.add(name.text)
    return name.end
  }

  private clause(word: string, before: string | undefined): void {
    const { current } = this
    if (word === "FROM" && this.mayHaveFrom && before !== "DISTINCT") {
      current.hasFrom = true
      current.expects = "source"
    } else if (word === "JOIN" && current.isInList) {
      current.expects = "source"
    } else if (word === "INTO" && current.command !== "") {
      current.expects = "table"
    } else if (word === "USING" && !current.hasUsing && (current.command === "DELETE" || current.command === "MERGE")) {
      current.hasUsing = true
      current.expects = "source"
    } else if (ENDS.has(word)) {
      current.isInList = false
    }
  }

  /** `extract(year FROM due)` has a FROM that names no table. */
  private get mayHaveFrom(): boolean {
    const { command, hasFrom } = this.current
    return !hasFrom && (command === "SELECT" || command === "DELETE" || command === "UPDATE")
  }
}
