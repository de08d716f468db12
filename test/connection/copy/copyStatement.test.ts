import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { copyInStatement, copyOutStatement } from "../../../src/connection/copy/copyStatement.ts"
import type * as PgCopy from "../../../src/PgCopy.ts"

const version = (major: number) => ({ major, minor: 0, text: `${major}.0` })
const newest = version(18)

const into = (options: PgCopy.InOptions, table: PgCopy.Table = { table: "t" }) =>
  Effect.runSync(copyInStatement(table, options, newest))

const outOf = (options: PgCopy.OutOptions, source: PgCopy.Table | { readonly query: string } = { table: "t" }) =>
  Effect.runSync(copyOutStatement(source, options, newest))

describe("the text of a COPY", () => {
  it("quotes names", () => {
    assert.strictEqual(
      into({}, { table: 'my "t"', schema: "S", columns: ["a b", '"'] }),
      'COPY "S"."my ""t""" ("a b", """") FROM STDIN'
    )
    assert.strictEqual(outOf({}, { table: "t" }), 'COPY "t" TO STDOUT')
  })

  it("ends the comment at the end of a query", () => {
    assert.strictEqual(outOf({}, { query: "SELECT 1 -- one" }), "COPY (\nSELECT 1 -- one\n) TO STDOUT")
  })

  it("has all options of COPY FROM", () => {
    assert.strictEqual(
      into({
        format: "csv",
        delimiter: "\t",
        null: "\\N",
        header: "match",
        quote: "'",
        escape: "\\",
        encoding: "LATIN1",
        default: "\\D",
        forceNotNull: ["a", "b"],
        forceNull: "*",
        freeze: true,
        onError: "ignore",
        where: "a > 1"
      }),
      `COPY "t" FROM STDIN (FORMAT 'csv', DELIMITER '\t', NULL E'\\\\N', HEADER match, QUOTE '''', ESCAPE E'\\\\', ` +
        `ENCODING 'LATIN1', DEFAULT E'\\\\D', FORCE_NOT_NULL ("a", "b"), FORCE_NULL *, FREEZE true, ` +
        `ON_ERROR 'ignore') WHERE a > 1`
    )
  })

  it("has all options of COPY TO", () => {
    assert.strictEqual(
      outOf({
        format: "csv",
        delimiter: ";",
        null: "",
        header: true,
        quote: '"',
        escape: '"',
        encoding: "UTF8",
        forceQuote: "*"
      }),
      `COPY "t" TO STDOUT (FORMAT 'csv', DELIMITER ';', NULL '', HEADER true, QUOTE '"', ESCAPE '"', ENCODING 'UTF8', ` +
        `FORCE_QUOTE *)`
    )
    assert.strictEqual(outOf({ format: "binary" }), `COPY "t" TO STDOUT (FORMAT 'binary')`)
  })

  it("treats undefined as an option that was left out", () => {
    assert.strictEqual(into({ delimiter: undefined, where: undefined, onProgress: undefined }), 'COPY "t" FROM STDIN')
  })

  it("never lets the value of an option become SQL", () => {
    assert.strictEqual(
      Effect.runSync(copyInStatement({ table: "t" }, Object.assign({}, { delimiter: "') ; DROP TABLE t --" }), newest)),
      `COPY "t" FROM STDIN (DELIMITER ''') ; DROP TABLE t --')`
    )
  })

  const refused: ReadonlyArray<readonly [string, object, string]> = [
    [
      "an option that there is not",
      { forceQuotes: "*" },
      "forceQuotes: is not an option of this COPY; the options are: format"
    ],
    ["a name from a prototype", { constructor: "x" }, "constructor: is not an option of this COPY"],
    ["a number for a string", { delimiter: 9 }, "delimiter: must be a string"],
    ["a string for a flag", { header: "yes" }, "header: must be true or false"],
    ["no column", { forceNull: [] }, 'forceNull: must be a list of columns, or "*"']
  ]
  for (const [what, options, reason] of refused) {
    it(`refuses ${what}`, () => {
      const error = Effect.runSync(Effect.flip(copyInStatement({ table: "t" }, Object.assign({}, options), newest)))
      assert.strictEqual(error._tag, "InvalidConfigError")
      assert.include(error.message, reason)
    })
  }

  it("refuses an empty list of columns", () => {
    const error = Effect.runSync(Effect.flip(copyInStatement({ table: "t", columns: [] }, {}, newest)))
    assert.strictEqual(error.message, "columns: must name at least one column; leave it out for all columns")
  })

  const since: ReadonlyArray<readonly [number, PgCopy.InOptions, string]> = [
    [12, { where: "true" }, "where of COPY"],
    [15, { header: "match" }, 'header: "match" of COPY'],
    [16, { default: "\\D" }, "default of COPY"],
    [17, { onError: "ignore" }, "onError of COPY"],
    [17, { format: "csv", forceNull: "*" }, 'forceNull: "*" of COPY']
  ]
  for (const [major, options, feature] of since) {
    it(`says that ${feature} came with PostgreSQL ${major}`, () => {
      const error = Effect.runSync(Effect.flip(copyInStatement({ table: "t" }, options, version(major - 1))))
      assert.strictEqual(
        error.message,
        `the option ${feature} is not supported here: it needs PostgreSQL ${major} or later, but the server is ${major - 1}.0`
      )
      Effect.runSync(copyInStatement({ table: "t" }, options, version(major)))
      // A server that numbers itself in another way may have it.
      Effect.runSync(copyInStatement({ table: "t" }, options, { major: 0, minor: 0, text: "Other 1" }))
    })
  }
})
