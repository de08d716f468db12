/**
 * Summarizes a statement for the names of spans and for metrics: `SELECT books authors`, `INSERT orders`. A summary has
 * commands and the names of tables in the order of the text, and no column and no value. Few texts differ in it.
 *
 * It reads as much of the SQL as it has to. Text that it does not understand costs a name, and nothing else.
 */
import { QueryReader } from "./queryReader.ts"
import { type SqlTokens, nameOf, tokensOf } from "./sqlTokens.ts"

/** What a text asks for. Each is undefined if the text does not tell. */
export interface Summary {
  /** `SELECT books`. */
  readonly text: string | undefined
  /** The SQL command: `SELECT`, `CREATE TABLE`. */
  readonly operation: string | undefined
  /** The table, if it is the only one. */
  readonly collection: string | undefined
}

/** A summary is no longer than this. It is cut between two words. */
const MAX_LENGTH = 255

export const summaryOf = (sql: string): Summary => batchOf(statementsIn(tokensOf(sql)).map(summaryOfStatement))

/** Summarizes several statements that are sent at once, as `BATCH` with what they have in common. */
export const batchOf = (summaries: ReadonlyArray<Summary>): Summary => {
  const [first = NOTHING, ...others] = summaries
  return others.length === 0 ? first : inBatch(others.every(({ text }) => text === first.text) ? first : NOTHING)
}

/** Summarizes many runs of one statement. */
export const inBatch = ({ collection, operation, text }: Summary): Summary => ({
  text: text === undefined ? BATCH : `${BATCH} ${text}`,
  operation: operation === undefined ? BATCH : `${BATCH} ${operation}`,
  collection
})

const BATCH = "BATCH"
const NOTHING: Summary = { text: undefined, operation: undefined, collection: undefined }

const statementsIn = (tokens: SqlTokens): ReadonlyArray<SqlTokens> => {
  const statements: Array<SqlTokens> = []
  for (let start = 0; start < tokens.length;) {
    const semicolon = tokens.indexOf(";", start)
    const end = semicolon === -1 ? tokens.length : semicolon
    if (end > start) statements.push(tokens.slice(start, end))
    start = end + 1
  }
  return statements
}

const summaryOfStatement = (tokens: SqlTokens): Summary => {
  const command = tokens[0]?.toUpperCase() ?? ""
  if (command === "(" || QUERIES.has(command)) return made(undefined, [], readQuery(tokens))
  switch (command) {
    case "EXPLAIN":
    case "DECLARE":
      return made(command, [], readQuery(tokens.slice(1)))
    case "COPY":
      return tokens[1] === "(" ? made(command, [], readQuery(tokens.slice(1))) : withTables(command, tokens.slice(1))
    case "CALL":
      return { ...withTables(command, tokens.slice(1)), collection: undefined }
    case "TRUNCATE":
    case "LOCK":
      return withTables(command, tokens.slice(1))
    case "REFRESH":
      return withTables("REFRESH MATERIALIZED VIEW", tokens.slice(3))
    case "CREATE":
    case "ALTER":
    case "DROP":
      return ofObject(command, tokens.slice(1))
    default:
      return COMMANDS.has(command) ? { text: command, operation: command, collection: undefined } : NOTHING
  }
}

/** Commands that a reader of queries understands. */
const QUERIES: ReadonlySet<string> = new Set([
  "DELETE",
  "INSERT",
  "MERGE",
  "SELECT",
  "TABLE",
  "UPDATE",
  "VALUES",
  "WITH"
])

/** Commands whose summary is their first word. */
const COMMANDS: ReadonlySet<string> = new Set(
  (
    "ABORT ANALYZE BEGIN CHECKPOINT CLOSE CLUSTER COMMENT COMMIT DEALLOCATE DISCARD DO END EXECUTE FETCH GRANT IMPORT " +
    "LISTEN LOAD MOVE NOTIFY PREPARE REASSIGN REINDEX RELEASE RESET REVOKE ROLLBACK SAVEPOINT SECURITY SET SHOW START " +
    "UNLISTEN VACUUM"
  ).split(" ")
)

const readQuery = (tokens: SqlTokens): QueryReader => {
  const reader = new QueryReader(tokens)
  reader.read()
  return reader
}

/** Makes the summary of a statement that begins with the parts and goes on with a query. */
const made = (operation: string | undefined, parts: ReadonlyArray<string>, query: QueryReader): Summary => {
  const all = [...(operation === undefined ? [] : [operation]), ...parts, ...query.parts]
  return { text: joined(all), operation: operation ?? query.operation, collection: query.onlyTable }
}

const joined = (parts: ReadonlyArray<string>): string | undefined => {
  let text = ""
  for (const part of parts) {
    const longer = text === "" ? part : `${text} ${part}`
    if (longer.length > MAX_LENGTH) break
    text = longer
  }
  return text === "" ? undefined : text
}

/** Words that may stand between a command and the name of its object. */
const FILLERS: ReadonlySet<string> = new Set(
  "CONCURRENTLY EXISTS GLOBAL IF LOCAL NOT ONLY OR RECURSIVE REPLACE TABLE TEMP TEMPORARY UNIQUE UNLOGGED".split(" ")
)

const skipFillers = (tokens: SqlTokens, keeping?: string): number => {
  const at = tokens.findIndex((token) => token.toUpperCase() === keeping || !FILLERS.has(token.toUpperCase()))
  return at === -1 ? tokens.length : at
}

/** Summarizes a command that is followed by a list of names. */
const withTables = (operation: string, tokens: SqlTokens): Summary => {
  const names: Array<string> = []
  for (let at = skipFillers(tokens); ; at++) {
    const name = nameOf(tokens, at)
    if (name === undefined) break
    names.push(name.text)
    at = name.end
    if (tokens[at] !== ",") break
  }
  return {
    text: joined([operation, ...names]),
    operation,
    collection: names.length === 1 ? names[0] : undefined
  }
}

/** What CREATE, ALTER and DROP make, change and remove. */
const OBJECTS: ReadonlySet<string> = new Set(
  (
    "AGGREGATE CAST COLLATION CONVERSION DATABASE DOMAIN EXTENSION FUNCTION GROUP INDEX LANGUAGE OPERATOR POLICY " +
    "PROCEDURE PUBLICATION ROLE ROUTINE RULE SCHEMA SEQUENCE SERVER STATISTICS SUBSCRIPTION SYSTEM TABLE TABLESPACE " +
    "TRIGGER TYPE USER VIEW"
  ).split(" ")
)
const TABLES: ReadonlySet<string> = new Set(["FOREIGN TABLE", "MATERIALIZED VIEW", "TABLE", "VIEW"])

const ofObject = (command: string, tokens: SqlTokens): Summary => {
  const kindAt = skipFillers(tokens, "TABLE")
  const [first = "", second = ""] = tokens.slice(kindAt, kindAt + 2).map((token) => token.toUpperCase())
  const both = `${first} ${second}`
  const kind = TABLES.has(both) ? both : first
  if (!OBJECTS.has(kind) && !TABLES.has(kind)) return { text: command, operation: command, collection: undefined }
  const operation = `${command} ${kind}`
  if (!TABLES.has(kind)) return withName(operation, tokens.slice(kindAt + 1))
  const rest = tokens.slice(kindAt + (kind === both ? 2 : 1))
  const name = nameOf(rest, skipFillers(rest))
  if (name === undefined) return { text: operation, operation, collection: undefined }
  const query = made(operation, [name.text], readQuery(rest.slice(name.end)))
  return { ...query, collection: query.collection === undefined ? name.text : undefined }
}

const withName = (operation: string, tokens: SqlTokens): Summary => {
  const name = nameOf(tokens, skipFillers(tokens))
  const isNamed = name !== undefined && name.text.toUpperCase() !== "ON"
  return { text: joined(isNamed ? [operation, name.text] : [operation]), operation, collection: undefined }
}
