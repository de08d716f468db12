/**
 * Recognizes how poolers refuse a client. They do it in their own words and with a code that stands for anything: PgBouncer
 * says 08P01, a violation of the protocol, also of a wrong password, and Pgpool-II XX000, an internal error. The error gets
 * the code that PostgreSQL has for it, so that programs need not know of the pooler.
 */
import type { ErrorFields } from "../../wire/errorFields.ts"

export const refusalOfPooler = (fields: ErrorFields): ErrorFields => {
  const code = codeOfPgBouncer(fields)
  if (code !== undefined) return { ...fields, code, hint: HINT_OF_PGBOUNCER }
  const codeFromPgpool = codeOfPgpool(fields)
  return codeFromPgpool === undefined ? fields : { ...fields, code: codeFromPgpool, hint: HINT_OF_PGPOOL }
}

const HINT_OF_PGBOUNCER =
  "PgBouncer has said this, with the code 08P01. It has users, databases and rules of its own: see its auth_file, " +
  "auth_query, [databases] and auth_hba_file."

const HINT_OF_PGPOOL =
  "Pgpool-II has said this, with the code XX000. It has passwords and rules of its own: see its pool_passwd and " +
  "pool_hba.conf."

const INVALID_PASSWORD = "28P01"
const INVALID_AUTHORIZATION = "28000"

/** PgBouncer does not translate its messages, and names no place in its source. */
const codeOfPgBouncer = ({ code, message, routine }: ErrorFields): string | undefined =>
  code !== "08P01" || routine !== undefined ? undefined : WORDS_OF_PGBOUNCER.find(([words]) => words.test(message))?.[1]

const WORDS_OF_PGBOUNCER: ReadonlyArray<readonly [words: RegExp, code: string]> = [
  [/^(password|SASL) authentication failed$/, INVALID_PASSWORD],
  [/^no such user(: |$)/, INVALID_AUTHORIZATION],
  [
    /^(login rejected|SSL required|not allowed|"trust" authentication failed|certificate authentication failed)$/,
    INVALID_AUTHORIZATION
  ],
  [/^no such database: /, "3D000"],
  [/^no more connections allowed \(/, "53300"]
]

/** Pgpool-II names the file of its source. */
const codeOfPgpool = ({ code, file, message }: ErrorFields): string | undefined => {
  if (code !== "XX000" || !message.includes("authentic")) return undefined
  if (file === "pool_auth.c" || (file === "pool_hba.c" && message.startsWith("SCRAM"))) return INVALID_PASSWORD
  return file === "pool_hba.c" ? INVALID_AUTHORIZATION : undefined
}
