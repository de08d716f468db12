/** Keeps nothing: each run prepares its statement anew, without a name, and the cache of the session is left alone. */
import type { Statements } from "./statements.ts"

export const UNKEPT: Statements = {
  get: () => undefined,
  nameFor: () => "",
  add: () => {},
  has: () => false,
  evict: () => {}
}
