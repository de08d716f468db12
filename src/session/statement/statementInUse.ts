/**
 * What one request knows of its statement: as it was prepared before, as the caller says that it is, or as the server
 * has described it meanwhile. What is confirmed is kept for the requests after this one.
 */
import type { DatabaseTypes } from "../../codec/databaseTypes.ts"
import type { RowShape, UndecodableColumn } from "../../codec/rowReader.ts"
import type { ColumnDescription } from "../../wire/backendMessage.ts"
import {
  type PreparedStatement,
  preparedStatement,
  redescribed,
  returnsSame,
  type StatementDescription
} from "./preparedStatement.ts"
import { statementKey, type Statements } from "./statements.ts"
import type { StatementCache } from "./statementCache.ts"
import { hasNoParameters, kindOf, type StatementKind } from "./statementKind.ts"
import { none, type Wanted } from "./wanted.ts"
import type { TypeCatalogue } from "../types/typeCatalogue.ts"

/** What matters here of what is wanted of a statement. */
interface HowWanted extends Pick<Wanted<never, unknown>, "portal" | "statements" | "until"> {
  readonly form: (shape: RowShape) => unknown
}

/** What a session knows of its statements and of their types. */
interface Knowledge {
  readonly catalogue: TypeCatalogue
  readonly statements: StatementCache
}

export class StatementInUse {
  readonly sql: string
  readonly key: string
  /** The types of its parameters that the caller names, 0 for what the server is to say. */
  readonly namedTypes: ReadonlyArray<number>
  /** The statement, with the rows that were asked for. */
  known: PreparedStatement | undefined
  /** The shape whose formats Bind has asked for. */
  asked: RowShape | undefined
  /** Whether what is known has yet to be confirmed by the server. */
  isPresumed = false
  /** Whether it was described before this request, and not by it. */
  isRemembered = false
  /** What it was prepared as, if it was by this request. */
  private name = ""
  private readonly session: Knowledge
  private readonly statements: Statements
  /** Whether the request asks for no more than that it be prepared. */
  private readonly isPreparation: boolean
  private foundKind: StatementKind | undefined
  /** The statement as it is kept, while the server is asked whether it is still so. */
  doubted: PreparedStatement | undefined

  constructor(
    session: Knowledge,
    sql: string,
    namedTypes: ReadonlyArray<number>,
    { statements = session.statements, until }: Pick<Wanted<never, unknown>, "statements" | "until">
  ) {
    this.session = session
    this.sql = sql
    this.namedTypes = namedTypes
    this.key = namedTypes.length === 0 ? sql : statementKey(sql, namedTypes)
    this.statements = statements
    this.isPreparation = until === "prepared"
  }

  /** The statement, if all is known that matters before the server describes it: what it takes, and no row is read. */
  presumed(valueCount: number, wanted: HowWanted, types: DatabaseTypes): PreparedStatement | undefined {
    if (!this.isPresumable(valueCount, wanted)) return undefined
    return this.presume({ parameterOids: this.namedTypes, columns: undefined }, types)
  }

  private isPresumable(valueCount: number, { form, portal, until }: HowWanted): boolean {
    if (portal !== undefined || until !== undefined || this.namedTypes.length !== valueCount) return false
    return valueCount > 0
      ? !this.namedTypes.includes(UNSPECIFIED) && (form === none || this.kind === "silent")
      : this.kind === "silent" && hasNoParameters(this.sql)
  }

  get kind(): StatementKind {
    return (this.foundKind ??= this.statements.kind ?? kindOf(this.sql))
  }

  /** The statement as it was prepared before, if what was known then is still true. */
  find(): PreparedStatement | undefined {
    if (this.known !== undefined) return this.known
    if (this.doubted !== undefined) return undefined
    const { session, statements } = this
    const found = statements.get(this.key, performance.now())
    if (found === undefined || found.kind !== "planned") return undefined
    if (session.catalogue.isCurrent(found)) {
      this.isRemembered = true
      return (this.known = found)
    }
    statements.evict(found)
    return undefined
  }

  /** Takes it to be described so until the server describes it, which it does in the run that prepares it. */
  presume(description: StatementDescription, types: DatabaseTypes): PreparedStatement {
    this.isPresumed = true
    return (this.known = this.made(this.nameIt(), description, types))
  }

  /** The name to prepare it under. What is described at each run is prepared at each run, under none. */
  nameIt(): string {
    const name = this.statements.nameFor(this.key, this.sql)
    const isNamed = this.kind === "planned" || (this.isPreparation && this.statements !== this.session.statements)
    return (this.name = isNamed ? name : "")
  }

  /** Prepares it under no name, to have it described. */
  leaveUnnamed(): string {
    return (this.name = "")
  }

  /** Has the server asked whether the statement, which stays where it is kept, is still so. */
  doubt(statement: PreparedStatement): void {
    this.doubted = statement
    this.known = undefined
    this.isRemembered = false
  }

  /** The server has described it. */
  learn(description: StatementDescription, types: DatabaseTypes): void {
    this.confirm((this.known = this.made(this.name, description, types)))
  }

  /**
   * The server has described what a portal of it returns, when its rows were asked for already. Gives a column that
   * cannot be read, since nothing is known of its type; `readAs` has to come once that is.
   */
  described(
    statement: PreparedStatement,
    columns: ReadonlyArray<ColumnDescription> | undefined,
    types: DatabaseTypes
  ): UndecodableColumn | undefined {
    if (returnsSame(statement, columns)) {
      if (this.isPresumed) this.confirm(statement)
      return undefined
    }
    const { kept, readable, unknown } = this.redescribed(statement, columns, types)
    this.isPresumed = true
    if (unknown === undefined) this.confirm(kept)
    this.known = readable
    return unknown
  }

  /** Takes these types to be what it returns, in the formats that were asked for. */
  readAs(
    statement: PreparedStatement,
    columns: ReadonlyArray<ColumnDescription> | undefined,
    types: DatabaseTypes
  ): void {
    const { kept, readable } = this.redescribed(statement, columns, types)
    if (this.isPresumed) this.confirm(kept)
    this.known = readable
  }

  private redescribed(
    statement: PreparedStatement,
    columns: ReadonlyArray<ColumnDescription> | undefined,
    types: DatabaseTypes
  ) {
    return redescribed(this.session, statement, columns, { asked: this.asked, types })
  }

  /** What is known of it is no longer so: it has to be described anew. */
  giveUp(statement: PreparedStatement): void {
    this.statements.evict(statement)
    this.doubted = undefined
    this.known = undefined
    this.isPresumed = false
    this.isRemembered = false
  }

  /** What was prepared here and is not kept would stand in the way of others that prepare the same text. */
  withdraw(): void {
    if (this.known === undefined || this.isPresumed) this.session.statements.close(this.name)
  }

  private made(name: string, description: StatementDescription, types: DatabaseTypes): PreparedStatement {
    const { key, kind, session, sql } = this
    return preparedStatement(session, { key, kind, name, sql }, description, types)
  }

  private confirm(statement: PreparedStatement): void {
    this.isPresumed = false
    if (this.kind === "planned" || this.name !== "") this.statements.add(statement)
  }
}

/** The type of a parameter that the server is to say. */
const UNSPECIFIED = 0
