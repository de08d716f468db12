/** The settings of a client's two pools. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as PgClient from "../../src/PgClient.ts"
import { divided } from "../../src/reads/settings.ts"

const init = () => Effect.void

/** The settings of both pools, without what is undefined. */
const bothOf = (settings: PgClient.Settings) =>
  Effect.map(divided(settings), ({ own, reads }) => ({
    own: Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined)),
    reads
  }))

/** The role of the own pool's servers. */
const roleOf = (settings: PgClient.Settings) =>
  Effect.map(bothOf({ ...settings, reads: {} }), ({ own }) => own["targetSessionAttrs"])

const PREFERENCES = { targetSessionAttrs: "prefer-standby", loadBalanceHosts: "random" } as const

describe("the settings of a client", () => {
  it.effect("without reads are those of its only pool", () =>
    Effect.gen(function* () {
      const settings = { url: "postgres://a,b/c", init }
      assert.deepStrictEqual(yield* divided(settings), { own: settings, reads: undefined })
      assert.deepStrictEqual(yield* divided({ ...settings, reads: undefined }), { own: settings, reads: undefined })
    })
  )

  it.effect("are those of the pool for reads too, which prefers standbys in a random order", () =>
    Effect.gen(function* () {
      const settings = { url: "postgres://a,b/c", init, maxConnections: 3 }
      assert.deepStrictEqual(yield* bothOf({ ...settings, reads: {} }), {
        own: { ...settings, targetSessionAttrs: "read-write" },
        reads: { ...settings, ...PREFERENCES }
      })
    })
  )

  it.effect("of the pool for reads are laid over them", () =>
    Effect.gen(function* () {
      const settings = { host: ["a", "b"], port: 6000, hostaddr: ["10.0.0.1", "10.0.0.2"], maxConnections: 3 }
      const readers = {
        host: "c",
        maxConnections: 30,
        targetSessionAttrs: "any",
        init,
        idleTimeout: undefined
      } as const
      assert.deepStrictEqual((yield* bothOf({ ...settings, reads: readers })).reads, {
        loadBalanceHosts: "random",
        host: "c",
        port: 6000,
        maxConnections: 30,
        targetSessionAttrs: "any",
        init
      })
    })
  )

  it.effect("that say where the server is give way to the URL of the pool for reads", () =>
    Effect.gen(function* () {
      const settings = { url: "postgres://a/c", host: "a", hostaddr: "10.0.0.1", port: 6000, user: "app" }
      const { reads } = yield* bothOf({ ...settings, reads: { url: "postgres://b/c" } })
      assert.deepStrictEqual(reads, { ...PREFERENCES, url: "postgres://b/c", user: "app" })
    })
  )

  it.effect("let the own pool take another server than one that writes, wherever they say so", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* roleOf({ targetSessionAttrs: "any" }), "any")
      assert.strictEqual(yield* roleOf({ targetSessionAttrs: "primary" }), "primary")
      assert.strictEqual(yield* roleOf({ url: "postgres://a/b?target_session_attrs=primary" }), "primary")
      assert.strictEqual(yield* roleOf({ url: "postgres://a/b" }), "read-write")
    })
  )
})
