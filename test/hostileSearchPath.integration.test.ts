/**
 * Tests a search_path on which an attacker has put functions, operators, types and tables before PostgreSQL's. Our own
 * queries never reach them, because every name in them is qualified.
 */
import { assert, describe, it as plainIt, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as fs from "node:fs"
import * as path from "node:path"
import * as PgError from "../src/PgError.ts"
import * as PgLargeObject from "../src/PgLargeObject.ts"
import * as PgPool from "../src/PgPool.ts"
import * as PgTransaction from "../src/PgTransaction.ts"
import { TestDatabase } from "./support/database.ts"
import { assertHealthy, liveConnection, liveSettings } from "./support/live.ts"
import { makeAsker } from "../src/cli/statements/asking/asker.ts"
import type * as PgConfig from "../src/PgConfig.ts"
import { proxyTo } from "../src/pgTest/proxy.ts"
import { SHADOWS } from "./support/shadows.ts"

/** A user's query qualifies its names too, so any failure here is ours. */
const features: Readonly<
  Record<
    string,
    (pool: PgPool.PgPool, settings: PgConfig.Settings) => Effect.Effect<unknown, PgError.PgError, Scope.Scope>
  >
> = {
  "types that have to be looked up": (pool) =>
    Effect.all([
      pool.execute("INSERT INTO ours.things VALUES ($1, $2, $3)", [1, "fine", { a: 1, m: "fine" }]),
      pool.fetch("SELECT things, m, p, ARRAY[m] AS ms FROM ours.things"),
      pool.executeMany("INSERT INTO ours.things (n, m) VALUES ($1, $2)", [[2, "fine"]]),
      pool.batch([{ sql: "SELECT p FROM ours.things" }])
    ]),
  "COPY in and out": (pool) =>
    Effect.all([
      pool.copyInRows({ schema: "ours", table: "things" }, [[3, "fine", null]]),
      Stream.runDrain(pool.copyOut({ schema: "ours", table: "things" })),
      Stream.runDrain(pool.copyOutRows({ schema: "ours", table: "things" })),
      Stream.runDrain(
        pool.copyOutRows({ query: "SELECT $1::pg_catalog.text AS a, $2::ours.mood AS m", params: ["x", "fine"] })
      )
    ]),
  "streams and cursors": (pool) =>
    pool.withConnection((connection) =>
      Effect.scoped(
        Effect.gen(function* () {
          yield* Stream.runDrain(connection.stream("SELECT n FROM ours.things", [], { fetchSize: 1 }))
          const cursor = yield* connection.cursor("SELECT n FROM ours.things", [], { scroll: true, hold: true })
          yield* cursor.fetch(1)
        })
      )
    ),
  transactions: (pool) =>
    pool.withTransaction(
      Effect.andThen(pool.withTransaction(pool.execute("INSERT INTO ours.things (n) VALUES (4)")), Effect.void),
      { trackOutcome: true, isolation: "serializable" }
    ),
  "what became of a transaction": (pool) =>
    PgTransaction.outcome(
      pool,
      new PgError.CommitOutcomeUnknownError({ lost: new PgError.PoolClosedError(), transactionId: "7" })
    ),
  "advisory locks": (pool) =>
    Effect.all([
      pool.withAdvisoryLock(1, Effect.void),
      pool.withAdvisoryLock([1, 2], Effect.void, { shared: true }),
      pool.withAdvisoryLockIfAvailable(3n, Effect.void)
    ]),
  notifications: (pool) =>
    Effect.gen(function* () {
      const heard = yield* Effect.flatMap(pool.listen("ours"), (events) =>
        Effect.forkChild(Stream.runHead(events), { startImmediately: true })
      )
      yield* pool.notify("ours", "payload")
      yield* Fiber.join(heard)
    }),
  "large objects": (pool) =>
    pool.withTransaction(
      Effect.gen(function* () {
        const oid = yield* PgLargeObject.write(pool, Stream.make(new Uint8Array([1, 2, 3])))
        yield* Stream.runDrain(PgLargeObject.read(pool, oid))
        yield* PgLargeObject.remove(pool, oid)
      })
    ),
  "what effectpg types asks": (_, settings) =>
    Effect.gen(function* () {
      const asker = yield* makeAsker(settings)
      const sql = "SELECT n, pg_catalog.upper($1) AS t, $2::ours.pair AS p, 'never NULL' AS known FROM ours.things"
      const { columns } = yield* asker.describe(sql, yield* asker.check(sql))
      assert.deepStrictEqual(
        columns.map(({ presence }) => presence.value),
        [false, false, false, true]
      )
      const types = yield* asker.types
      assert.includeMembers(
        [...types.values()].map(({ kind, sqlName }) => `${kind} ${sqlName}`),
        ["base text", "composite ours.pair", "enum ours.mood"]
      )
    }),
  "the resets": (pool) =>
    Effect.andThen(
      pool.withConnection((connection) => connection.reset),
      pool.withConnection((connection) => connection.execute("PREPARE ours AS SELECT 1"))
    )
}

/** Words that stand before a parenthesis and are not functions. */
const NO_FUNCTION =
  /^(as|in|values|any|all|lateral|over|on|and|or|not|from|where|with|recursive|operator|exists|coalesce|array|heirs|needed|part|attributes|things|t|effectpg_copy)$/i

/** The unqualified names in a text, each with what it is. */
const unqualified = (text: string): ReadonlyArray<string> => {
  const sql = text.replaceAll(/'(?:[^']|'')*'/g, "''").replaceAll(/"(?:[^"]|"")*"/g, '""')
  const found: Array<string> = []
  for (const [, name = ""] of sql.matchAll(/(?<![.\w$])([a-z_]\w*)\(/gi)) {
    if (!NO_FUNCTION.test(name)) found.push(`function ${name}`)
  }
  for (const [, name = ""] of sql.matchAll(/::\s*([\w.]+)/g)) {
    if (!/^(pg_catalog|ours)\./.test(name) && name !== "integer") found.push(`type ${name}`)
  }
  const relations = /\b(?:from|join|into|update)\s+(?!lateral\b|stdin\b|stdout\b|binary\b|set\b)([a-z_][\w.]*)/gi
  for (const [, name = ""] of /^\s*(fetch|move)\b/i.test(sql) ? [] : sql.matchAll(relations)) {
    if (!/^(pg_catalog\.|ours\.|needed$|heirs$|effectpg_copy$)/.test(name)) found.push(`table ${name}`)
  }
  // These stand for operators without naming them, so that their schema cannot be named either.
  for (const [, name = ""] of sql.matchAll(/\b(in|nullif)\s*\(|\b(?:like|ilike|between)\b/gi)) {
    found.push(`operator of ${name.toUpperCase()}`)
  }
  const plain = sql.replaceAll(/OPERATOR\(pg_catalog\.[^)]*\)/g, " ")
  for (const [, name = ""] of /^\s*set\b/i.test(plain) ? [] : plain.matchAll(/\s([<>=|+~^#&/-]+)\s/g)) {
    found.push(`operator ${name}`)
  }
  return found
}

layer(TestDatabase.layer, { excludeTestServices: true })("a hostile search_path", (it) => {
  it.effect("reaches none of our own queries, and none of them has an unqualified name", () =>
    Effect.gen(function* () {
      const owner = yield* liveConnection()
      yield* owner.executeScript(SHADOWS)
      const proxy = yield* proxyTo(yield* TestDatabase)
      const settings = yield* liveSettings({
        host: proxy.host,
        port: proxy.port,
        sslMode: "disable",
        settings: { search_path: "hostile, ours, pg_catalog" }
      })
      const texts = new Set<string>()
      proxy.onMessage = (_, { bytes, from, type }) => {
        if (from !== "client" || (type !== "Q" && type !== "P")) return
        const strings = bytes.subarray(5).toString().split("\0")
        texts.add(strings[type === "Q" ? 0 : 1] ?? "")
      }
      const pool = yield* PgPool.make({ ...settings, init: (connection) => connection.execute("SELECT 1") })
      for (const [what, use] of Object.entries(features)) {
        const exit = yield* Effect.exit(Effect.scoped(use(pool, settings)))
        assert.strictEqual(exit._tag, "Success", `${what}: ${String(exit)}`)
      }
      assert.isAbove(texts.size, 30)
      const bad = [...texts].flatMap((sql) => unqualified(sql).map((what) => `${what} in ${sql}`))
      assert.deepStrictEqual(bad, [])
      // The shadows exist: an unqualified name finds them.
      for (const sql of ["SELECT pg_backend_pid()", "SELECT 1 = 1", "SELECT 'a'::text", "SELECT oid FROM pg_type"]) {
        assert.isTrue(PgError.isPgError(yield* Effect.flip(pool.fetch(sql))), sql)
        assert.notDeepEqual(unqualified(sql), [])
      }
      yield* Effect.scoped(Effect.flatMap(pool.connection, (connection) => connection.execute("SELECT 1")))
      yield* assertHealthyOn(pool)
    })
  )
})

/**
 * The literals in the sources that begin as a query does, with a name for each part that is inserted. Those of the commands
 * are examples for people, in their help.
 */
const queriesInSources = (): ReadonlyArray<string> =>
  fs
    .globSync("src/**/*.ts")
    .filter((file) => !file.startsWith(path.join("src", "cli", "commands")))
    .map((file) => fs.readFileSync(file, "utf8").replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, ""))
    .flatMap((source) => [...source.matchAll(/(["'`])(\s*(?:SELECT|WITH|INSERT|UPDATE|DELETE)\s[\s\S]*?)\1/g)])
    .map(([, , text = ""]) => text.replaceAll(/\$\{[^}]*\}/g, "ours."))

describe("the queries in the sources", () => {
  plainIt("have no name without its schema, whether a test runs them or not", () => {
    const queries = queriesInSources()
    assert.isAbove(queries.length, 10)
    // The operators of some queries are qualified when the queries are put together.
    const bad = queries.flatMap((sql) => unqualified(sql).filter((what) => !what.startsWith("operator")))
    assert.deepStrictEqual(bad, [])
  })
})

/** Does what `assertHealthy` does, whose text would meet the shadows. */
const assertHealthyOn = (pool: PgPool.PgPool) =>
  pool.withConnection((connection) =>
    Effect.andThen(connection.execute("SET search_path = pg_catalog"), assertHealthy(connection))
  )
