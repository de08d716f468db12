/**
 * Tests COPY in its four forms on a real server: what goes in comes out, and a COPY that fails leaves nothing half
 * done.
 */
import { assert, layer } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { Buffer } from "node:buffer"
import { inspect } from "node:util"
import { inject } from "vitest"
import type * as PgConfig from "../src/PgConfig.ts"
import type * as PgConnection from "../src/PgConnection.ts"
import type * as PgCopy from "../src/PgCopy.ts"
import type * as PgError from "../src/PgError.ts"
import { sql } from "../src/PgSql.ts"
import { literal, PgInterval, PgRange, PgTimestamp } from "../src/PgTypes.ts"
import { TestDatabase } from "./support/database.ts"
import { assertHealthy, eventually, liveConnection, livePool, refusalOf, valueOf } from "./support/live.ts"

const connected = liveConnection()

const bytesOf = (text: string): Uint8Array => Buffer.from(text)

const textOf = (stream: Stream.Stream<Uint8Array, PgError.PgError>) => Stream.mkString(Stream.decodeText(stream))

const columnsOf = (connection: PgConnection.Queryable, table: string) =>
  Effect.map(connection.fetchTuples(`SELECT * FROM ${table} ORDER BY 1`), (rows) => rows)

const count = (connection: PgConnection.Queryable, table: string) =>
  valueOf(connection, `SELECT count(*)::int4 FROM ${table}`)

layer(TestDatabase.layer, { excludeTestServices: true })("copyIn and copyOut", (it) => {
  it.effect("CP-1, CP-3: copy a table out and in, in every format", () =>
    Effect.gen(function* () {
      const connection = yield* connected
      yield* connection.executeScript(`
        CREATE TEMPORARY TABLE a (id int4, "Na me" text, amount numeric);
        INSERT INTO a VALUES (1, E'tab\\tquote"line\\n', 1.50), (2, NULL, NULL), (3, '', 'NaN');
        CREATE TEMPORARY TABLE b (LIKE a);
      `)
      const formats: ReadonlyArray<PgCopy.OutOptions & PgCopy.InOptions> = [
        {},
        { format: "text", delimiter: "|", null: "nil" },
        { format: "csv" },
        { format: "csv", delimiter: ";", quote: "'", escape: "\\", null: "nil", header: true },
        { format: "binary" }
      ]
      for (const format of formats) {
        yield* connection.execute("TRUNCATE b")
        const result = yield* connection
          .copyIn({ table: "b" }, connection.copyOut({ table: "a" }, format), format)
          .pipe(
            Effect.flip,
            Effect.orElseSucceed(() => undefined)
          )
        // A COPY cannot be fed by another COPY on the same connection.
        assert.strictEqual(result?._tag, "UnsupportedError")
        const bytes = yield* Stream.runCollect(connection.copyOut({ table: "a" }, format))
        assert.deepStrictEqual(yield* connection.copyIn({ table: "b" }, bytes, format), { rowCount: 3 })
        assert.deepStrictEqual(yield* columnsOf(connection, "b"), yield* columnsOf(connection, "a"))
      }
    })
  )

  it.effect("copy some columns of a table in a schema, whatever their names are", () =>
    Effect.gen(function* () {
      const connection = yield* connected
      yield* connection.executeScript(`
        CREATE SCHEMA "Sch ""ema";
        CREATE TABLE "Sch ""ema"."Select" (id serial, "a""b" text, "from" int4)
      `)
      const table = { schema: 'Sch "ema', table: "Select", columns: ["from", 'a"b'] }
      assert.deepStrictEqual(yield* connection.copyIn(table, bytesOf("7\tx\n")), { rowCount: 1 })
      assert.deepStrictEqual(yield* connection.copyInRows(table, [[8, "y"]]), { rowCount: 1 })
      assert.strictEqual(yield* textOf(connection.copyOut(table)), "7\tx\n8\ty\n")
      assert.deepStrictEqual(yield* Stream.runCollect(connection.copyOutRows(table)), [
        { from: 7, 'a"b': "x" },
        { from: 8, 'a"b': "y" }
      ])
    })
  )

  it.effect("take bytes as one array, as an iterable and as a stream, however they are cut", () =>
    Effect.gen(function* () {
      const connection = yield* connected
      yield* connection.execute("CREATE TEMPORARY TABLE cut (n int4)")
      const table = { table: "cut" }
      const bytes = bytesOf(Array.from({ length: 50_000 }, (_, n) => `${n}\n`).join(""))
      const halves = [bytes.subarray(0, 99_999), new Uint8Array(), bytes.subarray(99_999)]
      for (const source of [bytes, halves, Stream.fromIterable(halves)]) {
        assert.deepStrictEqual(yield* connection.copyIn(table, source), { rowCount: 50_000 })
      }
      assert.deepStrictEqual(yield* connection.copyIn(table, []), { rowCount: 0 })
      assert.strictEqual(yield* valueOf(connection, "SELECT sum(n)::int8 FROM cut"), 3_749_925_000n)
    })
  )

  it.effect("have the options of COPY", () =>
    Effect.gen(function* () {
      const connection = yield* connected
      yield* connection.execute("CREATE TEMPORARY TABLE options (id int4, a text, b text)")
      const table = { table: "options" }
      yield* connection.copyIn(table, bytesOf('id,a,b\n1,,"nil"\n2,x,nil\n'), {
        format: "csv",
        // PostgreSQL compares the names of the columns since version 15, and skips them before.
        header: connection.serverVersion.major >= 15 ? "match" : true,
        null: "nil",
        forceNotNull: ["a"],
        forceNull: ["b"],
        where: "id < 3"
      })
      assert.deepStrictEqual(yield* columnsOf(connection, "options"), [
        [1, "", null],
        [2, "x", null]
      ])
      assert.strictEqual(
        yield* textOf(connection.copyOut(table, { format: "csv", header: true, forceQuote: ["a"], null: "-" })),
        'id,a,b\n1,"",-\n2,"x",-\n'
      )
      yield* connection.copyIn(table, Uint8Array.of(0x33, 0x09, 0xe9, 0x09, 0x78, 0x0a), { encoding: "LATIN1" })
      assert.strictEqual(yield* valueOf(connection, "SELECT a FROM options WHERE id = 3"), "é")
      assert.strictEqual(
        Buffer.concat(
          yield* Stream.runCollect(
            connection.copyOut({ query: "SELECT a FROM options WHERE id = 3" }, { encoding: "LATIN1" })
          )
        ).toString("hex"),
        "e90a"
      )
      yield* connection.withTransaction(
        Effect.gen(function* () {
          yield* connection.execute("TRUNCATE options")
          yield* connection.copyIn(table, bytesOf("4\tx\ty\n"), { freeze: true })
        })
      )
      assert.strictEqual(yield* count(connection, "options"), 1)
    })
  )

  it.effect("have the options of PostgreSQL 15, 16 and 17, or say which version has them", () =>
    Effect.gen(function* () {
      const connection = yield* connected
      yield* connection.execute("CREATE TEMPORARY TABLE newer (id int4 DEFAULT 42, a text)")
      const attempt = (major: number, data: string, options: PgCopy.InOptions) =>
        connection.serverVersion.major >= major
          ? connection.copyIn({ table: "newer" }, bytesOf(data), options)
          : Effect.map(refusalOf(connection.copyIn({ table: "newer" }, bytesOf(data), options)), ({ _tag }) => {
              assert.strictEqual(_tag, "UnsupportedError")
              return { rowCount: 1 }
            })
      assert.deepStrictEqual(yield* attempt(15, "id\ta\n1\tx\n", { header: "match" }), { rowCount: 1 })
      assert.deepStrictEqual(yield* attempt(16, "\\D\tx\n", { default: "\\D" }), { rowCount: 1 })
      assert.deepStrictEqual(yield* attempt(17, "1\tx\nno\ty\n", { onError: "ignore" }), { rowCount: 1 })
      yield* assertHealthy(connection)
    })
  )

  it.effect("refuse an unknown option before anything is sent", () =>
    Effect.gen(function* () {
      const connection = yield* connected
      const options: PgCopy.OutOptions = Object.assign({ delimiter: "," }, { forcequote: "*" })
      const error = yield* refusalOf(Stream.runDrain(connection.copyOut({ table: "nowhere" }, options)))
      assert.strictEqual(error._tag, "InvalidConfigError")
      assert.include(error.message, "forceQuote")
    })
  )

  it.effect("fail with the server's error if the table does not exist", () =>
    Effect.gen(function* () {
      const connection = yield* connected
      const table = { table: "nowhere" }
      for (const copy of [
        connection.copyIn(table, []),
        connection.copyInRows(table, []),
        connection.copyInRows(table, [{ a: 1 }]),
        Stream.runDrain(connection.copyOut(table)),
        Stream.runDrain(connection.copyOutRows(table))
      ]) {
        assert.strictEqual((yield* refusalOf(copy))._tag, "UndefinedTableError")
      }
      yield* assertHealthy(connection)
    })
  )

  it.effect("CP-2, H15: copy the rows of a query with parameters, even if a string of it looks like a parameter", () =>
    Effect.gen(function* () {
      const connection = yield* connected
      const query = `SELECT $1::int4 AS a, '$1' AS b, $$ $2 $$ AS c, $2 || $3::text AS d, "$1" AS e -- $1
        FROM (SELECT 5 AS "$1") AS s WHERE $4::timestamptz < now() AND $5::bpchar = 'long' AND $6::bytea IS NOT NULL`
      const params = [7, "it's \\ $3", null, new Date(0), "long", Uint8Array.of(0, 92, 39, 255)]
      const source = { query, params }
      assert.strictEqual(yield* textOf(connection.copyOut(source, { format: "csv" })), "7,$1, $2 ,,5\n")
      assert.deepStrictEqual(
        yield* Stream.runCollect(connection.copyOutRows(source)),
        yield* connection.fetch(query, params)
      )
      yield* connection.execute("SET standard_conforming_strings = off")
      yield* connection.execute("SET escape_string_warning = off")
      const other = { query: "SELECT '\\'$1' AS a, $1::text AS b", params: ["\\'"] }
      assert.deepStrictEqual(yield* Stream.runCollect(connection.copyOutRows(other)), [{ a: "'$1", b: "\\'" }])
    })
  )

  it.effect("copy the rows of a template, whose values are literals", () =>
    Effect.gen(function* () {
      const connection = yield* connected
      const query = sql`SELECT n, ${"it's $1"}::text AS t FROM generate_series(1, 3) AS n WHERE n ${sql.in([1, 3])}`
      assert.strictEqual(yield* textOf(connection.copyOut({ query }, { format: "csv" })), "1,it's $1\n3,it's $1\n")
      assert.deepStrictEqual(
        yield* Stream.runCollect(connection.copyOutRows({ query })),
        yield* connection.fetch(query)
      )
      assert.strictEqual(yield* textOf(connection.copyOut({ query: sql`SELECT 7` })), "7\n")
      const faulty = yield* refusalOf(Stream.runDrain(connection.copyOut({ query: sql`SELECT ${sql.id("")}` })))
      assert.strictEqual(faulty._tag, "EncodeError")
      assert.include(faulty.message, "identifier is empty")
      yield* assertHealthy(connection)
    })
  )

  it.effect("say how many parameters a query has, and which one cannot be sent", () =>
    Effect.gen(function* () {
      const connection = yield* connected
      const copyOut = (query: string, params: ReadonlyArray<unknown>) =>
        refusalOf(Stream.runDrain(connection.copyOut({ query, params })))
      const miscounted = yield* copyOut("SELECT $1::int4", [1, 2])
      assert.strictEqual(miscounted._tag, "ParameterCountError")
      const misfit = yield* copyOut("SELECT $1::int4", [{}])
      assert.strictEqual(misfit._tag, "EncodeError")
      assert.strictEqual((yield* copyOut("SELECT $1", []))._tag, "UndefinedParameterError")
      yield* assertHealthy(connection)
    })
  )

  it.effect("do not show the values of a query's parameters", () =>
    Effect.gen(function* () {
      const events: Array<PgConfig.QueryEvent> = []
      const onQuery = (event: PgConfig.QueryEvent) => Effect.sync(() => void events.push(event))
      const connection = yield* liveConnection({ onQuery })
      const source = { query: "SELECT $1::text AS a, 1 / $2::int4 AS b", params: ["a secret", 0] }
      for (const [operation, call] of [
        ["copyOut", Stream.runDrain(connection.copyOut(source))],
        ["copyOutRows", Stream.runDrain(connection.copyOutRows(source))]
      ] as const) {
        const error = yield* refusalOf(call)
        if (error._tag !== "DivisionByZeroError") return assert.fail(String(error))
        assert.include(error.sql, source.query)
        for (const shown of [inspect(error), JSON.stringify(error), String(error)]) assert.notInclude(shown, "a secret")
        assert.include(events.find((event) => event.operation === operation)?.sql, source.query)
      }
      for (const { sql } of events) assert.notInclude(sql, "a secret")
      const early = yield* refusalOf(
        Stream.runDrain(connection.copyOutRows({ query: "UPDATE nowhere SET a = $1", params: ["a secret"] }))
      )
      assert.notInclude(inspect(early), "a secret")
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("copy what a command returns", () =>
    Effect.gen(function* () {
      const connection = yield* connected
      yield* connection.execute("CREATE TEMPORARY TABLE moved AS SELECT n FROM generate_series(1, 3) AS n")
      const source = { query: "DELETE FROM moved WHERE n > $1 RETURNING n", params: [1] }
      assert.deepStrictEqual(yield* Stream.runCollect(connection.copyOutRows(source)), [{ n: 2 }, { n: 3 }])
      assert.strictEqual(yield* count(connection, "moved"), 1)
      const error = yield* refusalOf(Stream.runDrain(connection.copyOutRows({ query: "DELETE FROM moved" })))
      assert.strictEqual(error._tag, "UnsupportedError")
    })
  )
})

/** Values of many types: a column for each, and how the server shows what was written. */
const values: ReadonlyArray<readonly [type: string, value: unknown]> = [
  ["bool", true],
  ["int2", -3],
  ["int8", 9_007_199_254_740_993n],
  ["numeric", "12345.67890"],
  ["float8", 0.1],
  ["text", 'a"b\\c\n\t,'],
  ["varchar(9)", ""],
  ["bytea", Uint8Array.of(0, 34, 92, 255)],
  ["uuid", "01234567-89ab-cdef-0123-456789abcdef"],
  ["date", "2024-02-29"],
  ["timestamptz", new Date("2024-02-29T12:34:56.789Z")],
  ["timestamp", new PgTimestamp(Date.UTC(2024, 1, 29), 123)],
  ["interval", new PgInterval({ months: 1, days: 2, microseconds: 3n })],
  ["jsonb", { a: [1, null, 'x"'] }],
  ["json", []],
  ["int4[]", [1, null, 3]],
  ["text[]", ['a"b', "", null]],
  ["inet", "10.0.0.1/8"],
  ["int4range", new PgRange({ lower: 1, upper: 5 })],
  ["mood", "so so"],
  ["pair", { x: 1, y: "z" }],
  ["positive", 5],
  ["money", "$1.50"],
  ["macaddr", "08:00:2b:01:02:03"],
  ["regclass", "pg_class"]
]

/** Stands for a value of a type whose usual form only the server can read. */
const binaryForms: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ["money", 150n],
  ["regclass", 1259]
])

const inserted = (connection: PgConnection.PgConnection) => {
  const places = values.map((_, index) => `$${index + 1}`)
  return connection.execute(
    `INSERT INTO typed VALUES (${places.join(", ")})`,
    values.map(([, value]) => value)
  )
}

layer(TestDatabase.layer, { excludeTestServices: true })("copyInRows and copyOutRows", (it) => {
  const typed = Effect.gen(function* () {
    const connection = yield* connected
    yield* connection
      .executeScript(`
      CREATE TYPE mood AS ENUM ('sad', 'so so', 'fine');
      CREATE TYPE pair AS (x int4, y text);
      CREATE DOMAIN positive AS int4 CHECK (VALUE > 0)
    `)
      .pipe(Effect.catchTag("DuplicateObjectError", () => Effect.void))
    const columns = values.map(([type], index) => `c${index} ${type}`)
    yield* connection.execute(`CREATE TEMPORARY TABLE typed (${columns.join(", ")})`)
    return connection
  })
  for (const format of ["binary", "csv"] as const) {
    it.effect(`CP-4, H23: write as ${format} what INSERT writes, of every type`, () =>
      Effect.gen(function* () {
        const connection = yield* typed
        yield* inserted(connection)
        const form = format === "binary" ? binaryForms : new Map()
        const rows = [values.map(([type, value]) => form.get(type) ?? value), values.map(() => null)]
        assert.deepStrictEqual(yield* connection.copyInRows({ table: "typed" }, rows, { format }), { rowCount: 2 })
        assert.strictEqual(yield* valueOf(connection, "SELECT count(DISTINCT typed::text)::int4 FROM typed"), 2)
        assert.strictEqual(yield* valueOf(connection, "SELECT count(*)::int4 FROM typed WHERE c0 IS NULL"), 1)
      })
    )
  }

  it.effect("read what fetch reads, of every type", () =>
    Effect.gen(function* () {
      const connection = yield* typed
      yield* inserted(connection)
      yield* connection.execute("INSERT INTO typed DEFAULT VALUES")
      assert.deepStrictEqual(
        yield* Stream.runCollect(connection.copyOutRows({ table: "typed" })),
        yield* connection.fetch("SELECT * FROM typed")
      )
    })
  )

  it.effect("H23: take types that have no binary form, both ways", () =>
    Effect.gen(function* () {
      const connection = yield* connected
      yield* connection.execute("CREATE TEMPORARY TABLE textual (id int4, rights aclitem, all_rights aclitem[])")
      const rights = "postgres=r/postgres"
      const result = yield* connection.copyInRows({ table: "textual" }, [
        [1, rights, `{${rights}}`],
        [2, null, null]
      ])
      assert.deepStrictEqual(result, { rowCount: 2 })
      const rows = yield* connection.fetch("SELECT * FROM textual")
      assert.strictEqual(rows[0]?.["rights"], rights)
      assert.deepStrictEqual(yield* Stream.runCollect(connection.copyOutRows({ table: "textual" })), rows)
    })
  )

  it.effect("take strings that only the server can read, if the first row has one or CSV is asked for", () =>
    Effect.gen(function* () {
      const connection = yield* connected
      yield* connection.execute("CREATE TEMPORARY TABLE stringy (at timestamptz, doc jsonb)")
      const table = { table: "stringy" }
      yield* connection.copyInRows(table, [
        ["2024-02-29 12:00+00", literal('{"a": 1}')],
        [new Date("2024-02-29T12:00:00Z"), { a: 1 }]
      ])
      assert.strictEqual(yield* valueOf(connection, "SELECT count(DISTINCT stringy)::int4 FROM stringy"), 1)
      const late = [
        [new Date(0), null],
        ["yesterday", null]
      ]
      const error = yield* refusalOf(connection.copyInRows(table, late))
      assert.include(error.message, 'column "at" of row 2 as timestamptz')
      assert.include(error.message, 'set format: "csv" to send strings')
      assert.notInclude(error.message, "yesterday")
      assert.deepStrictEqual(yield* connection.copyInRows(table, late, { format: "csv" }), { rowCount: 2 })
    })
  )

  it.effect("escape texts that have a meaning in CSV", () =>
    Effect.gen(function* () {
      const connection = yield* connected
      yield* connection.execute("CREATE TEMPORARY TABLE texts (a text)")
      const texts = [null, "", "\\.", "x\n\\.\ny", '"', ",", "\\N", "NULL", "\r\n", "é🙂"]
      yield* connection.copyInRows(
        { table: "texts" },
        texts.map((text) => [text]),
        { format: "csv" }
      )
      assert.deepStrictEqual(
        (yield* connection.fetchTuples("SELECT a FROM texts")).map(([text]) => text),
        texts
      )
    })
  )

  it.effect("write objects to the columns that the first one names, and arrays to all writable columns", () =>
    Effect.gen(function* () {
      const connection = yield* connected
      yield* connection.executeScript(`
        CREATE TEMPORARY TABLE shapes (id serial, gone int4, a text, twice int4 GENERATED ALWAYS AS (length(a) * 2) STORED, b int4);
        ALTER TABLE shapes DROP COLUMN gone
      `)
      const table = { table: "shapes" }
      yield* connection.copyInRows(table, [
        { b: 1, a: "x" },
        { a: null, b: null }
      ])
      yield* connection.copyInRows(table, [[10, "yy", 2]])
      yield* connection.copyInRows({ ...table, columns: ["a"] }, [{ a: "z", other: true }, ["zz"]])
      assert.deepStrictEqual(yield* columnsOf(connection, "shapes"), [
        [1, "x", 2, 1],
        [2, null, null, null],
        [3, "z", 2, null],
        [4, "zz", 4, null],
        [10, "yy", 4, 2]
      ])
      assert.deepStrictEqual(yield* connection.copyInRows(table, []), { rowCount: 0 })
    })
  )

  const refused: ReadonlyArray<readonly [string, ReadonlyArray<PgCopy.InputRow>, string]> = [
    [
      "a value of the wrong type",
      [
        [1, "a"],
        [2, 3n]
      ],
      'column "b" of row 2 as text: text takes'
    ],
    ["too few values", [[1, "a"], [2]], "row 2: the row has 1 values for 2 columns"],
    ["too many values", [[1, "a", true]], "row 1: the row has 3 values for 2 columns"],
    ["a property that is missing", [{ a: 1, b: "a" }, { a: 1 }], 'row 2: the row has no property "b"'],
    [
      "a property too many",
      [{ a: 1 }, { a: 1, c: 2 }],
      "row 2: the row has properties that the first row does not have: c"
    ],
    ["a row that is none", [[1, "a"], Object(1)], 'row 2: the row has no property "a"']
  ]
  for (const [what, rows, reason] of refused) {
    it.effect(`H13: refuse ${what}, name the row, and keep nothing`, () =>
      Effect.gen(function* () {
        const connection = yield* connected
        yield* connection.execute("CREATE TEMPORARY TABLE strict (a int4, b text)")
        const error = yield* refusalOf(connection.copyInRows({ table: "strict" }, rows))
        assert.strictEqual(error._tag, "EncodeError")
        assert.include(error.message, reason)
        assert.strictEqual(yield* count(connection, "strict"), 0)
        yield* assertHealthy(connection)
      })
    )
  }

  it.effect("tell the number of the row and the name of the column", () =>
    Effect.gen(function* () {
      const connection = yield* connected
      yield* connection.execute("CREATE TEMPORARY TABLE told (a int4, b int2)")
      const rows = Stream.map(Stream.range(1, 100_000), (n) => [n, n === 70_000 ? 100_000 : 1])
      const error = yield* refusalOf(connection.copyInRows({ table: "told" }, rows))
      if (error._tag !== "EncodeError") return assert.fail(error._tag)
      assert.deepInclude({ ...error }, { row: 70_000, parameter: 2, column: "b", type: "int2" })
    })
  )

  it.effect("see the columns as they are now, even if they have changed", () =>
    Effect.gen(function* () {
      const connection = yield* connected
      const table = { table: "altered" }
      yield* connection.execute("CREATE TEMPORARY TABLE altered (a timestamp)")
      const noon = new Date("2024-02-29T12:00:00Z")
      yield* connection.copyInRows(table, [[noon]])
      yield* connection.execute("ALTER TABLE altered ALTER a TYPE float8 USING 0.5")
      yield* connection.copyInRows(table, [[1.5]])
      assert.deepStrictEqual(yield* Stream.runCollect(connection.copyOutRows(table)), [{ a: 0.5 }, { a: 1.5 }])
    })
  )

  it.effect("fail with a DecodeError if only the data shows an unknown type, and the connection goes on", () =>
    Effect.gen(function* () {
      const connection = yield* connected
      yield* connection.execute("CREATE TYPE hue AS ENUM ('red')")
      const query =
        "SELECT CASE WHEN n < 3 THEN ROW(n) ELSE ROW('red'::hue) END AS r FROM generate_series(1, 100000) AS n"
      const rows: Array<unknown> = []
      const error = yield* refusalOf(
        Stream.runForEach(connection.copyOutRows({ query }), (row) => Effect.sync(() => rows.push(row)))
      )
      assert.strictEqual(error._tag, "DecodeError")
      assert.include(error.message, '"r"')
      assert.deepStrictEqual(rows, [{ r: [1] }, { r: [2] }])
      yield* assertHealthy(connection)
    })
  )
})

const MANY = 300_000

class SourceFailed extends Error {}

const assertNothingDone = (connection: PgConnection.PgConnection) =>
  Effect.gen(function* () {
    assert.strictEqual(yield* count(connection, "kept"), 0)
    yield* assertHealthy(connection)
  })

layer(TestDatabase.layer, { excludeTestServices: true })("a COPY that fails", (it) => {
  const prepared = Effect.gen(function* () {
    const connection = yield* connected
    yield* connection.execute("CREATE TEMPORARY TABLE kept (n int4 CHECK (n <> 1000))")
    return connection
  })
  const table = { table: "kept" }
  it.effect("CP-6: undoes everything if its source fails, and fails with the failure of the source", () =>
    Effect.gen(function* () {
      const connection = yield* prepared
      const failure = new SourceFailed("no more")
      const rows = Stream.concat(
        Stream.map(Stream.range(2_000, 9_000), (n) => [n]),
        Stream.fail(failure)
      )
      assert.strictEqual(yield* Effect.flip(connection.copyInRows(table, rows)), failure)
      yield* assertNothingDone(connection)
      const bytes = Stream.concat(Stream.make(bytesOf("1\n2\n")), Stream.fail(failure))
      assert.strictEqual(yield* Effect.flip(connection.copyIn(table, bytes)), failure)
      yield* assertNothingDone(connection)
    })
  )

  it.effect("undoes everything if its source throws or is interrupted, and passes that on", () =>
    Effect.gen(function* () {
      const connection = yield* prepared
      const defect = new Error("a bug")
      const throwing = (function* () {
        yield [1]
        throw defect
      })()
      const refusal = yield* Effect.flip(connection.copyInRows(table, throwing))
      assert.strictEqual(refusal._tag === "EncodeError" && refusal.thrown, defect)
      const rows = Stream.concat(Stream.make([1]), Stream.fromEffect(Effect.interrupt))
      const interrupted = yield* Effect.exit(connection.copyInRows(table, rows))
      assert.isTrue(Exit.isFailure(interrupted) && Cause.hasInterruptsOnly(interrupted.cause))
      yield* assertNothingDone(connection)
    })
  )

  for (const kind of ["an iterable", "a stream"] as const) {
    it.effect(`H12: takes little more of ${kind} once the server has failed`, () =>
      Effect.gen(function* () {
        const connection = yield* prepared
        let pulled = 0
        let isClosed = false
        const generated = (function* () {
          try {
            for (let n = 1; n <= MANY * 10; n++) {
              pulled++
              yield [n]
            }
          } finally {
            isClosed = true
          }
        })()
        const rows = kind === "a stream" ? Stream.fromIterable(generated, { chunkSize: 100 }) : generated
        const error = yield* refusalOf(connection.copyInRows(table, rows))
        assert.strictEqual(error._tag, "CheckViolationError")
        // This is what the buffers of two sockets hold, at 10 bytes a row.
        assert.isBelow(pulled, MANY * 5)
        if (kind === "an iterable") assert.isTrue(isClosed)
        yield* assertNothingDone(connection)
      })
    )
  }

  it.effect("interrupts a source that sleeps once the server has failed", () =>
    Effect.gen(function* () {
      const connection = yield* prepared
      const padding = Array.from({ length: 20_000 }, (_, n) => [n + 500])
      const rows = Stream.concat(Stream.fromIterable(padding), Stream.never)
      assert.strictEqual((yield* refusalOf(connection.copyInRows(table, rows)))._tag, "CheckViolationError")
      yield* assertNothingDone(connection)
    })
  )

  it.effect("CP-6: undoes everything at once if it is interrupted, and leaves the connection usable", () =>
    Effect.gen(function* () {
      const connection = yield* prepared
      const endless = Stream.map(Stream.forever(Stream.range(2_000, 3_000)), (n) => [n])
      for (const rows of [endless, Stream.concat(Stream.make([1]), Stream.never)]) {
        const began = performance.now()
        const copying = connection.copyInRows(table, rows)
        assert.isTrue((yield* Effect.timeoutOption(copying, "100 millis"))._tag === "None")
        assert.isBelow(performance.now() - began, 2_000)
        yield* assertNothingDone(connection)
      }
    })
  )

  it.effect("costs no more than its savepoint inside a transaction", () =>
    Effect.gen(function* () {
      const connection = yield* prepared
      yield* connection.withTransaction(
        Effect.gen(function* () {
          yield* connection.copyInRows(table, [[1], [2]])
          const bad = connection.copyInRows(table, [[3], ["x"]], { format: "binary" })
          assert.strictEqual((yield* refusalOf(connection.withTransaction(bad)))._tag, "EncodeError")
          const late = connection.copyInRows(table, Stream.never)
          yield* Effect.timeoutOption(connection.withTransaction(late), "50 millis")
          const early = Stream.runDrain(
            Stream.take(connection.copyOut({ query: "SELECT generate_series(1, 10000000)" }), 1)
          )
          // A COPY that is canceled fails the transaction that it is in.
          const error = yield* refusalOf(connection.withTransaction(early))
          assert.strictEqual(error._tag, "TransactionRolledBackError")
          yield* connection.copyInRows(table, [[4]])
        })
      )
      assert.strictEqual(yield* count(connection, "kept"), 3)
    })
  )

  it.effect("refuses a statement that its own source waits for, instead of hanging", () =>
    Effect.gen(function* () {
      const connection = yield* prepared
      const asking = Stream.mapEffect(Stream.range(2_000, 90_000), (n) =>
        Effect.as(connection.execute("SELECT 1"), [n])
      )
      const beginning = Stream.mapEffect(Stream.range(2_000, 90_000), (n) =>
        Effect.as(connection.withTransaction(Effect.void), [n])
      )
      for (const rows of [asking, beginning]) {
        assert.strictEqual((yield* refusalOf(connection.copyInRows(table, rows)))._tag, "UnsupportedError")
        yield* assertNothingDone(connection)
      }
      const rows = connection.copyOut({ query: "SELECT generate_series(1, 100000)" })
      const error = yield* refusalOf(Stream.runForEach(rows, () => connection.execute("SELECT 1")))
      assert.strictEqual(error._tag, "UnsupportedError")
      yield* assertNothingDone(connection)
    })
  )

  it.effect("lets the statements of other fibers run afterwards", () =>
    Effect.gen(function* () {
      const connection = yield* prepared
      const begun = yield* Deferred.make<void>()
      const other = yield* Effect.forkChild(Effect.andThen(Deferred.await(begun), count(connection, "kept")))
      const second = Effect.as(Effect.andThen(Deferred.succeed(begun, undefined), Effect.sleep(100)), [2])
      const rows = Stream.concat(Stream.make([1]), Stream.fromEffect(second))
      yield* connection.copyInRows(table, rows)
      assert.strictEqual(yield* Fiber.join(other), 2)
    })
  )
})

layer(TestDatabase.layer, { excludeTestServices: true })("a reader of a COPY", (it) => {
  const long = { query: "SELECT n, repeat('x', 100) AS filler FROM generate_series(1, 200000) AS n" }

  it.effect("CP-5: may be slow, and gets everything", () =>
    Effect.gen(function* () {
      const connection = yield* connected
      let sum = 0
      yield* Stream.runForEachArray(connection.copyOutRows(long), (rows) =>
        Effect.andThen(
          Effect.sync(() => rows.forEach((row) => (sum += Number(row["n"])))),
          Effect.sleep(5)
        )
      )
      assert.strictEqual(sum, (200_000 * 200_001) / 2)
    })
  )

  it.effect("may keep the pieces that it was given: they are not overwritten", () =>
    Effect.gen(function* () {
      const connection = yield* connected
      const pieces = yield* Stream.runCollect(connection.copyOut(long))
      assert.isAbove(pieces.length, 10)
      const lines = Buffer.concat(pieces).toString().split("\n")
      const filler = "x".repeat(100)
      assert.isTrue(lines.slice(0, -1).every((line, at) => line === `${at + 1}\t${filler}`))
      assert.strictEqual(lines.length, 200_001)
    })
  )

  it.effect("leaves the connection usable if it stops early, fails or is interrupted", () =>
    Effect.gen(function* () {
      const connection = yield* connected
      const endless = connection.copyOutRows({ query: "SELECT generate_series(1, 1000000000) AS n" })
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(endless, 2)), [{ n: 1 }, { n: 2 }])
      yield* assertHealthy(connection)
      const failure = new SourceFailed("the disk is full")
      const failed = Stream.runForEach(endless, () => Effect.fail(failure))
      assert.strictEqual(yield* Effect.flip(failed), failure)
      yield* assertHealthy(connection)
      const asleep = Stream.runForEach(endless, () => Effect.never)
      assert.strictEqual((yield* Effect.timeoutOption(asleep, "100 millis"))._tag, "None")
      yield* assertHealthy(connection)
    })
  )

  it.effect("receives an error that comes in the middle of the data", () =>
    Effect.gen(function* () {
      const connection = yield* connected
      const query = "SELECT 1 / (50000 - n) AS n FROM generate_series(1, 100000) AS n"
      let read = 0
      const error = yield* refusalOf(
        Stream.runForEach(connection.copyOutRows({ query }), () => Effect.sync(() => read++))
      )
      assert.strictEqual(error._tag, "DivisionByZeroError")
      assert.strictEqual(read, 49_999)
      yield* assertHealthy(connection)
    })
  )

  it.effect("can have the progress reported: bytes and rows, and at the end of a copyIn the server's count", () =>
    Effect.gen(function* () {
      const connection = yield* connected
      yield* connection.execute("CREATE TEMPORARY TABLE watched (n int4, filler text)")
      const seen: Array<PgCopy.Progress> = []
      const onProgress = (progress: PgCopy.Progress) => Effect.sync(() => seen.push(progress))
      const isGrowing = () => seen.every(({ bytes }, index) => index === 0 || bytes >= seen[index - 1]!.bytes)

      const rows = Stream.map(Stream.range(1, 50_000), (n) => [n, "filler"])
      yield* connection.copyInRows({ table: "watched" }, rows, { onProgress })
      assert.isAbove(seen.length, 5)
      assert.isTrue(isGrowing())
      assert.deepStrictEqual(seen.at(-1), { bytes: 19 + 50_000 * 20 + 2, rows: 50_000 })

      seen.length = 0
      yield* connection.copyIn({ table: "watched" }, bytesOf("1\tx\n".repeat(50_000)), { onProgress })
      assert.deepStrictEqual(seen.at(-1), { bytes: 200_000, rows: 50_000 })
      assert.isUndefined(seen[0]?.rows)

      seen.length = 0
      yield* Stream.runDrain(connection.copyOutRows({ table: "watched" }, { onProgress }))
      assert.strictEqual(seen.at(-1)?.rows, 100_000)
      assert.isTrue(isGrowing())
    })
  )
})

layer(TestDatabase.layer, { excludeTestServices: true })("an observer of operations", (it) => {
  it.effect("hears of every COPY once, and how it ended", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const onQuery = ({ operation, outcome }: PgConfig.QueryEvent) =>
        Effect.sync(() => void seen.push(`${operation} ${outcome}`))
      const connection = yield* liveConnection({ onQuery })
      yield* connection.execute("CREATE TEMPORARY TABLE observed (n int4)")
      const table = { table: "observed" }
      const endless = { query: "SELECT generate_series(1, 1000000000)" }
      seen.length = 0
      yield* connection.copyIn(table, bytesOf("1\n"))
      yield* refusalOf(connection.copyInRows(table, [[{}]]))
      yield* Stream.runDrain(connection.copyOut(table))
      yield* Stream.runDrain(Stream.take(connection.copyOutRows(endless), 1))
      yield* refusalOf(Stream.runDrain(connection.copyOut({ query: "SELECT 1 / 0" })))
      yield* refusalOf(Stream.runDrain(connection.copyOut({ table: "nowhere" })))
      assert.deepStrictEqual(seen, [
        "copyIn success",
        "copyInRows failure",
        "copyOut success",
        "copyOutRows interrupted",
        "copyOut failure",
        "copyOut failure"
      ])
    })
  )
})

const { features } = inject("postgres")

if (features.tls) {
  layer(TestDatabase.layer, { excludeTestServices: true })("COPY over TLS", (it) => {
    it.effect("waits for a slow reader and for a slow server as it does without TLS", () =>
      Effect.gen(function* () {
        const connection = yield* liveConnection({ sslMode: "require" })
        yield* connection.execute("CREATE TEMPORARY TABLE secured (n int4, filler text)")
        const rows = Stream.map(Stream.range(1, 100_000), (n) => [n, "x".repeat(50)])
        assert.deepStrictEqual(yield* connection.copyInRows({ table: "secured" }, rows), { rowCount: 100_000 })
        let sum = 0
        yield* Stream.runForEachArray(connection.copyOutRows({ table: "secured" }), (some) =>
          Effect.andThen(
            Effect.sync(() => some.forEach((row) => (sum += Number(row["n"])))),
            Effect.sleep(5)
          )
        )
        assert.strictEqual(sum, (100_000 * 100_001) / 2)
        yield* Effect.timeoutOption(
          Stream.runForEach(connection.copyOut({ table: "secured" }), () => Effect.never),
          50
        )
        yield* assertHealthy(connection)
      })
    )
  })
}

layer(TestDatabase.layer, { excludeTestServices: true })("COPY on a pool", (it) => {
  it.effect("borrows a connection for as long as it runs, and another COPY can be fed from it", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 2 })
      yield* pool.execute("CREATE TABLE pooled (n int4)")
      yield* pool.copyInRows(
        { table: "pooled" },
        Stream.map(Stream.range(1, 50_000), (n) => [n])
      )
      const fed = yield* pool.copyInRows({ table: "pooled" }, pool.copyOutRows({ table: "pooled" }))
      assert.deepStrictEqual(fed, { rowCount: 50_000 })
      assert.strictEqual((yield* pool.stats).inUse, 0)
      yield* Stream.runDrain(Stream.take(pool.copyOut({ table: "pooled" }), 1))
      yield* eventually(
        Effect.map(pool.stats, ({ inUse }) => inUse),
        0
      )
      yield* assertHealthy(pool)
    })
  )

  it.effect("is part of the transaction of its fiber", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1 })
      yield* pool.execute("CREATE TABLE undone (n int4)")
      const copy = Effect.gen(function* () {
        yield* pool.copyInRows({ table: "undone" }, [[1], [2]])
        assert.strictEqual(yield* textOf(pool.copyOut({ table: "undone" })), "1\n2\n")
        return yield* Effect.fail("undo")
      })
      assert.strictEqual(yield* Effect.flip(pool.withTransaction(copy)), "undo")
      assert.strictEqual(yield* count(pool, "undone"), 0)
    })
  )

  it.effect("ends with the scope of a borrowed connection, which is usable afterwards", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1 })
      yield* pool.execute("CREATE TABLE left_behind (n int4)")
      const copying = yield* pool.withConnection((connection) =>
        Effect.gen(function* () {
          const fiber = yield* Effect.forkDetach(
            connection.copyInRows({ table: "left_behind" }, Stream.concat(Stream.make([1]), Stream.never))
          )
          yield* Effect.sleep(50)
          return fiber
        })
      )
      assert.strictEqual(yield* count(pool, "left_behind"), 0)
      const exit = yield* Fiber.await(copying)
      assert.isTrue(Exit.isFailure(exit))
      yield* assertHealthy(pool)
    })
  )
})
