/** Compares what programs ask of a connection, though no type says so: fresh rows, untouched parameters, any name, any text. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import * as Stream from "effect/Stream"
import { type Answers, answerOf, named, parity } from "./support/participants.ts"

const ODD_NAMES = [
  "default:17",
  "",
  " ",
  "?column?",
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "a.b",
  'a"b',
  "a'b",
  "a`b",
  "a\\b",
  "${a}",
  "a\nb",
  "0",
  "-1",
  "1e3",
  "naïve",
  "🐘",
  "\u2028",
  "*/",
  "class",
  "default",
  "new"
].filter((name) => name !== "")

const NAMES = [...ODD_NAMES, ...Array.from({ length: 300 - ODD_NAMES.length }, (_, n) => `shard:${n}`)]

const reversal = <A extends object>(rows: ReadonlyArray<A>): ReadonlyArray<A> => rows.toReversed()

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`

parity(
  "what connections are asked for",
  (it, participant) => {
    it.effect("rows are plain objects that can be written, fresh for each run", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const statement = sql<{ n: number; more?: string }>`SELECT n FROM generate_series(1, 2) AS n`
        for (let run = 0; run < 20; run++) {
          const rows = yield* statement
          assert.deepStrictEqual(rows, [{ n: 1 }, { n: 2 }])
          for (const row of rows) {
            assert.isTrue(Object.isExtensible(row) && !Object.isFrozen(row))
            row.n = -1
            row.more = "written"
          }
        }
      })
    )

    it.effect("objects of JSON are plain, and fresh for each run", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const statement = sql<{ body: { list: Array<number> } }>`SELECT '{"list": [1]}'::jsonb AS body`
        for (let run = 0; run < 5; run++) {
          const [row] = yield* statement
          assert.strictEqual(row?.body.constructor, Object)
          assert.deepStrictEqual(row?.body.list, [1])
          row?.body.list.push(2)
        }
      })
    )

    it.effect("bytes stay as they are, whatever is read after them", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const read = (n: number) =>
          Effect.map(
            sql<{ bytes: Uint8Array }>`SELECT decode(repeat(${n.toString(16).padStart(2, "0")}, 1000), 'hex') AS bytes`,
            ([row]) => row?.bytes
          )
        const all = yield* Effect.forEach(
          Array.from({ length: 200 }, (_, n) => n),
          read
        )
        assert.deepStrictEqual(
          all,
          Array.from({ length: 200 }, (_, n) => new Uint8Array(1000).fill(n))
        )
      })
    )

    it.effect("the array of parameters stays as it is, frozen or not", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const when = new Date(0)
        const params = Object.freeze([1, "a", null, undefined, true, when, Object.freeze([1, 2])])
        const text = "SELECT $1::int4, $2::text, $3::text, $4::text, $5::boolean, $6::timestamptz, $7::int4[]"
        const statement = sql.unsafe(text, params)
        for (let run = 0; run < 3; run++) {
          assert.deepStrictEqual(yield* statement.values, [[1, "a", null, null, true, when, [1, 2]]])
        }
        assert.deepStrictEqual(statement.compile(), [text, [1, "a", null, undefined, true, when, [1, 2]]])
      })
    )

    it.effect("one statement is run by many fibers at once", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const statement = sql`SELECT ${7}::int4 AS n, ${"x"} AS x`
        const answers = yield* Effect.all(
          Array.from({ length: 300 }, () => statement),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(
          answers,
          Array.from({ length: 300 }, () => [{ n: 7, x: "x" }])
        )
      })
    )

    it.effect("many statements of many fibers have their own answers", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const answers = yield* Effect.forEach(
          Array.from({ length: 1000 }, (_, n) => n),
          (n) => (n % 2 === 0 ? sql`SELECT ${n}::int4 AS n` : sql`SELECT ${String(n)}::text AS n`),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(
          answers,
          Array.from({ length: 1000 }, (_, n) => [{ n: n % 2 === 0 ? n : String(n) }])
        )
      })
    )

    it.effect("300 columns of odd names are read, in objects, values and streams", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const statement = sql.unsafe<Record<string, unknown>>(
          `SELECT ${NAMES.map((name, n) => `${n}::int4 AS ${quoted(name)}`).join(", ")}`
        )
        for (let run = 0; run < 3; run++) {
          const [row] = yield* statement
          assert.deepStrictEqual(
            Object.entries(row ?? {}).sort(([, a], [, b]) => Number(a) - Number(b)),
            NAMES.map((name, n) => [name, n])
          )
          assert.strictEqual(Object.getPrototypeOf(row), Object.prototype)
        }
        assert.deepStrictEqual(yield* statement.values, [NAMES.map((_, n) => n)])
        const [streamed] = yield* Stream.runCollect(statement.stream)
        assert.strictEqual(Object.keys(streamed ?? {}).length, NAMES.length)
      })
    )

    it.effect("300 advisory locks are taken in one statement, each answered by its name", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* Effect.scoped(
          Effect.gen(function* () {
            const mine = yield* sql.reserve
            const locks = Array.from({ length: 300 }, (_, n) => `pg_try_advisory_lock(${n}) AS "default:${n}"`)
            const rows = yield* mine.execute(`SELECT ${locks.join(", ")}`, [], undefined)
            assert.deepStrictEqual(rows, [Object.fromEntries(locks.map((_, n) => [`default:${n}`, true]))])
            assert.deepStrictEqual(
              yield* mine.execute(
                "SELECT DISTINCT objid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND objid < 3 ORDER BY 1",
                [],
                undefined
              ),
              [{ objid: 0 }, { objid: 1 }, { objid: 2 }]
            )
            yield* mine.executeUnprepared("SELECT pg_advisory_unlock_all()", [], undefined)
          })
        )
      })
    )

    it.effect("very many new texts are answered, and do not fill the server with statements", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        for (let n = 0; n < 1500; n++) {
          const rows = yield* sql.unsafe(`SELECT ${n}::int4 AS n, $1::text AS t`, ["t"])
          if (rows.length !== 1) assert.fail("there is one row")
          assert.deepStrictEqual(rows[0], { n, t: "t" })
        }
        const [row] = yield* sql<{ n: number }>`SELECT count(*)::int AS n FROM pg_prepared_statements`
        assert.isAtMost(row?.n ?? Infinity, 110)
      })
    )

    it.effect("a text of a megabyte is run", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const text = "x".repeat(1_000_000)
        assert.deepStrictEqual(yield* sql.unsafe(`SELECT length('${text}') AS n`), [{ n: 1_000_000 }])
        assert.deepStrictEqual(yield* sql`SELECT length(${text}) AS n, ${text} AS t`, [{ n: 1_000_000, t: text }])
      })
    )

    const many: Answers<string> = { right: "Success", "@effect/sql-pg": "Failure" }
    const sending = "60,000 parameters are sent, and 70,000 are a typed failure"
    it.effect(named(participant, sending, { "@effect/sql-pg": "refuses more than 32,767" }), () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const sum = (length: number) =>
          sql.unsafe(
            `SELECT count(*)::int AS n FROM (VALUES ${Array.from({ length }, (_, n) => `($${n + 1}::int4)`).join()}) AS v`,
            Array.from({ length }, (_, n) => n)
          )
        const exit = yield* Effect.exit(sum(60_000))
        assert.strictEqual(exit._tag, answerOf(participant, many))
        if (exit._tag === "Success") assert.deepStrictEqual(exit.value, [{ n: 60_000 }])
        assert.deepStrictEqual(yield* sum(32_767), [{ n: 32_767 }])
        assert.strictEqual((yield* Effect.flip(sum(70_000)))._tag, "SqlError")
        assert.deepStrictEqual(yield* sql`SELECT 1 AS healthy`, [{ healthy: 1 }])
      })
    )

    it.effect("a value of ten megabytes goes there and back", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const bytes = new Uint8Array(10_000_000).map((_, n) => n % 251)
        const [row] = yield* sql<{
          bytes: Uint8Array
          length: number
        }>`SELECT ${bytes} AS bytes, length(${bytes}) AS length`
        assert.strictEqual(row?.length, bytes.length)
        assert.isTrue(row !== undefined && Buffer.compare(row.bytes, bytes) === 0)
      })
    )

    const large: Answers<string> = { right: "Success", "@effect/sql-pg": "Failure" }
    const title = "a value of thirty megabytes is read, without a setting"
    it.effect(named(participant, title, { "@effect/sql-pg": "refuses it, because of maxMessageSize" }), () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const exit = yield* Effect.exit(sql`SELECT repeat('x', 30000000) AS text`)
        assert.strictEqual(exit._tag, answerOf(participant, large))
        assert.deepStrictEqual(yield* sql`SELECT 1 AS healthy`, [{ healthy: 1 }])
      })
    )

    const spread: Answers<boolean> = { right: true, "@effect/sql-pg": false }
    const spreading = "the methods of a connection survive {...connection}"
    it.effect(named(participant, spreading, { "@effect/sql-pg": "loses them, for they are its class's" }), () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* Effect.scoped(
          Effect.gen(function* () {
            const connection = yield* sql.reserve
            const copy = { ...connection }
            const methods = [
              "execute",
              "executeRaw",
              "executeStream",
              "executeUnprepared",
              "executeValues",
              "executeValuesUnprepared"
            ]
            assert.strictEqual(
              methods.every((method) => method in copy),
              answerOf(participant, spread)
            )
            if (answerOf(participant, spread)) {
              const { executeValues } = copy
              assert.deepStrictEqual(yield* executeValues("SELECT 1", []), [[1]])
            }
          })
        )
      })
    )

    it.effect("a connection has each way to run a text", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* Effect.scoped(
          Effect.gen(function* () {
            const connection = yield* sql.reserve
            const text = "SELECT n FROM generate_series(1, $1::int4) AS n"
            const reversed = [{ n: 2 }, { n: 1 }]
            assert.deepStrictEqual(yield* connection.execute(text, [2], reversal), reversed)
            assert.deepStrictEqual(yield* connection.executeUnprepared(text, [2], reversal), reversed)
            assert.deepStrictEqual(yield* Stream.runCollect(connection.executeStream(text, [2], reversal)), reversed)
            assert.deepStrictEqual(yield* connection.executeValues(text, [2]), [[1], [2]])
            assert.deepStrictEqual(yield* connection.executeValuesUnprepared(text, [2]), [[1], [2]])
            assert.containsSubset(yield* connection.executeRaw(text, [2]), { rows: [{ n: 1 }, { n: 2 }] })
          })
        )
      })
    )

    it.effect("a lost session is replaced", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        for (let run = 0; run < 3; run++) {
          yield* Effect.flip(sql`SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(10)`)
          assert.deepStrictEqual(yield* sql`SELECT 1 AS healthy`, [{ healthy: 1 }])
        }
      })
    )
  },
  { maxConnections: 1 }
)
