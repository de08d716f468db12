/** Tests how a pool reports a failed connection, and when the lifetime of a connection ends. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as TestClock from "effect/testing/TestClock"
import type * as PgError from "../../../src/PgError.ts"
import { KnownHosts } from "../../../src/session/opening/knownHosts.ts"
import type { Member } from "../../../src/pool/member.ts"
import { memberOpener } from "../../../src/pool/opening/opener.ts"
import { clockTimers } from "../clockTimers.ts"
import { inMemorySession } from "../inMemorySession.ts"

const MEMBERS = 200
const OPENED_AT = 10_000

/** The ends of so many connections that were opened at the same time. */
const endsOf = (maxLifetimeMillis: number) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(OPENED_AT)
    const open = yield* memberOpener({
      connect: Effect.sync(() => inMemorySession().session),
      hosts: new KnownHosts(),
      sessions: yield* Effect.scope,
      timers: yield* clockTimers,
      maxLifetimeMillis,
      generation: () => 0,
      init: undefined
    })
    const one = Effect.callback<Member, PgError.PgError>((resume) => open(resume))
    const opened = yield* Effect.all(Array.from({ length: MEMBERS }, () => one))
    return opened.map(({ expiresAt }) => expiresAt)
  })

const boom = new Error("boom")

describe("a caller of a connection that cannot be opened", () => {
  for (const [what, connect, init] of [
    ["connecting dies", Effect.die(boom), undefined],
    ["init dies", Effect.sync(() => inMemorySession().session), () => Effect.die(boom)]
  ] as const) {
    it.effect(`receives the reason if ${what}`, () =>
      Effect.gen(function* () {
        const open = yield* memberOpener({
          connect,
          hosts: new KnownHosts(),
          sessions: yield* Effect.scope,
          timers: yield* clockTimers,
          maxLifetimeMillis: 0,
          generation: () => 0,
          init
        })
        const exit = yield* Effect.callback<Exit.Exit<Member, PgError.PgError>>((resume) =>
          open((opened) => resume(Effect.succeed(opened)))
        )
        assert.deepStrictEqual(exit, Exit.die(boom))
      })
    )
  }
})

describe("a connection that has another role after its init hook", () => {
  it.effect("fails to open, so that the pool does not open one after the other", () =>
    Effect.gen(function* () {
      const { session } = inMemorySession()
      const hosts = new KnownHosts()
      hosts.arrived(session, { _tag: "Tcp", name: "db.test", host: "127.0.0.1", port: 5432 }, "read-write")
      session.parameters.set("in_hot_standby", "off")
      session.parameters.set("default_transaction_read_only", "off")
      const open = yield* memberOpener({
        connect: Effect.succeed(session),
        hosts,
        sessions: yield* Effect.scope,
        timers: yield* clockTimers,
        maxLifetimeMillis: 0,
        generation: () => 0,
        init: () => Effect.sync(() => session.parameters.set("default_transaction_read_only", "on"))
      })
      const error = yield* Effect.flip(Effect.callback<Member, PgError.PgError>((resume) => open(resume)))
      assert.strictEqual(error._tag, "ConnectError")
      assert.include(error.message, "init hook")
    })
  )
})

describe("a connection of a pool", () => {
  it.effect("lives up to a tenth shorter than its lifetime, so that connections do not all end together", () =>
    Effect.gen(function* () {
      const MAX_LIFETIME = 60_000
      const lives = (yield* endsOf(MAX_LIFETIME)).map((end) => end - OPENED_AT)
      const [shortest, longest] = [Math.min(...lives), Math.max(...lives)]
      assert.isAtLeast(shortest, MAX_LIFETIME * 0.9)
      assert.isAtMost(longest, MAX_LIFETIME)
      assert.isAbove(longest - shortest, MAX_LIFETIME * 0.05)
    })
  )

  it.effect("lives forever if there is no limit", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        yield* endsOf(0),
        Array.from({ length: MEMBERS }, () => Infinity)
      )
    })
  )
})
