/** Decides whether it is worth trying to connect again, and after how long. */
import type * as PgError from "../../PgError.ts"
import { anotherHostMayDo } from "../../session/opening/hostLoop.ts"

/**
 * Whether another attempt may succeed. A server that is starting, full, failing over or unreachable may recover in a
 * moment; a wrong password stays wrong, and so does a port on which another kind of server answers. Of several hosts one
 * is enough that may recover.
 */
export const isTransient = (error: PgError.PgError): boolean =>
  error._tag === "ConnectError" ? mayRecover(error) : anotherHostMayDo(error)

/** A host may not if one of its addresses has answered wrongly, although others may have refused the connection. */
const mayRecover = ({ attempts, stage }: PgError.ConnectError): boolean => {
  const wrong = new Set(attempts.filter(isWrong).map(hostOf))
  return attempts.length === 0 ? stage !== "tls" : attempts.some((attempt) => !wrong.has(hostOf(attempt)))
}

const isWrong = ({ protocol, stage, wasClosed }: PgError.ConnectAttempt): boolean =>
  (stage === "tls" && wasClosed !== true) || protocol !== undefined

const hostOf = ({ host, port }: PgError.ConnectAttempt): string => `${host} ${port}`

const FIRST_PAUSE_MILLIS = 50
const MAX_PAUSE_MILLIS = 5000

/** Doubles with each consecutive failure, and varies by half, so that many processes do not come back at once. */
export const reconnectDelay = (failures: number): number => {
  const pause = Math.min(FIRST_PAUSE_MILLIS * 2 ** (failures - 1), MAX_PAUSE_MILLIS)
  return pause * (0.5 + Math.random() / 2)
}
