/**
 * Tests every codec against the server. The server says in binary and in text what a value is (by the type's send
 * function, and by its cast to text); we must read the binary as the value of the text, and write the same bytes. The
 * server must also take our bytes: node-postgres sends a Buffer as a binary parameter, whatever its type.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Buffer } from "node:buffer"
import pg from "pg"
import { afterAll, beforeAll, inject } from "vitest"
import { textOf } from "../../src/codec/codec.ts"
import { tsquery } from "../../src/codec/textSearch.ts"
import { read, written } from "../fixtures/codec.ts"
import { asOf } from "../fixtures/olderServers.ts"
import { otherSubjects, queries } from "../fixtures/otherSubjects.ts"
import { isSameText, list, printText, type Subject, subjects } from "../fixtures/subjects.ts"
import { createDatabase, type CreatedDatabase } from "../support/database.ts"

let database: CreatedDatabase
let client: pg.Client

beforeAll(async () => {
  database = await createDatabase()
  client = new pg.Client({ connectionString: database.url })
  await client.connect()
  await client.query("SET TimeZone = 'UTC'; SET intervalstyle = 'iso_8601'")
})

afterAll(async () => {
  await client.end()
  await database.drop()
})

interface Judgement {
  readonly wire: string
  readonly text: string
}

const judged = ({ codec, print = printText, send, type = codec.name }: Subject, value: string): string =>
  `encode(${send}(${value}::${type}), 'hex') AS wire, ${print(`${value}::${type}`)} AS text`

/** Asks the server for the binary and the text of texts. */
const judgeTexts = async (subject: Subject, texts: ReadonlyArray<string>): Promise<ReadonlyArray<Judgement>> => {
  const result = await client.query<Judgement>(
    `SELECT ${judged(subject, "v")} FROM unnest($1::text[]) WITH ORDINALITY AS u(v, n) ORDER BY n`,
    [texts]
  )
  return result.rows
}

/** Asks the server how it reads a binary parameter. */
const judgeBytes = async (subject: Subject, wire: string): Promise<Judgement> => {
  const result = await client.query<Judgement>({
    name: `judge ${subject.codec.name}`,
    text: `SELECT ${judged(subject, "$1")}`,
    values: [Buffer.from(wire, "hex")]
  })
  return result.rows[0] ?? assert.fail("the server did not answer")
}

const major = inject("serverMajor")

for (const subject of [...subjects, ...otherSubjects].map((subject) => asOf(major, subject))) {
  const { codec, isSame, samples, text = (value) => textOf(codec, value), values } = subject
  describe(`the type ${codec.name}`, () => {
    it("is read as the server prints it, and written as the server sends it", async () => {
      const judgements = await judgeTexts(subject, samples)
      assert.strictEqual(judgements.length, samples.length)
      for (const { text, wire } of judgements) {
        const value = read(codec, wire)
        assert.isTrue(isSame(value, text), `what the server prints as ${text.slice(0, 100)} was read differently`)
        assert.deepStrictEqual(await judgeBytes(subject, written(codec, value)), { text, wire })
      }
    })

    it.effect.prop(
      "means the same to the server in our bytes and in our text",
      [values],
      ([value]) =>
        Effect.promise(async () => {
          const ofBytes = await judgeBytes(subject, written(codec, value))
          assert.isTrue(isSame(read(codec, ofBytes.wire), ofBytes.text))
          assert.deepStrictEqual(await judgeTexts(subject, [text(value)]), [ofBytes])
        }),
      { arbitrary: { runs: 200 } }
    )
  })
}

describe("the type tsquery, which is only read,", () => {
  const subject: Subject = { codec: tsquery, send: "tsquerysend", samples: [], values: queries, isSame: isSameText }

  it("is read as the server prints it", async () => {
    const samples = [
      ...list("a, !a, !!a, a & b, a|b&c, (a|b)&c, a <-> b, a <3> b, a <0> b, a:*AB, a:ABCD, a:D, !(a&b), !a:*"),
      ...list("a <-> (b <-> c), (a <-> b) <-> c, a <-> (b <-> c) <-> d, (a|b) <-> (c & !d), a & (b & c), (a & b) & c"),
      ...list("'it''s', !(a <-> b), !(!a | b), a | (b | c), (a & b) | (c <2> (d | e)), 'b\\\\c'"),
      ""
    ]
    for (const { text, wire } of await judgeTexts(subject, samples)) assert.strictEqual(read(tsquery, wire), text)
  })

  it.effect.prop(
    "is read as the server prints it, whatever its shape",
    [queries],
    ([query]) =>
      Effect.promise(async () => {
        for (const { text, wire } of await judgeTexts(subject, [query])) assert.strictEqual(read(tsquery, wire), text)
      }),
    { arbitrary: { runs: 200 } }
  )
})
