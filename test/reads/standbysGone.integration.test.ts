/** Reads go on when standbys are lost, when all are gone, and when they come back. */
import { assert, layer } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as PgClient from "../../src/PgClient.ts"
import * as PgError from "../../src/PgError.ts"
import { Servers } from "../failover/rig/cluster.ts"
import { assertHealthy, eventually } from "../support/live.ts"
import { clientOf, type Kind, onServers, PRIMARY, STANDBY, where } from "./servers.ts"

const TEST_TIMEOUT_MILLIS = 90_000

const standbysGone = onServers(async (servers) => {
  // Otherwise a write of another test would wait for a standby.
  await servers.requireStandby(false)
  for (const standby of await servers.standbys()) await standby.shutDown("crash")
})

const standbysBack = onServers(async (servers) => {
  for (const node of servers.nodes) if (!node.isRunning) await servers.rejoin(node)
  await servers.untilStreaming()
  await servers.requireStandby(true)
})

/** While all standbys are gone. */
const alone = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Servers> =>
  Effect.acquireUseRelease(
    standbysGone,
    () => effect,
    () => standbysBack
  )

/** Only the standbys are its hosts for reads. */
const ofStandbys = (settings: PgClient.ReadsSettings = {}) =>
  Effect.flatMap(Servers, ({ nodes: [, second, third] }) =>
    clientOf({ host: [second.host, third.host], targetSessionAttrs: "standby", ...settings })
  )

const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const began = performance.now()
    return Effect.map(effect, (value) => [performance.now() - began, value] as const)
  })

layer(Servers.layer, { excludeTestServices: true })("if standbys are gone", (it) => {
  it.effect(
    "the other one reads, and only calls that were running on the lost one fail",
    () =>
      Effect.gen(function* () {
        const { nodes } = yield* Servers
        const pg = yield* clientOf({ minConnections: 6, maxConnections: 6 })
        const outcomes: Array<Exit.Exit<Kind, PgError.PgError>> = []
        const end = performance.now() + 1_500
        const reader = Effect.gen(function* () {
          while (performance.now() < end) {
            outcomes.push(yield* Effect.exit(pg.readOnly(where(pg))))
            yield* Effect.sleep(1)
          }
        })
        const readers = yield* Effect.forkChild(Effect.all([reader, reader, reader, reader], { concurrency: 4 }))
        yield* Effect.sleep(200)
        const before = outcomes.length
        yield* Effect.promise(() => nodes[1].shutDown("crash"))
        yield* Fiber.join(readers)
        assert.isAbove(outcomes.length - before, 100)
        for (const exit of outcomes) {
          if (Exit.isSuccess(exit)) assert.strictEqual(exit.value, STANDBY)
          else assert.strictEqual(PgError.isPgError(Cause.squash(exit.cause)) && exit.cause.reasons.length, 1)
        }
        const failures = outcomes.filter(Exit.isFailure)
        assert.isAtMost(failures.length, 6, "one for each connection")
        assert.strictEqual(yield* pg.readOnly(where(pg)), STANDBY)
        yield* standbysBack
      }).pipe(Effect.scoped),
    TEST_TIMEOUT_MILLIS
  )

  it.effect(
    "the primary reads, and a standby again once there is one",
    () =>
      Effect.gen(function* () {
        const pg = yield* clientOf()
        assert.strictEqual(yield* pg.readOnly(where(pg)), STANDBY)
        yield* alone(
          Effect.gen(function* () {
            for (let n = 0; n < 20; n++) assert.strictEqual(yield* pg.readOnly(where(pg)), PRIMARY)
            yield* assertHealthy(pg)
          })
        )
        yield* eventually(pg.readOnly(where(pg)), STANDBY, 15_000)
        const { reads } = yield* pg.stats
        const several = Effect.all(Array.from({ length: 5 }, () => pg.readOnly(where(pg))))
        assert.deepStrictEqual(new Set(yield* several), new Set([STANDBY]))
        assert.isAtMost(reads?.size ?? 0, 2)
      }).pipe(Effect.scoped),
    TEST_TIMEOUT_MILLIS
  )

  it.effect(
    "the primary reads in place of a pool that has no other hosts, at once, and standbys read again when they are back",
    () =>
      Effect.gen(function* () {
        const pg = yield* ofStandbys()
        const lazy = yield* ofStandbys({ minConnections: 0 })
        for (const each of [pg, lazy]) assert.strictEqual(yield* each.readOnly(where(each)), STANDBY)
        yield* alone(
          Effect.gen(function* () {
            for (const each of [pg, lazy]) {
              const [first, kind] = yield* timed(each.readOnly(where(each)))
              assert.strictEqual(kind, PRIMARY)
              assert.isBelow(first, 1_000)
              const [twenty, kinds] = yield* timed(
                each.readOnly(Effect.all(Array.from({ length: 20 }, () => where(each))))
              )
              assert.deepStrictEqual(new Set(kinds), new Set([PRIMARY]))
              assert.isBelow(twenty, 500)
              const readOnly = each.withTransaction(where(each), { access: "read only" })
              assert.strictEqual(yield* each.readOnly(readOnly), PRIMARY)
              const cursor = Effect.scoped(Effect.flatMap(each.cursor("SELECT 1"), (opened) => opened.fetchRow))
              yield* each.readOnly(cursor)
              const after = yield* each.currentLsn
              assert.strictEqual(yield* each.readOnly(where(each), { after }), PRIMARY)
            }
            // A client that begins without them.
            const fresh = yield* ofStandbys()
            assert.strictEqual(yield* fresh.readOnly(where(fresh)), PRIMARY)
          })
        )
        for (const each of [pg, lazy]) yield* eventually(each.readOnly(where(each)), STANDBY, 15_000)
      }).pipe(Effect.scoped),
    TEST_TIMEOUT_MILLIS
  )

  it.effect("a refusal that is final fails, and names the setting", () =>
    Effect.gen(function* () {
      const wrong = yield* Effect.flip(clientOf({ database: "nowhere" }))
      assert.strictEqual(wrong._tag, "InvalidCatalogNameError")
      const { settings } = yield* Servers
      const faults: ReadonlyArray<readonly [reads: unknown, setting: string]> = [
        [{ maxConnections: 0 }, "reads.maxConnections"],
        [{ targetSessionAttrs: "replica" }, "reads.targetSessionAttrs"],
        [{ hosts: "x" }, "reads.hosts"],
        [{ names: "camelCase" }, "reads.names"],
        [{ url: undefined }, "reads.url"],
        [true, "reads"],
        [null, "reads"]
      ]
      for (const [reads, setting] of faults) {
        // @ts-expect-error because the settings are wrong
        const error = yield* Effect.flip(clientOf(reads, settings))
        assert.strictEqual(error._tag === "InvalidConfigError" && error.setting, setting)
      }
    }).pipe(Effect.scoped)
  )
})
