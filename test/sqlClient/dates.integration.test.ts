/** Compares what becomes of a Date in sessions of several time zones, and when the zone or the statement changes its meaning. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import * as Stream from "effect/Stream"
import { named, parity } from "./support/participants.ts"

const WINTER = new Date("2024-01-15T23:30:00.125Z")
const SUMMER = new Date("2024-07-15T23:30:00.125Z")

/** The zones of sessions, and whether a Date is shifted there in winter, in summer. */
const zones: ReadonlyArray<readonly [zone: string, winter: boolean, summer: boolean]> = [
  ["UTC", false, false],
  ["Etc/UTC", false, false],
  ["GMT", false, false],
  ["Africa/Abidjan", false, false],
  ["Europe/London", false, true],
  ["America/New_York", true, true],
  ["Asia/Kolkata", true, true],
  ["<+00>-00", false, false]
]

const INSERT = "INSERT INTO dated (at, local, day, locals) VALUES"

for (const [timeZone, winter, summer] of zones) {
  parity(
    `Dates in a session of ${timeZone}`,
    (it, participant) => {
      for (const [season, date, isShifted] of [
        ["winter", WINTER, winter],
        ["summer", SUMMER, summer]
      ] as const) {
        const wrong = isShifted && participant.name === "@effect/sql-pg"
        const title = `a Date of ${season} is the same in timestamptz and timestamp, and its UTC day in date`
        it.effect(named(participant, title, wrong ? { "@effect/sql-pg": "shifts it by the zone" } : {}), () =>
          Effect.gen(function* () {
            const sql = yield* SqlClient.SqlClient
            yield* sql`DROP TABLE IF EXISTS dated`
            yield* sql`CREATE TABLE dated (id serial, at timestamptz, local timestamp, day date, locals timestamp[])`
            const row = { at: date, local: date, day: date, locals: [date] }
            const insert = sql`INSERT INTO dated ${sql.insert(row).returning("id")}`
            yield* insert
            yield* insert.unprepared
            yield* insert.values
            yield* insert.raw
            yield* Stream.runDrain(insert.stream)
            yield* sql.withTransaction(insert)
            yield* sql.withTransaction(Stream.runDrain(insert.stream))
            yield* sql`INSERT INTO dated ${sql.insert([row, row])}`
            yield* sql.unsafe(`${INSERT} ($1, $2, $3, $4)`, [date, date, date, [date]])
            yield* sql`INSERT INTO dated (id) VALUES (100)`
            yield* sql`UPDATE dated SET ${sql.update(row)} WHERE id = 100`
            const rows = yield* sql<{ at: Date; local: Date; day: string; locals: Array<Date>; n: bigint }>`
              SELECT at, local, day, locals, count(*) AS n FROM dated GROUP BY 1, 2, 3, 4`
            assert.strictEqual(rows.length, 1, "all ways write the same")
            const [written] = rows
            assert.strictEqual(written?.n, 11n)
            assert.deepStrictEqual(written?.at, date)
            const day = date.toISOString().slice(0, 10)
            if (wrong) {
              assert.notDeepEqual(written?.local, date)
              assert.notDeepEqual(written?.locals, [date])
            } else {
              assert.deepStrictEqual([written?.local, written?.locals, written?.day], [date, [date], day])
            }
            assert.deepStrictEqual(yield* sql`SELECT count(*)::int AS n FROM dated WHERE at = ${date}`, [{ n: 11 }])
            if (!wrong) {
              assert.deepStrictEqual(yield* sql`SELECT count(*)::int AS n FROM dated WHERE local = ${date}`, [
                { n: 11 }
              ])
              assert.deepStrictEqual(
                yield* sql`SELECT count(*)::int AS n FROM dated WHERE local IN ${sql.in([date, date])}`,
                [{ n: 11 }]
              )
            }
          })
        )
      }
    },
    { timeZone, maxConnections: 1 }
  )
}

parity(
  "Dates in a session of UTC that changes",
  (it, participant) => {
    const wrong = { "@effect/sql-pg": "shifts it by the zone" } as const
    it.effect(named(participant, "a zone that is set for a transaction shifts no Date", wrong), () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* sql`CREATE TABLE zoned (local timestamp)`
        const insert = sql`INSERT INTO zoned ${sql.insert({ local: SUMMER })}`
        yield* insert
        yield* sql.withTransaction(Effect.andThen(sql`SET LOCAL timezone = 'Asia/Tokyo'`, insert))
        yield* sql.withTransaction(
          Effect.andThen(sql`SELECT set_config('timezone', 'America/New_York', true)`, Effect.all([insert, insert]))
        )
        yield* insert
        const rows = yield* sql`SELECT DISTINCT local FROM zoned`
        if (participant.name in wrong) assert.strictEqual(rows.length, 3)
        else assert.deepStrictEqual(rows, [{ local: SUMMER }])
      })
    )
  },
  { timeZone: "UTC", maxConnections: 1 }
)

parity(
  "Dates and functions, in a session of Asia/Kolkata",
  (it) => {
    it.effect(
      "a function that takes a timestamptz takes a Date, also in a transaction, also after it has got a namesake",
      () =>
        Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          yield* sql`CREATE FUNCTION epoch(at timestamptz) RETURNS int8 LANGUAGE sql AS 'SELECT extract(epoch FROM at)::int8'`
          const ask = sql`SELECT epoch(${SUMMER}) AS epoch`
          const answer = [{ epoch: BigInt(Math.round(SUMMER.getTime() / 1000)) }]
          for (let run = 0; run < 3; run++) assert.deepStrictEqual(yield* ask, answer)
          for (let run = 0; run < 3; run++) assert.deepStrictEqual(yield* sql.withTransaction(ask), answer)
          yield* sql`CREATE FUNCTION epoch(at timestamp) RETURNS int8 LANGUAGE sql AS 'SELECT -1::int8'`
          yield* sql`CREATE FUNCTION epoch(at text) RETURNS int8 LANGUAGE sql AS 'SELECT -2::int8'`
          for (let run = 0; run < 3; run++) assert.deepStrictEqual(yield* sql.withTransaction(ask), answer)
          for (let run = 0; run < 3; run++) assert.deepStrictEqual(yield* ask, answer)
        })
    )

    it.effect(
      "a function that has got a namesake for another kind of type takes a Date as before, also in a transaction",
      () =>
        Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          yield* sql`CREATE FUNCTION taken(at timestamptz) RETURNS text LANGUAGE sql AS $$SELECT 'timestamptz'$$`
          const ask = sql`SELECT taken(${SUMMER}) AS as`
          const answer = [{ as: "timestamptz" }]
          assert.deepStrictEqual(yield* sql.withTransaction(ask), answer)
          yield* sql`CREATE FUNCTION taken(at interval) RETURNS text LANGUAGE sql AS $$SELECT 'interval'$$`
          assert.deepStrictEqual(yield* sql.withTransaction(ask), answer)
          assert.deepStrictEqual(yield* ask, answer)
        })
    )

    it.effect("a transaction goes on after a statement with a Date that the server could not decide at first", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* sql`CREATE TABLE kept (n int4)`
        yield* sql.withTransaction(
          Effect.gen(function* () {
            yield* sql`INSERT INTO kept VALUES (1)`
            yield* sql`SELECT date_trunc('day', ${SUMMER}), ${WINTER} - ${SUMMER}`
            yield* sql.withTransaction(sql`SELECT date_trunc('month', ${SUMMER})`)
            const both = [sql`SELECT date_trunc('year', ${SUMMER})`, sql`INSERT INTO kept VALUES (2)`]
            yield* Effect.all(both, { concurrency: 2 })
          })
        )
        assert.deepStrictEqual(yield* sql`SELECT n FROM kept ORDER BY n`, [{ n: 1 }, { n: 2 }])
      })
    )

    it.effect("a statement with a Date runs once, whatever its types", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* sql`CREATE SEQUENCE runs`
        const ask = sql`SELECT nextval('runs') AS n, date_trunc('day', ${SUMMER}) AS day, ${WINTER}::text AS text`
        const numbers = [yield* ask, yield* sql.withTransaction(ask), yield* ask].map(([row]) => row?.["n"])
        assert.deepStrictEqual(numbers, [1n, 2n, 3n])
      })
    )

    it.effect("an error that has nothing to do with a Date is told as it is, and leaves nothing behind", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* sql`CREATE TABLE unique_days (day date PRIMARY KEY, n int4)`
        const insert = sql`INSERT INTO unique_days ${sql.insert({ day: SUMMER, n: 1 })}`
        yield* insert
        for (const again of [insert, sql.withTransaction(insert), sql.withTransaction(sql.withTransaction(insert))]) {
          assert.strictEqual((yield* Effect.flip(again)).reason._tag, "UniqueViolation")
        }
        const misspelt = sql`INSERT INTO unique_days (dya) VALUES (${SUMMER})`
        for (const wrong of [misspelt, sql.withTransaction(misspelt)]) {
          const error = yield* Effect.flip(wrong)
          assert.strictEqual(error.reason._tag, "SqlSyntaxError")
        }
        const calling = sql`SELECT no_such_function(${SUMMER})`
        assert.strictEqual((yield* Effect.flip(sql.withTransaction(calling))).reason._tag, "SqlSyntaxError")
        assert.deepStrictEqual(yield* sql`SELECT count(*)::int AS n FROM unique_days`, [{ n: 1 }])
      })
    )
  },
  { timeZone: "Asia/Kolkata", maxConnections: 1 }
)
