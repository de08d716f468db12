/** Decides whether it is worth trying to connect again, and after how long. */
import type * as PgError from "../../PgError.ts"

/**
 * Whether another attempt may succeed. A server that is starting, full, failing over or unreachable may recover in a
 * moment; a wrong password stays wrong, and so does a port on which another kind of server answers.
 */
export const isTransient = (error: PgError.PgError): boolean => {
  switch (error._tag) {
    case "ConnectError":
      return error.stage !== "tls" && error.attempts.at(-1)?.protocol === undefined
    case "ConnectionLostError":
    case "CannotConnectNowError":
    case "TooManyConnectionsError":
    case "AdminShutdownError":
    case "CrashShutdownError":
      return true
    default:
      return false
  }
}

const FIRST_PAUSE_MILLIS = 50
const MAX_PAUSE_MILLIS = 5000

/** Doubles with each consecutive failure, and varies by half, so that many processes do not come back at once. */
export const reconnectDelay = (failures: number): number => {
  const pause = Math.min(FIRST_PAUSE_MILLIS * 2 ** (failures - 1), MAX_PAUSE_MILLIS)
  return pause * (0.5 + Math.random() / 2)
}
