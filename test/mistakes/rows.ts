/** Mistakes in what a program expects of rows, and of the types of their columns. */
import { Schema } from "effect"
import * as PgSql from "../../src/PgSql.ts"
import type { Mistake } from "./mistake.ts"
import { SECRET } from "./mistake.ts"

const { sql } = PgSql

const row = <Fields extends Schema.Struct.Fields>(fields: Fields) => ({ row: Schema.Struct(fields) })

export const counts: ReadonlyArray<Mistake> = [
  {
    mistake: "fetchOne of a row that there may not be",
    call: (pg) => pg.fetchOne("SELECT * FROM books WHERE title = $1", [SECRET]),
    tag: "UnexpectedRowCountError",
    says: ["the call expects exactly one row, but the statement returned no row", "fetchRow, which returns an Option"]
  },
  {
    mistake: "fetchOne of several rows",
    call: (pg) => pg.fetchOne("SELECT * FROM generate_series(1, 3)"),
    tag: "UnexpectedRowCountError",
    says: ["more than one row", "use fetch for all of them"]
  },
  {
    mistake: "fetchOne of an INSERT without RETURNING",
    call: (pg) => pg.fetchOne("INSERT INTO notes (note) VALUES ($1)", [SECRET]),
    tag: "UnexpectedRowCountError",
    says: ["returned no row", "needs RETURNING"]
  },
  {
    mistake: "fetchValue of a column that there is not",
    call: (pg) => pg.fetchValue("SELECT id, title FROM books", [], { column: "name" }),
    tag: "DecodeError",
    says: ["no such column", "id, title"]
  }
]

export const schemas: ReadonlyArray<Mistake> = [
  {
    mistake: "an int8 through Schema.Number",
    call: (pg) => pg.fetch("SELECT pages FROM books", [], row({ pages: Schema.Number })),
    tag: "DecodeError",
    says: ['column "pages" as int8', "Schema.BigInt", "PgTypes.int8AsNumber"]
  },
  {
    mistake: "count(*) through Schema.Number",
    call: (pg) => pg.fetchOne("SELECT count(*) AS total FROM books", [], row({ total: Schema.Number })),
    tag: "DecodeError",
    says: ["count(*) is an int8", "count(*)::int"]
  },
  {
    mistake: "the value of count(*) through Schema.Number",
    call: (pg) => pg.fetchValue("SELECT count(*) FROM books", [], { value: Schema.Number }),
    tag: "DecodeError",
    says: ["Schema.BigInt", "PgTypes.int8AsNumber"]
  },
  {
    mistake: "a numeric through Schema.Number",
    call: (pg) => pg.fetchTuples(sql`SELECT price FROM books`, { row: Schema.Tuple([Schema.Number]) }),
    tag: "DecodeError",
    says: ["The client reads numeric as a string", "Schema.NumberFromString", "PgTypes.numericAsBigDecimal"]
  },
  {
    mistake: "a timestamptz through Schema.DateTimeUtc",
    call: (pg) => pg.fetch("SELECT published FROM books", [], row({ published: Schema.DateTimeUtc })),
    tag: "DecodeError",
    says: ["The client reads timestamptz as a Date", "Schema.DateTimeUtcFromDate", "PgTypes.timestamptzAsDateTime"]
  },
  {
    mistake: "a timestamptz through Schema.DateFromString",
    call: (pg) => pg.fetch("SELECT published FROM books", [], row({ published: Schema.DateFromString })),
    tag: "DecodeError",
    says: ["The client reads timestamptz as a Date", "Schema.Date"]
  },
  {
    mistake: "a timestamp through Schema.DateTimeUtcFromString",
    call: (pg) => pg.fetch("SELECT now()::timestamp AS at", [], row({ at: Schema.DateTimeUtcFromString })),
    tag: "DecodeError",
    says: ["PgTypes.timestampAsDateTime"]
  },
  {
    mistake: "a date through Schema.Date",
    call: (pg) => pg.fetch("SELECT day FROM books", [], row({ day: Schema.Date })),
    tag: "DecodeError",
    says: ["The client reads date as a string", "Schema.String"]
  },
  {
    mistake: "a bytea through Schema.String",
    call: (pg) => pg.fetch("SELECT '\\x00'::bytea AS bytes", [], row({ bytes: Schema.String })),
    tag: "DecodeError",
    says: ["Schema.Uint8Array"]
  },
  {
    mistake: "an interval through Schema.Duration",
    call: (pg) => pg.fetch("SELECT '1 day'::interval AS lent", [], row({ lent: Schema.Duration })),
    tag: "DecodeError",
    says: ["PgTypes.Interval"]
  },
  {
    mistake: "a column that can be NULL",
    call: (pg) => pg.fetch("SELECT NULL::text AS subtitle", [], row({ subtitle: Schema.String })),
    tag: "DecodeError",
    says: ["The value is NULL", "Schema.NullOr"]
  },
  {
    mistake: "an optional field for a column that can be NULL",
    call: (pg) => pg.fetch("SELECT NULL::text AS subtitle", [], row({ subtitle: Schema.optional(Schema.String) })),
    tag: "DecodeError",
    says: ["Schema.NullOr"]
  },
  {
    mistake: "a document that was stored by JSON.stringify",
    call: (pg) => pg.fetch("SELECT to_jsonb('{}'::text) AS doc", [], row({ doc: Schema.Struct({ a: Schema.Int }) })),
    tag: "DecodeError",
    says: ["The document is a JSON string", "store the value itself"]
  },
  {
    mistake: "a document that is parsed once more",
    call: (pg) => pg.fetch("SELECT '{}'::jsonb AS doc", [], row({ doc: Schema.fromJsonString(Schema.Struct({})) })),
    tag: "DecodeError",
    says: ["reads a document with JSON.parse", "without Schema.fromJsonString"]
  },
  {
    mistake: "jsonb functions on a document that was stored by JSON.stringify",
    call: (pg) => pg.fetch("SELECT jsonb_array_elements($1::jsonb)", [JSON.stringify([SECRET])]),
    tag: "InvalidParameterValueError",
    says: ["stores it as a JSON string", "Give the object itself"]
  },
  {
    mistake: "camel case for a column with an underscore",
    call: (pg) => pg.fetch("SELECT 1 AS author_id", [], row({ authorId: Schema.Int })),
    tag: "DecodeError",
    says: ["no such column", 'author_id AS "authorId"']
  },
  {
    mistake: "a misspelled column in a schema",
    call: (pg) => pg.fetch("SELECT title FROM books", [], row({ titel: Schema.String })),
    tag: "DecodeError",
    says: ["Did you mean title?"]
  },
  {
    mistake: "an array with NULLs",
    call: (pg) => pg.fetch("SELECT '{a,NULL}'::text[] AS tags", [], row({ tags: Schema.Array(Schema.String) })),
    tag: "DecodeError",
    says: ["tags", "NULL", "Schema.NullOr"]
  }
]
