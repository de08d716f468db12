/** Reads what a server says of an OAuth token that it refuses. */

/**
 * The hint for the error that follows. `told` is the JSON of RFC 7628:
 * `{ "status": ..., "scope": ..., "openid-configuration": ... }`. Undefined if it tells nothing.
 */
export const tokenHint = (told: string): string | undefined => {
  const entries = entriesOf(told)
  const said = KEYS.flatMap((key) => {
    const value = entries.find(([name]) => name === key)?.[1]
    return typeof value === "string" && PRINTABLE.test(value) ? [`${key} ${value}`] : []
  })
  return said.length === 0 ? undefined : `The server says of the token: ${said.join(", ")}.`
}

const KEYS = ["status", "scope", "openid-configuration"]

/** A text of one line, which cannot forge lines of a log. */
const PRINTABLE = /^[ -~]{1,500}$/

const entriesOf = (json: string): ReadonlyArray<readonly [string, unknown]> => {
  try {
    const parsed: unknown = JSON.parse(json)
    return typeof parsed === "object" && parsed !== null ? Object.entries(parsed) : []
  } catch {
    return []
  }
}
