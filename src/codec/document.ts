/**
 * Tracks whether a JSON document is being written. Without this, a parameter's `toJSON` could not tell two cases apart:
 * being printed, where it shows no value, and being part of a document, where it is an error. JSON.stringify is
 * synchronous, so only one document is ever being written.
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

/** Throws if called while a JSON document is being written. */
export const refuseWithinDocument = (what: string): void => {
  if (isBeingWritten) throw new Unencodable(`${what} is a parameter of its own and cannot be part of a JSON document`)
}
