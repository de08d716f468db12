/** Statements and values that would have no effect where a newcomer writes them. */
import * as PgSql from "../../src/PgSql.ts"
import type { Mistake } from "./mistake.ts"

const { sql } = PgSql

export const silence: ReadonlyArray<Mistake> = [
  {
    mistake: "a value that is undefined",
    call: (pg) => pg.fetch("SELECT * FROM books WHERE title = $1", [undefined]),
    tag: "EncodeError",
    says: ["parameter $1", "is undefined", "use null"]
  },
  {
    mistake: "a value of a template that is undefined",
    call: (pg) => pg.execute(sql`UPDATE books SET title = ${undefined} WHERE id = ${4711}`),
    tag: "EncodeError",
    says: ["parameter $1", "use null"]
  },
  { mistake: "BEGIN on a pool", call: (pg) => pg.execute("BEGIN"), tag: "UnsupportedError", says: ["withTransaction"] },
  {
    mistake: "COMMIT on a pool",
    call: (pg) => pg.execute("COMMIT"),
    tag: "UnsupportedError",
    says: ["withTransaction"]
  },
  {
    mistake: "ROLLBACK on a pool",
    call: (pg) => pg.execute("ROLLBACK"),
    tag: "UnsupportedError",
    says: ["withTransaction"]
  },
  {
    mistake: "SET on a pool",
    call: (pg) => pg.execute("SET search_path = public"),
    tag: "UnsupportedError",
    says: ['"settings"', "withConnection"]
  },
  {
    mistake: "LISTEN on a pool",
    call: (pg) => pg.execute("LISTEN books"),
    tag: "UnsupportedError",
    says: ["call listen"]
  },
  {
    mistake: "DECLARE on a pool",
    call: (pg) => pg.execute("DECLARE c CURSOR FOR SELECT 1"),
    tag: "UnsupportedError",
    says: ["cursor or stream"]
  },
  {
    mistake: "LOCK on a pool",
    call: (pg) => pg.execute("LOCK books"),
    tag: "UnsupportedError",
    says: ["withTransaction"]
  }
]
