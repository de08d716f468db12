/**
 * Finds habits from other clients and other databases in a statement that the server has refused. It looks at codes and at
 * the names of the server's functions, never at messages, because the server may translate them.
 */
import { foreignPlaceholders, NO_PARAMETERS_HERE, quotedPlaceholder, plainOf } from "./sqlText.ts"

interface Refusal {
  readonly code: string
  readonly position: string | undefined
  readonly routine: string | undefined
  readonly hint: string | undefined
}

/** What to do about a server's error, if its statement shows what the program meant. */
export const slipHint = (refusal: Refusal, sql: string): string | undefined => {
  const place = placeOf(refusal, sql)
  return byCode.get(refusal.code)?.(place, refusal)
}

/** The statement around the place that the server's error marks. */
interface Place {
  readonly sql: string
  readonly before: string
  /** What begins at the position; empty if the server named no position. */
  readonly after: string
}

const placeOf = ({ position }: Refusal, sql: string): Place => {
  if (position === undefined) return { sql, before: sql, after: "" }
  // The server counts characters, and JavaScript's strings count UTF-16 units.
  const characters = sql.length > MAX_LENGTH ? [] : Array.from(sql)
  const at = Number(position) - 1
  return { sql, before: characters.slice(0, at).join(""), after: characters.slice(at).join("") }
}

const MAX_LENGTH = 100_000

type Advise = (place: Place, refusal: Refusal) => string | undefined

const syntax: Advise = ({ after, before, sql }, { routine }) => {
  if (routine === "exec_parse_message") return undefined
  if (/^\$\d/.test(after)) return misplacedParameter(before)
  const text = plainOf(sql)
  if (text.includes("`")) return 'Quote names with double quotes: "order".'
  if (LOGICAL_AND.test(text)) return "Write AND for a logical and."
  if (/^REPLACE$/i.test(/^\w+/.exec(text.trim())?.[0] ?? "")) return "Write INSERT ... ON CONFLICT ... DO UPDATE."
  const foreign = foreignPlaceholders(sql)
  if (foreign !== undefined) return foreign
  const [word = ""] = /^\w+/.exec(after) ?? []
  if (/^(?:FROM|WHERE|\))/i.test(after) && /,\s*$/.test(before)) return "Remove the comma before it."
  if (RESERVED.test(word) && /\b(?:FROM|JOIN|INTO|UPDATE|TABLE|ONLY|,|\.)\s*$/i.test(before)) {
    return `${word} is a keyword of SQL. To use it as a name, write it in double quotes: "${word}".`
  }
  return undefined
}

/** `&&` before a comparison. Between arrays and ranges it is an operator of PostgreSQL. */
const LOGICAL_AND = /&&\s*[\w".]+\s*(?:[=<>!]|IS\b|I?LIKE\b|IN\b)/i

const RESERVED =
  /^(?:order|group|user|table|column|check|references|end|limit|offset|default|all|any|primary|desc|asc)$/i

const misplacedParameter = (before: string): string => {
  if (/\bIN\s*$/i.test(before)) return "An array is one value. Write `= ANY ($1)`, or use sql.in of PgSql."
  if (/\bIS(?:\s+NOT)?\s*$/i.test(before)) return "Write `IS NOT DISTINCT FROM $1`, or `IS DISTINCT FROM $1`."
  if (/\bVALUES\s*$/i.test(before)) return "Write `VALUES ($1, $2)`, or use sql.values of PgSql."
  if (/\b(?:INTERVAL|DATE|TIME|TIMESTAMP|TIMESTAMPTZ)\s*$/i.test(before)) return "Cast the parameter: `$1::interval`."
  if (/\b(?:LISTEN|UNLISTEN|NOTIFY)\s*$/i.test(before)) return "Call listen or notify, which take the channel as text."
  if (/(?:\bTO|=)\s*$/i.test(before) && /^\s*SET\b/i.test(before)) {
    return "Write `SELECT pg_catalog.set_config($1, $2, true)`: SET takes no parameters."
  }
  return "A parameter can stand only for a value. Insert the name of a table or a column with sql.id of PgSql."
}

const undefinedTable: Advise = (place) => qualifiedName(place) ?? foldedName(place, "table")

/** A name with a point in its quotes: `"public.books"`. */
const qualifiedName = ({ after, sql }: Place): string | undefined => {
  const copied = (/^COPY ("[^"]+")/.exec(sql) ?? /^'("[^"]+")'::pg_catalog\.regclass/.exec(after))?.[1]
  const [, first, second] = /^"([^".]+)\.([^".]+)"/.exec(copied ?? after) ?? []
  if (first === undefined || second === undefined) return undefined
  return copied === undefined
    ? `PostgreSQL takes all of it as one name. Write "${first}"."${second}", or sql.id("${first}", "${second}").`
    : `Give the schema in a key of its own: { schema: "${first}", table: "${second}" }.`
}

const foldedName = ({ after }: Place, what: string): string | undefined => {
  const [name = ""] = /^[A-Za-z_]\w*(?:\.\w+)?/.exec(after) ?? []
  if (!/[A-Z]/.test(name)) return undefined
  const quoted = name.replaceAll(/\w+/g, '"$&"')
  return `PostgreSQL reads the name without quotes as ${name.toLowerCase()}. If the ${what} has capital letters, write ${quoted}.`
}

const undefinedColumn: Advise = (place, { hint }) => {
  const { after, before } = place
  if (after.startsWith('"')) {
    return /[=<>(,]\s*$|\b(?:LIKE|ILIKE|IN|VALUES)\s*$/i.test(before)
      ? "Double quotes are for names. Give a text as a parameter, or write it in single quotes."
      : hint
  }
  if (before.endsWith("@")) return "Write parameters as $1, $2..., not as @name."
  return hint ?? foldedName(place, "column")
}

/** Functions of other databases, with what PostgreSQL has instead. */
const ofOtherDatabases: ReadonlyMap<string, string> = new Map(
  Object.entries({
    ifnull: "Use coalesce.",
    isnull: "Use coalesce.",
    nvl: "Use coalesce.",
    len: "Use length.",
    group_concat: "Use string_agg.",
    date_format: "Use to_char.",
    strftime: "Use to_char.",
    getdate: "Use now.",
    curdate: "Use current_date.",
    rand: "Use random.",
    newid: "Use gen_random_uuid.",
    uuid: "Use gen_random_uuid.",
    last_insert_id: "Write RETURNING id after the INSERT.",
    json_extract: "Use the operators -> and ->>."
  })
)

const undefinedOperator: Advise = ({ after, sql }, { hint, routine }) => {
  if (routine !== "op_error") return ofOtherDatabases.get(/^\w+/.exec(after)?.[0].toLowerCase() ?? "") ?? hint
  if (/^=\s*\$\d+::\w+\[\]/.test(after)) return "Write `= ANY ($1)` to compare with the values of an array."
  if (after.startsWith("==")) return "Write = for equality."
  if (after.startsWith("&&")) return "Write AND for a logical and; && compares arrays and ranges."
  if (/^[=<>]+\?/.test(after)) return foreignPlaceholders(sql)
  return hint
}

const retried: Advise = (_, { hint }) => hint ?? "Run the transaction again: withTransaction does so with { retry }."

/** The server's functions that take an object or an array, and refuse the scalar that a JSON string is. */
const OF_DOCUMENTS = /json/i
const DOCUMENT =
  "If the document is a string, PostgreSQL stores it as a JSON string. Give the object itself, not " +
  "JSON.stringify(object)."

const badText: Advise = ({ after }, { hint, routine }) => {
  if (/array/.test(routine ?? "")) return "Give the values as a JavaScript array."
  return quotedPlaceholder(/^'[^'\n]*'/.exec(after)?.[0] ?? "") ?? hint
}

const byCode: ReadonlyMap<string, Advise> = new Map(
  Object.entries({
    "42601": syntax,
    "42P01": undefinedTable,
    "42703": undefinedColumn,
    "42883": undefinedOperator,
    "22P02": badText,
    "22007": badText,
    "42P02": ({ sql }) =>
      plainOf(sql).includes(";")
        ? "executeScript takes no values. Run a statement that has parameters with execute."
        : NO_PARAMETERS_HERE,
    "42P18": () => "Cast the parameter to its type: `$1::text`.",
    "42P08": () => "The statement uses the parameter as two types. Cast it in each place: `$1::int`.",
    "42P10": (_, { hint }) => hint ?? "Name columns that have a unique index or a unique constraint.",
    "25001": (_, { hint, routine }) =>
      routine === "PreventInTransactionBlock" ? "Run it with execute, outside withTransaction." : hint,
    "40001": retried,
    "40P01": retried,
    "53300": (_, { hint }) => hint ?? "Lower maxConnections of the pools, or raise max_connections of the server.",
    "22023": (_, { hint, routine }) => hint ?? (OF_DOCUMENTS.test(routine ?? "") ? DOCUMENT : undefined)
  })
)
