/** Tests what writers lose, and for how long they wait, when their primary is lost, moved or silent. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as PgConfig from "../../src/PgConfig.ts"
import * as PgPool from "../../src/PgPool.ts"
import { Lookup } from "../../src/session/opening/lookup.ts"
import { setTimeout as sleep } from "node:timers/promises"
import { assertHealthy } from "../support/live.ts"
import { type Change, type Cluster, Servers } from "./rig/cluster.ts"
import { startWriters, type Writers } from "./rig/writers.ts"

const TEST_TIMEOUT_MILLIS = 120_000
const BUSY_MILLIS = 500
/** From the end of the promotion to the first write. */
const MAX_FIRST_MILLIS = 2_000
const MAX_FIRST_AFTER_SILENCE_MILLIS = 6_000

/** The errors that a writer may be told. */
const EXPECTED: ReadonlyArray<RegExp> = [
  /^ConnectError none$/,
  /^ConnectionLostError (none|unknown)$/,
  /^AdminShutdownError (none|unknown)$/,
  /^CrashShutdownError (none|unknown)$/,
  /^CannotConnectNowError none$/,
  /^AcquireTimeoutError none$/,
  /^QueryTimeoutError (none|unknown)$/
]

const writingPool = (servers: Cluster, settings: PgConfig.PoolSettings = {}) =>
  PgPool.make({
    ...servers.settings,
    targetSessionAttrs: "read-write",
    connectTimeout: "2 seconds",
    cancelTimeout: "1 second",
    maxConnections: 8,
    ...settings
  })

/** Writes, lets something happen, goes on writing, and checks the account. */
const disturbed = (
  name: string,
  settings: PgConfig.PoolSettings,
  happens: (servers: Cluster, writers: Writers) => Promise<Change>,
  maxFirstMillis = MAX_FIRST_MILLIS
) =>
  Effect.gen(function* () {
    const servers = yield* Servers
    const pool = yield* writingPool(servers, settings)
    const writers = yield* startWriters(pool, name)
    yield* Effect.sleep(BUSY_MILLIS)
    const { old, primary, promotedAt } = yield* Effect.promise(() => happens(servers, writers))
    yield* Effect.promise(() => untilWritten(writers, promotedAt))
    yield* Effect.sleep(BUSY_MILLIS)
    yield* writers.stop
    const account = yield* Effect.promise(() => writers.account(primary))
    const first = writers.firstAfter(promotedAt)
    console.log(`${name}: first write ${first} ms after the promotion, longest gap ${writers.longestGap} ms`, account)
    assert.isAbove(account.acknowledged, 0)
    assert.strictEqual(account.lost, 0, "acknowledged and gone")
    assert.strictEqual(account.duplicates, 0, "written twice")
    assert.strictEqual(account.takenByStandby, 0, "taken by a standby")
    for (const error of Object.keys(account.errors))
      assert.isTrue(
        EXPECTED.some((known) => known.test(error)),
        error
      )
    assert.isBelow(first, maxFirstMillis)
    yield* assertHealthy(pool)
    // The next test has all three servers again.
    yield* Effect.promise(async () => {
      if (!old.isRunning || !(await old.isStandby())) await servers.rejoin(old)
      await servers.untilStreaming()
    })
  }).pipe(Effect.scoped)

const MAX_WAIT_MILLIS = 15_000

/** Waits for the first write after that moment, or for too long. */
const untilWritten = async (writers: Writers, moment: number): Promise<void> => {
  while (writers.firstAfter(moment) === Infinity && performance.now() < moment + MAX_WAIT_MILLIS) await sleep(20)
}

layer(Servers.layer, { excludeTestServices: true })("writers of a pool that wants a primary", (it) => {
  for (const mode of ["crash", "immediate"] as const) {
    it.effect(
      `go on after their primary is killed and a standby promoted: ${mode}`,
      () => disturbed(`killed_${mode}`, {}, (servers) => servers.failOver(mode)),
      TEST_TIMEOUT_MILLIS
    )
  }

  it.effect(
    "go on after a crash if they share connections",
    () => disturbed("multiplexed", { multiplex: true, maxConnections: 3 }, (servers) => servers.failOver()),
    TEST_TIMEOUT_MILLIS
  )

  it.effect(
    "go on after a planned switchover",
    () => disturbed("switchover", {}, (servers) => servers.switchOver()),
    TEST_TIMEOUT_MILLIS
  )

  it.effect(
    "go on while each server is restarted, the primary last, after a switchover",
    () =>
      disturbed("rolling_restart", {}, async (servers) => {
        for (const node of await servers.standbys()) {
          await node.shutDown("fast")
          await node.start()
          await servers.untilStreaming()
        }
        return servers.switchOver()
      }),
    TEST_TIMEOUT_MILLIS
  )

  it.effect(
    "go on after their primary falls silent and a standby is promoted, also when the silent one is back",
    () =>
      disturbed(
        "silent",
        {},
        async (servers, writers) => {
          const change = await servers.replace((old) => old.freeze())
          await untilWritten(writers, change.promotedAt)
          await change.old.thaw()
          await sleep(BUSY_MILLIS)
          return change
        },
        MAX_FIRST_AFTER_SILENCE_MILLIS
      ),
    TEST_TIMEOUT_MILLIS
  )

  it.effect(
    "go on after their host's name has moved",
    () => {
      let current = ""
      return Effect.gen(function* () {
        const servers = yield* Servers
        current = (yield* Effect.promise(() => servers.primary())).host
        const moved = { host: "primary.test", targetSessionAttrs: "any" } as const
        yield* disturbed("moved_name", moved, () => servers.switchOver(({ host }) => (current = host)))
      }).pipe(Effect.provideService(Lookup, () => Effect.sync(() => [current])))
    },
    TEST_TIMEOUT_MILLIS
  )

  it.effect(
    "go on after a crash if all servers are addresses of one name",
    () =>
      Effect.gen(function* () {
        const { nodes } = yield* Servers
        yield* disturbed("one_name", { host: "cluster.test" }, (servers) => servers.failOver()).pipe(
          Effect.provideService(Lookup, () => Effect.succeed(nodes.map(({ host }) => host)))
        )
      }),
    TEST_TIMEOUT_MILLIS
  )
})
