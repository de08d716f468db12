/**
 * What one request knows of its statement: from an earlier description, from the caller, or from the server's answer to
 * this request. A confirmed description is kept for later requests.
 */
import type { DatabaseTypes } from "../../codec/databaseTypes.ts"
import { type RowShape, UndecodableColumn } from "../../codec/rowReader.ts"
import { type ColumnDescription, Format, TransactionStatus } from "../../wire/backendMessage.ts"
import { Undecodable } from "../../wire/failure.ts"
import { encodeResultFormats } from "../../wire/frontendEncoder.ts"
import {
  formatsOf,
  type PreparedStatement,
  preparedStatement,
  redescribed,
  returnsSame,
  type StatementDescription,
  unnamed
} from "./preparedStatement.ts"
import { statementKey, type Statements } from "./statements.ts"
import type { StatementCache } from "./statementCache.ts"
import { hasNoParameters, kindOf, readsCatalog, returnsNoRows, type StatementKind } from "./statementKind.ts"
import { none, type Wanted } from "./wanted.ts"
import type { TypeCatalogue } from "../types/typeCatalogue.ts"

/** The part of `Wanted` that matters here. */
interface HowWanted extends Pick<Wanted<never, unknown>, "isPassing" | "portal" | "statements" | "until"> {
  readonly form: (shape: RowShape) => unknown
}

/** A column whose values are wanted as text. */
export interface TextColumn {
  readonly index: number
  readonly typeOid: number
}

/** The part of a session that matters here. */
interface Knowledge {
  readonly catalogue: TypeCatalogue
  readonly statements: StatementCache
  readonly transaction: unknown
  readonly transactionStatus: TransactionStatus
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
  /** The formats that Bind has asked for: one for each column, one for all, or none if all are text. */
  asked: ReadonlyArray<Format> = []
  /** Whether the server has yet to confirm `known`. */
  isPresumed = false
  /** Whether `known` is presumed to return rows, all of which are asked for in binary form. */
  asksForBinary = false
  /** The kept statement of which `known` is made, if an earlier request had it described. */
  private remembered: PreparedStatement | undefined
  /** Whether an earlier request had `known` described. */
  isRemembered = false
  /** The name under which this request prepares the statement. */
  name = ""
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
    { isPassing, statements, until }: Pick<Wanted<never, unknown>, "isPassing" | "statements" | "until">
  ) {
    this.session = session
    this.sql = sql
    this.namedTypes = namedTypes
    this.key = namedTypes.length === 0 ? sql : statementKey(sql, namedTypes)
    this.statements = statements ?? (isPassing === true ? session.statements.repeated : session.statements)
    this.isPreparation = until === "prepared"
  }

  /**
   * Returns the statement if it can run before it is described: its parameter types are known, and either no row is read
   * or its rows may be asked for in binary form. A type that has none is an error, which a transaction would not survive.
   */
  presumed(
    valueCount: number,
    wanted: HowWanted,
    types: DatabaseTypes,
    isInTransaction: boolean
  ): PreparedStatement | undefined {
    if (wanted.portal !== undefined || wanted.until !== undefined) return undefined
    const readsNoRows = (valueCount > 0 && wanted.form === none) || this.kind === "silent"
    const mayRead =
      wanted.isPassing === true && (returnsNoRows(this.sql) || !(isInTransaction || readsCatalog(this.sql)))
    if (!(readsNoRows || mayRead) || !this.hasKnownParameters(valueCount)) return undefined
    const presumed = this.presume({ parameterOids: this.namedTypes, columns: undefined }, types)
    if (readsNoRows) return presumed
    this.asksForBinary = true
    return (this.known = { ...presumed, resultFormats: ALL_BINARY })
  }

  private hasKnownParameters(valueCount: number): boolean {
    if (this.namedTypes.length !== valueCount) return false
    return valueCount > 0 ? !this.namedTypes.includes(UNSPECIFIED) : hasNoParameters(this.sql)
  }

  /** The columns that have come in a binary form, although their types have only a text form for the client. */
  textColumns({ rowShape }: PreparedStatement, types: DatabaseTypes): ReadonlyArray<TextColumn> {
    const columns = rowShape?.columns ?? []
    return columns.flatMap(({ typeOid }, index) =>
      rowShape?.resultFormats[index] === Format.binary && types.codec(typeOid)?.resultFormat === Format.text
        ? [{ index, typeOid }]
        : []
    )
  }

  get kind(): StatementKind {
    return (this.foundKind ??= this.statements.kind ?? kindOf(this.sql))
  }

  /** Returns the statement as an earlier request described it, if that is still true. */
  find(): PreparedStatement | undefined {
    if (this.known !== undefined) return this.known
    if (this.doubted !== undefined) return undefined
    this.remembered = rememberedIn(this.statements, this.key, this.session.catalogue)
    this.isRemembered = this.remembered !== undefined
    if (this.remembered === undefined || !this.session.statements.pooler.isThere) return (this.known = this.remembered)
    return (this.known = this.trusted(this.remembered))
  }

  /** Leaves out the name of a statement if a transaction would not survive that the server lacks it. */
  private trusted(statement: PreparedStatement): PreparedStatement {
    const { statements, transaction, transactionStatus } = this.session
    if (!statements.isWaryOfNames) return statement
    const isInTransaction = transaction !== undefined || transactionStatus !== TransactionStatus.idle
    return isInTransaction ? unnamed(statement) : statement
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
    // The formats of `kept` are those that its types have.
    return unknown ?? (readable === kept ? undefined : this.firstText(readable, types))
  }

  private firstText(statement: PreparedStatement, types: DatabaseTypes): UndecodableColumn | undefined {
    const [text] = this.textColumns(statement, types)
    const column = text && statement.rowShape?.columns[text.index]
    if (text === undefined || column === undefined) return undefined
    return new UndecodableColumn({ name: column.name, typeName: types.typeName(text.typeOid) }, text.index, ONLY_TEXT)
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

  /** Takes the columns again, of which some now are text. */
  readTexts(statement: PreparedStatement, texts: ReadonlyArray<TextColumn>, types: DatabaseTypes): void {
    const columns = statement.rowShape?.columns ?? []
    const isText = (index: number): boolean => texts.some((text) => text.index === index)
    this.asked = formatsOf(this.asked, columns).map((format, index) => (isText(index) ? Format.text : format))
    this.readAs(statement, columns, types)
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
    this.statements.evict(this.remembered ?? statement)
    this.remembered = undefined
    this.doubted = undefined
    this.known = undefined
    this.isPresumed = false
    this.asksForBinary = false
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
const ONLY_TEXT = new Undecodable("it has only a text form")
/** One format for all columns. */
export const BINARY: ReadonlyArray<Format> = [Format.binary]
const ALL_BINARY = encodeResultFormats(BINARY)
