/**
 * What may be silently out of date, and until when. Every other answer that differs from that of a connection without
 * caches is a failure of the client.
 *
 * A change that a session of the pool makes is known at once to that session, and with its commit to all others of the
 * pool. What is made outside of the pool, and what a session makes inside of a function or a procedure, bears no mark.
 * Then the server's word counts: it refuses a plan whose columns are others, and names the types of a row's fields. What
 * it does not say is in the table below. It ends with the lifetime of the cache, with `reloadSchemaState`, and with the
 * server.
 */

/** What an unmarked change of the schema hides. */
export type Hidden =
  | "attribute names of r"
  | "attribute names of duo"
  | "parameters for duo"
  | "parameters for mood"
  | "parameters for r"
  | "parameters for t"
  | "parameters for f"
  | "parameters for small"

interface Allowance {
  readonly what: string
  readonly reason: string
  readonly hides: (hidden: Hidden) => boolean
  /** Whether this is why an answer, which was given and not refused, is another than it should be. */
  readonly explains: (given: unknown, right: Right) => boolean
}

/** What should have come: a value, or an error by its tag. */
export type Right = { readonly value: unknown } | { readonly failed: string }

const isNames = (hidden: Hidden): boolean => hidden.startsWith("attribute names")
const isParameters = (hidden: Hidden): boolean => hidden.startsWith("parameters")

export const ALLOWED: ReadonlyArray<Allowance> = [
  {
    what: "an attribute of a row has the name that it had",
    reason: "a row carries the types of its fields and not their names, and RENAME leaves its type what it was",
    hides: isNames,
    explains: (given, right) =>
      "value" in right && JSON.stringify(nameless(given)) === JSON.stringify(nameless(right.value))
  },
  {
    what: "an object is taken by the names that the attributes had",
    reason: "the client writes its fields in their order, and the server sees no names",
    hides: isNames,
    explains: (_given, right) => "failed" in right && right.failed === "EncodeError"
  },
  {
    what: "a value is taken as the type that the parameter had",
    reason:
      "the server keeps the types of parameters with which a statement was prepared, and casts what it is given; it keeps " +
      "the plan where nothing but a type has taken the place of another by its name",
    hides: isParameters,
    explains: (given, right) => ("value" in right ? hasSameRows(given, right.value) : isOfValue(right.failed))
  }
]

/** The allowance that explains an answer; undefined where it is wrong. */
export const allowanceFor = (hidden: ReadonlyArray<Hidden>, given: unknown, right: Right): string | undefined =>
  ALLOWED.find(({ explains, hides }) => hidden.some(hides) && explains(given, right))?.what

/** Whether two answers differ in nothing but values: as many rows, with the same columns. */
const hasSameRows = (given: unknown, right: unknown): boolean => {
  if (Array.isArray(given) && Array.isArray(right)) {
    return given.length === right.length && given.every((each, index) => hasSameRows(each, right[index]))
  }
  if (!isRow(given) || !isRow(right)) return true
  return Object.keys(given).join() === Object.keys(right).join()
}

const isRow = (value: unknown): value is object =>
  typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype

/** Whether an error is about a value, or about the types that stand behind an operator or a function. */
const isOfValue = (failed: string): boolean => failed === "EncodeError" || OF_VALUES.has(failed)
const OF_VALUES: ReadonlySet<string> = new Set([
  "InvalidTextRepresentationError",
  "NumericValueOutOfRangeError",
  "InvalidDatetimeFormatError",
  "DatetimeFieldOverflowError",
  "DatatypeMismatchError",
  "CannotCoerceError",
  "UndefinedFunctionError",
  "CheckViolationError"
])

/** The values of objects without their names. */
const nameless = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(nameless)
  if (typeof value === "bigint") return String(value)
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.values(value).map(nameless)
}
