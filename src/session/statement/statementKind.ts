/**
 * Tells the kind of a statement by its first word. The kind says how much can be known before the statement runs.
 *
 * | kind      | which                              | what is known before a run                                |
 * | --------- | ---------------------------------- | --------------------------------------------------------- |
 * | `planned` | SELECT, INSERT, WITH...            | all, until the schema changes: it is kept in the cache    |
 * | `silent`  | SET, CREATE, BEGIN, COPY...        | that it returns no rows: it is run at once, and not kept  |
 * | `told`    | FETCH, EXECUTE, CALL, SHOW, others | nothing: the server is asked before each run              |
 *
 * What FETCH returns depends on the cursor that has the name now. EXECUTE depends on the prepared statement, and SHOW
 * on the parameter. The server does not plan such statements, and does not notice that its earlier description is out
 * of date.
 */
import { begins } from "./beginning.ts"

export type StatementKind = "planned" | "silent" | "told"

const PLANNED: ReadonlySet<string> = new Set([
  "delete",
  "insert",
  "merge",
  "select",
  "table",
  "update",
  "values",
  "with"
])

/** None of these returns rows. A word that is missing here costs one more round trip. */
const SILENT: ReadonlySet<string> = new Set([
  "abort",
  "alter",
  "analyze",
  "begin",
  "checkpoint",
  "close",
  "cluster",
  "comment",
  "commit",
  "copy",
  "create",
  "deallocate",
  "declare",
  "discard",
  "do",
  "drop",
  "end",
  "grant",
  "import",
  "listen",
  "load",
  "lock",
  "move",
  "notify",
  "prepare",
  "reassign",
  "refresh",
  "reindex",
  "release",
  "reset",
  "revoke",
  "rollback",
  "savepoint",
  "security",
  "set",
  "start",
  "truncate",
  "unlisten",
  "vacuum"
])

/** After one of these, the same text may mean something else. */
const SCHEMA_CHANGES: ReadonlySet<string> = new Set(["alter", "call", "create", "do", "drop", "execute", "import"])

export const kindOf = (sql: string): StatementKind => {
  const { isQuery, word } = begins(sql)
  if (isQuery || PLANNED.has(word)) return "planned"
  return SILENT.has(word) ? "silent" : "told"
}

/** Whether a statement may change what the names in other statements refer to, or the types that those return. */
export const changesSchema = (sql: string): boolean => SCHEMA_CHANGES.has(begins(sql).word)

/** Whether a text certainly has no parameters. */
export const hasNoParameters = (sql: string): boolean => !/\$\d/.test(sql)

const CHANGES: ReadonlySet<string> = new Set(["delete", "insert", "merge", "update"])

/** Whether a statement certainly returns no rows: it changes a table, and nowhere says RETURNING. */
export const returnsNoRows = (sql: string): boolean => CHANGES.has(begins(sql).word) && !/returning/i.test(sql)

/** The relations of PostgreSQL that have columns without a binary form that can be read, such as `relacl`. */
const WITHOUT_BINARY_FORM =
  /\bpg_(attribute|class|database|default_acl|foreign|init_privs|language|largeobject|namespace|parameter|proc|stat|tablespace|type)/i

/** Whether a statement reads the catalog, some of whose columns have no binary form. */
export const readsCatalog = (sql: string): boolean => WITHOUT_BINARY_FORM.test(sql)
