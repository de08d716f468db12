/**
 * Whether a JSON document is being written. A parameter that is asked for its JSON cannot tell otherwise whether it is to be
 * printed, where it shows no value, or is a part of a document, where it has no place. JSON.stringify runs to its end, so
 * there is only ever one at a time.
 */
import { Unencodable } from "../wire/failure.ts"

let isBeingWritten = false

/** The text of a JSON document; undefined if the value has none. */
export const documentOf = (value: unknown): string | undefined => {
  isBeingWritten = true
  try {
    return JSON.stringify(value)
  } finally {
    isBeingWritten = false
  }
}

/** Refuses to be a part of a document. */
export const refuseWithinDocument = (what: string): void => {
  if (isBeingWritten) throw new Unencodable(`${what} is a value by itself, and no part of a JSON document`)
}
