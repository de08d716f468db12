/**
 * What one request knows of its statement: as it was prepared before, as the caller says that it is, or as the server
 * has described it meanwhile. What is confirmed is kept for the requests after this one.
 */
import type { DatabaseTypes } from "../codec/databaseTypes.ts"
import { makeRowShape, type RowShape, UndecodableColumn } from "../codec/rowReader.ts"
import type { ColumnDescription } from "../wire/backendMessage.ts"
import { UnresolvedType } from "../wire/failure.ts"
import {
  formatsAskedFor,
  preparedStatement,
  returnsSame,
  type StatementDescription,
  typeOids
} from "./preparedStatement.ts"
import type { Session } from "./session.ts"
import { type PreparedStatement, statementKey, type Statements } from "./statementCache.ts"

export class StatementInUse {
  readonly sql: string
  readonly key: string
  /** The types of its parameters that the caller names, 0 for what the server is to say. */
  readonly namedTypes: ReadonlyArray<number>
  /** The statement, with the rows that were asked for. */
  known: PreparedStatement | undefined
  /** Whether what is known has yet to be confirmed by the server. */
  isPresumed = false
  /** What it was prepared as, if it was by this request. */
  private name = ""
  private asked: RowShape | undefined
  private readonly session: Session
  private readonly statements: Statements

  constructor(
    session: Session,
    sql: string,
    namedTypes: ReadonlyArray<number>,
    statements: Statements = session.statements
  ) {
    this.session = session
    this.sql = sql
    this.namedTypes = namedTypes
    this.key = statementKey(sql, namedTypes)
    this.statements = statements
  }

  /** Whether it may be run without asking for its types. */
  get isTyped(): boolean {
    return this.namedTypes.length > 0 && !this.namedTypes.includes(UNSPECIFIED)
  }

  /** The statement as it was prepared before, unless the types that it was prepared for have changed. */
  find(): PreparedStatement | undefined {
    if (this.known !== undefined) return this.known
    const { session, statements } = this
    const found = statements.get(this.key, performance.now())
    if (found === undefined || session.catalogue.isCurrent(found)) return (this.known = found)
    statements.evict(found)
    return undefined
  }

  /** Takes the caller's word for its parameters, and asks for whatever it returns as text. */
  presume(types: DatabaseTypes): PreparedStatement {
    this.isPresumed = true
    const name = this.nameIt()
    return (this.known = this.made(name, { parameterOids: this.namedTypes, columns: undefined }, types))
  }

  /** The name to prepare it under. */
  nameIt(): string {
    return (this.name = this.statements.nameFor(this.key, this.sql))
  }

  /** The server has described it. */
  learn(description: StatementDescription, types: DatabaseTypes): void {
    this.confirm((this.known = this.made(this.name, description, types)))
  }

  /** It is sent, to be run; its rows come in the formats that are known to suit them. */
  sent({ rowShape }: PreparedStatement): void {
    this.asked = rowShape
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
    this.isPresumed = true
    const unknown = types.unknownAmong(typeOids({ columns, parameterOids: [] }))
    if (columns !== undefined && unknown.length > 0) {
      const { name, parameterOids } = statement
      this.known = this.asAskedFor(this.made(name, { parameterOids, columns }, types), types)
      return unknownColumn(columns, unknown, types)
    }
    this.readAs(statement, columns, types)
    return undefined
  }

  /** Takes these types to be what it returns, in the formats that were asked for. */
  readAs(
    { name, parameterOids }: PreparedStatement,
    columns: ReadonlyArray<ColumnDescription> | undefined,
    types: DatabaseTypes
  ): void {
    const statement = this.made(name, { parameterOids, columns }, types)
    if (this.isPresumed) this.confirm(statement)
    this.known = this.asAskedFor(statement, types)
  }

  /** The server says that it is not so: it has to be prepared anew. */
  giveUp(statement: PreparedStatement): void {
    this.statements.evict(statement)
    this.known = undefined
    this.isPresumed = false
  }

  /** What was prepared here and is not kept would stand in the way of whoever prepares the same. */
  withdraw(): void {
    if (this.known === undefined || this.isPresumed) this.session.statements.close(this.name)
  }

  private made(name: string, description: StatementDescription, types: DatabaseTypes): PreparedStatement {
    const { key, session, sql } = this
    return preparedStatement(session, { key, name, sql }, description, types)
  }

  private asAskedFor(statement: PreparedStatement, types: DatabaseTypes): PreparedStatement {
    const columns = statement.rowShape?.columns
    if (columns === undefined) return statement
    return { ...statement, rowShape: makeRowShape(columns, types, formatsAskedFor(this.asked, columns)) }
  }

  private confirm(statement: PreparedStatement): void {
    this.isPresumed = false
    this.statements.add(statement)
  }
}

/** The type of a parameter that the server is to say. */
const UNSPECIFIED = 0

/** The first column whose type is not known. */
const unknownColumn = (
  columns: ReadonlyArray<ColumnDescription>,
  unknown: ReadonlyArray<number>,
  types: DatabaseTypes
): UndecodableColumn => {
  const index = columns.findIndex(({ typeOid }) => unknown.includes(typeOid))
  const { name = "", typeOid = UNSPECIFIED } = columns[index] ?? {}
  const reason = new UnresolvedType("its type is not known", unknown, { isOutdated: false })
  return new UndecodableColumn({ name, typeName: types.typeName(typeOid) }, index, reason)
}
