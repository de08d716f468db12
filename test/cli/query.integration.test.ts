/** Tests `effectpg query` on a real server, each time as a process of its own. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { vi } from "vitest"
import { TestDatabase } from "../support/database.ts"
import { backendsOf, eventually, liveConnection, uniqueName, valueOf } from "../support/live.ts"
import { effectpg, environment, PROCESS_TIMEOUT_MILLIS, program, type RunOptions } from "./support/effectpg.ts"

vi.setConfig({ testTimeout: PROCESS_TIMEOUT_MILLIS })

const query = (args: ReadonlyArray<string>, options: RunOptions = {}) =>
  Effect.flatMap(TestDatabase, ({ url }) =>
    Effect.promise(() => effectpg(["query", ...args], { ...options, env: { DATABASE_URL: url, ...options.env } }))
  )

const inFile = (name: string, text: string): string => {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "effectpg-query-")), name)
  fs.writeFileSync(file, text)
  return file
}

const failingBehind = (table: string): string => `CREATE TABLE ${table} (n int); SELECT 1 / 0`

layer(TestDatabase.layer, { excludeTestServices: true })("effectpg query", (it) => {
  it.effect("prints a table with exact values, in which NULL, an empty text and the text NULL differ", () =>
    Effect.gen(function* () {
      const sql = `SELECT 9223372036854775807 AS big, 1.50::numeric AS price, NULL AS nothing, '' AS empty,
        'NULL' AS word, '\\x00ff'::bytea AS bytes, 'a' || chr(27) || 'b' AS escaped, E'1\\n2' AS lines`
      assert.deepStrictEqual(yield* query([sql]), {
        stdout: [
          "         big         | price | nothing | empty |  word  | bytes  | escaped | lines",
          "---------------------+-------+---------+-------+--------+--------+---------+-------",
          ' 9223372036854775807 |  1.50 | NULL    |       | "NULL" | \\x00ff | a\\x1Bb  | 1    +',
          "                     |       |         |       |        |        |         | 2",
          "(1 row)\n"
        ].join("\n"),
        stderr: "",
        exitCode: 0
      })
    })
  )

  it.effect("prints CSV that COPY reads back as it was", () =>
    Effect.gen(function* () {
      const values = `(1, NULL, 'a"b'), (2, '', E'line\\nbreak'), (3, ' x', '\\.'), (4, 'NULL', ',')`
      const { stderr, stdout } = yield* query(["--csv", `SELECT * FROM (VALUES ${values}) AS v (id, a, b) ORDER BY id`])
      assert.strictEqual(stderr, "")
      assert.strictEqual(stdout, 'id,a,b\n1,,"a""b"\n2,"","line\nbreak"\n3," x","\\."\n4,NULL,","\n')
      const connection = yield* liveConnection()
      yield* connection.execute("CREATE TABLE copied (id int, a text, b text)")
      yield* connection.copyIn({ table: "copied" }, new TextEncoder().encode(stdout), { format: "csv", header: true })
      const difference = `SELECT count(*)::int FROM copied FULL JOIN (VALUES ${values}) AS v (id, a, b) USING (id)
        WHERE copied.a IS DISTINCT FROM v.a OR copied.b IS DISTINCT FROM v.b`
      assert.strictEqual(yield* valueOf(connection, difference), 0)
    }).pipe(Effect.scoped)
  )

  it.effect("prints JSON that keeps every digit", () =>
    Effect.gen(function* () {
      yield* query(["CREATE TYPE mood AS ENUM ('calm', 'cross')"])
      const sql = `SELECT 1 AS id, 9223372036854775807 AS big, 1.50::numeric AS price, NULL AS nothing, true AS yes,
        ARRAY[ARRAY[1, 2]]::int8[] AS longs, ARRAY['calm']::mood[] AS moods, '\\x00ff'::bytea AS bytes,
        '2020-02-29 12:00:00.123456'::timestamp AS at, date 'infinity' AS day, '{"a": 1.10, "b": 12345678901234567890}'::jsonb AS doc,
        'NaN'::float8 AS nan, 0.1::float4 AS tenth, int4range(1, 5) AS range, interval '1 day' AS wait`
      const { exitCode, stderr, stdout } = yield* query(["--json", sql])
      assert.deepStrictEqual({ exitCode, stderr }, { exitCode: 0, stderr: "" })
      assert.strictEqual(
        stdout,
        '[\n  {"id": 1, "big": "9223372036854775807", "price": "1.50", "nothing": null, "yes": true, ' +
          '"longs": [["1", "2"]], "moods": ["calm"], "bytes": "\\\\x00ff", "at": "2020-02-29 12:00:00.123456", ' +
          '"day": "infinity", "doc": {"a": 1.10, "b": 12345678901234567890}, "nan": "NaN", "tenth": 0.1, ' +
          '"range": "[1,5)", "wait": "P1D"}\n]\n'
      )
    })
  )

  it.effect("refuses to lose one of two columns with the same name", () =>
    Effect.gen(function* () {
      const { exitCode, stderr, stdout } = yield* query(["--json", "SELECT 1 AS id, 2 AS id"])
      assert.deepStrictEqual({ exitCode, stdout }, { exitCode: 1, stdout: "" })
      assert.include(stderr, "Two columns are named id.")
      assert.include((yield* query(["--csv", "SELECT 1 AS id, 2 AS id"])).stdout, "id,id\n1,2\n")
    })
  )

  it.effect("shows an error of the server with a caret, and nothing of its own program", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* query(["SELECT *\n  FROM nowhere"]), {
        stdout: "",
        stderr:
          'ERROR 42P01: relation "nowhere" does not exist\n' +
          "SQL:\n  1 | SELECT *\n  2 |   FROM nowhere\n    |        ^\n",
        exitCode: 1
      })
    })
  )

  it.effect("names the file and its line in an error, after what ran before it", () =>
    Effect.gen(function* () {
      const file = inFile(
        "script.sql",
        "-- Ä comment\nSELECT 1 AS one;\n\nSELECT 'ä',\n  nothing;\nSELECT 3 AS three;\n"
      )
      const { exitCode, stderr, stdout } = yield* query(["--file", file])
      assert.strictEqual(exitCode, 1)
      assert.strictEqual(stdout, " one\n-----\n   1\n(1 row)\n")
      assert.strictEqual(stderr.split("\n")[0], `${file}:5: ERROR 42703: column "nothing" does not exist`)
      assert.include(stderr, "  5 |   nothing;\n    |   ^\n")
    })
  )

  it.effect("reads the standard input, and prints what commands did apart from rows", () =>
    Effect.gen(function* () {
      const input =
        "CREATE TEMP TABLE t (n int); INSERT INTO t VALUES (1), (2); DO $$ BEGIN RAISE NOTICE 'hello'; END $$; TABLE t"
      const ran = yield* query(["--csv"], { input })
      assert.deepStrictEqual(ran, {
        stdout: "n\n1\n2\n",
        stderr: "CREATE TABLE\nINSERT 2\nNOTICE: hello\nDO\n",
        exitCode: 0
      })
    })
  )

  it.effect("prints many rows, and ends quietly if nobody reads them to the end", () =>
    Effect.gen(function* () {
      const sql = "SELECT n, repeat('x', 20) AS x FROM generate_series(1, 200000) AS n"
      const table = yield* query([sql])
      assert.deepStrictEqual({ exitCode: table.exitCode, stderr: table.stderr }, { exitCode: 0, stderr: "" })
      assert.isTrue(table.stdout.endsWith(" 200000 | xxxxxxxxxxxxxxxxxxxx\n(200000 rows)\n"))
      const { url } = yield* TestDatabase
      const exitCode = yield* Effect.promise(
        () =>
          new Promise<number | null>((resolve) => {
            const child = spawn(process.execPath, [program, "query", "--csv", sql], {
              env: environment({ DATABASE_URL: url }),
              stdio: ["ignore", "pipe", "inherit"]
            })
            child.stdout.once("data", () => child.stdout.destroy())
            child.once("exit", resolve)
          })
      )
      assert.strictEqual(exitCode, 0)
    })
  )

  it.effect("says what to do in the place of COPY with the standard input or output", () =>
    Effect.gen(function* () {
      const { exitCode, stderr } = yield* query(["COPY (SELECT 1) TO STDOUT"])
      assert.strictEqual(exitCode, 1)
      assert.isTrue(stderr.startsWith("COPY ... FROM STDIN and TO STDOUT are not for effectpg query."), stderr)
    })
  )

  it.effect("takes values for parameters as the server reads them", () =>
    Effect.gen(function* () {
      const { stdout } = yield* query([
        "--csv",
        "SELECT $1::int + 1 AS n, $2::date AS d",
        "-p",
        "41",
        "-p",
        "2020-02-29"
      ])
      assert.strictEqual(stdout, "n,d\n42,2020-02-29\n")
      const { exitCode, stderr } = yield* query(["SELECT $1::int", "-p", "x"])
      assert.strictEqual(exitCode, 1)
      assert.include(stderr, 'ERROR 22P02: invalid input syntax for type integer: "x"')
    })
  )

  it.effect("undoes everything with --single-transaction, and keeps what succeeded without it", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* query(["--single-transaction", failingBehind("undone")])).exitCode, 1)
      assert.strictEqual((yield* query([failingBehind("kept")])).exitCode, 1)
      const { stdout } = yield* query(["--csv", "SELECT to_regclass('undone') AS undone, to_regclass('kept') AS kept"])
      assert.strictEqual(stdout, "undone,kept\n,kept\n")
    })
  )

  it.effect("connects as the variables of libpq say, and --url goes before DATABASE_URL", () =>
    Effect.gen(function* () {
      const { database, host, password, port, url, user } = yield* TestDatabase
      const env = {
        DATABASE_URL: "",
        PGHOST: host,
        PGPORT: `${port}`,
        PGUSER: user,
        PGPASSWORD: password,
        PGDATABASE: database
      }
      const sql = "SELECT current_database() AS name"
      assert.strictEqual((yield* query(["--csv", sql], { env })).stdout, `name\n${database}\n`)
      const misled = { DATABASE_URL: "postgres://127.0.0.1:1/nowhere" }
      assert.strictEqual((yield* query(["--csv", sql, "--url", url], { env: misled })).stdout, `name\n${database}\n`)
      const { exitCode, stderr } = yield* query([sql], { env: misled })
      assert.deepStrictEqual(
        { exitCode, stderr },
        { exitCode: 1, stderr: "cannot connect to 127.0.0.1:1, tcp: ECONNREFUSED\n" }
      )
    })
  )

  it.effect("answers a wrong call in a line or two, and exits with 2", () =>
    Effect.gen(function* () {
      const calls: ReadonlyArray<readonly [ReadonlyArray<string>, string]> = [
        [["--csv", "--json", "SELECT 1"], "--csv and --json exclude each other.\n"],
        [["--", ""], "There is no SQL to run.\n"],
        [["SELECT 1; SELECT 2", "-p", "1"], "--param is for one statement, and there are several.\n"],
        [
          ["--nope"],
          "Unrecognized flag: --nope in command effectpg query\neffectpg query --help tells how to call it.\n"
        ],
        [["--file", "/nowhere.sql"], "/nowhere.sql: "],
        [["--url", "mysql://localhost", "SELECT 1"], "url: must begin with postgres://"]
      ]
      for (const [args, message] of calls) {
        const { exitCode, stderr, stdout } = yield* query(args)
        assert.deepStrictEqual({ exitCode, stdout }, { exitCode: 2, stdout: "" }, args.join(" "))
        assert.isTrue(stderr.startsWith(message), stderr)
        assert.notInclude(stderr, "    at ")
      }
    })
  )

  it.effect("cancels its statement on the server if it is interrupted", () =>
    Effect.gen(function* () {
      const { url } = yield* TestDatabase
      const name = uniqueName()
      const observer = yield* liveConnection()
      const running = spawn(process.execPath, [program, "query", "SELECT pg_sleep(60)"], {
        env: environment({ DATABASE_URL: url, PGAPPNAME: name }),
        stdio: "ignore"
      })
      const exited = new Promise((resolve) => running.once("exit", (code) => resolve(code)))
      yield* eventually(backendsOf(observer, name), 1, PROCESS_TIMEOUT_MILLIS)
      running.kill("SIGINT")
      assert.strictEqual(yield* Effect.promise(() => exited), 130)
      yield* eventually(backendsOf(observer, name), 0)
    }).pipe(Effect.scoped)
  )
})
