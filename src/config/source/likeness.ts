/**
 * Guesses which known word the user meant. The given word is never repeated, because by mistake it may contain a
 * password.
 */

/** With more differences than this, it is another word. A short word allows fewer. */
const MAX_DIFFERENCES = 2
const SHORT_WORD = 5

/** The form in which words are compared: `sslMode`, `SSLMODE` and `ssl_mode` are the same. */
const folded = (word: string): string => word.toLowerCase().replaceAll(/[_-]/g, "")

/** The known word that most resembles the given one; undefined if none does. */
export const resembled = (word: string, known: ReadonlyArray<string>): string | undefined => {
  const longest = Math.max(...known.map(({ length }) => length))
  if (word.length > 2 * longest) return undefined
  const given = folded(word)
  let found: string | undefined
  let least = MAX_DIFFERENCES + 1
  for (const each of known) {
    const other = folded(each)
    const differences = differencesOf(given, other)
    const most = Math.min(given.length, other.length) < SHORT_WORD ? 1 : MAX_DIFFERENCES
    if (differences <= most && differences < least) {
      found = each
      least = differences
    }
  }
  return found
}

/** Words for an error: the known word that the given one resembles; empty if there is none. */
export const didYouMean = (word: string, known: ReadonlyArray<string>): string => {
  const meant = resembled(word, known)
  return meant === undefined ? "" : ` (did you mean ${meant}?)`
}

/** How many letters must be inserted, deleted, replaced or swapped with a neighbor to turn one word into the other. */
const differencesOf = (one: string, other: string): number => {
  let beforeLast: Array<number> = []
  let last = Array.from({ length: other.length + 1 }, (_, column) => column)
  for (let row = 1; row <= one.length; row++) {
    const next = [row]
    for (let column = 1; column <= other.length; column++) {
      const isSame = one[row - 1] === other[column - 1]
      const isSwapped =
        row > 1 && column > 1 && one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1]
      next.push(
        Math.min(
          last[column]! + 1,
          next[column - 1]! + 1,
          last[column - 1]! + (isSame ? 0 : 1),
          isSwapped ? beforeLast[column - 2]! + 1 : Infinity
        )
      )
    }
    beforeLast = last
    last = next
  }
  return last[other.length]!
}
