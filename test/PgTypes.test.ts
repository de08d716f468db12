/** Tests the schemas of our values: what they decode from a row, what they encode, and their JSON. */
import { assert, describe, it } from "@effect/vitest"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as PgTypes from "../src/PgTypes.ts"

const int = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

const Instant = Schema.Struct({ milliseconds: int(-62_000_000_000_000, 253_000_000_000_000), microsecond: int(0, 999) })
const Parts = Schema.Struct({
  months: int(-0x80000000, 0x7fffffff),
  days: int(-0x80000000, 0x7fffffff),
  microseconds: Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: -(2n ** 63n), maximum: 2n ** 63n - 1n }))
})

/** Encodes a value as JSON text by its schema, and decodes it again. */
const throughJson = <A, E>(schema: Schema.Codec<A, E>, value: A): A => {
  const json = Schema.toCodecJson(schema)
  return Schema.decodeUnknownSync(json)(JSON.parse(JSON.stringify(Schema.encodeSync(json)(value))))
}

const isRefused = <A, E>(schema: Schema.Codec<A, E>, value: unknown): boolean =>
  Exit.isFailure(Schema.decodeUnknownExit(schema)(value))

describe("Timestamp", () => {
  it.prop("keeps every digit, in rows and in JSON", [Instant], ([{ microsecond, milliseconds }]) => {
    const value = new PgTypes.PgTimestamp(milliseconds, microsecond)
    for (const same of [
      Schema.decodeUnknownSync(PgTypes.Timestamp)(Schema.encodeSync(PgTypes.Timestamp)(value)),
      throughJson(PgTypes.Timestamp, value)
    ]) {
      assert.instanceOf(same, PgTypes.PgTimestamp)
      assert.deepStrictEqual([same.getTime(), same.microsecond], [milliseconds, microsecond])
    }
  })

  it("accepts every Date, and nothing else that a row may hold", () => {
    const date = new Date("2024-02-29T12:00:00.123Z")
    const { microsecond } = Schema.decodeUnknownSync(PgTypes.Timestamp)(date)
    assert.strictEqual(microsecond, 0)
    for (const value of [Infinity, "2024-02-29", null, new Date(NaN)])
      assert.isTrue(isRefused(PgTypes.Timestamp, value))
    assert.isTrue(isRefused(Schema.toCodecJson(PgTypes.Timestamp), "2024-02-29"))
  })
})

describe("Interval", () => {
  it.prop("survives a round trip through JSON", [Parts], ([parts]) => {
    const value = new PgTypes.PgInterval(parts)
    assert.deepStrictEqual(throughJson(PgTypes.Interval, value), value)
    assert.strictEqual(Schema.decodeUnknownSync(PgTypes.Interval)(value), value)
  })

  it("accepts nothing else", () => {
    for (const value of [Infinity, "P1D", { months: 1, days: 0, microseconds: 0n }]) {
      assert.isTrue(isRefused(PgTypes.Interval, value))
    }
    for (const value of ["1 day", "P1.5D", "P", "PT"])
      assert.isTrue(isRefused(Schema.toCodecJson(PgTypes.Interval), value))
  })
})

describe("ArrayOf", () => {
  const Numbers = PgTypes.ArrayOf(Schema.NullOr(Schema.NumberFromString))

  it("decodes its elements, and keeps the lower bounds", () => {
    const inRow = new PgTypes.PgArray(["1", null], [0])
    const decoded = new PgTypes.PgArray([1, null], [0])
    assert.deepStrictEqual(Schema.decodeUnknownSync(Numbers)(inRow), decoded)
    assert.deepStrictEqual(Schema.encodeSync(Numbers)(decoded), inRow)
    assert.deepStrictEqual(throughJson(Numbers, decoded), decoded)
    const matrix = new PgTypes.PgArray([[new PgTypes.PgTimestamp(0, 7)]], [-1, 3])
    assert.deepStrictEqual(throughJson(PgTypes.ArrayOf(Schema.Array(PgTypes.Timestamp)), matrix), matrix)
  })

  it("says which element does not fit", () => {
    const exit = Schema.decodeUnknownExit(Numbers)(new PgTypes.PgArray<unknown>(["1", 5], [1]))
    assert.match(String(exit), /Expected string[^]*\["values"\]\[1\]/)
    for (const value of [null, ["1"], { values: ["1"], lowerBounds: [1] }]) assert.isTrue(isRefused(Numbers, value))
  })
})

describe("Range", () => {
  const Numbers = PgTypes.Range(Schema.NumberFromString)

  it("decodes its bounds, and keeps their inclusiveness", () => {
    const inRow = [
      new PgTypes.PgRange({ lower: "1", upper: "5", upperInclusive: true }),
      new PgTypes.PgRange({ lower: null, upper: "5" }),
      PgTypes.PgRange.empty
    ]
    const decoded = [
      new PgTypes.PgRange({ lower: 1, upper: 5, upperInclusive: true }),
      new PgTypes.PgRange({ lower: null, upper: 5 }),
      PgTypes.PgRange.empty
    ]
    assert.deepStrictEqual(Schema.decodeUnknownSync(Schema.Array(Numbers))(inRow), decoded)
    assert.deepStrictEqual(Schema.encodeSync(Schema.Array(Numbers))(decoded), inRow)
    for (const range of decoded) assert.deepStrictEqual(throughJson(Numbers, range), range)
    const timestamps = new PgTypes.PgRange({ lower: new PgTypes.PgTimestamp(0, 7), upper: null, lowerInclusive: false })
    assert.deepStrictEqual(throughJson(PgTypes.Range(PgTypes.Timestamp), timestamps), timestamps)
  })

  it("says which bound does not fit", () => {
    const exit = Schema.decodeUnknownExit(Numbers)(new PgTypes.PgRange<unknown>({ lower: "1", upper: 5 }))
    assert.match(String(exit), /Expected string[^]*\["upper"\]/)
    for (const value of [null, "[1,5)", { lower: "1", upper: "5" }]) assert.isTrue(isRefused(Numbers, value))
  })
})
