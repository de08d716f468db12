/** Builds the SQL that begins a transaction. */
import * as PgError from "../PgError.ts"
import type { Access, Isolation, TransactionOptions } from "./queryable/queryable.ts"

const ISOLATIONS: ReadonlyMap<unknown, string> = new Map(
  (["read uncommitted", "read committed", "repeatable read", "serializable"] satisfies ReadonlyArray<Isolation>).map(
    (isolation) => [isolation, ` ISOLATION LEVEL ${isolation.toUpperCase()}`]
  )
)

const ACCESSES: ReadonlyMap<unknown, string> = new Map(
  (["read write", "read only"] satisfies ReadonlyArray<Access>).map((access) => [access, ` ${access.toUpperCase()}`])
)

const DEFERRABLES: ReadonlyMap<unknown, string> = new Map([
  [true, " DEFERRABLE"],
  [false, " NOT DEFERRABLE"]
])

/** Begins a transaction without any modes. */
export const PLAIN_BEGIN = "BEGIN"

/** Makes the statement that begins a transaction with these modes. Only words of this file get into the SQL. */
export const beginStatement = (options: TransactionOptions): string | PgError.InvalidConfigError => {
  const { access, deferrable, isolation } = options
  if (isolation === undefined && access === undefined && deferrable === undefined) return PLAIN_BEGIN
  const modes = [
    mode("isolation", ISOLATIONS, isolation),
    mode("access", ACCESSES, access),
    mode("deferrable", DEFERRABLES, deferrable)
  ]
  let begin = PLAIN_BEGIN
  for (const words of modes) {
    if (typeof words !== "string") return words
    begin += words
  }
  return begin
}

const mode = (
  setting: string,
  known: ReadonlyMap<unknown, string>,
  value: unknown
): string | PgError.InvalidConfigError => {
  if (value === undefined) return ""
  const reason = `must be one of: ${[...known.keys()].join(", ")}`
  return known.get(value) ?? new PgError.InvalidConfigError({ setting, reason })
}
