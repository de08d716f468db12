/**
 * Asks a server which database of which server it serves, in the same write as the next request, so that it takes no
 * round trip: the answer comes before that request's. It is asked once on a session of a pool, and only where types are
 * in play that are not the same on every server.
 *
 * A server is told from others by its address and the microsecond of its start, and a database by its OID. So a server
 * that takes over from another is another one, whatever data it has, and so is a database that was restored under the
 * old name; both ways what is known of the types is looked up again.
 *
 * ```
 * Query  ->  RowDescription DataRow CommandComplete ReadyForQuery
 * ```
 */
import type { Buffer } from "node:buffer"
import { readText } from "../../codec/text.ts"
import { dataRowEnd } from "../../wire/backendDecoder.ts"
import { Backend, TransactionStatus } from "../../wire/backendMessage.ts"
import type { ByteWriter } from "../../wire/byteWriter.ts"
import type { ErrorFields } from "../../wire/errorFields.ts"
import { writeQuery } from "../../wire/frontendEncoder.ts"
import type { TypeCatalogue } from "../types/typeCatalogue.ts"
import { Desynchronised, type Exchange } from "./exchange.ts"

const SQL = `SELECT pg_catalog.concat_ws(' ', pg_catalog.inet_server_addr(), pg_catalog.inet_server_port(),
  pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time()), d.oid)
FROM pg_catalog.pg_database AS d WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()`

/** What is needed of a session. */
interface Identifiable {
  readonly catalogue: TypeCatalogue
  readonly settled: boolean
  readonly transactionStatus: TransactionStatus
  controls: number
  submitFirst(exchange: Exchange): void
}

/** Asks which server it is, but not inside a transaction, which an error would end, nor behind other requests. */
export const identify = (session: Identifiable): void => {
  const { catalogue } = session
  if (!session.settled || session.transactionStatus !== TransactionStatus.idle) return
  catalogue.identifying()
  session.controls++
  const question = new Identification((identity) => {
    session.controls--
    catalogue.identified(identity)
  })
  session.submitFirst(question)
}

/** The header of a DataRow, its count of columns and the length of the first. */
const FIRST_VALUE = 5 + 2 + 4

/** What takes the place of an answer of some dozens of bytes is no name for a server that we would keep. */
const MAX_ROW_BYTES = 1_024

class Identification implements Exchange {
  readonly sql = SQL
  readonly isControl = true
  readonly exclusive = false
  abandoned = false
  hasRun = false
  readonly mayOutlastError = false
  private readonly done: (identity: string | undefined) => void
  private identity: string | undefined

  /** `done` is told undefined where the server does not say. */
  constructor(done: (identity: string | undefined) => void) {
    this.done = done
  }

  encode(writer: ByteWriter): void {
    writeQuery(writer, SQL)
  }

  refused(): void {
    this.done(undefined)
  }

  dataRows(bytes: Buffer, at: number, limit: number): number {
    const end = dataRowEnd(bytes, at, limit)
    if (end >= at + FIRST_VALUE && end - at <= MAX_ROW_BYTES) this.identity = readText(bytes, at + FIRST_VALUE, end)
    return end
  }

  message(type: number): void {
    if (type === Backend.RowDescription) return
    if (type !== Backend.CommandComplete) throw new Desynchronised(type, "RowDescription or CommandComplete")
    this.hasRun = true
  }

  ready(_status: TransactionStatus, error: ErrorFields | undefined): void {
    this.done(error === undefined ? this.identity : undefined)
  }

  lost(): void {
    this.done(undefined)
  }
}
