/** Decides from the command tag whether a command may have changed what names and types mean. */
import type { CommandTag } from "../../wire/commandTag.ts"

/**
 * Whether a command may have created, changed or removed a table, a type, a function or the like, so that the same text
 * may now mean something else. A change inside CALL or by a function in SELECT cannot be seen.
 */
export const changesSchema = ({ command }: CommandTag, hasColumns: boolean): boolean => {
  switch (command.charCodeAt(0)) {
    case A:
      return command.startsWith("ALTER ")
    case C:
      return command.startsWith("CREATE ") || command === COMMIT_PREPARED
    case D:
      return command.startsWith("DROP ") || command === "DO" || command.startsWith("DISCARD ")
    case I:
      return command === "IMPORT FOREIGN SCHEMA"
    case S:
      // SELECT INTO and CREATE TABLE AS return no columns.
      return command === "SELECT" && !hasColumns
    default:
      return false
  }
}

const [A, C, D, I, S] = [0x41, 0x43, 0x44, 0x49, 0x53]

/**
 * Whether such a command may have changed the layout or the name of an existing type. CREATE makes new types, except
 * that it can replace a view. DROP only removes types, except that CASCADE can remove columns of others.
 */
export const mayChangeLayouts = (command: string, sql: string): boolean => {
  if (command.startsWith("DROP ")) return CASCADE.test(sql)
  if (command.startsWith("CREATE ")) return command === "CREATE VIEW" || command === "CREATE RULE"
  return LAYOUT_COMMANDS.has(command)
}

const COMMIT_PREPARED = "COMMIT PREPARED"

const LAYOUT_COMMANDS: ReadonlySet<string> = new Set([
  "ALTER TABLE",
  "ALTER TYPE",
  "ALTER VIEW",
  "ALTER MATERIALIZED VIEW",
  "ALTER FOREIGN TABLE",
  "ALTER DOMAIN",
  "ALTER SCHEMA",
  "ALTER EXTENSION",
  "DO",
  COMMIT_PREPARED
])

const CASCADE = /cascade/i
