/**
 * The requests that can be sent to a session. A request is a value, and makes its exchange once its session is known.
 * So connections, transactions and pools share all requests, and differ only in the session that they choose.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { propertyOf } from "../../codec/columnNames.ts"
import type { ObjectRow, RowColumn, TupleRow } from "../../codec/rowReader.ts"
import * as PgError from "../../PgError.ts"
import type { CommandTag } from "../../wire/commandTag.ts"
import { OWN_TYPES } from "../types/typeCatalogue.ts"
import type { Exchange, Resume } from "../engine/exchange.ts"
import { ExtendedQuery } from "../exchange/extendedQuery.ts"
import type { Session } from "../engine/session.ts"
import { withComment } from "../observing/comment.ts"
import { statementsFor } from "../statement/commentedStatements.ts"
import type { Statements } from "../statement/statements.ts"
import type { PreparedStatement } from "../statement/preparedStatement.ts"
import { requestRefused } from "../engine/serverError.ts"
import { SimpleQuery } from "../exchange/simpleQuery.ts"
import { ALL, allTuples, none, type RowForm, type Wanted } from "../statement/wanted.ts"

export interface Request<A> {
  readonly sql: string
  /** Undefined for a script, which has no parameters. */
  readonly params: ReadonlyArray<unknown> | undefined
  /** Whether a pool runs it even if it has no effect, such as SET, since the connection is reset behind it. */
  readonly mayHaveNoEffect?: boolean
  exchange(session: Session, resume: Resume<A>): Exchange
  /** Returns this request, but with a comment behind its text. A request without this method takes none. */
  commented?(comment: string): Request<A>
}

/** Copies a request, but has `exchange` make its exchange. */
export const withExchange = <A>(
  { mayHaveNoEffect, params, sql }: Request<unknown>,
  exchange: (session: Session, resume: Resume<A>) => Exchange
): Request<A> => ({ sql, params, ...(mayHaveNoEffect === undefined ? {} : { mayHaveNoEffect }), exchange })

/** An exchange that knows the columns of its answer, once it has them. */
export interface StatementExchange extends Exchange {
  readonly columns: ReadonlyArray<RowColumn>
}

/** A request that runs one statement. */
export interface StatementRequest<A> extends Request<A> {
  exchange(session: Session, resume: Resume<A>): StatementExchange
  /** Returns this request, but with its statement kept in `statements`. */
  with(statements: Statements): StatementRequest<A>
  commented?(comment: string): StatementRequest<A>
}

class Query<Row, A> implements StatementRequest<A> {
  readonly sql: string
  readonly params: ReadonlyArray<unknown>
  protected readonly wanted: Wanted<Row, A>

  constructor(sql: string, params: ReadonlyArray<unknown>, wanted: Wanted<Row, A>) {
    this.sql = sql
    this.params = params
    this.wanted = wanted
  }

  exchange(session: Session, resume: Resume<A>): StatementExchange {
    return new ExtendedQuery(session, this.sql, this.params, this.wanted, resume)
  }

  with(statements: Statements): StatementRequest<A> {
    return new Query(this.sql, this.params, { ...this.wanted, statements })
  }

  /** A held statement is prepared once, with the text that it was given. */
  commented(comment: string): StatementRequest<A> {
    const { params, sql, wanted } = this
    return wanted.statements === undefined ? new CommentedQuery(sql, params, wanted, comment) : this
  }
}

class CommentedQuery<Row, A> extends Query<Row, A> {
  private readonly comment: string

  constructor(sql: string, params: ReadonlyArray<unknown>, wanted: Wanted<Row, A>, comment: string) {
    super(sql, params, wanted)
    this.comment = comment
  }

  override exchange(session: Session, resume: Resume<A>): StatementExchange {
    const text = withComment(this.sql, this.comment)
    const statements = statementsFor(session.statements, this.sql, text)
    return new ExtendedQuery(session, text, this.params, { ...this.wanted, statements }, resume)
  }
}

/**
 * Submits a request to a session. It calls `resume` exactly once and never throws, so that the caller can always give the
 * session back. A request may throw before it is submitted, because it looks at the user's values. Then the failure is
 * the answer, and there is no exchange. `around` makes the exchange that is submitted in place of the request's own.
 */
export const ask = <A>(
  session: Session,
  request: Request<A>,
  resume: Resume<A>,
  around?: (exchange: Exchange) => Exchange
): Exchange | undefined => {
  let exchange: Exchange
  try {
    exchange = request.exchange(session, resume)
  } catch (failure) {
    resume(Exit.fail(requestRefused(failure, request.sql)))
    return undefined
  }
  const begun = around === undefined ? exchange : around(exchange)
  const whole = session.residue.due?.together(begun) ?? begun
  session.submit(whole)
  return whole
}

/** Runs a request on a session. An interruption withdraws or cancels it, and does not wait for the server. */
export const send = <A>(session: Session, request: Request<A>): Effect.Effect<A, PgError.PgError> =>
  Effect.callback((resume) => {
    const exchange = ask(session, request, resume)
    return exchange === undefined ? Effect.void : Effect.sync(() => session.abandon(exchange))
  })

export const objects: RowForm<ObjectRow> = (shape) => shape.object
const tuples: RowForm<TupleRow> = (shape) => shape.tuple

const allRows = { form: objects, maxRows: ALL, result: ({ rows }) => Exit.succeed(rows) } satisfies Wanted<
  ObjectRow,
  ReadonlyArray<ObjectRow>
>

const firstRow = {
  form: objects,
  maxRows: 1,
  result: ({ rows }) => Exit.succeed(Option.fromUndefinedOr(rows[0]))
} satisfies Wanted<ObjectRow, Option.Option<ObjectRow>>

/** Two rows are enough to notice that there is more than one. */
const onlyRow = {
  form: objects,
  maxRows: 2,
  result: ({ rows, sql }) => {
    const [row] = rows
    return row !== undefined && rows.length === 1
      ? Exit.succeed(row)
      : Exit.fail(new PgError.UnexpectedRowCountError({ expected: "exactly one row", actual: rows.length, sql }))
  }
} satisfies Wanted<ObjectRow, ObjectRow>

const commandTag = {
  form: none,
  maxRows: ALL,
  // The tag is missing only if a portal stops early, which cannot happen here.
  result: ({ tag }) => Exit.succeed(tag ?? { command: "", rowCount: 0 })
} satisfies Wanted<never, CommandTag>

/** Runs a statement, and makes of its answer what `wanted` says. */
export const query = <Row, A>(
  sql: string,
  params: ReadonlyArray<unknown>,
  wanted: Wanted<Row, A>
): StatementRequest<A> => new Query(sql, params, wanted)

export const rows = (sql: string, params: ReadonlyArray<unknown>): StatementRequest<ReadonlyArray<ObjectRow>> =>
  new Query(sql, params, allRows)

export const tupleRows = (sql: string, params: ReadonlyArray<unknown>): StatementRequest<ReadonlyArray<TupleRow>> =>
  new Query(sql, params, allTuples)

/** Returns the rows of a query of the library. The codecs of the user do not apply to it. */
export const ownTupleRows = (sql: string, params: ReadonlyArray<unknown> = []): Request<ReadonlyArray<TupleRow>> =>
  query(sql, params, { ...allTuples, types: OWN_TYPES })

export const row = (sql: string, params: ReadonlyArray<unknown>): StatementRequest<Option.Option<ObjectRow>> =>
  new Query(sql, params, firstRow)

export const oneRow = (sql: string, params: ReadonlyArray<unknown>): StatementRequest<ObjectRow> =>
  new Query(sql, params, onlyRow)

/** Returns one value of the first row, from the column with this property or this position, which counts from 0. */
export const value = (
  sql: string,
  params: ReadonlyArray<unknown>,
  column: string | number
): StatementRequest<Option.Option<unknown>> =>
  query(sql, params, {
    form: tuples,
    maxRows: 1,
    result: ({ columns, rows: [tuple] }) => {
      if (columns.length === 0) return Exit.succeed(Option.none())
      // As in a row object, the last of several columns with the same name counts.
      const index = typeof column === "number" ? column : columns.findLastIndex((each) => propertyOf(each) === column)
      if (columns[index] === undefined) return Exit.fail(noSuchColumn(column, columns, sql))
      return Exit.succeed(tuple === undefined ? Option.none() : Option.some(tuple[index]))
    }
  })

const noSuchColumn = (column: string | number, columns: ReadonlyArray<RowColumn>, sql: string): PgError.DecodeError => {
  const names = columns.map(propertyOf).join(", ")
  return new PgError.DecodeError({
    column: String(column),
    type: "unknown",
    reason: `the result has no such column; its columns, from position 0, are: ${names}`,
    sql
  })
}

/** Returns what the command did, and drops its rows. */
export const command = (sql: string, params: ReadonlyArray<unknown>): StatementRequest<CommandTag> =>
  new Query(sql, params, commandTag)

/** Runs any number of statements in one text, without parameters. */
export const script = (sql: string): Request<ReadonlyArray<CommandTag>> => ({
  sql,
  params: undefined,
  exchange: (session, resume) => new SimpleQuery(session, sql, resume),
  commented: (comment) => script(withComment(sql, comment))
})

/** Prepares a statement for the types of `params`, unless it is prepared already, and returns its description. */
export const preparation = (sql: string, params: ReadonlyArray<unknown> = []): StatementRequest<PreparedStatement> =>
  query(sql, params, {
    form: none,
    maxRows: ALL,
    until: "prepared",
    result: ({ statement }) => (statement === undefined ? Exit.die(new Error(NOT_PREPARED)) : Exit.succeed(statement))
  })

const NOT_PREPARED = "the client has prepared a statement, but does not know it"
