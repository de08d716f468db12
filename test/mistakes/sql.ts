/** Mistakes in the text of a statement: placeholders, names, and the habits of other clients and databases. */
import { Effect } from "effect"
import * as PgSql from "../../src/PgSql.ts"
import { js, type Mistake, SECRET } from "./mistake.ts"

const { sql } = PgSql

const table = "books"

export const placeholders: ReadonlyArray<Mistake> = [
  {
    mistake: "? for a parameter",
    call: (pg) => pg.fetch("SELECT * FROM books WHERE title = ?", [SECRET]),
    tag: "PostgresSyntaxError",
    says: ["$1, $2..., not as ?", "A template of PgSql"]
  },
  {
    mistake: "(?, ?) for parameters",
    call: (pg) => pg.execute("INSERT INTO books (id, title) VALUES (?, ?)", [1, SECRET]),
    tag: "PostgresSyntaxError",
    says: ["$1, $2..., not as ?"]
  },
  {
    mistake: ":name for a parameter",
    call: (pg) => pg.fetch("SELECT * FROM books WHERE title = :title", [SECRET]),
    tag: "PostgresSyntaxError",
    says: ["$1, $2..., not as :name"]
  },
  {
    mistake: "@name for a parameter",
    call: (pg) => pg.fetch("SELECT * FROM books WHERE id = @ident", [1]),
    tag: "UndefinedColumnError",
    says: ["$1, $2..., not as @name"]
  },
  {
    mistake: "a placeholder in quotes",
    call: (pg) => pg.fetch("SELECT * FROM books WHERE title = '$1'", [SECRET]),
    tag: "ParameterCountError",
    says: [
      "takes 0 parameters, but the call gives 1",
      "A placeholder in quotes is only text",
      "Write $1 instead of '$1'"
    ]
  },
  {
    mistake: "a placeholder in quotes where a number belongs",
    call: (pg) => pg.fetch("SELECT * FROM books WHERE id = '$1'", [4711]),
    tag: "InvalidTextRepresentationError",
    says: ["Write $1 instead of '$1'"]
  },
  {
    mistake: "a placeholder in the pattern of LIKE",
    call: (pg) => pg.fetch("SELECT * FROM books WHERE title LIKE '%$1%'", [SECRET]),
    tag: "ParameterCountError",
    says: ["Write ('%' || $1 || '%') instead of '%$1%'"]
  },
  {
    mistake: "${} in a plain string",
    call: (pg) => pg.fetch("SELECT * FROM books WHERE id = ${id}"),
    tag: "PostgresSyntaxError",
    says: ["Write the statement as a template of PgSql, sql`...`"]
  },
  {
    mistake: "the name of a table as a parameter",
    call: (pg) => pg.fetch("SELECT * FROM $1", [SECRET]),
    tag: "PostgresSyntaxError",
    says: ["sql.id"]
  },
  {
    mistake: "the name of a table as a value of a template",
    call: (pg) => pg.fetch(sql`SELECT * FROM ${table}`),
    tag: "PostgresSyntaxError",
    says: ["A parameter can stand only for a value", "sql.id"]
  },
  {
    mistake: "the name of a column as a value of a template, in an UPDATE",
    call: (pg) => pg.execute(sql`UPDATE books SET ${table} = ${1}`),
    tag: "PostgresSyntaxError",
    says: ["sql.id"]
  },
  {
    mistake: "an array after IN",
    call: (pg) => pg.fetch("SELECT * FROM books WHERE id IN $1", [[4711]]),
    tag: "PostgresSyntaxError",
    says: ["`= ANY ($1)`", "sql.in"]
  },
  {
    mistake: "an array after IN (...)",
    call: (pg) => pg.fetch("SELECT * FROM books WHERE id IN ($1)", [[4711]]),
    tag: "EncodeError",
    says: ["not an array", "`= ANY ($1)` instead of `IN ($1)`"]
  },
  {
    mistake: "an array after IN (...) in a template",
    call: (pg) => pg.fetch(sql`SELECT * FROM books WHERE pages > ${1} AND title IN (${[SECRET]})`),
    tag: "EncodeError",
    says: ["not an array", "`= ANY ($2)` instead of `IN ($2)`"]
  },
  {
    mistake: "an array after NOT IN (...)",
    call: (pg) => pg.fetch("SELECT * FROM books WHERE id NOT IN ($1)", [[4711]]),
    tag: "EncodeError",
    says: ["`<> ALL ($1)` instead of `NOT IN ($1)`"]
  },
  {
    mistake: "an array where one value belongs",
    call: (pg) => pg.fetch("SELECT * FROM books WHERE id = $1", [[4711]]),
    tag: "EncodeError",
    says: ["not an array", "$1::int[]"]
  },
  {
    mistake: "= with a parameter that is an array",
    call: (pg) => pg.fetch("SELECT * FROM books WHERE id = $1::int[]", [[4711]]),
    tag: "UndefinedFunctionError",
    says: ["`= ANY ($1)`"]
  },
  {
    mistake: "a row as a parameter after VALUES",
    call: (pg) => pg.execute("INSERT INTO books (id, title) VALUES $1", [[1, SECRET]]),
    tag: "PostgresSyntaxError",
    says: ["`VALUES ($1, $2)`", "sql.values"]
  },
  {
    mistake: "INTERVAL $1",
    call: (pg) => pg.fetch("SELECT now() - INTERVAL $1", ["1 day"]),
    tag: "PostgresSyntaxError",
    says: ["$1::interval"]
  },
  {
    mistake: "a placeholder within the text of an interval",
    call: (pg) => pg.fetch("SELECT now() - '$1 days'::interval", [4711]),
    tag: "ParameterCountError",
    says: ["A placeholder in quotes is only text", "Write ($1 || ' days')"]
  },
  {
    mistake: "IS $1",
    call: (pg) => pg.fetch("SELECT * FROM books WHERE title IS $1", [null]),
    tag: "PostgresSyntaxError",
    says: ["IS NOT DISTINCT FROM $1"]
  },
  {
    mistake: "a parameter in DDL",
    call: (pg) => pg.execute("CREATE TABLE ddl (a text DEFAULT $1)", [SECRET]),
    tag: "ParameterCountError",
    says: ["Only SELECT, INSERT, UPDATE, DELETE, MERGE and VALUES have parameters"]
  },
  {
    mistake: "a parameter of SET",
    call: (pg) => pg.withTransaction(pg.execute("SET LOCAL search_path = $1", [SECRET])),
    tag: "PostgresSyntaxError",
    says: ["set_config($1, $2, true)"]
  },
  {
    mistake: "a placeholder in a script",
    call: (pg) => pg.executeScript("SELECT 1; SELECT $1"),
    tag: "UndefinedParameterError",
    says: ["executeScript takes no values", "execute"]
  },
  {
    mistake: "a parameter whose type nothing says",
    call: (pg) => pg.fetch("SELECT $1 IS NULL", [SECRET]),
    tag: "IndeterminateDatatypeError",
    says: ["$1::text"]
  },
  {
    mistake: "one parameter for two types",
    call: (pg) => pg.fetch("SELECT * FROM books WHERE title = $1 OR id = $1", [SECRET]),
    tag: "UndefinedFunctionError",
    says: ["explicit type casts"]
  }
]

export const names: ReadonlyArray<Mistake> = [
  {
    mistake: "backticks around names",
    call: (pg) => pg.fetch("SELECT `id` FROM books"),
    tag: "PostgresSyntaxError",
    says: ["Quote names with double quotes"]
  },
  {
    mistake: "double quotes around a text",
    call: (pg) => pg.fetch('SELECT * FROM books WHERE title = "ada"'),
    tag: "UndefinedColumnError",
    says: ["Double quotes are for names", "single quotes"]
  },
  {
    mistake: "a reserved word as a table",
    call: (pg) => pg.fetch("SELECT * FROM order"),
    tag: "PostgresSyntaxError",
    says: ['"order"', "double quotes"]
  },
  {
    mistake: "a table with capital letters, without quotes",
    call: (pg) => pg.fetch("SELECT * FROM Users"),
    tag: "UndefinedTableError",
    says: ["without quotes as users", 'write "Users"']
  },
  {
    mistake: "a schema and a table in one pair of quotes",
    call: (pg) => pg.fetch('SELECT * FROM "public.books"'),
    tag: "UndefinedTableError",
    says: ["takes all of it as one name", 'Write "public"."books"']
  },
  {
    mistake: "sql.id with a point in the name",
    call: (pg) => pg.fetch(sql`SELECT * FROM ${sql.id("public.books")}`),
    tag: "UndefinedTableError",
    says: ['sql.id("public", "books")']
  },
  {
    mistake: "a misspelled column",
    call: (pg) => pg.fetch("SELECT titel FROM books"),
    tag: "UndefinedColumnError",
    says: ['Perhaps you meant to reference the column "books.title"']
  }
]

export const habits: ReadonlyArray<Mistake> = [
  {
    mistake: "== for equality",
    call: (pg) => pg.fetch("SELECT * FROM books WHERE title == 'x'"),
    tag: "UndefinedFunctionError",
    says: ["Write = for equality"]
  },
  {
    mistake: "&& for a logical and",
    call: (pg) => pg.fetch("SELECT * FROM books WHERE title = 'x' && id = 1"),
    tag: "PostgresSyntaxError",
    says: ["Write AND for a logical and"]
  },
  {
    mistake: "a comma before FROM",
    call: (pg) => pg.fetch("SELECT id, FROM books"),
    tag: "PostgresSyntaxError",
    says: ["Remove the comma"]
  },
  {
    mistake: "REPLACE INTO",
    call: (pg) => pg.execute("REPLACE INTO books (id) VALUES (1)"),
    tag: "PostgresSyntaxError",
    says: ["ON CONFLICT"]
  },
  {
    mistake: "IFNULL",
    call: (pg) => pg.fetch("SELECT ifnull(title, '') FROM books"),
    tag: "UndefinedFunctionError",
    says: ["Use coalesce"]
  },
  {
    mistake: "LAST_INSERT_ID",
    call: (pg) => pg.fetch("SELECT last_insert_id()"),
    tag: "UndefinedFunctionError",
    says: ["RETURNING id"]
  },
  {
    mistake: "ON CONFLICT without a unique index",
    call: (pg) => pg.execute("INSERT INTO books (id, title) VALUES (1, $1) ON CONFLICT (title) DO NOTHING", [SECRET]),
    tag: "InvalidColumnReferenceError",
    says: ["unique index"]
  },
  {
    mistake: "several statements in one call",
    call: (pg) => pg.execute("DELETE FROM books WHERE false; SELECT 1"),
    tag: "PostgresSyntaxError",
    says: ["executeScript"]
  },
  {
    mistake: "an empty text",
    call: (pg) => pg.execute(""),
    tag: "EmptyQueryError",
    says: ["contains no statement", "empty"]
  },
  {
    mistake: "a text that is a comment",
    call: (pg) => pg.execute("-- SELECT 1"),
    tag: "EmptyQueryError",
    says: ["only of comments"]
  }
]

export const templates: ReadonlyArray<Mistake> = [
  {
    mistake: "sql.in with one value",
    call: (pg) => pg.fetch(sql`SELECT * FROM books WHERE id ${Reflect.apply(sql.in, undefined, [1])}`),
    tag: "EncodeError",
    says: ["sql.in takes an array of values"]
  },
  {
    mistake: "sql.values without rows",
    call: (pg) => pg.execute(sql`INSERT INTO books (id) ${sql.values([])}`),
    tag: "EncodeError",
    says: ["sql.values takes at least one row"]
  },
  {
    mistake: "sql.values with one row instead of rows",
    call: (pg) => pg.execute(sql`INSERT INTO books (id) ${Reflect.apply(sql.values, undefined, [[1, SECRET]])}`),
    tag: "EncodeError",
    says: ["sql.values takes an array of rows"]
  },
  {
    mistake: "sql.update without columns",
    call: (pg) => pg.execute(sql`UPDATE books SET ${sql.update({})}`),
    tag: "EncodeError",
    says: ["sql.update takes at least one column"]
  },
  {
    mistake: "sql.update with a column that is undefined",
    call: (pg) => pg.execute(sql`UPDATE books SET ${sql.update({ title: undefined })}`),
    tag: "EncodeError",
    says: ['undefined for column "title"', "use null, or leave the column out"]
  },
  {
    mistake: "sql.id with an empty name",
    call: (pg) => pg.execute(sql`SELECT ${sql.id("")}`),
    tag: "EncodeError",
    says: ["an identifier is empty"]
  },
  {
    mistake: "an object that looks like a statement",
    call: (pg) => js(pg, "fetch", { sql: "SELECT 1", params: [SECRET] }),
    tag: "EncodeError",
    says: ["fetch(sql, params)"]
  },
  {
    mistake: "a query that is not yielded, within a transaction",
    call: (pg) =>
      pg.withTransaction(Effect.andThen(pg.execute("SELECT $1::int4", [pg.execute("SELECT 1")]), Effect.void)),
    tag: "EncodeError",
    says: ["yield*"]
  }
]
