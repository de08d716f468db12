/**
 * Lists the answers that may be out of date, and until when. Every other answer that differs from that of a connection
 * without caches is a failure of the client.
 *
 * A session of the pool knows its own changes at once, and the other sessions of the pool know them with its commit. A
 * change that is made outside the pool, or inside a function or a procedure, bears no mark. Then only the server's
 * checks help: it refuses a plan whose columns have changed, and names the types of a row's fields. The table below
 * lists what the server does not report. An answer is no longer out of date after the lifetime of the cache, after
 * `reloadSchemaState`, and on another server.
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
  /** Whether this is the reason why an answer, which was given and not refused, differs from the right one. */
  readonly explains: (given: unknown, right: Right) => boolean
}

/** The right answer: a value, or an error by its tag. */
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

/** The allowance that explains an answer; undefined if it is wrong. */
export const allowanceFor = (hidden: ReadonlyArray<Hidden>, given: unknown, right: Right): string | undefined =>
  ALLOWED.find(({ explains, hides }) => hidden.some(hides) && explains(given, right))?.what

/** Whether two answers differ only in values: they have as many rows, with the same columns. */
const hasSameRows = (given: unknown, right: unknown): boolean => {
  if (Array.isArray(given) && Array.isArray(right)) {
    return given.length === right.length && given.every((each, index) => hasSameRows(each, right[index]))
  }
  if (!isRow(given) || !isRow(right)) return true
  return Object.keys(given).join() === Object.keys(right).join()
}

const isRow = (value: unknown): value is object =>
  typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype

/** Whether an error is about a value, or about the types of an operator or a function. */
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
