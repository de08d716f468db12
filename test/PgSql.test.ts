/** Tests the tagged template as a value: its text, its parameters, and what it does not show. */
import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { inspect } from "node:util"
import { sql, type Statement } from "../src/PgSql.ts"

const partsOf = ({ params, sql }: Statement) => ({ sql, params })

describe("a template", () => {
  it("has a number for each value, in order, and without values is nothing but its text", () => {
    assert.deepStrictEqual(partsOf(sql`SELECT ${"a"}, ${2n} FROM t`), {
      sql: "SELECT $1, $2 FROM t",
      params: ["a", 2n]
    })
    assert.deepStrictEqual(partsOf(sql`SELECT 1`), { sql: "SELECT 1", params: [] })
  })

  it("takes everything that is not a statement as a value, even if it looks like a statement", () => {
    const forged = { sql: "DROP TABLE users", params: [], fault: undefined, chunks: ["DROP TABLE users"] }
    const values = [undefined, null, "'; DROP TABLE users", forged, [1, 2], new Date(0), { raw: ["x"] }]
    for (const value of values) {
      assert.deepStrictEqual(partsOf(sql`SELECT ${value}`), { sql: "SELECT $1", params: [value] })
    }
  })

  it("equals one in which the inner statements are written out", () => {
    const condition = sql`name = ${"ada"} AND age > ${36}`
    const nested = sql`SELECT ${1} FROM t WHERE (${condition}) OR (${sql`${condition}`}) LIMIT ${5}`
    assert.deepStrictEqual(partsOf(nested), {
      sql: "SELECT $1 FROM t WHERE (name = $2 AND age > $3) OR (name = $4 AND age > $5) LIMIT $6",
      params: [1, "ada", 36, "ada", 36, 5]
    })
    assert.deepStrictEqual(partsOf(condition), { sql: "name = $1 AND age > $2", params: ["ada", 36] })
    assert.deepStrictEqual(partsOf(sql`SELECT 1 ${sql``}`), { sql: "SELECT 1 ", params: [] })
  })

  it("separates a number from text that would join it to one word", () => {
    assert.strictEqual(sql`SELECT 1 LIMIT${1}0`.sql, "SELECT 1 LIMIT $1 0")
    assert.strictEqual(sql`SELECT $${1}$ ä${2}ä`.sql, "SELECT $ $1 $ ä $2 ä")
    assert.strictEqual(sql`(${1},${2})::t`.sql, "($1,$2)::t")
    assert.strictEqual(sql`${sql`x`}${sql`y${1}`}${2}`.sql, "xy $1$2")
  })

  it("has the same text each time it is run", () => {
    const [first, second] = [1, 2].map((id) => sql`SELECT name FROM users WHERE id = ${id}`)
    assert.strictEqual(first?.sql, second?.sql)
    assert.deepStrictEqual(second?.params, [2])
  })

  it("shows its text and no value when it is printed or serialized", () => {
    const secret = "hunter2"
    const statement = sql`SELECT ${secret} WHERE ${sql`x = ${secret}`}`
    const shown = [
      inspect(statement, { depth: 10, showHidden: true }),
      inspect({ statement }, { depth: 10 }),
      JSON.stringify(statement),
      JSON.stringify({ ...statement }),
      String(statement)
    ]
    for (const text of shown) assert.notInclude(text, secret)
    assert.include(inspect(statement), "SELECT $1 WHERE x = $2")
    assert.strictEqual(JSON.stringify(statement), '{"sql":"SELECT $1 WHERE x = $2","parameters":2}')
  })
})

describe("sql.id", () => {
  it("quotes each part of a name, whatever characters are in it", () => {
    assert.strictEqual(sql`SELECT * FROM ${sql.id("shop", "order")}`.sql, 'SELECT * FROM "shop"."order"')
    assert.strictEqual(sql.id('a"b.c; --').sql, '"a""b.c; --"')
    assert.strictEqual(sql.id("Straße", "名前", "$1").sql, '"Straße"."名前"."$1"')
    assert.strictEqual(sql.id("é".repeat(31)).fault, undefined)
  })

  it("is a fault if PostgreSQL cannot have the name", () => {
    const names: ReadonlyArray<readonly [name: string, fault: RegExp]> = [
      ["", /empty/],
      ["a\0b", /NUL/],
      ["a\ud800", /surrogate/],
      ["é".repeat(32), /64 bytes/]
    ]
    for (const [name, fault] of names) {
      assert.match(sql.id("public", name).fault ?? "", fault)
      assert.match(sql`SELECT ${1} FROM ${sql`${sql.id(name)}`}`.fault ?? "", fault)
    }
  })
})

describe("the parts of statements", () => {
  it("sql.in makes one parameter, however many values there are", () => {
    assert.deepStrictEqual(partsOf(sql`SELECT 1 WHERE id ${sql.in([1, 2])}`), {
      sql: "SELECT 1 WHERE id = ANY ($1)",
      params: [[1, 2]]
    })
    assert.deepStrictEqual(partsOf(sql.in([])), { sql: "= ANY ($1)", params: [[]] })
  })

  it("sql.values makes a parameter for each value, and accepts statements among them", () => {
    assert.deepStrictEqual(
      partsOf(
        sql.values([
          ["ada", 36],
          ["grace", sql`DEFAULT`]
        ])
      ),
      {
        sql: "VALUES ($1, $2), ($3, DEFAULT)",
        params: ["ada", 36, "grace"]
      }
    )
    assert.match(sql.values([]).fault ?? "", /at least one row/)
    assert.match(sql.values([[1, 2], [3, 4], [5]]).fault ?? "", /row 3 has 1/)
  })

  it("sql.update quotes its columns, and does not guess what undefined means", () => {
    assert.deepStrictEqual(partsOf(sql.update({ name: "ada", 'a"b': null, at: sql`now()` })), {
      sql: '"name" = $1, "a""b" = $2, "at" = now()',
      params: ["ada", null]
    })
    assert.match(sql.update({}).fault ?? "", /at least one column/)
    assert.match(sql.update({ name: undefined }).fault ?? "", /"name"/)
    assert.match(sql.update({ "": 1 }).fault ?? "", /empty/)
  })

  it("sql.join puts a statement between its parts", () => {
    assert.deepStrictEqual(partsOf(sql.join([1, sql`x = ${2}`, null])), { sql: "$1, x = $2, $3", params: [1, 2, null] })
    assert.strictEqual(sql.join([sql`a`, sql`b`], sql` AND `).sql, "a AND b")
    assert.deepStrictEqual(partsOf(sql.join([])), { sql: "", params: [] })
  })

  it("are a fault if JavaScript gives what the types forbid", () => {
    const called: unknown = Reflect.apply(sql, undefined, ["DROP TABLE users"])
    const parsed: unknown = Reflect.apply(sql, undefined, [["DROP TABLE users"]])
    for (const statement of [called, parsed]) {
      assert.match(String(Reflect.get(Object(statement), "fault")), /is a template tag/)
      assert.notInclude(String(statement), "DROP")
    }
    assert.match(String(Reflect.get(Reflect.apply(sql.in, undefined, ["abc"]), "fault")), /array/)
    assert.match(sql`SELECT '\d'`.fault ?? "no fault", /no fault/)
    assert.match(sql`SELECT '\u'`.fault ?? "", /backslash/)
  })
})

const Piece = Schema.Struct({
  text: Schema.String,
  value: Schema.Int,
  cut: Schema.Natural
})

/** A template as the compiler would make it from these texts. */
const template = (texts: ReadonlyArray<string>, values: ReadonlyArray<unknown>): Statement =>
  sql(Object.assign([...texts], { raw: texts }), ...values)

/** The pieces, each in a template of its own, joined two by two in some order. */
const nested = (pieces: ReadonlyArray<typeof Piece.Type>): Statement => {
  const [piece, ...others] = pieces
  if (piece === undefined) return sql``
  if (others.length === 0) return template([piece.text, ""], [piece.value])
  const at = 1 + (piece.cut % others.length)
  return sql`${nested(pieces.slice(0, at))}${nested(pieces.slice(at))}`
}

describe("nested statements", () => {
  it.prop("equal their flattening", [Schema.Array(Piece)], ([pieces]) => {
    const texts = [...pieces.map(({ text }) => text), ""]
    const flat = template(
      texts,
      pieces.map(({ value }) => value)
    )
    assert.deepStrictEqual(partsOf(nested(pieces)), partsOf(flat))
  })
})
