/** Mistakes in the arguments of a call, and in the values of its parameters. */
import { BigDecimal, DateTime, Effect, Option, Redacted, Stream } from "effect"
import * as PgSql from "../../src/PgSql.ts"
import { js, type Mistake, SECRET } from "./mistake.ts"

const { sql } = PgSql

export const wrappedValues: ReadonlyArray<Mistake> = [
  {
    mistake: "an Effect as a parameter: a forgotten yield*",
    call: (pg) => pg.fetch("SELECT $1::int4", [Effect.succeed(1)]),
    tag: "EncodeError",
    says: ["parameter $1 as int4", "not an Effect", "write `yield*` before it"]
  },
  {
    mistake: "the Effect of a query as a parameter for text",
    call: (pg) => pg.fetch("SELECT $1::text", [pg.fetchValue("SELECT 1")]),
    tag: "EncodeError",
    says: ["text takes a string, not an Effect", "yield*"]
  },
  {
    mistake: "an Effect in a template",
    call: (pg) => pg.fetch(sql`SELECT ${Effect.succeed(1)}::int4`),
    tag: "EncodeError",
    says: ["an Effect", "yield*", "1 | SELECT $1::int4"]
  },
  {
    mistake: "an Effect as a document",
    call: (pg) => pg.execute("UPDATE books SET doc = $1", [Effect.succeed({ a: 1 })]),
    tag: "EncodeError",
    says: ["jsonb takes only values that JSON can represent, not an Effect", "yield*"]
  },
  {
    mistake: "a Promise as a parameter: a forgotten await",
    call: (pg) => pg.fetch("SELECT $1::int4", [Promise.resolve(1)]),
    tag: "EncodeError",
    says: ["not a Promise", "`await`", "Effect.promise"]
  },
  {
    mistake: "a Promise as a document, which would be stored as {}",
    call: (pg) => pg.execute("UPDATE books SET doc = $1", [Promise.resolve({ a: 1 })]),
    tag: "EncodeError",
    says: ["not a Promise", "`await`"]
  },
  {
    mistake: "an array of Promises from an async map",
    call: (pg) => pg.fetch("SELECT * FROM books WHERE id = ANY ($1)", [[1].map(async (id) => id)]),
    tag: "EncodeError",
    says: ["a Promise", "`await`"]
  },
  {
    mistake: "an Option as a parameter",
    call: (pg) => pg.fetch("SELECT $1::text", [Option.some(SECRET)]),
    tag: "EncodeError",
    says: ["not an Option", "Option.getOrNull"]
  },
  {
    mistake: "an Option as a document",
    call: (pg) => pg.execute("UPDATE books SET doc = $1", [Option.some({ a: SECRET })]),
    tag: "EncodeError",
    says: ["not an Option", "Option.getOrNull"]
  },
  {
    mistake: "a Redacted as a parameter",
    call: (pg) => pg.fetch("SELECT $1::text", [Redacted.make(SECRET)]),
    tag: "EncodeError",
    says: ["not a Redacted", "Redacted.value"]
  },
  {
    mistake: "a Redacted as a document, which would be stored as <redacted>",
    call: (pg) => pg.execute("UPDATE books SET doc = $1", [Redacted.make(SECRET)]),
    tag: "EncodeError",
    says: ["not a Redacted", "Redacted.value"]
  },
  {
    mistake: "a DateTime for a timestamptz",
    call: (pg) => pg.fetch("SELECT $1::timestamptz", [DateTime.makeUnsafe(0)]),
    tag: "EncodeError",
    says: ["a DateTime", "DateTime.toDateUtc", "PgTypes.timestamptzAsDateTime"]
  },
  {
    mistake: "a BigDecimal for a numeric",
    call: (pg) => pg.fetch("SELECT $1::numeric", [BigDecimal.fromStringUnsafe("1.5")]),
    tag: "EncodeError",
    says: ["a BigDecimal", "BigDecimal.format", "PgTypes.numericAsBigDecimal"]
  },
  {
    mistake: "a Stream as a parameter",
    call: (pg) => pg.fetch("SELECT $1::int4[]", [Stream.make(1)]),
    tag: "EncodeError",
    says: ["a Stream", "Stream.runCollect"]
  },
  {
    mistake: "a Set for an array",
    call: (pg) => pg.fetch("SELECT $1::text[]", [new Set([SECRET])]),
    tag: "EncodeError",
    says: ["not a Set", "Array.from"]
  },
  {
    mistake: "a Map as a document, which would be stored as {}",
    call: (pg) => pg.execute("UPDATE books SET doc = $1", [new Map([["a", SECRET]])]),
    tag: "EncodeError",
    says: ["not a Map", "Object.fromEntries"]
  },
  {
    mistake: "a function as a parameter",
    call: (pg) => pg.fetch("SELECT $1::int4", [() => 1]),
    tag: "EncodeError",
    says: ["not a function", "Call the function"]
  }
]

export const values: ReadonlyArray<Mistake> = [
  {
    mistake: "an object for a text",
    call: (pg) => pg.fetch("SELECT $1::text", [{ a: SECRET }]),
    tag: "EncodeError",
    says: ["text takes a string, not an object", "JSON.stringify"]
  },
  {
    mistake: "a number for a text",
    call: (pg) => pg.fetch("SELECT * FROM books WHERE title = $1", [4711]),
    tag: "EncodeError",
    says: ["text takes a string, not a number", "String(value)"]
  },
  {
    mistake: "a Date for a text",
    call: (pg) => pg.fetch("SELECT * FROM books WHERE title = $1", [new Date(0)]),
    tag: "EncodeError",
    says: ["not a Date", "toISOString"]
  },
  {
    mistake: "milliseconds for a timestamptz",
    call: (pg) => pg.fetch("SELECT $1::timestamptz", [1_700_000_000_000]),
    tag: "EncodeError",
    says: ["not a number", "new Date(millis)"]
  },
  {
    mistake: "one value for an array",
    call: (pg) => pg.fetch("SELECT * FROM books WHERE id = ANY ($1)", [4711]),
    tag: "EncodeError",
    says: ["takes an array, not a number", "Put the value into an array"]
  },
  {
    mistake: "a fraction for an int4",
    call: (pg) => pg.fetch("SELECT $1::int4", [47.11]),
    tag: "EncodeError",
    says: ["as int4", "whole numbers"]
  },
  {
    mistake: "a number that is too big for an int4",
    call: (pg) => pg.fetch("SELECT * FROM books WHERE id = $1", [9_876_543_210]),
    tag: "EncodeError",
    says: ["as int4", "2147483647"]
  },
  {
    mistake: "a boolean for an int4",
    call: (pg) => pg.fetch("SELECT $1::int4", [true]),
    tag: "EncodeError",
    says: ["int4 takes a number", "not a boolean"]
  },
  {
    mistake: "a Date that is invalid",
    call: (pg) => pg.fetch("SELECT $1::timestamptz", [new Date("no date")]),
    tag: "EncodeError",
    says: ["as timestamptz", "invalid"]
  },
  {
    mistake: "a bigint in a document",
    call: (pg) => pg.execute("UPDATE books SET doc = $1", [{ total: 47n }]),
    tag: "EncodeError",
    says: ["jsonb takes a value that JSON.stringify accepts", "no bigint"]
  },
  {
    mistake: "a text with a NUL",
    call: (pg) => pg.fetch("SELECT $1::text", [`${SECRET}\0`]),
    tag: "EncodeError",
    says: ["as text", "NUL"]
  },
  {
    mistake: "a text for an array, as other clients take it",
    call: (pg) => pg.fetch("SELECT * FROM books WHERE id = ANY ($1)", ["1,2"]),
    tag: "InvalidTextRepresentationError",
    says: ["Give the values as a JavaScript array"]
  }
]

export const calls: ReadonlyArray<Mistake> = [
  {
    mistake: "no values for the placeholders",
    call: (pg) => pg.fetch("SELECT * FROM books WHERE id = $1"),
    tag: "ParameterCountError",
    says: ["takes 1 parameter, but the call gives 0", "Give the values in an array after the SQL"]
  },
  {
    mistake: "too few values",
    call: (pg) => pg.fetch("SELECT * FROM books WHERE id = $1 AND title = $2", [1]),
    tag: "ParameterCountError",
    says: ["takes 2 parameters, but the call gives 1", "one value for each placeholder"]
  },
  {
    mistake: "a value more than there are placeholders, for one that is used twice",
    call: (pg) => pg.fetch("SELECT * FROM books WHERE title = $1 OR $1 = $2", [SECRET, SECRET, SECRET]),
    tag: "ParameterCountError",
    says: ["takes 2 parameters, but the call gives 3", "occurs twice has one value"]
  },
  {
    mistake: "values for a text without placeholders",
    call: (pg) => pg.fetch("SELECT * FROM books", [1]),
    tag: "ParameterCountError",
    says: ["takes 0 parameters, but the call gives 1", "The text has no placeholder"]
  },
  {
    mistake: "the array of = ANY ($1) without the array around it",
    call: (pg) => pg.fetch("SELECT * FROM books WHERE id = ANY ($1)", [1, 2, 3]),
    tag: "ParameterCountError",
    says: ["takes 1 parameter, but the call gives 3", "[ids]"]
  },
  {
    mistake: "a single value instead of an array of values",
    call: (pg) => js(pg, "fetch", "SELECT * FROM books WHERE title = $1", SECRET),
    tag: "EncodeError",
    says: ["must be in an array, not a string"]
  },
  {
    mistake: "an object of named values",
    call: (pg) => js(pg, "fetch", "SELECT * FROM books WHERE title = :title", { title: SECRET }),
    tag: "InvalidConfigError",
    says: ["give the values of parameters in an array"]
  },
  {
    mistake: "the object { text, values } of node-postgres",
    call: (pg) => js(pg, "fetch", { text: "SELECT $1", values: [SECRET] }),
    tag: "EncodeError",
    says: ["fetch(sql, params)", "a template of PgSql"]
  },
  {
    mistake: "a callback, as in node-postgres",
    call: (pg) => js(pg, "fetch", "SELECT 1", [], () => {}),
    tag: "InvalidConfigError",
    says: ["options", "not a function"]
  },
  {
    mistake: "an Effect instead of SQL",
    call: (pg) => js(pg, "fetch", Effect.succeed("SELECT 1")),
    tag: "EncodeError",
    says: ["a template of PgSql, not an Effect"]
  },
  {
    mistake: "sql called as a function",
    call: (pg) => pg.fetch(Reflect.apply(sql, undefined, ["SELECT 1"])),
    tag: "EncodeError",
    says: ["sql`...`, not sql("]
  },
  {
    mistake: "values after a template",
    call: (pg) => js(pg, "fetch", sql`SELECT ${1}::int4`, [SECRET]),
    tag: "EncodeError",
    says: ["a template already contains its values", "options"]
  },
  {
    mistake: "a misspelled option",
    call: (pg) => js(pg, "fetch", "SELECT 1", [], { timeOut: 1000 }),
    tag: "InvalidConfigError",
    says: ["timeOut", "did you mean timeout?"]
  },
  {
    mistake: "a duration that is none",
    call: (pg) => js(pg, "fetch", "SELECT 1", [], { timeout: "5 sek" }),
    tag: "InvalidConfigError",
    says: ["timeout", '"5 seconds"']
  },
  {
    mistake: "a plain object instead of a Schema",
    call: (pg) => js(pg, "fetch", "SELECT 1", [], { row: { id: Number } }),
    tag: "InvalidConfigError",
    says: ["row", "a Schema"]
  },
  {
    mistake: "a notification with an object",
    call: (pg) => js(pg, "notify", "books", { title: SECRET }),
    tag: "InvalidConfigError",
    says: ["payload", "a string"]
  },
  {
    mistake: "rows of executeMany that are no arrays",
    call: (pg) => js(pg, "executeMany", "INSERT INTO books (id, title) VALUES ($1, $2)", [{ id: 1, title: SECRET }]),
    tag: "EncodeError",
    says: ["row 1", "an array"]
  },
  {
    mistake: "an Effect instead of the rows of executeMany",
    call: (pg) => js(pg, "executeMany", "INSERT INTO books (id) VALUES ($1)", Effect.succeed([[1]])),
    tag: "InvalidConfigError",
    says: ["rows", "an Iterable or a Stream, not an Effect"]
  },
  {
    mistake: "a batch of texts",
    call: (pg) => js(pg, "batch", ["SELECT 1"]),
    tag: "EncodeError",
    says: ["{ sql, params }"]
  }
]
