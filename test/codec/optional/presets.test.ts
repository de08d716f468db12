import { assert, describe, it } from "@effect/vitest"
import { afterEach, vi } from "vitest"
import { ofText, textOf } from "../../../src/codec/codec.ts"
import * as PgTypes from "../../../src/PgTypes.ts"
import { Undecodable } from "../../../src/wire/failure.ts"
import { assertWithstands, hostile, int64, read, undecodable, unencodable, written } from "../../fixtures/codec.ts"
import { codecOf } from "../../fixtures/typeCodec.ts"

const MAX = 2n ** 63n - 1n
const hexOf = (value: bigint): string => BigInt.asUintN(64, value).toString(16).padStart(16, "0")

describe("int8AsNumber", () => {
  const codec = codecOf(PgTypes.int8AsNumber)

  it.prop("reads numbers that are exact, and refuses the rest", [int64(-MAX - 1n, MAX)], ([value]) => {
    if (BigInt(Number.MIN_SAFE_INTEGER) <= value && value <= BigInt(Number.MAX_SAFE_INTEGER)) {
      assert.strictEqual(read(codec, hexOf(value)), Number(value))
      assert.strictEqual(ofText(codec, String(value)), Number(value))
    } else {
      assert.match(undecodable(codec, hexOf(value)), /beyond 2\^53 - 1/)
      assert.throws(() => ofText(codec, String(value)), Undecodable)
    }
    assert.strictEqual(written(codec, value), hexOf(value))
  })
})

/** As much of Temporal as the codecs use, for a runtime without it. */
class FakeInstant {
  readonly epochNanoseconds: bigint
  constructor(epochNanoseconds: bigint) {
    this.epochNanoseconds = epochNanoseconds
  }
  toZonedDateTimeISO(): FakeZoned {
    return new FakeZoned(this.epochNanoseconds)
  }
  static fromEpochNanoseconds(epochNanoseconds: bigint): FakeInstant {
    if (epochNanoseconds > 8_640_000_000_000_000_000_000n) throw new RangeError("too late")
    return new FakeInstant(epochNanoseconds)
  }
}

class FakeZoned extends FakeInstant {
  toPlainDateTime(): FakePlainDateTime {
    return new FakePlainDateTime(this)
  }
}

class FakePlainDateTime {
  readonly zoned: FakeZoned
  constructor(zoned: FakeZoned) {
    this.zoned = zoned
  }
  readonly [Symbol.toStringTag] = "Temporal.PlainDateTime"
  toZonedDateTime(): FakeZoned {
    return this.zoned
  }
  equals(other: FakePlainDateTime): boolean {
    return this.zoned.epochNanoseconds === other.zoned.epochNanoseconds
  }
}

const Y2000 = "0000000000000000"
const Y2000_NANOSECONDS = 946_684_800_000_000_000n
const INFINITY = "7fffffffffffffff"

describe("Temporal", () => {
  afterEach(() => vi.unstubAllGlobals())

  it("causes a DecodeError in a runtime without it", () => {
    vi.stubGlobal("Temporal", undefined)
    Reflect.deleteProperty(globalThis, "Temporal")
    assert.match(undecodable(codecOf(PgTypes.timestamptzAsTemporal), Y2000), /this runtime has no Temporal/)
  })

  it("holds timestamptz and timestamp both ways if the runtime has it", () => {
    vi.stubGlobal("Temporal", { Instant: FakeInstant })
    const timestamptz = codecOf(PgTypes.timestamptzAsTemporal)
    const timestamp = codecOf(PgTypes.timestampAsTemporal)
    assert.deepStrictEqual(read(timestamptz, Y2000), new FakeInstant(Y2000_NANOSECONDS))
    const plain = new FakePlainDateTime(new FakeZoned(Y2000_NANOSECONDS))
    assert.deepStrictEqual(read(timestamp, Y2000), plain)
    assert.strictEqual(written(timestamp, plain), Y2000)
    assert.strictEqual(written(timestamptz, new FakeInstant(Y2000_NANOSECONDS + 1499n)), hexOf(1n))
    assert.strictEqual(written(timestamptz, new FakeInstant(Y2000_NANOSECONDS + 1500n)), hexOf(2n))
    assert.strictEqual(written(timestamptz, new Date(946_684_800_000)), Y2000)
    assert.strictEqual(textOf(timestamptz, new FakeInstant(Y2000_NANOSECONDS)), "2000-01-01 00:00:00+00")
    assert.match(undecodable(timestamptz, INFINITY), /the timestamptz is infinite/)
    assert.match(undecodable(timestamptz, hexOf(9_223_371_331_199_999_999n)), /beyond what Temporal can represent/)
  })
})

describe("timestamps as microseconds", () => {
  const codec = codecOf(PgTypes.timestamptzAsMicroseconds)

  it("have a text form too, for places beside text", () => {
    for (const [value, text] of [
      [1n, "1970-01-01 00:00:00.000001+00"],
      [Infinity, "Infinity"],
      [9_224_318_015_999_999_999n, "294276-12-31 23:59:59.999999+00"]
    ] as const) {
      assert.strictEqual(textOf(codec, value), text)
      assert.deepStrictEqual(ofText(codec, text.toLowerCase()), value)
    }
    assert.match(unencodable(codec, 2n ** 63n + 2n ** 60n), /out of range/)
  })
})

const presets = [
  PgTypes.int8AsNumber,
  PgTypes.numericAsBigDecimal,
  PgTypes.timestampAsDateTime,
  PgTypes.timestampAsMicroseconds,
  PgTypes.timestampAsTemporal,
  PgTypes.timestampAsText,
  PgTypes.timestamptzAsDateTime,
  PgTypes.timestamptzAsMicroseconds,
  PgTypes.timestamptzAsTemporal,
  PgTypes.timestamptzAsText
]

describe("every preset", () => {
  it.prop("throws nothing but Undecodable", [hostile(8, 10, 12)], ([values]) => {
    for (const preset of presets) assertWithstands(codecOf(preset), values)
  })
})
