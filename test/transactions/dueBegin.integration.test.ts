/**
 * Tests the BEGIN that travels with the first request of a transaction on a real server: the round trips, each kind of
 * first request, and a BEGIN that fails.
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import * as Stream from "effect/Stream"
import { Buffer } from "node:buffer"
import * as PgClient from "../../src/PgClient.ts"
import type * as PgConfig from "../../src/PgConfig.ts"
import * as PgConnection from "../../src/PgConnection.ts"
import type * as PgError from "../../src/PgError.ts"
import * as PgPool from "../../src/PgPool.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, liveConnection, liveSettings, refusalOf } from "../support/live.ts"
import { type Proxy, proxyTo } from "../../src/pgTest/proxy.ts"
import { counting, roundTripsOf } from "../support/roundTrips.ts"
import { inDatabase, sqlClients } from "../support/sqlClients.ts"
import { table } from "./table.ts"

/** The round trips of a known statement with BEGIN. */
const FIRST = 1

type Act = (pg: PgConnection.Queryable, table: string) => Effect.Effect<unknown, PgError.PgError>

/** Each kind of request that may come first: it inserts 1, and BEGIN adds so many round trips. */
const firsts: ReadonlyArray<readonly [what: string, act: Act, added: 0 | 1]> = [
  ["a statement", (pg, t) => pg.execute(`INSERT INTO ${t} VALUES ($1)`, [1]), 0],
  ["a statement that returns rows", (pg, t) => pg.fetch(`INSERT INTO ${t} VALUES ($1) RETURNING n`, [1]), 0],
  ["a script", (pg, t) => pg.executeScript(`INSERT INTO ${t} VALUES (1)`), 1],
  ["executeMany", (pg, t) => pg.executeMany(`INSERT INTO ${t} VALUES ($1)`, [[1]]), 0],
  ["a batch", (pg, t) => pg.batch([{ sql: `INSERT INTO ${t} VALUES ($1)`, params: [1] }]), 1],
  ["a COPY in", (pg, t) => pg.copyIn({ table: t }, [Buffer.from("1\n")]), 1],
  // It asks for the types of the columns first.
  ["a COPY of rows", (pg, t) => pg.copyInRows({ table: t, columns: ["n"] }, [[1]]), 0],
  ["a savepoint", (pg, t) => pg.withTransaction(pg.execute(`INSERT INTO ${t} VALUES ($1)`, [1])), 0],
  ["a stream", (pg, t) => Stream.runDrain(pg.stream(`INSERT INTO ${t} VALUES ($1) RETURNING n`, [1])), 0],
  [
    "a cursor",
    (pg, t) =>
      Effect.scoped(
        Effect.flatMap(pg.cursor(`INSERT INTO ${t} VALUES ($1) RETURNING n`, [1]), (cursor) => cursor.fetch(10))
      ),
    0
  ],
  [
    "a prepared statement",
    (pg, t) =>
      Effect.scoped(Effect.flatMap(pg.prepare(`INSERT INTO ${t} VALUES ($1)`), (insert) => insert.execute([1]))),
    0
  ],
  [
    "a COPY out",
    (pg, t) =>
      Effect.andThen(
        Stream.runDrain(pg.copyOut({ query: "SELECT 1" })),
        pg.execute(`INSERT INTO ${t} VALUES ($1)`, [1])
      ),
    1
  ],
  ["a lock", (pg, t) => pg.withAdvisoryLock(4713, pg.execute(`INSERT INTO ${t} VALUES ($1)`, [1])), 0]
]

const begunWith = (begin: string) => Effect.provideService(SqlClient.BeginTransaction, begin)

/** Makes the server refuse the BEGIN of each transaction, but not that of a reset: it is changed on its way. */
const spoil = (proxy: Proxy): void => {
  proxy.onMessage = (_, { bytes, from, type }) => {
    if (from !== "client" || (type !== "P" && !bytes.includes("; SAVEPOINT"))) return
    if (bytes.includes("BEGIN ISOLATION LEVEL READ COMMITTED")) return
    const at = bytes.indexOf("BEGIN")
    if (at >= 0) bytes.write("BEGUN", at)
  }
}

const spare = (proxy: Proxy): void => {
  proxy.onMessage = () => {}
}

type Maker = (settings: PgConfig.Settings) => Effect.Effect<PgConnection.Queryable, PgError.PgError, Scope.Scope>

const makers: ReadonlyArray<readonly [what: string, make: Maker]> = [
  ["a connection", PgConnection.make],
  ["a pool", (settings) => PgPool.make({ ...settings, maxConnections: 1 })],
  ["a client", (settings) => PgClient.make({ ...settings, maxConnections: 1 })]
]

layer(TestDatabase.layer, { excludeTestServices: true })("the first request of a transaction", (it) => {
  it.effect(
    "takes no round trip more for BEGIN if it is an extended query or a savepoint, and one if it is another",
    () =>
      Effect.gen(function* () {
        const { name, numbers, observer } = yield* table
        const counted = yield* counting
        const connection = yield* PgConnection.make(counted.settings)
        for (const [what, act, added] of firsts) {
          const asFirst = connection.withTransaction(act(connection, name))
          const asSecond = connection.withTransaction(
            Effect.andThen(connection.fetch("SELECT 1"), () => act(connection, name))
          )
          yield* asFirst
          yield* asSecond
          const [needed] = yield* roundTripsOf(counted, asSecond)
          yield* observer.execute(`TRUNCATE ${name}`)
          const [taken] = yield* roundTripsOf(counted, asFirst)
          assert.deepStrictEqual([what, taken], [what, needed - FIRST + added])
          assert.deepStrictEqual(yield* numbers, [1])
        }
        const [taken] = yield* roundTripsOf(
          counted,
          connection.withTransaction(Effect.void, { isolation: "serializable" })
        )
        assert.strictEqual(taken, 0)
        yield* assertHealthy(connection)
      }).pipe(Effect.scoped)
  )

  it.effect("takes two round trips if its statement is not known, and one more to track the outcome", () =>
    Effect.gen(function* () {
      const { name } = yield* table
      const counted = yield* counting
      const connection = yield* PgConnection.make(counted.settings)
      const insert = connection.fetch(`INSERT INTO ${name} VALUES (1) RETURNING n`)
      assert.strictEqual((yield* roundTripsOf(counted, connection.withTransaction(insert)))[0], 3)
      assert.strictEqual((yield* roundTripsOf(counted, connection.withTransaction(insert)))[0], 2)
      const tracked = connection.withTransaction(insert, { trackOutcome: true })
      yield* tracked
      assert.strictEqual((yield* roundTripsOf(counted, tracked))[0], 3)
    }).pipe(Effect.scoped)
  )

  it.effect("is a part of the transaction, whatever it is: it is rolled back, and others do not see it before", () =>
    Effect.gen(function* () {
      const { insert, name, numbers } = yield* table
      const connection = yield* liveConnection()
      for (const [what, act] of firsts) {
        const failing = Effect.gen(function* () {
          yield* act(connection, name)
          yield* insert(connection, 2)
          assert.deepStrictEqual([what, yield* numbers], [what, []])
          return yield* Effect.fail("enough")
        })
        assert.strictEqual(yield* Effect.flip(connection.withTransaction(failing)), "enough")
        assert.deepStrictEqual([what, yield* numbers], [what, []])
        yield* assertHealthy(connection)
      }
    }).pipe(Effect.scoped)
  )

  it.effect("runs in the transaction's mode", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const isolation = connection.fetchValue("SHOW transaction_isolation")
      const options = { isolation: "serializable", access: "read only" } as const
      assert.deepStrictEqual(
        yield* Effect.map(connection.withTransaction(isolation, options), String),
        'some("serializable")'
      )
      const { name } = yield* table
      const refused = yield* refusalOf(
        connection.withTransaction(connection.execute(`INSERT INTO ${name} VALUES (1)`), options)
      )
      assert.strictEqual(refused._tag, "ReadOnlySQLTransactionError")
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("leaves the transaction open if its value cannot be encoded", () =>
    Effect.gen(function* () {
      const { insert, name, numbers } = yield* table
      const connection = yield* liveConnection()
      for (const _ of ["not known", "known"]) {
        yield* connection.withTransaction(
          Effect.gen(function* () {
            const refused = yield* refusalOf(connection.execute(`INSERT INTO ${name} VALUES ($1)`, [{}]))
            assert.strictEqual(refused._tag, "EncodeError")
            yield* insert(connection, 1)
          })
        )
      }
      assert.deepStrictEqual(yield* numbers, [1, 1])
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )
})

for (const [what, make] of makers) {
  layer(TestDatabase.layer, { excludeTestServices: true })(`a BEGIN of ${what} that fails`, (it) => {
    it.effect("leaves nothing of the first request, whatever it is, and fails each request and the transaction", () =>
      Effect.gen(function* () {
        const { name, numbers } = yield* table
        const { host, port } = yield* TestDatabase
        const proxy = yield* proxyTo({ host, port })
        const pg = yield* make(yield* liveSettings({ host: proxy.host, port: proxy.port, sslMode: "disable" }))
        for (const [first, act] of firsts) {
          // Once with statements that are not known, and once with known ones.
          for (const isKnown of [false, true]) {
            if (isKnown) yield* Effect.flip(pg.withTransaction(Effect.andThen(act(pg, name), Effect.fail("undone"))))
            const tags: Array<string> = []
            const noted = (call: Effect.Effect<unknown, PgError.PgError>) =>
              Effect.map(refusalOf(call), ({ _tag, outcome }) => void tags.push(`${_tag} ${outcome}`))
            spoil(proxy)
            const body = Effect.gen(function* () {
              yield* pg.afterCommit(Effect.sync(() => tags.push("committed")))
              yield* pg.afterRollback(Effect.sync(() => tags.push("rolled back")))
              yield* noted(act(pg, name))
              yield* noted(act(pg, name))
              yield* noted(pg.execute(`INSERT INTO ${name} VALUES (2)`))
            })
            yield* noted(pg.withTransaction(body))
            spare(proxy)
            const refused = "PostgresSyntaxError none"
            assert.deepStrictEqual([first, ...tags], [first, refused, refused, refused, "rolled back", refused])
            assert.deepStrictEqual([first, yield* numbers], [first, []])
            yield* assertHealthy(pg)
          }
        }
      }).pipe(Effect.scoped)
    )

    it.effect("fails a stream and a cursor that have a transaction of their own, and one by hand", () =>
      Effect.gen(function* () {
        const { name, numbers } = yield* table
        const { host, port } = yield* TestDatabase
        const proxy = yield* proxyTo({ host, port })
        const pg = yield* make(yield* liveSettings({ host: proxy.host, port: proxy.port, sslMode: "disable" }))
        const insert = `INSERT INTO ${name} VALUES (1) RETURNING n`
        const calls = [
          Stream.runDrain(pg.stream(insert)),
          Effect.scoped(Effect.flatMap(pg.cursor(insert), (cursor) => cursor.fetch(1))),
          Effect.scoped(
            Effect.flatMap(pg.begin(), (byHand) => Effect.andThen(Effect.exit(byHand.execute(insert)), byHand.commit))
          )
        ]
        for (const call of calls) {
          spoil(proxy)
          assert.strictEqual((yield* refusalOf(call))._tag, "PostgresSyntaxError")
          spare(proxy)
          assert.deepStrictEqual(yield* numbers, [])
          yield* assertHealthy(pg)
        }
      }).pipe(Effect.scoped)
    )
  })
}

layer(TestDatabase.layer, { excludeTestServices: true })("the BEGIN that a program gives to effect/sql", (it) => {
  for (const [name, client] of sqlClients) {
    it.effect(`may be any text that begins one, and fails the transaction if the server refuses it: ${name}`, () =>
      inDatabase(client, { maxConnections: 1 })(() =>
        Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          yield* sql`CREATE TABLE numbers (n int4)`
          const shown = sql.withTransaction(sql`SHOW work_mem`)
          // @effect/sql-pg sends it as an extended query, which takes one statement.
          const several = name === "effectpg" ? "BEGIN; SET LOCAL work_mem = '7MB'" : "BEGIN"
          const texts = [several, "BEGIN ISOLATION LEVEL SERIALIZABLE;", "BEGIN -- here"]
          const seen = yield* Effect.forEach(texts, (begin) => begunWith(begin)(shown))
          assert.deepStrictEqual(
            seen.map(([row]) => row),
            [{ work_mem: name === "effectpg" ? "7MB" : "4MB" }, { work_mem: "4MB" }, { work_mem: "4MB" }]
          )
          const nested = sql.withTransaction(sql.withTransaction(sql`INSERT INTO numbers VALUES (1)`))
          for (const begin of texts) yield* begunWith(begin)(nested)
          for (const begin of ["BEGIN ISOLATION LEVEL nonsense", "BEGIN; nonsense"]) {
            for (const call of [nested, sql.withTransaction(sql`INSERT INTO numbers VALUES (2)`)]) {
              const exit = yield* Effect.exit(begunWith(begin)(call))
              assert.isTrue(Exit.isFailure(exit))
              assert.include(String(exit), "SqlError")
            }
          }
          assert.deepStrictEqual(yield* sql`SELECT n FROM numbers`, [{ n: 1 }, { n: 1 }, { n: 1 }])
        })
      )
    )
  }
})
