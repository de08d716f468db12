import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { Buffer } from "node:buffer"
import { arrayOf, PgArray } from "../../src/codec/array.ts"
import { formatOf, textOf } from "../../src/codec/codec.ts"
import { json, jsonb, jsonNull, jsonpath } from "../../src/codec/json.ts"
import { PgLiteral } from "../../src/codec/pgLiteral.ts"
import { pgType } from "../../src/codec/oid.generated.ts"
import { typed } from "../../src/codec/typedParameter.ts"
import { Format } from "../../src/wire/backendMessage.ts"
import { assertWithstands, hostile, read, undecodable, unencodable, written } from "../fixtures/codec.ts"

const hexOf = (value: string): string => Buffer.from(value).toString("hex")

const documents: ReadonlyArray<readonly [unknown, string]> = [
  [{ a: 1, b: [true, null, "x"] }, '{"a":1,"b":[true,null,"x"]}'],
  [[], "[]"],
  [{}, "{}"],
  [1.5, "1.5"],
  [false, "false"],
  [null, "null"],
  [{ name: "größe 🐘" }, '{"name":"größe 🐘"}']
]

for (const [codec, version] of [
  [json, ""],
  [jsonb, "01"]
] as const) {
  describe(`the type ${codec.name}`, () => {
    for (const [value, text] of documents) {
      it(`reads and writes ${text}`, () => {
        assert.deepStrictEqual(read(codec, version + hexOf(text)), value)
        assert.strictEqual(written(codec, value), version + hexOf(text))
      })
    }

    it("reads every document: a string, spaces, an own property __proto__", () => {
      assert.strictEqual(read(codec, version + hexOf(' "text" ')), "text")
      const value = read(codec, version + hexOf('{"__proto__":{"polluted":1}}'))
      assert.deepStrictEqual(Object.keys(Object(value)), ["__proto__"])
      assert.strictEqual(Object.getPrototypeOf(value), Object.prototype)
    })

    it("takes a value that JSON.stringify accepts, toJSON included", () => {
      assert.strictEqual(written(codec, new Date(0)), version + hexOf('"1970-01-01T00:00:00.000Z"'))
      assert.strictEqual(written(codec, { a: undefined, b: 1 }), version + hexOf('{"b":1}'))
    })

    it("refuses values that have no JSON", () => {
      const cyclic: { self?: unknown } = {}
      cyclic.self = cyclic
      const throwing = {
        toJSON: () => {
          throw new Error("secret")
        }
      }
      for (const value of [cyclic, { id: 1n }, 1n, throwing]) {
        assert.strictEqual(
          unencodable(codec, value),
          `${codec.name} takes a value that JSON.stringify accepts: no cycle, no bigint, no toJSON that throws`
        )
      }
      for (const [value, kind] of [
        [undefined, "undefined"],
        [() => 1, "a function"],
        [Symbol("a"), "a symbol"]
      ] as const) {
        assert.strictEqual(
          unencodable(codec, value),
          `${codec.name} takes a value that JSON.stringify accepts, not ${kind}`
        )
      }
    })

    it("refuses objects of which JSON keeps nothing", () => {
      for (const [value, kind] of [
        [Promise.resolve({ a: 1 }), "a Promise"],
        [new Map([["a", 1]]), "a Map"],
        [new Set([1]), "a Set"],
        [Effect.succeed({ a: 1 }), "an Effect"],
        [Option.some({ a: 1 }), "an Option"],
        [Redacted.make({ a: 1 }), "a Redacted"]
      ] as const) {
        assert.strictEqual(
          unencodable(codec, value),
          `${codec.name} takes only values that JSON can represent, not ${kind}`
        )
      }
      const withToJson = Object.assign(new Map([["a", 1]]), { toJSON: () => ({ a: 1 }) })
      assert.strictEqual(textOf(codec, withToJson), '{"a":1}')
    })

    it("writes a string as a JSON string, whatever it looks like", () => {
      for (const text of ["x", "5", "null", "", '{"a":1}', '"quoted"', "[1]", "\ud800", "\0"]) {
        assert.strictEqual(formatOf(codec, text), Format.binary)
        assert.strictEqual(written(codec, text), version + hexOf(JSON.stringify(text)))
        assert.strictEqual(textOf(codec, text), JSON.stringify(text))
        assert.strictEqual(read(codec, written(codec, text)), text)
      }
    })

    it("writes a literal as the JSON text that it is, also if the value can only be binary", () => {
      const literal = new PgLiteral('{ "a" : 1.50 }')
      assert.strictEqual(formatOf(codec, literal), Format.text)
      assert.strictEqual(textOf(codec, literal), '{ "a" : 1.50 }')
      assert.strictEqual(written(codec, literal), version + hexOf('{ "a" : 1.50 }'))
      assert.include(unencodable(codec, { a: literal }), "cannot be part of a JSON document")
    })

    it("reads an array within an array of documents as a document, and more dimensions as a PgArray", () => {
      const documents = arrayOf(codec, 3802)
      const pairs = [
        [1, 2],
        [3, 4]
      ]
      for (const value of [pairs, [[]], [[], [1]], [null, [null]], [[[1]], "x", { a: [1] }], []]) {
        assert.deepStrictEqual(read(documents, written(documents, value)), value)
        assert.deepStrictEqual(documents.ofText?.(textOf(documents, value)), value)
      }
      const square = new PgArray(
        [
          ["a", [1, 2]],
          [null, {}]
        ],
        [1, 0]
      )
      assert.deepStrictEqual(read(documents, written(documents, square)), square)
      assert.deepStrictEqual(documents.ofText?.(textOf(documents, square)), square)
    })

    it("shows nothing of the value that it refuses", () => {
      for (const text of ["{secret", "", "nul", '{"secret":1}x']) {
        assert.strictEqual(undecodable(codec, version + hexOf(text)), `the ${codec.name} is not valid JSON`)
      }
    })

    it.prop("survives a round trip with any document", [Schema.Json], ([value]) => {
      const document = { value }
      assert.deepStrictEqual(read(codec, written(codec, document)), JSON.parse(JSON.stringify(document)))
    })

    it.prop("throws nothing but Undecodable", [hostile(1, 2, 3)], ([values]) => assertWithstands(codec, values))
  })
}

describe("jsonNull", () => {
  it("is JSON's null as a parameter, in an array and within a document", () => {
    assert.strictEqual(written(json, jsonNull), hexOf("null"))
    assert.strictEqual(written(jsonb, jsonNull), `01${hexOf("null")}`)
    assert.strictEqual(textOf(jsonb, jsonNull), "null")
    assert.strictEqual(written(json, { a: jsonNull }), hexOf('{"a":null}'))
    const elements = written(arrayOf(json, pgType.json.oid), [jsonNull, null])
    assert.strictEqual(elements, `000000010000000100000072000000020000000100000004${hexOf("null")}ffffffff`)
  })

  it("is read as null", () => {
    assert.isNull(read(json, written(json, jsonNull)))
  })
})

describe("jsonpath", () => {
  it("is a version and its text, and travels in binary", () => {
    assert.strictEqual(read(jsonpath, `01${hexOf('$."a"')}`), '$."a"')
    assert.strictEqual(written(jsonpath, "$.größe[*]"), `01${hexOf("$.größe[*]")}`)
    assert.strictEqual(formatOf(jsonpath, "$"), Format.binary)
    assert.strictEqual(unencodable(jsonpath, {}), "jsonpath takes a string, not an object")
    for (const hex of ["", "00", `02${hexOf("$")}`]) {
      assert.strictEqual(undecodable(jsonpath, hex), "the jsonpath has an unknown version")
    }
  })

  it.prop("throws nothing but Undecodable", [hostile(1, 2, 3)], ([values]) => assertWithstands(jsonpath, values))
})

describe("the version of a jsonb", () => {
  it("is 1; every other one is refused", () => {
    for (const hex of ["", "00", "027b7d"])
      assert.strictEqual(undecodable(jsonb, hex), "the jsonb has an unknown version")
  })
})

describe("a parameter that is part of a document", () => {
  for (const [what, parameter] of [
    ["a literal", new PgLiteral("{}")],
    ["a typed parameter", typed("int4", 1)]
  ] as const) {
    it(`is refused, and can still be printed: ${what}`, () => {
      assert.throws(() => textOf(json, { part: parameter }), /cannot be part of a JSON document/)
      assert.notInclude(JSON.stringify(parameter), "{}")
      assert.strictEqual(textOf(json, { part: 1 }), '{"part":1}')
    })
  }
})
