/**
 * The comments with which a statement says more of its types than the server knows:
 *
 * ```sql
 * SELECT settings, total -- @column settings: import("./settings.ts").Settings, @column total!
 * FROM accounts WHERE id = $1 -- @param 1: AccountId
 * ```
 *
 * `!` says that it is never NULL, `?` that it may be NULL, and a type replaces the whole type. A type goes on to the next
 * `@`, or to the end of the comment.
 */
import { LEXING } from "../../../migrator/splitStatements.ts"
import { tokenEnd } from "../../../session/statement/sqlToken.ts"

export interface Override {
  /** The name of a column or the number of a parameter. */
  readonly of: string
  readonly isParameter: boolean
  readonly type: string | undefined
  /** Whether it may be NULL; undefined if a type says so. */
  readonly isNullable: boolean | undefined
  /** Where the name stands in the text. */
  readonly at: number
}

export const overridesOf = (sql: string): ReadonlyArray<Override> =>
  commentsOf(sql).flatMap(({ at, text }) =>
    [...text.matchAll(DIRECTIVE)].map((match): Override => {
      const [, what, quoted, plain = "", mark, type] = match
      return {
        of: quoted === undefined ? plain : quoted.replaceAll('""', '"'),
        isParameter: what === "param",
        type: type?.replace(/[\s,]+$/, "").trim(),
        isNullable: mark === undefined ? undefined : mark === "?",
        at: at + match.index
      }
    })
  )

const DIRECTIVE =
  /@(column|param)\s+(?:"((?:[^"]|"")+)"|([\w$]+))\s*(?:([!?])|:\s*([\s\S]*?)(?=@(?:column|param)\b|$))/g

interface Comment {
  readonly text: string
  readonly at: number
}

/** Comments are told from the texts and names in quotes that may look like them. */
const commentsOf = (sql: string): ReadonlyArray<Comment> => {
  const comments: Array<Comment> = []
  for (let at = 0; at < sql.length;) {
    const end = tokenEnd(sql, at, LEXING)
    const token = sql.slice(at, end)
    if (token.startsWith("--") || token.startsWith("/*")) comments.push({ text: token.replace(/\*\/$/, ""), at })
    at = end
  }
  return comments
}
