/** Compares what the helpers of a statement build (insert, update, in, and, or, csv, identifiers), and the ways to run it. */
import { assert } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"
import type * as Statement from "effect/sql/Statement"
import { clientOf, named, parity } from "./support/participants.ts"

const people = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`DROP TABLE IF EXISTS people`
  yield* sql`CREATE TABLE people (id int4 PRIMARY KEY, name text NOT NULL, born timestamptz, score float8, active boolean)`
  yield* sql`INSERT INTO people ${sql.insert([
    { id: 1, name: "Ada", born: new Date("1815-12-10T00:00:00Z"), score: 1.5, active: true },
    { id: 2, name: "Grace", born: null, score: 2, active: true },
    { id: 3, name: "Edsger", born: undefined, score: null, active: false }
  ])}`
  return sql
})

parity("the helpers of statements", (it, participant) => {
  it.effect("insert writes one row, and returns it if asked", () =>
    Effect.gen(function* () {
      const sql = yield* people
      const row = { id: 4, name: "Barbara", born: null, score: 0.5, active: true }
      assert.deepStrictEqual(yield* sql`INSERT INTO people ${sql.insert(row).returning("*")}`, [row])
      assert.deepStrictEqual(yield* sql`INSERT INTO people ${sql.insert({ id: 5, name: "Tony" })}`, [])
    })
  )

  it.effect("insert writes many rows in one statement; a member that a later row lacks is NULL", () =>
    Effect.gen(function* () {
      const sql = yield* people
      const rows = Array.from({ length: 500 }, (_, n) => ({ id: 100 + n, name: `n${n}`, ...(n === 0 && { score: 1 }) }))
      const [first, ...rest] = rows
      if (first === undefined) throw new Error("there are rows")
      const written = yield* sql`INSERT INTO people ${sql.insert([first, ...rest]).returning("id")}`
      assert.strictEqual(written.length, 500)
      assert.deepStrictEqual(
        yield* sql`SELECT count(*)::int AS n, count(score)::int AS scores FROM people WHERE id >= 100`,
        [{ n: 500, scores: 1 }]
      )
    })
  )

  it.effect("what insert returns may be a fragment with parameters of its own", () =>
    Effect.gen(function* () {
      const sql = yield* people
      assert.deepStrictEqual(
        yield* sql`INSERT INTO people ${sql.insert({ id: 4, name: "Barbara" }).returning(sql`id + ${10} AS more, ${sql("name")}`)}`,
        [{ more: 14, name: "Barbara" }]
      )
    })
  )

  it.effect("update sets the members of a record, without those that are left out", () =>
    Effect.gen(function* () {
      const sql = yield* people
      const change = { id: 1, name: "Ada Lovelace", score: null, born: undefined }
      assert.deepStrictEqual(
        yield* sql`UPDATE people SET ${sql.update(change, ["id"])} WHERE id = ${change.id} RETURNING *`,
        [{ id: 1, name: "Ada Lovelace", born: null, score: null, active: true }]
      )
    })
  )

  it.effect("update returns what it is asked for", () =>
    Effect.gen(function* () {
      const sql = yield* people
      assert.deepStrictEqual(yield* sql`UPDATE people SET ${sql.update({ score: 9.5 }).returning("id, score")}`, [
        { id: 1, score: 9.5 },
        { id: 2, score: 9.5 },
        { id: 3, score: 9.5 }
      ])
    })
  )

  it.effect("updateValues sets many rows from values of many types, numbers among them", () =>
    Effect.gen(function* () {
      const sql = yield* people
      const changes = sql.updateValues(
        [
          { id: 1, name: "A", score: 0.25, active: false },
          { id: 2, name: "G", score: 0.75, active: true }
        ],
        "changes"
      )
      yield* sql`UPDATE people SET name = changes.name, score = changes.score, active = changes.active
        FROM ${changes} WHERE people.id = changes.id`
      assert.deepStrictEqual(yield* sql`SELECT id, name, score, active FROM people ORDER BY id`, [
        { id: 1, name: "A", score: 0.25, active: false },
        { id: 2, name: "G", score: 0.75, active: true },
        { id: 3, name: "Edsger", score: null, active: false }
      ])
    })
  )

  it.effect("updateValues takes an alias and columns whose names need quotes", () =>
    Effect.gen(function* () {
      const sql = yield* people
      yield* sql`UPDATE people SET name = "the ""new"" one"."new name"
        FROM ${sql.updateValues([{ id: 3, "new name": "E" }], 'the "new" one')} WHERE people.id = "the ""new"" one".id`
      assert.deepStrictEqual(yield* sql`SELECT name FROM people WHERE id = 3`, [{ name: "E" }])
    })
  )

  it.effect("in takes numbers, strings, one value and no value, with a column and without", () =>
    Effect.gen(function* () {
      const sql = yield* people
      const ids = (condition: Statement.Fragment) =>
        Effect.map(sql<{ id: number }>`SELECT id FROM people WHERE ${condition} ORDER BY id`, (rows) =>
          rows.map(({ id }) => id)
        )
      assert.deepStrictEqual(yield* ids(sql.in("id", [1, 3, 99])), [1, 3])
      assert.deepStrictEqual(yield* ids(sql`id IN ${sql.in([2])}`), [2])
      assert.deepStrictEqual(yield* ids(sql`name IN ${sql.in(["Ada", "Grace"])}`), [1, 2])
      assert.deepStrictEqual(yield* ids(sql.in("id", [])), [])
      assert.deepStrictEqual(yield* ids(sql`id IN ${sql.in([])}`), [])
      assert.deepStrictEqual(yield* ids(sql`id NOT IN ${sql.in([])}`), [1, 2, 3])
      assert.deepStrictEqual(yield* ids(sql`name IN ${sql.in([])}`), [])
      assert.deepStrictEqual(yield* ids(sql`score IN ${sql.in([1.5, 2])}`), [1, 2])
      assert.deepStrictEqual(yield* ids(sql`born IN ${sql.in([new Date("1815-12-10T00:00:00Z")])}`), [1])
    })
  )

  it.effect("in takes thousands of values", () =>
    Effect.gen(function* () {
      const sql = yield* people
      const ids = Array.from({ length: 5000 }, (_, n) => n + 2)
      assert.deepStrictEqual(yield* sql`SELECT id FROM people WHERE ${sql.in("id", ids)} ORDER BY id`, [
        { id: 2 },
        { id: 3 }
      ])
    })
  )

  it.effect("and, or, csv and join combine fragments and texts, and have an answer for none", () =>
    Effect.gen(function* () {
      const sql = yield* people
      const clause = sql.or([sql.and([sql`active = ${true}`, sql`score > ${1.75}`]), "name LIKE 'E%'"])
      assert.deepStrictEqual(
        yield* sql`SELECT id FROM people WHERE ${clause} ${sql.csv("ORDER BY", ["active DESC", sql`id`])}`,
        [{ id: 2 }, { id: 3 }]
      )
      assert.deepStrictEqual(
        yield* sql`SELECT ${sql.csv(["id", sql`${sql("name")}`])} FROM people WHERE ${sql.and([])} AND id = ${1}`,
        [{ id: 1, name: "Ada" }]
      )
      assert.deepStrictEqual(yield* sql`SELECT ${sql.join(" + ", false)([sql`${1}`, sql`${2}`, "3"])} AS sum`, [
        { sum: 6 }
      ])
      assert.deepStrictEqual(yield* sql`SELECT 1 AS one ${sql.csv("ORDER BY", [])}`, [{ one: 1 }])
    })
  )

  it.effect("fragments nest, and their parameters keep their order", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const inner = sql`${"b"} || ${sql`${"c"} || ${"d"}`}`
      assert.deepStrictEqual(yield* sql`SELECT ${"a"} || ${inner} || ${"e"} AS word, ${5} AS five`, [
        { word: "abcde", five: 5 }
      ])
    })
  )

  it.effect("a literal stands as it is", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      assert.deepStrictEqual(yield* sql`SELECT ${sql.literal("1 + 1")} AS two`, [{ two: 2 }])
    })
  )

  it.effect("an identifier is quoted: a dot separates, quotes are doubled, reserved words and capitals stay", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE SCHEMA "Odd ""Schema"""`
      yield* sql`CREATE TABLE ${sql('Odd "Schema".select')} (${sql('a "quoted" Name')} int4, ${sql("user")} text)`
      yield* sql`INSERT INTO ${sql('Odd "Schema".select')} ${sql.insert({ 'a "quoted" Name': 1, user: "u" })}`
      assert.deepStrictEqual(
        yield* sql`SELECT * FROM ${sql('Odd "Schema".select')} WHERE ${sql("select.user")} = ${"u"}`,
        [{ 'a "quoted" Name': 1, user: "u" }]
      )
      assert.deepStrictEqual(sql`${sql('a"b.c')}`.compile(), ['"a""b"."c"', []])
    })
  )

  it.effect("json is a value of insert and update", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const { json } = participant.extrasOf(sql)
      yield* sql`CREATE TABLE documents (id int4, body jsonb)`
      yield* sql`INSERT INTO documents ${sql.insert([
        { id: 1, body: json({ a: [1] }) },
        { id: 2, body: json("text") },
        { id: 3, body: json(null) }
      ])}`
      yield* sql`UPDATE documents SET ${sql.update({ body: json([true]) })} WHERE id = ${2}`
      assert.deepStrictEqual(yield* sql`SELECT id, body, body IS NULL AS "isNull" FROM documents ORDER BY id`, [
        { id: 1, body: { a: [1] }, isNull: false },
        { id: 2, body: [true], isNull: false },
        { id: 3, body: null, isNull: true }
      ])
    })
  )

  it.effect("the dialect is pg, and the driver has a name", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const dialect = sql.onDialectOrElse({ pg: () => "pg", orElse: () => "another" })
      assert.strictEqual(dialect, "pg")
      assert.match(sql.driver, /./)
      assert.strictEqual(sql.safe, sql)
    })
  )

  it.effect("unsafe runs a text with parameters", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      assert.deepStrictEqual(yield* sql.unsafe("SELECT $1::int4 + $2::int4 AS sum", [1, 2]), [{ sum: 3 }])
      assert.deepStrictEqual(yield* sql.unsafe("SELECT 1 AS one -- a comment"), [{ one: 1 }])
    })
  )
})

parity("the ways to run a statement", (it, participant) => {
  it.effect("a statement is run again each time", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE SEQUENCE numbers`
      const next = sql`SELECT nextval('numbers') AS n`
      assert.deepStrictEqual([yield* next, yield* next, yield* next], [[{ n: 1n }], [{ n: 2n }], [{ n: 3n }]])
    })
  )

  it.effect("values are arrays in the order of the columns; columns of one name stay apart", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const statement = sql`SELECT ${1} AS a, ${"x"} AS b, ${2} AS a FROM generate_series(1, 2)`
      const rows = [
        [1, "x", 2],
        [1, "x", 2]
      ]
      assert.deepStrictEqual(yield* statement.values, rows)
      assert.deepStrictEqual(yield* statement.valuesUnprepared, rows)
    })
  )

  it.effect("of columns of one name, an object has the last", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      assert.deepStrictEqual(yield* sql`SELECT 1 AS a, 2 AS b, 3 AS a`, [{ a: 3, b: 2 }])
    })
  )

  it.effect("unprepared answers the same, and leaves no prepared statement behind", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const mine = yield* sql.reserve
      const kept = mine.executeUnprepared(
        "SELECT count(*)::int AS n FROM pg_prepared_statements WHERE statement LIKE '%left behind%'",
        [],
        undefined
      )
      assert.deepStrictEqual(yield* sql`SELECT ${7}::int4 AS n`.unprepared, [{ n: 7 }])
      for (let run = 0; run < 3; run++) {
        assert.deepStrictEqual(yield* mine.executeUnprepared("SELECT 'left behind' AS text", [], undefined), [
          { text: "left behind" }
        ])
        assert.deepStrictEqual(yield* mine.executeValuesUnprepared("SELECT 'left behind'", []), [["left behind"]])
      }
      assert.deepStrictEqual(yield* kept, [{ n: 0 }])
    })
  )

  it.effect("raw has the command, the number of rows and the rows", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE raw (id int4)`
      const insert = yield* sql`INSERT INTO raw ${sql.insert([{ id: 1 }, { id: 2 }])}`.raw
      assert.containsSubset(insert, { command: "INSERT", rowCount: 2, rows: [] })
      assert.containsSubset(yield* sql`SELECT id FROM raw ORDER BY id`.raw, {
        command: "SELECT",
        rowCount: 2,
        rows: [{ id: 1 }, { id: 2 }]
      })
      assert.containsSubset(yield* sql`UPDATE raw SET id = 3 WHERE id = 9`.raw, {
        command: "UPDATE",
        rowCount: 0,
        rows: []
      })
    })
  )

  it.effect("raw has the fields, also of a result without rows", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const raw = yield* sql`SELECT 1::int4 AS one, 'x'::text AS two WHERE false`.raw
      assert.containsSubset(raw, { fields: [{ name: "one" }, { name: "two" }], rows: [] })
    })
  )

  it.effect("a statement without rows, without columns and without text answers no rows", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      assert.deepStrictEqual(yield* sql`SELECT 1 WHERE false`, [])
      assert.deepStrictEqual(yield* sql`SELECT FROM generate_series(1, 2)`, [{}, {}])
      assert.deepStrictEqual(yield* sql``, [])
      assert.deepStrictEqual(yield* sql`-- nothing`, [])
    })
  )

  const isStale = { "@effect/sql-pg": "keeps the parameter types of the dropped table" } as const
  it.effect(
    named(participant, "a text that ran before is right after a table has got columns of other types", isStale),
    () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const insert = (value: string) => sql`INSERT INTO changing (value) VALUES (${value}) RETURNING value`
        const read = sql`SELECT * FROM changing`
        yield* sql`CREATE TABLE changing (value boolean)`
        assert.deepStrictEqual(yield* insert("true"), [{ value: true }])
        assert.deepStrictEqual(yield* read, [{ value: true }])
        yield* sql`DROP TABLE changing`
        yield* sql`CREATE TABLE changing (value int4, more text)`
        assert.deepStrictEqual(yield* read, [])
        const again = yield* Effect.exit(insert("7"))
        assert.strictEqual(again._tag, participant.name in isStale ? "Failure" : "Success")
        assert.deepStrictEqual(yield* read, participant.name in isStale ? [] : [{ value: 7, more: null }])
      })
  )

  const forgets = { "@effect/sql-pg": "goes on with the types of before" } as const
  const altered = "a text that ran before is right after another program has altered its table"
  it.effect(named(participant, altered, forgets), () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const other = yield* Effect.map(Layer.build(Layer.fresh(clientOf(participant))), (context) =>
        Context.get(context, SqlClient.SqlClient)
      )
      yield* sql`CREATE TABLE altered (id int4, value boolean)`
      const mine = yield* sql.reserve
      const insert = (id: number, value: string) =>
        mine.execute("INSERT INTO altered (id, value) VALUES ($1, $2)", [id, value], undefined)
      const read = mine.execute("SELECT * FROM altered ORDER BY id", [], undefined)
      for (let id = 0; id < 10; id++) yield* insert(id, "true")
      for (let run = 0; run < 10; run++) yield* read
      yield* other`ALTER TABLE altered ALTER value TYPE text, ADD more int4 DEFAULT 7`
      assert.deepStrictEqual((yield* read)[0], { id: 0, value: "true", more: 7 })
      yield* other`DELETE FROM altered`
      const exit = yield* Effect.exit(insert(1, "no boolean"))
      assert.strictEqual(exit._tag, participant.name in forgets ? "Failure" : "Success")
      if (exit._tag === "Success") assert.deepStrictEqual(yield* read, [{ id: 1, value: "no boolean", more: 7 }])
    })
  )

  it.effect("a session from which all prepared statements were taken goes on", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const mine = yield* sql.reserve
      const ask = mine.execute("SELECT $1::int4 AS n", [7], undefined)
      for (const command of ["DEALLOCATE ALL", "DISCARD ALL"]) {
        for (let run = 0; run < 4; run++) assert.deepStrictEqual(yield* ask, [{ n: 7 }])
        yield* mine.executeUnprepared(command, [], undefined)
        assert.deepStrictEqual(yield* ask, [{ n: 7 }])
      }
    })
  )

  it.effect("the same text answers rows of other columns after the search path has changed", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE SCHEMA one`
      yield* sql`CREATE SCHEMA two`
      yield* sql`CREATE TABLE one.found AS SELECT 1 AS a`
      yield* sql`CREATE TABLE two.found AS SELECT 'text' AS b, 2 AS c`
      const mine = yield* sql.reserve
      const ask = mine.execute("SELECT * FROM found", [], undefined)
      for (const [path, rows] of [
        ["one", [{ a: 1 }]],
        ["two", [{ b: "text", c: 2 }]],
        ["one", [{ a: 1 }]]
      ] as const) {
        yield* mine.executeUnprepared(`SET search_path = ${path}`, [], undefined)
        for (let run = 0; run < 3; run++) assert.deepStrictEqual(yield* ask, rows)
      }
    })
  )
})
