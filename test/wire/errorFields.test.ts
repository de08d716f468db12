import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import { Buffer } from "node:buffer"
import { type ErrorFields, readErrorFields } from "../../src/wire/errorFields.ts"
import { ProtocolViolation } from "../../src/wire/failure.ts"
import { bytes, hex, int, text } from "./frames.ts"

/** Field types of the protocol (PostgreSQL documentation, "Error and Notice Message Fields"), by our names. */
const fieldTypes = {
  severity: "S",
  severityUnlocalized: "V",
  code: "C",
  message: "M",
  detail: "D",
  hint: "H",
  position: "P",
  internalPosition: "p",
  internalQuery: "q",
  where: "W",
  schemaName: "s",
  tableName: "t",
  columnName: "c",
  dataTypeName: "d",
  constraintName: "n",
  file: "F",
  line: "L",
  routine: "R"
} as const satisfies Record<keyof ErrorFields, string>

const body = (fields: Readonly<Record<string, string>>): Buffer =>
  Buffer.from(
    `${Object.entries(fields)
      .map(([type, value]) => `${type}${value}\0`)
      .join("")}\0`
  )

const read = (message: Buffer): ErrorFields => readErrorFields(message, 0, message.length)

describe("readErrorFields", () => {
  it("reads the fields that PostgreSQL 18 sends for a unique violation", () => {
    const message = hex(
      "53464548 4c455200" + // S FEHLER
        "564552524f5200" + // V ERROR
        "433233353035 00" + // C 23505
        "4d64757000" + // M dup
        "446b00" + // D k
        "737075626c696300" + // s public
        "747500" + // t u
        "6e755f706b657900" + // n u_pkey
        "00"
    )
    const fields = readErrorFields(Buffer.concat([hex("45 00000000"), message, hex("ff")]), 5, 5 + message.length)
    assert.deepStrictEqual(fields, {
      severity: "FEHLER",
      severityUnlocalized: "ERROR",
      code: "23505",
      message: "dup",
      detail: "k",
      hint: undefined,
      position: undefined,
      internalPosition: undefined,
      internalQuery: undefined,
      where: undefined,
      schemaName: "public",
      tableName: "u",
      columnName: undefined,
      dataTypeName: undefined,
      constraintName: "u_pkey",
      file: undefined,
      line: undefined,
      routine: undefined
    })
  })

  for (const [name, type] of Object.entries(fieldTypes)) {
    it(`reads field ${type} as ${name}`, () => {
      const fields = read(body({ [type]: "größe" }))
      assert.strictEqual(fields[name as keyof ErrorFields], "größe")
    })
  }

  it("skips field types that it does not know", () => {
    const fields = read(body({ M: "a", x: "new in PostgreSQL 30", Z: "", C: "42601" }))
    assert.strictEqual(fields.message, "a")
    assert.strictEqual(fields.code, "42601")
  })

  it("accepts an error without fields", () => {
    const fields = read(body({}))
    assert.strictEqual(fields.severity, "ERROR")
    assert.strictEqual(fields.severityUnlocalized, "ERROR")
    assert.strictEqual(fields.code, "XX000")
    assert.strictEqual(fields.message, "the server sent an error without a message")
  })

  it("takes the localized severity if there is no other, as before PostgreSQL 9.6", () => {
    assert.strictEqual(read(body({ S: "FATAL" })).severityUnlocalized, "FATAL")
  })

  it("does not take the name of an object property for a field", () => {
    assert.isUndefined(read(body({ _: "_proto__" })).detail)
  })

  for (const [what, message] of [
    ["without its end", hex("4d616200")],
    ["with a field without its terminator", hex("4d6162")],
    ["that is empty", hex("")],
    ["with bytes after its end", hex("4d6100 00 00")]
  ] as const) {
    it(`refuses an error ${what}`, () => {
      assert.throws(() => read(message), ProtocolViolation)
    })
  }

  it.prop(
    "gives back the fields that were sent",
    [Arbitrary.all({ message: text, detail: text, hint: text, where: text })],
    ([{ detail, hint, message, where }]) => {
      const fields = read(body({ S: "ERROR", M: message, D: detail, H: hint, W: where }))
      assert.deepStrictEqual(
        { message: fields.message, detail: fields.detail, hint: fields.hint, where: fields.where },
        { message, detail, hint, where }
      )
    }
  )

  it.prop("throws nothing but ProtocolViolation at random bytes", [bytes(30), int(0, 5)], ([content, start]) => {
    try {
      const fields = readErrorFields(content, Math.min(start, content.length), content.length)
      assert.isString(fields.message)
    } catch (failure) {
      assert.instanceOf(failure, ProtocolViolation)
    }
  })
})
