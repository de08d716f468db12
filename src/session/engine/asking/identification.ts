/**
 * Asks a server which database of which server it serves. The question goes out in the same write as the next request,
 * so it costs no round trip. A session of a pool asks once, and only if it uses types that differ between servers.
 *
 * A server is identified by its address and the microsecond of its start, and a database by its OID. A server that
 * takes over from another therefore counts as a new one, and so does a database that was restored under its old name.
 * In both cases the types are looked up again.
 */
import { TransactionStatus } from "../../../wire/backendMessage.ts"
import type { TypeCatalogue } from "../../types/typeCatalogue.ts"
import type { Exchange } from "../exchange.ts"
import { Question } from "./question.ts"

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
  session.submitFirst(new Question(SQL, (identity) => catalogue.identified(identity)))
}
