/** Says of each error of the opening at which host, port, address and stage it happened. */
import { withoutPlace } from "../../error/connectPlace.ts"
import type { HostAddress } from "../../PgConfig.ts"
import * as PgError from "../../PgError.ts"
import type { Address } from "../engine/transport.ts"

/** One address of one host. */
export interface Candidate {
  readonly host: HostAddress
  readonly address: Address
}

export const placeAt = ({ address, host }: Candidate, stage: PgError.ConnectStage): PgError.ConnectPlace =>
  host._tag === "Unix"
    ? { host: host.path, port: undefined, address: undefined, stage }
    : { host: host.host, port: host.port, address: address._tag === "Tcp" ? address.host : undefined, stage }

/** Adds the place to an error. An error that the server sent has its place already. */
export const placed = (error: PgError.PgError, candidate: Candidate): PgError.PgError => {
  const place = placeAt(candidate, "startup")
  switch (error._tag) {
    case "ConnectError":
      return new PgError.ConnectError({
        stage: error.stage,
        attempts: error.attempts.map((attempt) => ({ ...attempt, address: attempt.address ?? place.address }))
      })
    case "AuthenticationError":
      return new PgError.AuthenticationError({ method: error.method, reason: error.reason, place })
    case "ProtocolError":
      return new PgError.ProtocolError({ received: error.received, expected: error.expected, place })
    case "ConnectionLostError": {
      const { outcome, reason, safeToRetry, server } = error
      return new PgError.ConnectionLostError({ reason, server, safeToRetry, outcome, place })
    }
    default:
      return error
  }
}

/** The attempts that a failure stands for. */
export const attemptsOf = (error: PgError.PgError, candidate: Candidate): ReadonlyArray<PgError.ConnectAttempt> => {
  if (error._tag === "ConnectError") return error.attempts
  const reason = error._tag === "ConnectionLostError" ? error.reason : withoutPlace(error)
  return [{ ...placeAt(candidate, "startup"), reason }]
}
