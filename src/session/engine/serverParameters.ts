/** Reads the server parameters, which the server reports at startup and whenever they change. */
import type { Buffer } from "node:buffer"
import { decodeParameterStatus } from "../../wire/coldMessages.ts"
import { ProtocolViolation } from "../../wire/failure.ts"

/** A real server reports a few dozen at most, and no new ones later. */
const MAX_PARAMETERS = 1000

/** Stores a ParameterStatus. Throws `ProtocolViolation` if the client cannot work with the value. */
export const readParameterStatus = (
  parameters: Map<string, string>,
  bytes: Buffer,
  start: number,
  end: number
): void => {
  const { name, value } = decodeParameterStatus(bytes, start, end)
  if (name === "client_encoding" && value !== "UTF8") {
    throw new ProtocolViolation(`a change of client_encoding to ${value}, although the client supports only UTF8`)
  }
  parameters.set(name, value)
  if (parameters.size > MAX_PARAMETERS) throw new ProtocolViolation(`more than ${MAX_PARAMETERS} server parameters`)
}
