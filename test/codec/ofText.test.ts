/** Tests how codecs read the server's text forms, which they meet inside types that have no binary form. */
import { assert, describe, it } from "@effect/vitest"
import { bool } from "../../src/codec/boolean.ts"
import { bytea } from "../../src/codec/bytea.ts"
import { type Codec, ofText } from "../../src/codec/codec.ts"
import { float4, float8 } from "../../src/codec/float.ts"
import { int2, int4, int8, oid, xid8 } from "../../src/codec/integer.ts"
import { interval, PgInterval } from "../../src/codec/interval.ts"
import { json, jsonb } from "../../src/codec/json.ts"
import { text } from "../../src/codec/text.ts"
import { time } from "../../src/codec/time.ts"
import { PgTimestamp, timestamp, timestamptz } from "../../src/codec/timestamp.ts"
import { Undecodable } from "../../src/wire/failure.ts"

const MILLISECONDS = Date.UTC(2024, 1, 29, 12)

const table: ReadonlyArray<readonly [codec: Codec, text: string, value: unknown]> = [
  [bool, "t", true],
  [bool, "f", false],
  [int2, "-32768", -32_768],
  [int4, "2147483647", 2_147_483_647],
  [int8, "-9223372036854775808", -(2n ** 63n)],
  [xid8, "18446744073709551615", 2n ** 64n - 1n],
  [oid, "4294967295", 4_294_967_295],
  [float4, "1.1", Math.fround(1.1)],
  [float8, "-0", -0],
  [float8, "NaN", Number.NaN],
  [float8, "-Infinity", -Infinity],
  [float8, "5e-324", 5e-324],
  [text, " as it is ", " as it is "],
  [bytea, "\\x", new Uint8Array()],
  [bytea, "\\x00ff", Uint8Array.of(0, 255)],
  [json, '{"a": [1, null]}', { a: [1, null] }],
  [jsonb, "null", null],
  [time, "24:00:00", 86_400_000_000n],
  [timestamp, "2024-02-29 12:00:00", new Date(MILLISECONDS)],
  [timestamp, "-infinity", -Infinity],
  [timestamptz, "2024-02-29 13:30:00.000001+01:30", new PgTimestamp(MILLISECONDS, 1)],
  [timestamptz, "294276-12-31 23:59:59.999999+00", "294276-12-31 23:59:59.999999+00"],
  [interval, "00:00:00", new PgInterval({})],
  [interval, "1 year", new PgInterval({ months: 12 })],
  [interval, "-1 years -2 mons +3 days", new PgInterval({ months: -14, days: 3 })],
  [interval, "1 day -00:00:00.000001", new PgInterval({ days: 1, microseconds: -1n })],
  [interval, "2562047788:00:54.775807", new PgInterval({ microseconds: 2n ** 63n - 1n })],
  [interval, "infinity", Infinity]
]

const malformed: ReadonlyArray<readonly [codec: Codec, text: string]> = [
  [int4, "1.5"],
  [int8, ""],
  [float8, "one"],
  [bytea, "escaped\\000"],
  [json, "{"],
  [interval, "P1Y"],
  [interval, ""]
]

describe("ofText", () => {
  for (const [codec, form, value] of table) {
    it(`reads ${codec.name} ${JSON.stringify(form)}`, () => assert.deepStrictEqual(ofText(codec, form), value))
  }

  for (const [codec, form] of malformed) {
    it(`refuses ${codec.name} ${JSON.stringify(form)}`, () => assert.throws(() => ofText(codec, form), Undecodable))
  }
})
