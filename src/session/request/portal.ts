/**
 * Makes the requests that open, read and close a named portal: a statement that has begun, and whose rows come a page
 * at a time. The server closes it at the end of its transaction. Other statements may run between its pages.
 *
 * ```
 * first page : Bind Execute Sync  ->  BindComplete DataRow... PortalSuspended | CommandComplete  ReadyForQuery
 * every other: Execute Sync       ->  DataRow... PortalSuspended | CommandComplete  ReadyForQuery
 * end        : Close Sync         ->  CloseComplete ReadyForQuery
 * ```
 */
import * as Exit from "effect/Exit"
import type * as PgError from "../../PgError.ts"
import { Backend, type ColumnDescription, type TransactionStatus } from "../../wire/backendMessage.ts"
import type { ByteWriter } from "../../wire/byteWriter.ts"
import type { ErrorFields } from "../../wire/errorFields.ts"
import { writeClosePortal, writeSync } from "../../wire/frontendEncoder.ts"
import { OUR_PREFIX } from "../../wire/sqlText.ts"
import { Desynchronised, type Exchange, type Resume } from "../engine/exchange.ts"
import { query, type Request } from "./request.ts"
import { serverError } from "../engine/serverError.ts"
import type { Statements } from "../statement/statements.ts"
import type { PreparedStatement } from "../statement/preparedStatement.ts"
import { ALL, type NamedPortal, type RowForm } from "../statement/wanted.ts"

let portals = 0

export class Portal implements NamedPortal {
  readonly name = `${OUR_PREFIX}portal_${portals++}`
  readonly nameBytes: Uint8Array = new TextEncoder().encode(`${this.name}\0`)
  statement: PreparedStatement | undefined
  isOutOfDate = false
}

/** One page of the rows of a portal. */
export interface Page<Row> {
  readonly rows: ReadonlyArray<Row>
  readonly columns: ReadonlyArray<ColumnDescription>
  /** How many bytes the rows were on the wire. */
  readonly bytes: number
  /** Whether the statement is complete. */
  readonly isLast: boolean
}

export interface PortalOptions<Row> {
  readonly sql: string
  readonly params: ReadonlyArray<unknown>
  readonly form: RowForm<Row>
  readonly statements?: Statements | undefined
}

/** Returns the next rows of a portal, at most `maxRows`. The first page opens it. */
export const page = <Row>(portal: Portal, options: PortalOptions<Row>, maxRows: number): Request<Page<Row>> => {
  const { form, params, sql, statements } = options
  return query(sql, params, {
    form,
    maxRows,
    portal,
    statements,
    result: ({ columns, completed, rowBytes, rows }) =>
      Exit.succeed({ rows, columns, bytes: rowBytes, isLast: completed })
  })
}

/** Opens a portal without asking for a row. */
export const openPortal = <Row>(portal: Portal, { form, params, sql, statements }: PortalOptions<Row>): Request<void> =>
  query(sql, params, { form, maxRows: ALL, portal, statements, until: "bound", result: () => Exit.void })

/** Closes a portal. It does nothing if the portal was never opened, or is closed. */
export const closePortal = ({ name }: Portal): Request<void> => ({
  sql: "",
  params: undefined,
  exchange: (_session, resume) => new ClosePortal(name, resume)
})

/** What must come next, for errors. */
const Awaiting = { closeComplete: "CloseComplete", ready: "ReadyForQuery" } as const
type Awaiting = (typeof Awaiting)[keyof typeof Awaiting]

class ClosePortal implements Exchange {
  readonly sql = ""
  readonly exclusive = false
  readonly mayOutlastError = false
  abandoned = false
  private readonly name: string
  private readonly resume: Resume<void>
  private awaiting: Awaiting = Awaiting.closeComplete

  constructor(name: string, resume: Resume<void>) {
    this.name = name
    this.resume = resume
  }

  get hasRun(): boolean {
    return this.awaiting === Awaiting.ready
  }

  encode(writer: ByteWriter): void {
    writeClosePortal(writer, this.name)
    writeSync(writer)
  }

  refused(failure: unknown): void {
    this.resume(Exit.die(failure))
  }

  dataRows(): never {
    throw new Desynchronised(Backend.DataRow, this.awaiting)
  }

  message(type: number): void {
    if (type !== Backend.CloseComplete || this.awaiting !== Awaiting.closeComplete) {
      throw new Desynchronised(type, this.awaiting)
    }
    this.awaiting = Awaiting.ready
  }

  ready(_status: TransactionStatus, error: ErrorFields | undefined): void {
    if (error !== undefined) return this.lost(serverError(error, this.sql, this))
    if (this.awaiting !== Awaiting.ready) throw new Desynchronised(Backend.ReadyForQuery, this.awaiting)
    this.resume(Exit.void)
  }

  lost(error: PgError.PgError): void {
    this.resume(Exit.fail(error))
  }
}
