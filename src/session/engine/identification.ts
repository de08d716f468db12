/**
 * Asks a server which database of which server it serves. The question goes out in the same write as the next request,
 * so it costs no round trip. A session of a pool asks once, and only if it uses types that differ between servers.
 *
 * A server is identified by its address and the microsecond of its start, and a database by its OID. A server that
 * takes over from another therefore counts as a new one, and so does a database that was restored under its old name.
 * In both cases the types are looked up again.
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

/** What this function needs of a session. */
interface Identifiable {
  readonly catalogue: TypeCatalogue
  readonly settled: boolean
  readonly transactionStatus: TransactionStatus
  submitFirst(exchange: Exchange): void
}

/** Asks only outside a transaction, which an error would abort, and only if no other request is under way. */
export const identify = (session: Identifiable): void => {
  const { catalogue } = session
  if (!session.settled || session.transactionStatus !== TransactionStatus.idle) return
  catalogue.identifying()
  session.submitFirst(new Identification((identity) => catalogue.identified(identity)))
}

/** Where the first value of a DataRow begins: behind the header, the number of columns, and the length of the value. */
const FIRST_VALUE = 5 + 2 + 4

/** The real answer is much shorter. A longer one is ignored. */
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

  /** Calls `done` with undefined if the server does not say. */
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
