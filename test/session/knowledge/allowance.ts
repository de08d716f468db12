/**
 * What may be silently out of date, and until when. Every other answer that differs from that of a connection without
 * caches is a failure of the client.
 */

/** What a change of the schema may hide from sessions that have not made it: the server says nothing of it to them. */
export type Hidden =
  | "attribute names of r"
  | "attribute names of duo"
  | "parameters for r"
  | "parameters for t"
  | "parameters for f"
  | "parameters for small"
  | "unmarked"

/** Calls that are known to be answered wrongly; they are left out of the programs. It is to be empty. */
export const KNOWN_BROKEN: ReadonlySet<string> = new Set<string>([
  "batch of DECLARE and FETCH",
  "batch of PREPARE and EXECUTE"
])

/** Which of the allowances an answer has made use of; undefined where it is wrong. */
export const allows = (
  hidden: ReadonlyArray<Hidden>,
  ours: unknown,
  theirs: unknown,
  failed: string | undefined
): string | undefined => {
  if (hidden.some((each) => each.startsWith("attribute names"))) {
    if (failed === "EncodeError") return "a key by the name that an attribute had"
    if (failed === undefined && JSON.stringify(nameless(ours)) === JSON.stringify(nameless(theirs))) {
      return "an attribute under the name that it had"
    }
  }
  if (hidden.some((each) => each.startsWith("parameters"))) return "a value as the parameter took it before"
  return undefined
}

/** The values of objects without their names. */
const nameless = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(nameless)
  if (typeof value === "bigint") return String(value)
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.values(value).map(nameless)
}
