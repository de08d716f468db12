/** What the calls of a connection of effect/sql make of an answer: objects, tuples, or the whole answer. */
import * as Exit from "effect/Exit"
import type { ObjectRow, TupleRow } from "../codec/rowReader.ts"
import * as Request from "../session/request/request.ts"
import type { Resume } from "../session/engine/exchange.ts"
import type { Session } from "../session/engine/session.ts"
import { ExtendedQuery } from "../session/exchange/extendedQuery.ts"
import { type Statements, UNKEPT } from "../session/statement/statements.ts"
import { ALL, allTuples, type Wanted } from "../session/statement/wanted.ts"
import type { RawAnswer } from "./rawAnswer.ts"
import { firstTyping, timeZoneOf, type Typing, typedParameters } from "./parameters.ts"

/** Makes the request for a statement. `typing` is for a second attempt; the first one depends on the session. */
export type Make<A> = (sql: string, params: ReadonlyArray<unknown>, typing?: Typing) => Request.StatementRequest<A>

/** A statement of effect/sql. The types of its parameters are named once its session is known. */
class SqlStatement<Row, A> implements Request.StatementRequest<A> {
  readonly sql: string
  readonly params: ReadonlyArray<unknown>
  /** Programs that were written for other clients run such statements, and go on. */
  readonly mayHaveNoEffect = true
  private readonly wanted: Wanted<Row, A>
  private readonly typing: Typing | undefined
  private readonly comment: string

  constructor(
    sql: string,
    params: ReadonlyArray<unknown>,
    wanted: Wanted<Row, A>,
    typing: Typing | undefined,
    comment = ""
  ) {
    this.sql = sql
    this.params = params
    this.wanted = wanted
    this.typing = typing
    this.comment = comment
  }

  exchange(session: Session, resume: Resume<A>): Request.StatementExchange {
    const typing = this.typing ?? firstTyping(timeZoneOf(session))
    const typed = typedParameters(this.params, typing)
    if (this.comment === "") return new ExtendedQuery(session, this.sql, typed, this.wanted, resume)
    const request = Request.query(this.sql, typed, this.wanted)
    return (request.commented?.(this.comment) ?? request).exchange(session, resume)
  }

  with(statements: Statements): Request.StatementRequest<A> {
    return new SqlStatement(this.sql, this.params, { ...this.wanted, statements }, this.typing, this.comment)
  }

  commented(comment: string): Request.StatementRequest<A> {
    return new SqlStatement(this.sql, this.params, this.wanted, this.typing, comment)
  }
}

/** A statement that is kept only if its text comes again, because modules of Effect write many texts with values. */
export const passing = <Row, A>(wanted: Wanted<Row, A>): Make<A> => {
  const kept = { ...wanted, isPassing: true }
  return (sql, params, typing) => new SqlStatement(sql, params, kept, typing)
}

/** A statement that leaves the cache alone. */
const unkept = <Row, A>(wanted: Wanted<Row, A>): Make<A> => passing({ ...wanted, statements: UNKEPT })

const objects: Wanted<ObjectRow, ReadonlyArray<ObjectRow>> = {
  form: Request.objects,
  maxRows: ALL,
  result: ({ rows }) => Exit.succeed(rows)
}

const raw: Wanted<ObjectRow, RawAnswer> = {
  form: Request.objects,
  maxRows: ALL,
  result: ({ columns, rows, tag }) =>
    Exit.succeed({
      command: tag?.command ?? "",
      rowCount: tag?.rowCount ?? 0,
      rows,
      fields: columns.map(({ name, tableOid, typeModifier, typeOid }) => ({
        name,
        dataTypeId: typeOid,
        typeModifier,
        tableId: tableOid
      }))
    })
}

export const objectRows: Make<ReadonlyArray<ObjectRow>> = passing(objects)
export const unkeptObjectRows: Make<ReadonlyArray<ObjectRow>> = unkept(objects)
export const tupleRows: Make<ReadonlyArray<TupleRow>> = passing(allTuples)
export const unkeptTupleRows: Make<ReadonlyArray<TupleRow>> = unkept(allTuples)
export const rawAnswer: Make<RawAnswer> = passing(raw)
