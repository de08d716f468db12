/** Tests that the settings of keepalive reach the socket. */
import { assert, describe, it, vi } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as net from "node:net"
import * as PgConfig from "../../src/PgConfig.ts"
import { establish } from "../support/scriptedServer/client.ts"
import { scriptedServer } from "../support/scriptedServer.ts"

/** What the sockets of a session were told about keepalive after they were made. */
const toldBy = (url: string) =>
  Effect.gen(function* () {
    const { keepAliveCount, keepAliveIntervalMillis, keepAliveMillis } = yield* PgConfig.resolve({ url }, {})
    const spy = yield* Effect.acquireRelease(
      Effect.sync(() => vi.spyOn(net.Socket.prototype, "setKeepAlive")),
      (spy) => Effect.sync(() => spy.mockRestore())
    )
    yield* establish(yield* scriptedServer, { keepAliveCount, keepAliveIntervalMillis, keepAliveMillis })
    return spy.mock.calls
  }).pipe(Effect.scoped)

describe("the checks of keepalive", () => {
  it.live("have the interval and the count that a URL gives", () =>
    Effect.gen(function* () {
      const url = "postgres://db/?keepalives_idle=7&keepalives_interval=3&keepalives_count=4"
      assert.deepInclude(yield* toldBy(url), [true, 7000, 3000, 4])
      assert.deepInclude(yield* toldBy("postgres://db/?keepalives_count=4"), [true, 30_000, undefined, 4])
      assert.deepStrictEqual(yield* toldBy("postgres://db/?keepalives=0&keepalives_count=4"), [])
    })
  )
})
