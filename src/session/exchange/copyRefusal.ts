/**
 * COPY in a call that does not stream. The server would wait for data that nobody sends, so it is told that none comes,
 * and the call fails with an error that names the right one.
 */
import * as PgError from "../../PgError.ts"
import type { ByteWriter } from "../../wire/byteWriter.ts"
import { encodeCopyFail } from "../../wire/coldMessages.ts"
import { writeSync } from "../../wire/frontendEncoder.ts"

export const NO_COPY = {
  /** The server rolls back what it refuses, but not what the same request had committed before. */
  in: (sql: string, mayOutlastError = false): PgError.UnsupportedError =>
    new PgError.UnsupportedError({
      feature: "COPY ... FROM STDIN as a plain statement",
      instead: "call copyIn",
      sql,
      outcome: mayOutlastError ? "unknown" : "none"
    }),
  /** The server runs it to its end, with what stands around it in the same text. */
  out: (sql: string): PgError.UnsupportedError =>
    new PgError.UnsupportedError({
      feature: "COPY ... TO STDOUT as a plain statement",
      instead: "call copyOut",
      sql,
      outcome: "unknown"
    })
}

/** What the server is told, and what it then says in its own error, which the call's error replaces. */
const COPY_REFUSED = "this call does not stream COPY data"

/** Ends a COPY that the server has just begun to wait for. */
export const refuseCopyIn = (writer: ByteWriter): void => writer.raw(encodeCopyFail(COPY_REFUSED))

/** The same in the extended protocol, where the COPY has swallowed the Sync that was written before it. */
export const refuseCopyInAndSync = (writer: ByteWriter): void => {
  refuseCopyIn(writer)
  writeSync(writer)
}
