/**
 * Tests values that clients are known to get wrong: they are read as the server holds them, and written back unchanged.
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as PgConnection from "../../src/PgConnection.ts"
import { PgInterval, PgRange, PgTimestamp } from "../../src/PgTypes.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, liveConnection, refusalOf, valueOf } from "../support/live.ts"

/** Shows that the server's value is read in this way, and is unchanged when it is sent back. */
const assertSame = (connection: PgConnection.Queryable, type: string, text: string, expected: unknown) =>
  Effect.gen(function* () {
    const literal = `'${text}'::${type}`
    const value = yield* valueOf(connection, `SELECT ${literal}`)
    assert.deepStrictEqual(value, expected, literal)
    assert.strictEqual(
      yield* valueOf(connection, `SELECT $1::${type}::text = ${literal}::text`, [value]),
      true,
      literal
    )
  })

/** Puts the client into another time zone for the scope. */
const clientIn = (zone: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const before = process.env["TZ"]
      process.env["TZ"] = zone
      return before
    }),
    (before) =>
      Effect.sync(() => {
        if (before === undefined) delete process.env["TZ"]
        else process.env["TZ"] = before
      })
  )

const extremes: ReadonlyArray<
  readonly [what: string, type: string, ReadonlyArray<readonly [text: string, value: unknown]>]
> = [
  [
    "a day before Christ, after the year 9999, and the last and the first of all",
    "date",
    [
      ["0044-03-15 BC", "0044-03-15 BC"],
      ["10000-01-01", "10000-01-01"],
      ["5874897-12-31", "5874897-12-31"],
      ["4714-11-24 BC", "4714-11-24 BC"]
    ]
  ],
  [
    "a point in time before Christ and after the year 9999",
    "timestamptz",
    [
      ["0044-03-15 12:00:00+00 BC", new Date("-000043-03-15T12:00:00Z")],
      ["10000-01-01 00:00:00.000001+00", new PgTimestamp(Date.UTC(10_000, 0, 1), 1)]
    ]
  ],
  ["the end of a day", "time", [["24:00", 86_400_000_000n]]],
  [
    "the last day of the year 9999, which is not the end of time",
    "date",
    [
      ["9999-12-31", "9999-12-31"],
      ["infinity", "infinity"],
      ["-infinity", "-infinity"]
    ]
  ],
  [
    "the end of time, which is no day",
    "timestamp",
    [
      ["9999-12-31 23:59:59.999999", new PgTimestamp(Date.UTC(9999, 11, 31, 23, 59, 59, 999), 999)],
      ["infinity", Number.POSITIVE_INFINITY],
      ["-infinity", Number.NEGATIVE_INFINITY]
    ]
  ],
  [
    "an interval of months, days and microseconds, each as they are, however many",
    "interval",
    [
      ["178000000 years 1 mon -3 days", new PgInterval({ months: 2_136_000_001, days: -3, microseconds: 0n })],
      ["2147483647:59:59.999999", new PgInterval({ months: 0, days: 0, microseconds: 7_730_941_132_799_999_999n })],
      ["1 mon -1 day 36:00", new PgInterval({ months: 1, days: -1, microseconds: 129_600_000_000n })]
    ]
  ],
  [
    "a place in the log beyond the signed numbers",
    "pg_lsn",
    [
      ["FFFFFFFF/FFFFFFFF", "FFFFFFFF/FFFFFFFF"],
      ["80000000/0", "80000000/0"]
    ]
  ],
  [
    "the seconds of an offset",
    "timetz",
    [
      ["13:37:00.5+05:30:15", "13:37:00.5+05:30:15"],
      ["23:59:59.999999-15:59:59", "23:59:59.999999-15:59:59"]
    ]
  ],
  ["numbers of 64 bits and more", "xid8", [["18446744073709551615", 18_446_744_073_709_551_615n]]]
]

layer(TestDatabase.layer, { excludeTestServices: true })("a round trip preserves", (it) => {
  for (const [what, type, samples] of extremes) {
    it.effect(`${what}: ${type}`, () =>
      Effect.gen(function* () {
        const connection = yield* liveConnection()
        for (const [text, value] of samples) yield* assertSame(connection, type, text, value)
        yield* assertHealthy(connection)
      }).pipe(Effect.scoped)
    )
  }

  it.effect("a Date, whatever zone the session and the client are in", () =>
    Effect.gen(function* () {
      const noon = new Date("2024-07-01T12:00:00Z")
      for (const [session, client, minutesToUtc] of [
        ["Asia/Tokyo", "America/New_York", 240],
        ["UTC", "Asia/Kathmandu", -345]
      ] as const) {
        const connection = yield* liveConnection({ settings: { TimeZone: session } })
        const asked = Effect.gen(function* () {
          yield* clientIn(client)
          assert.strictEqual(noon.getTimezoneOffset(), minutesToUtc)
          const epoch = "SELECT extract(epoch FROM $1::timestamptz)::int8"
          assert.strictEqual(yield* valueOf(connection, epoch, [noon]), BigInt(noon.getTime() / 1_000))
          assert.deepStrictEqual(yield* valueOf(connection, "SELECT $1::timestamptz", [noon]), noon)
          assert.strictEqual(yield* valueOf(connection, "SELECT $1::timestamp::text", [noon]), "2024-07-01 12:00:00")
          // A text without a zone means what it means to the server, not what it would mean in the zone of the client.
          const local = yield* valueOf(connection, "SELECT $1::timestamptz", ["2024-07-01 21:00"])
          assert.deepStrictEqual(local, session === "UTC" ? new Date("2024-07-01T21:00:00Z") : noon)
        })
        yield* Effect.scoped(asked)
      }
    }).pipe(Effect.scoped)
  )

  it.effect("a number as a numeric, in as few digits as distinguish it", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      for (const [number, text] of [
        [0.1, "0.1"],
        [1.1, "1.1"],
        [0.1 + 0.2, "0.30000000000000004"],
        [1e21, "1000000000000000000000"],
        [5e-7, "0.0000005"]
      ] as const) {
        assert.strictEqual(yield* valueOf(connection, "SELECT $1::numeric::text", [number]), text)
      }
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("every field of an anonymous record, even of types that have a special binary form there", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const record = `ROW('08:00:2b:01:02:03'::macaddr, 'a b'::tsvector, ARRAY[1, NULL], int4range(1, 3), 1.50::numeric,
        ROW('x'::text, NULL))`
      assert.deepStrictEqual(yield* valueOf(connection, `SELECT ${record}`), [
        "08:00:2b:01:02:03",
        "'a' 'b'",
        [1, null],
        new PgRange({ lower: 1, upper: 3 }),
        "1.50",
        ["x", null]
      ])
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("a composite type with attributes that are text-only elsewhere, both ways", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.executeScript(
        'CREATE TYPE station AS (address macaddr, price money, kind regclass, name text COLLATE "C")'
      )
      const literal = `ROW('08:00:2b:01:02:03', '$1.50', 'pg_class', 'x')::station`
      const value = yield* valueOf(connection, `SELECT ${literal}`)
      assert.strictEqual(yield* valueOf(connection, `SELECT $1::station = ${literal}`, [value]), true)
      const texts = { address: "08:00:2b:01:02:03", price: "$1.50", kind: "pg_class", name: "x" }
      assert.strictEqual(yield* valueOf(connection, `SELECT $1::station = ${literal}`, [texts]), true)
      yield* connection.execute("DROP TYPE station")
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )
})

layer(TestDatabase.layer, { excludeTestServices: true })("the client refuses instead of adjusting", (it) => {
  it.effect("a number with a fraction for an integer type, and a day that does not exist", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      for (const [type, value] of [
        ["int2", 1.5],
        ["int4", 1.5],
        ["int8", 1.5],
        ["oid", 0.5]
      ] as const) {
        const error = yield* refusalOf(connection.fetch(`SELECT $1::${type}`, [value]))
        assert.strictEqual(error._tag, "EncodeError", type)
      }
      const error = yield* refusalOf(connection.fetch("SELECT $1::date", ["2023-02-29"]))
      assert.strictEqual(error._tag, "DatetimeFieldOverflowError")
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )
})
