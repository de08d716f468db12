/** Tests that a CancelRequest reaches the real server with every version of the protocol, and however TLS begins. */
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { inject } from "vitest"
import type * as PgConfig from "../../../src/PgConfig.ts"
import * as PgError from "../../../src/PgError.ts"
import { TestDatabase } from "../../support/database.ts"
import { assertHealthy, eventually, liveConnection, uniqueName, valueOf } from "../../support/live.ts"

const major = inject("serverMajor")
const { features } = inject("postgres")

const encryptions: ReadonlyArray<readonly [what: string, settings: PgConfig.Settings]> = [
  ["in the clear", { sslMode: "disable" }],
  ...(features.tls ? [["under TLS", { sslMode: "require" }] as const] : []),
  ...(features.tls && major >= 17
    ? [["under TLS from the first byte", { sslMode: "require", sslNegotiation: "direct" }] as const]
    : [])
]

/** An older server talks the client down to 3.0. */
const versions: ReadonlyArray<readonly [what: string, settings: PgConfig.Settings]> = [
  ["protocol 3.0", {}],
  ["the newest protocol", { maxProtocolVersion: "latest" }],
  ...(major >= 18 ? [["protocol 3.2 and no other", { minProtocolVersion: "3.2" }] as const] : [])
]

describe("a running statement", () => {
  layer(TestDatabase.layer, { excludeTestServices: true })((it) => {
    for (const [encryption, encrypted] of encryptions) {
      for (const [version, versioned] of versions) {
        it.effect(`is canceled ${encryption}, with ${version}`, () =>
          Effect.gen(function* () {
            const applicationName = uniqueName()
            const observer = yield* liveConnection()
            const connection = yield* liveConnection({ ...encrypted, ...versioned, applicationName })
            const sleeping = yield* Effect.forkChild(connection.execute("SELECT pg_sleep(60)"))
            const active = valueOf(
              observer,
              "SELECT count(*)::int4 FROM pg_stat_activity WHERE application_name = $1 AND query LIKE '%pg_sleep%' AND state = 'active'",
              [applicationName]
            )
            yield* eventually(active, 1)
            const began = performance.now()
            yield* Fiber.interrupt(sleeping)
            yield* eventually(active, 0)
            // Without a cancel that works, the client gives up after five seconds and closes the connection.
            assert.isBelow(performance.now() - began, 4_000)
            yield* assertHealthy(connection)
          })
        )
      }
    }

    if (major < 18) {
      it.effect("is not begun if the server does not speak the oldest version that may be used", () =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(liveConnection({ minProtocolVersion: "3.2" }))
          assert.isTrue(PgError.isPgError(error))
          assert.strictEqual(error._tag, "ConnectError")
          assert.include(error.message, "minProtocolVersion")
        })
      )
    }
  })
})
