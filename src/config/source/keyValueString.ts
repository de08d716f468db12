/**
 * Parses libpq's other form of a connection string.
 *
 * ```
 * host=db.example.com port = 5432 password='it\\'s a secret'
 * ```
 */
import * as Effect from "effect/Effect"
import type * as PgError from "../../PgError.ts"
import { invalid } from "../given.ts"
import { addPair } from "./pairs.ts"

type Read<A> = Effect.fn.Return<A, PgError.InvalidConfigError>

const BLANKS = /[ \t\n\v\f\r]*/y
const KEY = /[^= \t\n\v\f\r]*/y
/** A backslash stands for the character after it, and for nothing at the end of the string. */
const BARE_VALUE = /(?:\\[^]|[^\\ \t\n\v\f\r])*\\?/y
const QUOTED_VALUE = /'((?:\\[^]|[^\\'])*)'/y

export const parseKeyValueString = Effect.fnUntraced(function* (text: string): Read<ReadonlyMap<string, string>> {
  const pairs = new Map<string, string>()
  let at = 0
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const found = pattern.exec(text)
    if (found !== null) at = pattern.lastIndex
    return found
  }
  for (let position = 1; ; position++) {
    take(BLANKS)
    if (at === text.length) return pairs
    const where = `in position ${position}`
    const key = take(KEY)?.[0] ?? ""
    take(BLANKS)
    if (text[at] !== "=") return yield* invalid("url", `${where} has no key=value`)
    at++
    take(BLANKS)
    const isQuoted = text[at] === "'"
    const value = isQuoted ? take(QUOTED_VALUE)?.[1] : take(BARE_VALUE)?.[0]
    if (value === undefined) return yield* invalid("url", `${where} has a value whose quote does not end`)
    yield* addPair(pairs, key, value.replaceAll(/\\([^]?)/g, "$1"), `${where} has`)
  }
})
