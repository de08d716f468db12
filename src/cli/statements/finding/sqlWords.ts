/** Tells SQL from other texts that a call may have as its first argument, such as a URL. */

const STATEMENTS =
  `select insert update delete merge values with table create alter drop truncate grant revoke comment call do
  set reset show explain analyze vacuum refresh cluster reindex lock copy declare fetch move close prepare execute deallocate
  listen notify unlisten begin start commit end rollback abort savepoint release discard checkpoint import security reassign`.split(
    /\s+/
  )

/** Words that also begin sentences of English need something behind them that only SQL has. */
const SECOND: Readonly<Record<string, RegExp>> = {
  select: /^\s+\S/,
  update: /^\s+(?:only\s+)?[\w".]+(?:\s+(?:as\s+)?[\w"]+)?\s+set\b/i,
  delete: /^\s+(?:from|fro|form)\b/i,
  insert: /^\s+\w+/i,
  set: /^\s+(?:local\s+|session\s+)?[\w".]+\s*(?:=|\bto\b)/i,
  show: /^\s+[\w.]+\s*;?\s*$/i,
  with: /^\s+(?:recursive\s+)?[\w"]+\s*(?:\([^)]*\)\s*)?as\b/i
}

const MAX_SLIPS = 2
const MIN_LENGTH = 4

/** Comments and opening brackets before the first word. */
const LEADING = /^(?:\s|\(|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*/

/** With `isOurs` the call is one of effectpg's, so that a misspelled word is one of SQL's. */
export const looksLikeSql = (text: string, isOurs: boolean): boolean => {
  const body = text.slice(LEADING.exec(text)?.[0].length ?? 0)
  const word = (/^[a-z]+(?![\w:/.-])/i.exec(body)?.[0] ?? "").toLowerCase()
  if (word === "") return false
  if (STATEMENTS.includes(word)) {
    const second = SECOND[word]
    return isOurs || second === undefined ? /^[a-z]+(?:[\s;(*'"$]|$)/i.test(body) : second.test(body.slice(word.length))
  }
  return (
    isOurs && word.length >= MIN_LENGTH && /^[a-z]+\s/i.test(body) && STATEMENTS.some((known) => isNear(word, known))
  )
}

const isNear = (word: string, known: string): boolean =>
  known.length >= MIN_LENGTH &&
  Math.abs(word.length - known.length) <= MAX_SLIPS &&
  slips(word, known) <= slipsOf(known)

const slipsOf = (known: string): number => (known.length >= 6 ? MAX_SLIPS : 1)

/** How many letters have to be changed, added or left out. */
const slips = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (const [at, letter] of [...a].entries()) {
    const next = [at + 1]
    for (const [index, other] of [...b].entries()) {
      const changed = (row[index] ?? 0) + (letter === other ? 0 : 1)
      next.push(Math.min(changed, (row[index + 1] ?? 0) + 1, (next[index] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
