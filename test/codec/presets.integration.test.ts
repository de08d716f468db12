/** Tests the codecs that read built-in types in another way than usual, on a real server. */
import { assert, layer } from "@effect/vitest"
import * as BigDecimal from "effect/BigDecimal"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as PgTypes from "../../src/PgTypes.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, liveConnection, refusalOf, valueOf } from "../support/live.ts"

const connectionWith = (...types: ReadonlyArray<PgTypes.Codec>) => liveConnection({ types })

layer(TestDatabase.layer, { excludeTestServices: true })("a preset", (it) => {
  it.effect("reads int8 as a number, and refuses one that a number cannot hold", () =>
    Effect.gen(function* () {
      const connection = yield* connectionWith(PgTypes.int8AsNumber)
      const values = [0, -1, 2 ** 32, -(2 ** 32) - 1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]
      assert.deepStrictEqual(yield* valueOf(connection, "SELECT $1::int8[]", [values]), values)
      for (const value of values) assert.strictEqual(yield* valueOf(connection, "SELECT $1::int8", [value]), value)
      assert.strictEqual(yield* valueOf(connection, "SELECT count(*) FROM generate_series(1, 3)"), 3)
      assert.deepStrictEqual(
        yield* valueOf(connection, "SELECT '[1,5)'::int8range"),
        new PgTypes.PgRange({ lower: 1, upper: 5 })
      )
      for (const unsafe of ["9007199254740992", "-9007199254740992", "9223372036854775807"]) {
        const refusal = yield* refusalOf(valueOf(connection, `SELECT '${unsafe}'::int8`))
        assert.strictEqual(refusal._tag, "DecodeError")
        assert.notInclude(refusal.message, unsafe)
      }
      assert.strictEqual(yield* valueOf(connection, "SELECT $1::int8 - 9007199254740992", [2n ** 53n]), 0)
      yield* assertHealthy(connection)
    })
  )

  it.effect("reads numeric as BigDecimal with its scale", () =>
    Effect.gen(function* () {
      const connection = yield* connectionWith(PgTypes.numericAsBigDecimal)
      const texts = ["0", "0.00", "-12.50", "12345678901234567890.000000001", `1${"0".repeat(40)}`, "-0.001"]
      for (const text of texts) {
        const value = yield* valueOf(connection, `SELECT '${text}'::numeric`)
        assert.isTrue(BigDecimal.isBigDecimal(value))
        assert.strictEqual(yield* valueOf(connection, "SELECT $1::numeric::text", [value]), text)
      }
      const price = BigDecimal.make(150n, 2)
      assert.deepStrictEqual(yield* valueOf(connection, "SELECT ARRAY[1.50]"), [price])
      assert.strictEqual(yield* valueOf(connection, "SELECT $1::numeric::text", [BigDecimal.make(15n, -3)]), "15000")
      assert.deepStrictEqual(yield* valueOf(connection, "SELECT $1::numeric", ["1.50"]), price)
      for (const special of ["NaN", "Infinity", "-Infinity"]) {
        const refusal = yield* refusalOf(valueOf(connection, `SELECT '${special}'::numeric`))
        assert.strictEqual(refusal._tag, "DecodeError")
      }
      const beyond = yield* refusalOf(valueOf(connection, "SELECT $1::numeric", [BigDecimal.make(1n, -1_000_000_000)]))
      assert.strictEqual(beyond._tag, "EncodeError")
      yield* assertHealthy(connection)
    })
  )

  it.effect("reads timestamps as microseconds", () =>
    Effect.gen(function* () {
      const connection = yield* connectionWith(PgTypes.timestampAsMicroseconds, PgTypes.timestamptzAsMicroseconds)
      yield* connection.execute("SET TimeZone = 'Asia/Tokyo'")
      const instants: ReadonlyArray<readonly [string, unknown]> = [
        ["1970-01-01 00:00:00.000001", 1n],
        ["2024-02-29 12:00:00.123456", 1_709_208_000_123_456n],
        ["4714-11-24 00:00:00 BC", -210_866_803_200_000_000n],
        ["294276-12-31 23:59:59.999999", 9_224_318_015_999_999_999n],
        ["infinity", Infinity],
        ["-infinity", -Infinity]
      ]
      for (const [text, value] of instants) {
        for (const type of ["timestamp", "timestamptz"]) {
          const literal =
            text.startsWith("4714") && type === "timestamptz"
              ? "4714-11-24 00:00:00+00 BC"
              : `${text}${type === "timestamptz" && !text.includes("infinity") ? "+00" : ""}`
          assert.deepStrictEqual(yield* valueOf(connection, `SELECT '${literal}'::${type}`), value)
          assert.deepStrictEqual(yield* valueOf(connection, `SELECT $1 = '${literal}'::${type}`, [value]), true)
          assert.deepStrictEqual(yield* valueOf(connection, `SELECT $1::${type}[]`, [[value, null]]), [value, null])
        }
      }
      // A string in an array makes the whole array travel as text.
      assert.deepStrictEqual(yield* valueOf(connection, "SELECT $1::timestamptz[]", [[1n, "1970-01-01 09:00:00+09"]]), [
        1n,
        0n
      ])
      assert.strictEqual(yield* valueOf(connection, "SELECT $1::timestamptz", [new Date(5)]), 5000n)
      for (const beyond of [9_224_318_016_000_000_000n, -210_866_803_200_000_001n, 2n ** 80n]) {
        const refusal = yield* refusalOf(valueOf(connection, "SELECT $1::timestamptz", [beyond]))
        assert.strictEqual(refusal._tag, "EncodeError")
      }
    })
  )

  it.effect("reads timestamps as text that does not depend on settings", () =>
    Effect.gen(function* () {
      const connection = yield* connectionWith(PgTypes.timestampAsText, PgTypes.timestamptzAsText)
      yield* connection.executeScript("SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'German'")
      const row = yield* connection.fetchTuples(
        `SELECT '2024-02-29 12:00:00.5'::timestamp, '2024-02-29 12:00:00.123456+00'::timestamptz,
           'infinity'::timestamptz, '-infinity'::timestamp, '294276-12-31 23:59:59.999999+00'::timestamptz,
           ARRAY['1970-01-01 BC'::timestamp], ROW('1970-01-01'::timestamp)`
      )
      const texts = [
        "2024-02-29 12:00:00.5",
        "2024-02-29 12:00:00.123456+00",
        "infinity",
        "-infinity",
        "294276-12-31 23:59:59.999999+00",
        ["1970-01-01 00:00:00 BC"],
        ["1970-01-01 00:00:00"]
      ]
      assert.deepStrictEqual(row, [texts])
      for (const text of [texts[1], texts[2], texts[4]]) {
        assert.strictEqual(yield* valueOf(connection, "SELECT $1::timestamptz", [text]), text)
      }
    })
  )

  it.effect("reads timestamps as DateTime", () =>
    Effect.gen(function* () {
      const connection = yield* connectionWith(PgTypes.timestampAsDateTime, PgTypes.timestamptzAsDateTime)
      const instant = DateTime.makeUnsafe("2024-02-29T12:00:00.123Z")
      for (const type of ["timestamp", "timestamptz"]) {
        assert.deepStrictEqual(yield* valueOf(connection, `SELECT '2024-02-29 12:00:00.123456Z'::${type}`), instant)
        assert.deepStrictEqual(yield* valueOf(connection, `SELECT $1::${type}[]`, [[instant, null]]), [instant, null])
        const refusal = yield* refusalOf(valueOf(connection, `SELECT 'infinity'::${type}`))
        assert.strictEqual(refusal._tag, "DecodeError")
      }
      const zoned = DateTime.setZoneOffset(instant, 3_600_000)
      assert.deepStrictEqual(yield* valueOf(connection, "SELECT $1::timestamptz", [zoned]), instant)
      assert.deepStrictEqual(
        yield* valueOf(connection, "SELECT $1::timestamptz", ["2024-02-29 12:00:00.123Z"]),
        instant
      )
    })
  )
})
