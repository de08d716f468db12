/** Tests what `effectpg doctor` says of a standby and of a list of hosts, on real servers that replicate. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { vi } from "vitest"
import { Servers } from "../failover/rig/cluster.ts"
import { doctor, linesOf } from "./support/doctor.ts"
import { PROCESS_TIMEOUT_MILLIS } from "./support/effectpg.ts"

vi.setConfig({ testTimeout: PROCESS_TIMEOUT_MILLIS })

layer(Servers.layer, { excludeTestServices: true })("effectpg doctor, of servers that replicate", (it) => {
  it.effect("finds a standby, and accepts it if the settings want one", () =>
    Effect.gen(function* () {
      const cluster = yield* Servers
      const url = (settings: string) =>
        `postgres://trust_user@127.0.0.12:${cluster.port}/postgres?sslmode=disable${settings}`
      const ran = yield* doctor(url(""))
      assert.strictEqual(ran.exitCode, 0)
      const lines = linesOf(ran).map((line) => line.replace(/, whose last transaction is \d+ s old/, ""))
      assert.includeMembers(lines, [
        "warning role: standby, which takes only reads",
        "-> To write, list the primary too, and set targetSessionAttrs=read-write."
      ])
      const wanted = yield* doctor(url("&target_session_attrs=standby"))
      assert.isTrue(
        linesOf(wanted).some((line) => line.startsWith("ok role: standby")),
        wanted.stdout
      )
      const refused = yield* doctor(url("&target_session_attrs=read-write"))
      assert.strictEqual(refused.exitCode, 1)
      assert.include(linesOf(refused), "wrong startup: is a standby, but targetSessionAttrs is read-write")
    })
  )

  it.effect("only warns of a host that does not answer, if another one serves", () =>
    Effect.gen(function* () {
      const { port } = yield* Servers
      const ran = yield* doctor(
        `postgres://trust_user@127.0.0.19:${port},127.0.0.12:${port},127.0.0.11:${port}/postgres?sslmode=disable&target_session_attrs=read-write`
      )
      assert.strictEqual(ran.exitCode, 0)
      const lines = linesOf(ran).join("\n")
      assert.include(lines, `warning tcp: 127.0.0.19:${port}: ECONNREFUSED`)
      assert.include(lines, "ok role: primary, which takes reads and writes")
    })
  )
})
