import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import { copyColumns, needsText, rowWriter } from "../../src/codec/copyRow.ts"
import { pgType } from "../../src/codec/oid.generated.ts"
import { builtinTypes } from "../../src/codec/registry.ts"
import { ByteWriter } from "../../src/wire/byteWriter.ts"
import { Unencodable } from "../../src/wire/failure.ts"
import { text } from "../wire/frames.ts"

const UNKNOWN_OID = 123_456

const columns = (...oids: ReadonlyArray<number>) => copyColumns(oids, builtinTypes)

const written = (
  format: "binary" | "csv",
  oids: ReadonlyArray<number>,
  ...rows: ReadonlyArray<ReadonlyArray<unknown>>
) => {
  const writer = new ByteWriter()
  const write = rowWriter(columns(...oids), format)
  for (const row of rows) write(writer, row)
  return writer.take()
}

/** The fields of one line of CSV, as PostgreSQL reads them. */
const fieldsOf = (line: string): ReadonlyArray<string | null> =>
  line
    .slice(0, -1)
    .split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/s)
    .map((field) => (field === "" ? null : field.slice(1, -1).replaceAll('""', '"')))

describe("rows in binary", () => {
  it("consist of a count and each value after its length; null is NULL", () => {
    const { bool, int4, text } = pgType
    assert.strictEqual(
      written("binary", [int4.oid, text.oid, bool.oid], [1, "ab", null], [2, null, true]).toString("hex"),
      "0003 00000004 00000001 00000002 6162 ffffffff 0003 00000004 00000002 ffffffff 00000001 01".replaceAll(" ", "")
    )
  })

  it("tell which column refuses its value", () => {
    try {
      written("binary", [pgType.int4.oid, pgType.int4.oid], [1, "two"])
      assert.fail("nothing was thrown")
    } catch (failure) {
      assert.instanceOf(failure, Unencodable)
      assert.strictEqual(failure.parameter, 2)
    }
  })
})

describe("rows in CSV", () => {
  it("quote every value except NULL", () => {
    const { int4, text } = pgType
    assert.strictEqual(
      written(
        "csv",
        [int4.oid, text.oid, text.oid, UNKNOWN_OID],
        [1, 'a"b\n', null, "x"],
        ["2", "", "\\.", 3]
      ).toString(),
      '"1","a""b\n",,"x"\n"2","","\\.","3"\n'
    )
  })

  it.prop(
    "can be read again, whatever the texts are",
    [Arbitrary.array(text, { minLength: 1, maxLength: 4 })],
    ([values]) => {
      const line = written(
        "csv",
        values.map(() => pgType.text.oid),
        values
      ).toString()
      assert.deepStrictEqual(fieldsOf(line), values)
    }
  )

  it("tell which column refuses its value", () => {
    try {
      written("csv", [pgType.int4.oid, pgType.jsonb.oid], [1, null], [1, 1n])
      assert.fail("nothing was thrown")
    } catch (failure) {
      assert.instanceOf(failure, Unencodable)
      assert.strictEqual(failure.parameter, 2)
    }
  })
})

describe("a value that is undefined", () => {
  for (const format of ["binary", "csv"] as const) {
    it(`is refused in ${format}, with the number of its column`, () => {
      try {
        written(format, [pgType.int4.oid, pgType.int4.oid], [1, undefined])
        assert.fail("nothing was thrown")
      } catch (failure) {
        assert.instanceOf(failure, Unencodable)
        assert.strictEqual(failure.parameter, 2)
        assert.strictEqual(failure.message, "it is undefined; use null for NULL")
      }
    })
  }
})

describe("the choice of the format", () => {
  const { aclitem, date, int4, text, timestamptz, uuid } = pgType
  const cases: ReadonlyArray<readonly [string, ReadonlyArray<number>, ReadonlyArray<unknown>, boolean]> = [
    ["values that the codecs take", [int4.oid, text.oid], [1, "a"], false],
    ["NULL", [int4.oid, text.oid], [null, null], false],
    ["undefined, which is refused when it is written", [timestamptz.oid], [undefined], false],
    ["strings that the codecs know", [date.oid, uuid.oid], ["2024-02-29", "0".repeat(32)], false],
    ["a string that only the server can read", [timestamptz.oid], ["yesterday"], true],
    ["a value that nothing can take", [int4.oid], [Symbol.iterator], false],
    ["a type that has no binary form", [aclitem.oid], [null], true],
    ["a type that is not known", [UNKNOWN_OID], [null], true],
    ["no row", [int4.oid], [], false]
  ]
  for (const [what, oids, row, expected] of cases) {
    it(`${expected ? "needs text" : "is binary"} for ${what}`, () => {
      assert.strictEqual(needsText(columns(...oids), row), expected)
    })
  }
})
