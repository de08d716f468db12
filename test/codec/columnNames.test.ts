import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { camelCase, unchanged, withProperties } from "../../src/codec/columnNames.ts"
import { pgType } from "../../src/codec/oid.generated.ts"
import { builtinTypes } from "../../src/codec/registry.ts"
import { COMPILE_AFTER_ROWS, makeRowShape, type RowShape, UndecodableColumn } from "../../src/codec/rowReader.ts"
import { column, dataRow, int4 } from "../fixtures/dataRow.ts"

/** Names that are mostly of what the mapping looks at. */
const Name = Schema.Array(Schema.Literals(["_", "_", "a", "b", "z", "7", "é", "$", " ", "🐘", "A", "Z"]))

describe("camelCase", () => {
  const pairs: ReadonlyArray<readonly [column: string, property: string]> = [
    ["user_id", "userId"],
    ["a_b_c", "aBC"],
    ["id", "id"],
    ["_user_id", "_userId"],
    ["__typename", "__typename"],
    ["__proto__", "__proto__"],
    ["a__b", "a__b"],
    ["class_", "class_"],
    ["line_2", "line_2"],
    ["line_2_text", "line_2Text"],
    ["line2_text", "line2Text"],
    ["größe_in_cm", "größeInCm"],
    ["im_äther", "im_äther"],
    ["first name_x", "first nameX"],
    ["User_name", "User_name"],
    ["ID", "ID"],
    ["?column?", "?column?"],
    ["", ""]
  ]

  for (const [name, property] of pairs) {
    it(`makes the property "${property}" of the column "${name}", and the column of the property`, () => {
      assert.strictEqual(camelCase.propertyOf(name), property)
      assert.strictEqual(camelCase.columnOf(property), name)
    })
  }

  it("reads a column that has such a name already, and writes to the one in snake_case", () => {
    assert.strictEqual(camelCase.propertyOf("userId"), "userId")
    assert.strictEqual(camelCase.columnOf("userId"), "user_id")
  })

  it("takes a property that is the name of a column for that column", () => {
    for (const name of ["user_id", "User_name", "Name", "aB_c"]) assert.strictEqual(camelCase.columnOf(name), name)
  })

  it.prop("gives back every column without a capital letter", [Name, Schema.String], ([letters, text]) => {
    for (const name of [letters.join(""), text].map((each) => each.replaceAll(/[A-Z]/g, ""))) {
      assert.strictEqual(camelCase.columnOf(camelCase.propertyOf(name)), name)
    }
  })

  it.prop(
    "gives back every property that it has turned into another name",
    [Name, Schema.String],
    ([letters, text]) => {
      for (const property of [letters.join(""), text]) {
        const name = camelCase.columnOf(property)
        if (name !== property) assert.strictEqual(camelCase.propertyOf(name), property)
      }
    }
  )
})

const shaped = (names: ReadonlyArray<string>): RowShape =>
  makeRowShape(
    withProperties(
      names.map((name) => column(name, pgType.int4.oid)),
      camelCase
    ),
    builtinTypes
  )

describe("the readers of a row", () => {
  const columns = [column("user_id", pgType.int4.oid), column("id", pgType.int4.oid)]
  const row = dataRow([int4(1), int4(2)])

  it("use the properties, before and after they are compiled", () => {
    const shape = makeRowShape(withProperties(columns, camelCase), builtinTypes)
    for (let count = 0; count <= COMPILE_AFTER_ROWS; count++) {
      assert.deepStrictEqual(shape.object(row, 0, row.length), { userId: 1, id: 2 })
    }
    assert.include(String(shape.object), "userId: value0", "it is compiled")
    assert.deepStrictEqual(
      shape.columns.map(({ name }) => name),
      ["user_id", "id"]
    )
  })

  it("are not shared by sessions that name columns in another way", () => {
    const plain = makeRowShape(withProperties(columns, unchanged), builtinTypes)
    const camel = makeRowShape(withProperties(columns, camelCase), builtinTypes)
    assert.deepStrictEqual(plain.object(row, 0, row.length), { user_id: 1, id: 2 })
    assert.deepStrictEqual(camel.object(row, 0, row.length), { userId: 1, id: 2 })
    assert.strictEqual(makeRowShape(withProperties(columns, camelCase), builtinTypes).object, camel.object)
  })

  it("refuse two columns that are one property, and read them as tuples", () => {
    const shape = shaped(["user_id", "userId"])
    const message = 'columns "user_id" and "userId" would both become the property "userId"'
    for (let count = 0; count <= COMPILE_AFTER_ROWS + 1; count++) {
      assert.throws(() => shape.object(row, 0, row.length), UndecodableColumn, message)
    }
    assert.deepStrictEqual(shape.tuple(row, 0, row.length), [1, 2])
  })

  it("keep the last of two columns with one name, as without properties", () => {
    const { object } = shaped(["user_id", "user_id"])
    assert.deepStrictEqual(object(row, 0, row.length), { userId: 2 })
  })
})
