/**
 * Refuses a COPY in a call that cannot stream it. Otherwise the server would wait for data forever. The call fails with
 * an error that names the right method.
 */
import * as PgError from "../../PgError.ts"
import type { ByteWriter } from "../../wire/byteWriter.ts"
import { Backend } from "../../wire/backendMessage.ts"
import { encodeCopyFail } from "../../wire/coldMessages.ts"
import { writeSync } from "../../wire/frontendEncoder.ts"

export const NO_COPY = {
  /** The server rolls the COPY back, but not what the same request has committed before it. */
  in: (sql: string, mayOutlastError = false): PgError.UnsupportedError =>
    new PgError.UnsupportedError({
      feature: "COPY ... FROM STDIN as a plain statement",
      instead: "call copyIn",
      sql,
      outcome: mayOutlastError ? "unknown" : "none"
    }),
  /** The server runs the COPY to its end, and the rest of the text as well. */
  out: (sql: string): PgError.UnsupportedError =>
    new PgError.UnsupportedError({
      feature: "COPY ... TO STDOUT as a plain statement",
      instead: "call copyOut",
      sql,
      outcome: "unknown"
    })
}

/**
 * Skips the data of a COPY TO STDOUT that was refused. Returns what is awaited next: `skipping` behind CopyData, `after`
 * behind CopyDone. Returns undefined for any other message, which does not belong to such data.
 */
export const afterSkipped = <Awaiting>(type: number, skipping: Awaiting, after: Awaiting): Awaiting | undefined => {
  if (type === Backend.CopyData) return skipping
  return type === Backend.CopyDone ? after : undefined
}

/** The reason in CopyFail. The server repeats it in an error, which the call replaces with its own. */
const COPY_REFUSED = "this call does not stream COPY data"

/** Ends a COPY whose data the server has begun to wait for. */
export const refuseCopyIn = (writer: ByteWriter): void => writer.raw(encodeCopyFail(COPY_REFUSED))

/** Ends such a COPY in the extended protocol. It needs another Sync, because the server has ignored the first one. */
export const refuseCopyInAndSync = (writer: ByteWriter): void => {
  refuseCopyIn(writer)
  writeSync(writer)
}
