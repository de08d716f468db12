/** The parts of statements that are made from objects: their text, their values, and what they refuse. */
import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { Template } from "../../src/call/template.ts"
import { camelCase, type ColumnNames, unchanged } from "../../src/codec/columnNames.ts"
import { sql, type Statement } from "../../src/PgSql.ts"

const partsOf = ({ fault, params, sql }: Statement) => ({ sql, params, fault })
const partsAs = (statement: Statement, names: ColumnNames) => ({
  sql: Template.isOne(statement) ? Template.sqlAs(statement, names) : "",
  params: statement.params
})

/** What is only known to be a row, as in a program without types. */
const untyped = (rows: unknown): Statement => Reflect.apply(sql.insert, undefined, [rows])
const untypedUpsert = (rows: unknown, options: unknown): Statement =>
  Reflect.apply(sql.upsert, undefined, [rows, options])

const manyRows = (count: number) => Array.from({ length: count }, (_, index) => ({ a: index, b: 1, c: sql`DEFAULT` }))

const conflictOf = ({ sql }: Statement): string => sql.slice(sql.indexOf("ON CONFLICT"))

interface Book {
  readonly title: string
  readonly price: number | null
}
const emma: Book = { title: "Emma", price: 9 }
const persuasion: Book = { price: null, title: "Persuasion" }

describe("sql.insert", () => {
  it("makes columns and values of one object, and of several with their keys in any order", () => {
    assert.deepStrictEqual(partsOf(sql`INSERT INTO books ${sql.insert(emma)} RETURNING id`), {
      sql: 'INSERT INTO books ("title", "price") VALUES ($1, $2) RETURNING id',
      params: ["Emma", 9],
      fault: undefined
    })
    assert.deepStrictEqual(partsOf(sql`INSERT INTO ${sql.id("books")} ${sql.insert([emma, persuasion])}`), {
      sql: 'INSERT INTO "books" ("title", "price") VALUES ($1, $2), ($3, $4)',
      params: ["Emma", 9, "Persuasion", null],
      fault: undefined
    })
  })

  it("takes statements among the values, and any key as the name that it is", () => {
    assert.deepStrictEqual(partsOf(sql.insert([{ 'a"b': sql`DEFAULT`, $1: sql`lower(${"X"})`, c: [1, 2] }])), {
      sql: '("a""b", "$1", "c") VALUES (DEFAULT, lower($1), $2)',
      params: ["X", [1, 2]],
      fault: undefined
    })
  })

  const refused: ReadonlyArray<readonly [rows: unknown, fault: RegExp]> = [
    [[], /^sql\.insert takes at least one row/],
    [[{}], /at least one key/],
    [{}, /at least one key/],
    [sql`SELECT 1`, /an object, or an array of objects/],
    ["emma", /an object, or an array of objects/],
    [undefined, /an object, or an array of objects/],
    [[["Emma", 9]], /an object, or an array of objects/],
    [[emma, { title: "Persuasion" }], /row 2 has no "price"/],
    [[emma, { ...persuasion, stock: 1 }], /row 2 has "stock", which the first row does not have/],
    [[emma, { title: "Persuasion", price: undefined }], /undefined, but row 2 has it for "price": use null/],
    [[emma, Object.create(emma)], /row 2 has no "title"/],
    [{ "": 1 }, /empty/],
    [{ "a\0": 1 }, /NUL/]
  ]

  for (const [rows, fault] of refused) {
    it(`is a fault that says: ${fault.source}`, () => {
      assert.match(untyped(rows).fault ?? "", fault)
      assert.match(sql`INSERT INTO books ${untyped(rows)}`.fault ?? "", fault)
    })
  }

  it("refuses more values than a statement can have, and says how to write so many", () => {
    assert.strictEqual(sql.insert(manyRows(32_767)).fault, undefined)
    for (const { fault } of [sql.insert(manyRows(32_768)), sql.upsert(manyRows(32_768), { conflict: ["a"] })]) {
      assert.match(
        fault ?? "",
        /got 65536 values, but a statement can have at most 65535: .* copyInRows, or with unnest/
      )
    }
    assert.match(sql.values(Array.from({ length: 65_536 }, (_, index) => [index])).fault ?? "", /copyInRows/)
  })

  it("has no type for rows with different keys", () => {
    // @ts-expect-error the second row has no price
    const lacking = sql.insert([emma, { title: "Persuasion" }])
    // @ts-expect-error the second row has a key that the first one has not
    const more = sql.insert([emma, { ...persuasion, stock: 1 }])
    const optional: ReadonlyArray<{ readonly title: string; readonly price?: number }> = [emma, { title: "Emma" }].map(
      ({ title }) => ({ title })
    )
    // @ts-expect-error a row may lack the price
    const perhaps = sql.insert(optional)
    assert.deepStrictEqual(
      [lacking.fault, more.fault, perhaps.fault].map((fault) => fault === undefined),
      [false, false, true]
    )
  })
})

describe("sql.update", () => {
  it("sets columns, without those that are omitted", () => {
    assert.deepStrictEqual(partsOf(sql`UPDATE books SET ${sql.update(emma, ["title"])} WHERE id = ${7}`), {
      sql: 'UPDATE books SET "price" = $1 WHERE id = $2',
      params: [9, 7],
      fault: undefined
    })
    // @ts-expect-error a book has no such key
    assert.match(sql.update(emma, ["title", "price", "stock"]).fault ?? "", /at least one column/)
  })
})

describe("sql.upsert", () => {
  it("replaces all columns of an existing row but those that identify it", () => {
    assert.deepStrictEqual(partsOf(sql.upsert([emma, persuasion], { conflict: ["title"] })), {
      sql: '("title", "price") VALUES ($1, $2), ($3, $4) ON CONFLICT ("title") DO UPDATE SET "price" = EXCLUDED."price"',
      params: ["Emma", 9, "Persuasion", null],
      fault: undefined
    })
  })

  it("replaces the columns that it is told to, or none", () => {
    const row = { a: 1, b: 2, c: 3 }
    assert.strictEqual(
      conflictOf(sql.upsert(row, { conflict: ["a", "b"], update: ["c", "a"] })),
      'ON CONFLICT ("a", "b") DO UPDATE SET "c" = EXCLUDED."c", "a" = EXCLUDED."a"'
    )
    assert.strictEqual(conflictOf(sql.upsert([row], { conflict: ["a"], update: [] })), 'ON CONFLICT ("a") DO NOTHING')
  })

  it("is a fault if it cannot know what to do", () => {
    const row = { id: 1, name: "ada" }
    const refused: ReadonlyArray<readonly [options: unknown, fault: RegExp]> = [
      [undefined, /an array of keys as its option conflict/],
      [{ conflict: "id" }, /an array of keys as its option conflict/],
      [{ conflict: [] }, /at least one key in its option conflict/],
      [{ conflict: ["ident"] }, /the option conflict of sql\.upsert has a key that the rows do not have/],
      [{ conflict: ["id"], update: ["nam"] }, /the option update of sql\.upsert has a key that the rows do not have/],
      [{ conflict: ["id", "name"] }, /no column to update; write `update: \[\]`/]
    ]
    for (const [options, fault] of refused) assert.match(untypedUpsert(row, options).fault ?? "", fault)
    assert.match(untypedUpsert([], { conflict: ["id"] }).fault ?? "", /^sql\.upsert takes at least one row/)
    // @ts-expect-error the rows have no such key
    assert.match(sql.upsert(row, { conflict: ["ident"] }).fault ?? "", /conflict/)
  })
})

describe("the keys of objects", () => {
  const statement = sql`INSERT INTO people ${sql.upsert({ userId: 1, firstName: "ada", line_2: null }, { conflict: ["userId"] })}`

  it("are columns as they are, until a client with other names runs the statement", () => {
    assert.include(statement.sql, '("userId", "firstName", "line_2") VALUES ($1, $2, $3)')
    assert.strictEqual(partsAs(statement, unchanged).sql, statement.sql)
    assert.deepStrictEqual(partsAs(sql`${statement} RETURNING ${"userId"}::text, ${sql.id("userId")}`, camelCase), {
      sql:
        'INSERT INTO people ("user_id", "first_name", "line_2") VALUES ($1, $2, $3) ON CONFLICT ("user_id") ' +
        'DO UPDATE SET "first_name" = EXCLUDED."first_name", "line_2" = EXCLUDED."line_2" ' +
        'RETURNING $4::text, "userId"',
      params: [1, "ada", null, "userId"]
    })
    assert.deepStrictEqual(partsAs(sql`UPDATE t SET ${sql.update({ userId: 1 })}`, camelCase), {
      sql: 'UPDATE t SET "user_id" = $1',
      params: [1]
    })
  })

  it("are not made by an object that looks like one of a template", () => {
    const forged = { name: "userId", text: "x" }
    assert.deepStrictEqual(partsAs(sql`SELECT ${forged}`, camelCase), { sql: "SELECT $1", params: [forged] })
  })
})

const Rows = Schema.Struct({
  keys: Schema.UniqueArray(Schema.Literals(["a", "b_c", "dE", 'f"', "g h", "_i"])),
  values: Schema.Array(Schema.Int)
})

describe("the values of objects", () => {
  it.prop("are those of the rows in the order of the first row's keys", [Rows], ([{ keys, values }]) => {
    if (keys.length === 0 || values.length === 0) return
    const rows = values.map((value, at) => {
      const ordered = at % 2 === 0 ? keys : keys.toReversed()
      return Object.fromEntries(ordered.map((key) => [key, `${key} ${value}`]))
    })
    const { params, sql: text } = untyped(rows)
    assert.deepStrictEqual(
      params,
      values.flatMap((value) => keys.map((key) => `${key} ${value}`))
    )
    assert.strictEqual(text.match(/\$\d+/g)?.length, params.length)
  })
})
