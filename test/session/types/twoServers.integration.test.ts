/** Tests that a pool does not take one server's types for another's, although OIDs of both may be equal. */
import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import type * as PgConnection from "../../../src/PgConnection.ts"
import * as PgPool from "../../../src/PgPool.ts"
import { assertHealthy, eventually, valueOf } from "../../support/live.ts"
import { twoServers } from "../../support/twoServers.ts"

const DATABASE = "app"

const PAIR = "CREATE TYPE pair AS (a int4, b int4);"
const MEASURE = "CREATE TYPE measure AS (b float8, a float8);"
const MOOD = "CREATE TYPE mood AS ENUM ('sad', 'happy');"
const SMALL = "CREATE DOMAIN small AS int4;"
const LABEL = "CREATE DOMAIN label AS text;"

/** Types that both servers have; each has the OID of another type on the other server. */
const SCHEMAS = [
  [PAIR, MEASURE, MOOD, SMALL, LABEL],
  [MEASURE, PAIR, SMALL, LABEL, MOOD]
] as const

const TABLE = `
  CREATE TABLE kept (
    id int4 GENERATED ALWAYS AS IDENTITY, pair pair, measure measure, mood mood, small small, label label,
    pairs pair[], measures measure[], moods mood[], smalls small[], labels label[]);`

const COLUMNS = "pair, measure, mood, small, label, pairs, measures, moods, smalls, labels"

/** Uses the text of the same client, which knows no OIDs. */
const AS_TEXT = `SELECT concat_ws(' ', ${COLUMNS}) FROM kept ORDER BY id DESC LIMIT 1`

const VALUES = {
  pair: { a: 1, b: 2 },
  measure: { b: 0.5, a: 5 },
  mood: "happy",
  small: 7,
  label: "seven",
  pairs: [{ a: 3, b: 4 }],
  measures: [{ b: 1.5, a: -5 }],
  moods: ["sad", "happy"],
  smalls: [8, 9],
  labels: ["eight", "nine"]
}

const TEXT = '(1,2) (0.5,5) happy 7 seven {"(3,4)"} {"(1.5,-5)"} {sad,happy} {8,9} {eight,nine}'

class Servers extends Context.Service<Servers>()("effectpg/test/Servers", {
  make: Effect.gen(function* () {
    const servers = yield* twoServers
    for (const which of [0, 1] as const) {
      yield* servers.run(which, "postgres", `CREATE DATABASE ${DATABASE}`)
      for (const statement of [...SCHEMAS[which], TABLE]) yield* servers.run(which, DATABASE, statement)
    }
    return servers
  })
}) {
  static readonly layer = Layer.effect(this, this.make)
}

/** Names of types by their OIDs. */
const namesIn = (rows: ReadonlyArray<ReadonlyArray<unknown>>): ReadonlyMap<unknown, unknown> =>
  new Map(rows.map(([oid, name]) => [oid, name]))

const poolOf = (maxConnections: number) =>
  Effect.gen(function* () {
    const { failOverTo, settings } = yield* Servers
    yield* failOverTo(0)
    return yield* PgPool.make({ ...settings(DATABASE), maxConnections, minConnections: maxConnections })
  })

const insert = (pg: PgConnection.Queryable) =>
  pg.execute(`INSERT INTO kept (${COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, Object.values(VALUES))

const select = `SELECT ${COLUMNS} FROM kept ORDER BY id DESC LIMIT 1`

/** Writes and reads values of every type by one call after the other, each of which must know the server's types. */
const assertReadAndStored = (pg: PgConnection.Queryable) =>
  Effect.gen(function* () {
    yield* insert(pg)
    assert.strictEqual(yield* valueOf(pg, AS_TEXT), TEXT)
    assert.deepStrictEqual(yield* pg.fetch(select), [VALUES])
    yield* pg.copyInRows({ table: "kept", columns: Object.keys(VALUES) }, [Object.values(VALUES)])
    assert.strictEqual(yield* valueOf(pg, AS_TEXT), TEXT)
    assert.deepStrictEqual(yield* Stream.runCollect(pg.copyOutRows({ query: select })), [VALUES])
    yield* pg.executeMany("INSERT INTO kept (pair, measures) VALUES ($1, $2)", [[VALUES.pair, VALUES.measures]])
    const [many] = yield* pg.fetchMany("SELECT $1::pair AS pair, $2::mood[] AS moods", [[VALUES.pair, VALUES.moods]])
    assert.deepStrictEqual(many, [{ pair: VALUES.pair, moods: VALUES.moods }])
    assert.deepStrictEqual(yield* Stream.runCollect(pg.stream("SELECT $1::measure AS m", [VALUES.measure])), [
      { m: VALUES.measure }
    ])
  })

/** The first call after a failover meets the end of its session. */
const untilConnected = (pool: PgPool.PgPool, port: number) =>
  eventually(
    Effect.orElseSucceed(valueOf(pool, "SELECT inet_server_port()"), () => undefined),
    port
  )

const serverAt = (which: 0 | 1) => Effect.map(Servers, ({ servers }) => servers[which].port)

layer(Servers.layer, { excludeTestServices: true, timeout: "60 seconds" })("after a failover", (it) => {
  for (const maxConnections of [1, 3]) {
    it.effect(`a pool of ${maxConnections} reads and stores values of the other server's types`, () =>
      Effect.gen(function* () {
        const { failOverTo } = yield* Servers
        const pool = yield* poolOf(maxConnections)
        const all = Effect.all(
          Array.from({ length: maxConnections }, () => assertReadAndStored(pool)),
          { discard: true }
        )
        yield* all
        for (const which of [1, 0] as const) {
          yield* failOverTo(which)
          yield* untilConnected(pool, yield* serverAt(which))
          yield* all
        }
        yield* assertHealthy(pool)
      }).pipe(Effect.scoped)
    )
  }

  it.effect("the servers have given equal OIDs to different types, or this test would show nothing", () =>
    Effect.gen(function* () {
      const { failOverTo } = yield* Servers
      const pool = yield* poolOf(1)
      const types = "SELECT oid::int4, typname::text FROM pg_type WHERE typnamespace = 'public'::regnamespace"
      const here = namesIn(yield* pool.fetchTuples(types))
      yield* failOverTo(1)
      yield* untilConnected(pool, yield* serverAt(1))
      const there = namesIn(yield* pool.fetchTuples(types))
      const confused = [...here].flatMap(([oid, name]) => (there.has(oid) && there.get(oid) !== name ? [name] : []))
      assert.includeMembers(confused, ["pair", "_pair", "measure", "_measure", "mood", "_mood"])
    }).pipe(Effect.scoped)
  )

  it.effect("sessions of one pool to either server, side by side, each read their own types", () =>
    Effect.gen(function* () {
      const { servers, settings } = yield* Servers
      let opened = 0
      const pool = yield* PgPool.make({
        ...settings(DATABASE),
        maxConnections: 2,
        onConnect: Effect.sync(() => ({ host: "127.0.0.1", port: servers[opened++ === 0 ? 0 : 1].port }))
      })
      yield* pool.withConnection((one) =>
        pool.withConnection((other) =>
          Effect.gen(function* () {
            const ports = yield* Effect.all([one, other].map((each) => valueOf(each, "SELECT inet_server_port()")))
            assert.sameMembers(ports, [servers[0].port, servers[1].port])
            for (let round = 0; round < 3; round++) {
              for (const each of [one, other]) {
                yield* assertReadAndStored(each)
                yield* each.withTransaction(assertReadAndStored(each))
              }
              if (round === 0) yield* pool.reloadSchemaState
            }
          })
        )
      )
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("a transaction that is the first to meet a type on the other server reads and stores it", () =>
    Effect.gen(function* () {
      const { failOverTo } = yield* Servers
      const pool = yield* poolOf(2)
      yield* assertReadAndStored(pool)
      yield* failOverTo(1)
      yield* untilConnected(pool, yield* serverAt(1))
      const both = Effect.all(
        // Neither sees the rows of the other, of which the last one lacks most values.
        [1, 2].map(() => pool.withTransaction(assertReadAndStored(pool), { isolation: "repeatable read" })),
        { concurrency: 2 }
      )
      yield* both
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )
})
