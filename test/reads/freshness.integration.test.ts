/** Reads that see what was committed before, although a standby may be behind. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type * as PgClient from "../../src/PgClient.ts"
import type * as PgConnection from "../../src/PgConnection.ts"
import { Servers } from "../failover/rig/cluster.ts"
import { assertHealthy, refusalOf, valueOf } from "../support/live.ts"
import { clientOf, everywhere, type Kind, kindOf, onServers, PRIMARY, STANDBY, where } from "./servers.ts"

const pauseReplay = onServers(async (servers) => {
  for (const standby of await servers.standbys()) await standby.query("SELECT pg_wal_replay_pause()")
})

const resumeReplay = onServers(async (servers) => {
  for (const standby of await servers.standbys()) await standby.query("SELECT pg_wal_replay_resume()")
  await servers.untilReplayed()
})

/** While the standbys replay nothing. */
const behind = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Servers> =>
  Effect.acquireUseRelease(
    pauseReplay,
    () => effect,
    () => resumeReplay
  )

const SEEN = "SELECT host(inet_server_addr()), (SELECT count(*)::int FROM written) AS n"

/** Which server answers, and how many rows it sees. */
const seen = (rows: ReadonlyArray<PgConnection.Row>) =>
  Effect.map(kindOf(rows[0]?.["host"]), (kind) => [kind, rows[0]?.["n"]] as const)

const count = (pg: PgConnection.Queryable, options?: PgConnection.CallOptions) =>
  Effect.flatMap(pg.fetch(SEEN, options), seen)

const emptied = everywhere("DROP TABLE IF EXISTS written; CREATE TABLE written (id int)")

/** Writes a row, and returns the position behind it. */
const written = (pg: PgClient.PgClient) =>
  Effect.andThen(pg.withTransaction(pg.execute("INSERT INTO written VALUES (1)")), pg.currentLsn)

const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const began = performance.now()
    return Effect.map(effect, (value) => [performance.now() - began, value] as const)
  })

layer(Servers.layer, { excludeTestServices: true })("a read with a position", (it) => {
  it.effect("sees each write before it, on a standby if that follows quickly", () =>
    Effect.gen(function* () {
      yield* emptied
      const pg = yield* clientOf()
      const kinds: Array<string> = []
      for (let n = 1; n <= 200; n++) {
        const after = yield* written(pg)
        const [kind, rows] = yield* pg.readOnly(count(pg), { after, wait: "10 seconds" })
        assert.strictEqual(rows, n)
        kinds.push(kind)
      }
      assert.deepStrictEqual(new Set(kinds), new Set([STANDBY]))
      yield* assertHealthy(pg)
    }).pipe(Effect.scoped)
  )

  it.effect("is there as soon as the standby is, also at the end of a page of the log", () =>
    Effect.gen(function* () {
      const pg = yield* clientOf()
      const next = valueOf(pg, "SELECT (pg_current_wal_insert_lsn() - '0/0')::int8 % 8192")
      const write = (bytes: number) =>
        Effect.gen(function* () {
          const before = Number(yield* next)
          yield* pg.execute("SELECT pg_logical_emit_message(true, '', repeat('x', $1))", [bytes])
          return [before, Number(yield* next)] as const
        })
      // What a message of this size takes up, with its COMMIT, is known after one that crosses no page.
      const [from, to] = yield* Effect.repeat(write(800), { until: ([before, after]) => after > before })
      const others = to - from - 800
      let ends = 0
      for (let tries = 0; ends < 2 && tries < 200; tries++) {
        const at = Number(yield* next)
        const [, after] = yield* write(Math.max(0, 8192 - at - others))
        if (after !== 24 && after !== 40) continue
        ends++
        const position = yield* pg.currentLsn
        assert.match(position, /[02468ACE]000$/)
        assert.strictEqual(yield* pg.readOnly(where(pg), { after: position, wait: "10 seconds" }), STANDBY)
      }
      assert.strictEqual(ends, 2)
    }).pipe(Effect.scoped)
  )

  it.effect("runs on the primary if no standby is there in time", () =>
    Effect.gen(function* () {
      yield* emptied
      const pg = yield* clientOf()
      yield* behind(
        Effect.gen(function* () {
          const after = yield* written(pg)
          assert.deepStrictEqual(yield* pg.readOnly(count(pg)), [STANDBY, 0])
          const [millis, answer] = yield* timed(pg.readOnly(count(pg), { after, wait: "300 millis" }))
          assert.deepStrictEqual(answer, [PRIMARY, 1])
          assert.isAtLeast(millis, 295)
          assert.isBelow(millis, 2_000)
          const [atOnce, again] = yield* timed(count(pg, { readOnly: { after, wait: 0 } }))
          assert.deepStrictEqual(again, [PRIMARY, 1])
          assert.isBelow(atOnce, 200)
          const [byDefault] = yield* timed(count(pg, { readOnly: { after } }))
          assert.isAtLeast(byDefault, 195)
        })
      )
      assert.deepInclude((yield* pg.stats).reads, { inUse: 0, waiting: 0 })
      assert.deepStrictEqual(yield* pg.readOnly(count(pg)), [STANDBY, 1])
    }).pipe(Effect.scoped)
  )

  it.effect("waits for a standby that catches up meanwhile", () =>
    Effect.gen(function* () {
      yield* emptied
      const pg = yield* clientOf()
      const waiting = yield* behind(
        Effect.gen(function* () {
          const after = yield* written(pg)
          const fiber = yield* Effect.forkChild(pg.readOnly(count(pg), { after, wait: "20 seconds" }), {
            startImmediately: true
          })
          yield* Effect.sleep(200)
          assert.isUndefined(fiber.pollUnsafe())
          return fiber
        })
      )
      assert.deepStrictEqual(yield* Fiber.join(waiting), [STANDBY, 1])
    }).pipe(Effect.scoped)
  )

  it.effect("takes the standby that is there, if another is not", () =>
    Effect.gen(function* () {
      yield* emptied
      const { nodes } = yield* Servers
      const pg = yield* clientOf({ minConnections: 16, maxConnections: 16 })
      const [, lagging, current] = nodes
      // The connections to the lagging server come back last, and are the first to be lent again.
      const lastFromLagging = pg.fetch("SELECT pg_sleep(CASE host(inet_server_addr()) WHEN $1 THEN 0.2 ELSE 0 END)", [
        lagging.host
      ])
      yield* pg.readOnly(
        Effect.all(
          Array.from({ length: 16 }, () => lastFromLagging),
          { concurrency: 16, discard: true }
        )
      )
      yield* Effect.acquireUseRelease(
        Effect.promise(() => lagging.query("SELECT pg_wal_replay_pause()")),
        () =>
          Effect.gen(function* () {
            const after = yield* written(pg)
            const host = Effect.map(pg.fetchValue("SELECT host(inet_server_addr())"), Option.getOrThrow)
            const [millis, one] = yield* timed(pg.readOnly(host, { after, wait: "5 seconds" }))
            assert.strictEqual(one, current.host)
            assert.isBelow(millis, 2_000)
            const inside = pg.withTransaction(host, { access: "read only" })
            assert.strictEqual(yield* pg.readOnly(inside, { after, wait: "5 seconds" }), current.host)
            const hosts = yield* pg.readOnly(
              Effect.all(
                Array.from({ length: 30 }, () => host),
                { concurrency: 8 }
              ),
              { after, wait: "5 seconds" }
            )
            assert.deepStrictEqual(new Set(hosts), new Set([current.host]))
          }),
        () => Effect.promise(() => lagging.query("SELECT pg_wal_replay_resume()"))
      )
      yield* onServers((servers) => servers.untilReplayed())
    }).pipe(Effect.scoped)
  )

  it.effect("is kept by streams, cursors, held statements, COPY and transactions, each on the primary in the end", () =>
    Effect.gen(function* () {
      yield* emptied
      const pg = yield* clientOf()
      const calls = {
        stream: Effect.flatMap(Stream.runCollect(pg.stream(SEEN)), seen),
        cursor: Effect.flatMap(
          Effect.flatMap(pg.cursor(SEEN), (cursor) => cursor.fetch(1)),
          seen
        ),
        prepare: Effect.flatMap(
          Effect.flatMap(pg.prepare(SEEN), (held) => held.fetch()),
          seen
        ),
        batch: Effect.flatMap(pg.batch([{ sql: SEEN }]), ([result]) => seen(result?.rows ?? [])),
        fetchMany: Effect.flatMap(pg.fetchMany(SEEN, [[]]), ([rows]) => seen(rows ?? [])),
        copyOutRows: Effect.flatMap(Stream.runCollect(pg.copyOutRows({ query: SEEN })), seen),
        withTransaction: pg.withTransaction(count(pg), { access: "read only" }),
        begin: Effect.flatMap(pg.begin({ access: "read only" }), count)
      }
      const answers = (kind: Kind) => Object.keys(calls).map((name): [string, unknown] => [name, [kind, 1]])
      const all = Effect.map(Effect.scoped(Effect.all(calls)), (answered) => Object.entries<unknown>(answered))
      const after = yield* behind(
        Effect.gen(function* () {
          const after = yield* written(pg)
          assert.deepStrictEqual(yield* pg.readOnly(all, { after, wait: "50 millis" }), answers(PRIMARY))
          return after
        })
      )
      assert.deepStrictEqual(yield* pg.readOnly(all, { after, wait: "5 seconds" }), answers(STANDBY))
      assert.deepInclude((yield* pg.stats).reads, { inUse: 0, waiting: 0 })
    }).pipe(Effect.scoped)
  )

  it.effect("gives back the connections that were of no use, before the primary's is used", () =>
    Effect.gen(function* () {
      yield* emptied
      const pg = yield* clientOf({ maxConnections: 1 })
      yield* behind(
        Effect.gen(function* () {
          const after = yield* written(pg)
          const cursor = yield* pg.readOnly(pg.cursor(SEEN), { after, wait: 20 })
          const inside = pg.withTransaction(pg.readOnly(Effect.succeed(1)), { access: "read only" })
          assert.strictEqual(yield* pg.readOnly(inside, { after, wait: 20 }), 1)
          assert.deepStrictEqual(yield* pg.readOnly(count(pg)), [STANDBY, 0])
          assert.deepStrictEqual(yield* seen(yield* cursor.fetch(1)), [PRIMARY, 1])
        })
      )
    }).pipe(Effect.scoped)
  )

  it.effect("ends its wait when it is interrupted or times out, and leaves no connection in use", () =>
    Effect.gen(function* () {
      yield* emptied
      const pg = yield* clientOf()
      yield* behind(
        Effect.gen(function* () {
          const after = yield* written(pg)
          const readOnly = { after, wait: "20 seconds" } as const
          const tooLate = yield* timed(refusalOf(pg.fetch(SEEN, { readOnly, timeout: "100 millis" })))
          assert.strictEqual(tooLate[1]._tag, "QueryTimeoutError")
          assert.isBelow(tooLate[0], 1_000)
          for (const call of [
            Effect.asVoid(pg.fetch(SEEN)),
            Effect.asVoid(pg.withTransaction(pg.fetch(SEEN), { access: "read only" })),
            Effect.asVoid(Effect.scoped(pg.cursor(SEEN)))
          ]) {
            const fiber = yield* Effect.forkChild(pg.readOnly(call, readOnly), { startImmediately: true })
            yield* Effect.sleep(50)
            const [millis] = yield* timed(Fiber.interrupt(fiber))
            assert.isBelow(millis, 500)
          }
        })
      )
      assert.deepInclude((yield* pg.stats).reads, { inUse: 0, waiting: 0 })
      assert.deepStrictEqual(yield* pg.readOnly(count(pg)), [STANDBY, 1])
    }).pipe(Effect.scoped)
  )

  it.effect("is a position in the log, and nothing else", () =>
    Effect.gen(function* () {
      const pg = yield* clientOf()
      for (const options of [{ after: "yesterday" }, { after: "0/0", wait: "soon" }, { until: "0/0" }]) {
        // @ts-expect-error because the options are wrong
        const error = yield* refusalOf(pg.readOnly(Effect.void, options))
        assert.strictEqual(error._tag, "InvalidConfigError")
        // @ts-expect-error because the options are wrong
        assert.strictEqual((yield* refusalOf(pg.fetch(SEEN, { readOnly: options })))._tag, "InvalidConfigError")
      }
      const error = yield* refusalOf(pg.withTransaction(pg.currentLsn))
      assert.strictEqual(error._tag, "UnsupportedError")
      assert.match(yield* pg.readOnly(pg.currentLsn), /^[\dA-F]+\/[\dA-F]+$/)
      yield* assertHealthy(pg)
    }).pipe(Effect.scoped)
  )
})
