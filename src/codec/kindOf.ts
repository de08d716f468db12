/** Names the kind of a value for an error, without showing anything of it. */

/** What a program gives by mistake instead of the value in it. The keys are those of Effect, which codecs do not import. */
const kinds: ReadonlyArray<readonly [key: string, kind: WrapperKind]> = [
  ["~effect/Option", "an Option"],
  ["~effect/Redacted", "a Redacted"],
  ["~effect/DateTime", "a DateTime"],
  ["~effect/Duration", "a Duration"],
  ["~effect/BigDecimal", "a BigDecimal"],
  ["~effect/Stream", "a Stream"],
  ["~effect/Effect", "an Effect"]
]

/** A value that has another one in it, or that still has to be run. */
export type WrapperKind =
  | "an Option"
  | "a Redacted"
  | "a DateTime"
  | "a Duration"
  | "a BigDecimal"
  | "a Stream"
  | "an Effect"
  | "a Promise"

const wrapperOf = (value: object): WrapperKind | undefined => {
  if (value instanceof Promise) return "a Promise"
  return kinds.find(([key]) => key in value)?.[1]
}

export const kindOf = (value: unknown): string => {
  if (value === null || value === undefined) return String(value)
  if (typeof value !== "object") return `a ${typeof value}`
  try {
    if (Array.isArray(value)) return "an array"
    if (value instanceof Date) return "a Date"
    if (value instanceof Set) return "a Set"
    if (value instanceof Map) return "a Map"
    return wrapperOf(value) ?? "an object"
  } catch {
    // A Proxy throws what it likes.
    return "an object"
  }
}

const NO_DOCUMENTS: ReadonlySet<string> = new Set(["an Effect", "a Promise", "an Option", "a Redacted", "a Stream"])
const COLLECTIONS: ReadonlySet<string> = new Set(["a Map", "a Set"])

/**
 * The kind of an object that `JSON.stringify` accepts, but of which it keeps nothing: a Promise and a Map become `{}`.
 * Undefined for all others.
 */
export const misplacedInDocument = (value: unknown): string | undefined => {
  if (typeof value !== "object" || value === null) return undefined
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === Array.prototype) return undefined
  const kind = kindOf(value)
  if (COLLECTIONS.has(kind)) return "toJSON" in value ? undefined : kind
  return NO_DOCUMENTS.has(kind) ? kind : undefined
}
