/** Compares where an SQL file is cut with how many statements the server finds in the same text. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { splitStatements } from "../../src/migrator/splitStatements.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, liveConnection } from "../support/live.ts"

const TEXTS = [
  "SELECT ';', 'it''s;', E'\\';', '\\', U&'\\0041;', B'01', X'1f', N';' ; SELECT 2",
  "SELECT 'a' -- ;\n ';b'; SELECT 'a;' /* ; */ AS \";\"\"\"; ;; ;",
  "SELECT /* ; /* ; */ '; */ 1 -- ';\n; /* ' */ SELECT $$;'$$, $a$;$$;$a$, $ä$;$ä$",
  'CREATE TABLE t (a int4, "end" int4); CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2); DROP TABLE t',
  "CREATE FUNCTION f(a int4) RETURNS int4 BEGIN ATOMIC SELECT 1; SELECT CASE WHEN $1 = 1 THEN 2 ELSE 3 END; END; SELECT f(1)",
  "CREATE PROCEDURE p() LANGUAGE SQL BEGIN ATOMIC SELECT (CASE WHEN true THEN 1 END); SELECT t.end FROM (SELECT 1 AS end) t; END; CALL p()",
  "CREATE FUNCTION g() RETURNS int4 LANGUAGE plpgsql AS $$ BEGIN IF true THEN RETURN 1; END IF; END $$; DO $x$BEGIN END$x$",
  "CREATE FUNCTION begin(atomic int4) RETURNS int4 RETURN atomic; SELECT begin (1) AS atomic; SELECT 1 AS begin, 2 AS atomic",
  "SELECT a$b$c FROM (SELECT 1 AS a$b$c) AS t; SELECT 'b$'"
]

layer(TestDatabase.layer, { excludeTestServices: true })("an SQL text", (it) => {
  for (const text of TEXTS) {
    it.effect(`has as many statements for us as for the server, which runs them one by one too: ${text}`, () =>
      Effect.gen(function* () {
        const connection = yield* liveConnection()
        const statements = splitStatements(text)
        yield* connection.execute("BEGIN")
        assert.lengthOf(yield* connection.executeScript(text), statements.length)
        yield* connection.execute("ROLLBACK")
        for (const { sql } of statements) yield* connection.execute(sql)
        yield* assertHealthy(connection)
      })
    )
  }
})
