/**
 * What one request knows of its statement: from an earlier description, from the caller, or from the server's answer to
 * this request. A confirmed description is kept for later requests.
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

/** The part of `Wanted` that matters here. */
interface HowWanted extends Pick<Wanted<never, unknown>, "portal" | "statements" | "until"> {
  readonly form: (shape: RowShape) => unknown
}

/** The part of a session that matters here. */
interface Knowledge {
  readonly catalogue: TypeCatalogue
  readonly statements: StatementCache
}

/** Returns a statement as an earlier request described it, if that is still true, and drops it otherwise. */
export const rememberedIn = (
  statements: Statements,
  key: string,
  catalogue: TypeCatalogue
): PreparedStatement | undefined => {
  const found = statements.get(key, performance.now())
  if (found === undefined || found.kind !== "planned") return undefined
  if (catalogue.isCurrent(found)) return found
  statements.evict(found)
  return undefined
}

export class StatementInUse {
  readonly sql: string
  readonly key: string
  /** The types of the parameters that the caller names. 0 leaves a type to the server. */
  readonly namedTypes: ReadonlyArray<number>
  /** What is known of the statement, with the formats in which its rows were asked for. */
  known: PreparedStatement | undefined
  /** The shape whose formats Bind has asked for. */
  asked: RowShape | undefined
  /** Whether the server has yet to confirm `known`. */
  isPresumed = false
  /** Whether an earlier request had `known` described. */
  isRemembered = false
  /** The name under which this request prepares the statement. */
  private name = ""
  private readonly session: Knowledge
  private readonly statements: Statements
  /** Whether the request only prepares the statement. */
  private readonly isPreparation: boolean
  private foundKind: StatementKind | undefined
  /** The kept statement, while the server is asked whether it has changed. */
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

  /** Returns the statement if it can run before it is described: its parameter types are known, and no row is read. */
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

  /** Returns the statement as an earlier request described it, if that is still true. */
  find(): PreparedStatement | undefined {
    if (this.known !== undefined) return this.known
    if (this.doubted !== undefined) return undefined
    this.known = rememberedIn(this.statements, this.key, this.session.catalogue)
    this.isRemembered = this.known !== undefined
    return this.known
  }

  /** Presumes a description until the server confirms or corrects it, in the run that prepares the statement. */
  presume(description: StatementDescription, types: DatabaseTypes): PreparedStatement {
    this.isPresumed = true
    return (this.known = this.made(this.nameIt(), description, types))
  }

  /** Returns the name to prepare the statement under. A statement that has to be described for each run has none. */
  nameIt(): string {
    const name = this.statements.nameFor(this.key, this.sql)
    const isNamed = this.kind === "planned" || (this.isPreparation && this.statements !== this.session.statements)
    return (this.name = isNamed ? name : "")
  }

  /** Leaves the statement unnamed, because it is only to be described. */
  leaveUnnamed(): string {
    return (this.name = "")
  }

  /** Makes the request ask whether the statement has changed. The cache keeps the statement meanwhile. */
  doubt(statement: PreparedStatement): void {
    this.doubted = statement
    this.known = undefined
    this.isRemembered = false
  }

  /** Takes the server's description. */
  learn(description: StatementDescription, types: DatabaseTypes): void {
    this.confirm((this.known = this.made(this.name, description, types)))
  }

  /**
   * Takes the columns of a portal, after Bind has asked for their formats. Returns a column whose type is not known, if
   * there is one; `readAs` must then follow once the type is known.
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

  /** Takes these columns and types, in the formats that Bind asked for. */
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

  /** Drops the description, because it is out of date. */
  giveUp(statement: PreparedStatement): void {
    this.statements.evict(statement)
    this.doubted = undefined
    this.known = undefined
    this.isPresumed = false
    this.isRemembered = false
  }

  /**
   * Asks for a Close if the statement was prepared here but not kept. Its name would be in the way of the next request
   * that prepares the text.
   */
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

/** Leaves the type of a parameter to the server. */
const UNSPECIFIED = 0
