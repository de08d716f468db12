/** Tests which sessions a pool gives up or checks, because their server has another role or may be gone. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as TestClock from "effect/testing/TestClock"
import type { Member } from "../../../src/pool/member.ts"
import { resetByScript } from "../../../src/pool/resetting/memberReset.ts"
import { SessionPool } from "../../../src/pool/sessionPool.ts"
import { lostWith } from "../../../src/session/engine/lostErrors.ts"
import type { Role } from "../../../src/session/opening/role.ts"
import * as PgError from "../../../src/PgError.ts"
import { clockTimers } from "../clockTimers.ts"
import { inMemorySession } from "../inMemorySession.ts"

const LIMITS = {
  minConnections: 0,
  maxConnections: 10,
  acquireTimeoutMillis: 0,
  maxWaiters: Infinity,
  idleTimeoutMillis: 0,
  maxUses: 0
}

/** Lets sessions answer. */
const settle = Effect.andThen(
  TestClock.adjust(0),
  Effect.promise(() => new Promise((done) => setImmediate(done)))
)

interface Opened extends ReturnType<typeof inMemorySession> {
  readonly member: Member
}

/** A pool that gets such sessions as it wants them, each at a server. */
const poolOf = (role: Role) =>
  Effect.map(clockTimers, (timers) => {
    const opened: Array<Opened> = []
    const next: Array<{ readonly server: string; readonly tag?: string }> = []
    const pool = new SessionPool(
      LIMITS,
      timers,
      (done) => {
        const { server, tag } = next.shift() ?? { server: "a" }
        const made = inMemorySession(tag)
        made.session.parameters.set("server_version", "18")
        if (tag === undefined) {
          made.session.parameters.set("in_hot_standby", role === "standby" || role === "read-only" ? "on" : "off")
          made.session.parameters.set("default_transaction_read_only", "off")
        }
        const member: Member = {
          session: made.session,
          catalogue: made.session.catalogue,
          generation: 0,
          expiresAt: Infinity,
          place: { server, role },
          isChosen: role !== "any",
          uses: 0,
          idleSince: timers.now()
        }
        opened.push({ ...made, member })
        done(Exit.succeed(member))
      },
      resetByScript
    )
    /** Borrows one; undefined while it waits. */
    const borrow = () => {
      const loan: { member: Member | undefined } = { member: undefined }
      pool.acquire({ lend: (member) => (loan.member = member), refuse: () => {} })
      return loan
    }
    /** Opens one session at each of the servers, all of which are then idle. */
    const fill = (...servers: ReadonlyArray<{ readonly server: string; readonly tag?: string }>) =>
      Effect.gen(function* () {
        next.push(...servers)
        const loans = servers.map(() => borrow())
        yield* settle
        for (const { member } of loans.toReversed()) if (member !== undefined) pool.release(member)
        yield* settle
        return opened.slice(-servers.length)
      })
    return { pool, borrow, fill, opened }
  })

const at = (...names: ReadonlyArray<string>) => names.map((server) => ({ server }))

describe("a pool that wants a role", () => {
  for (const [role, parameter, value] of [
    ["primary", "in_hot_standby", "on"],
    ["read-write", "in_hot_standby", "on"],
    ["read-write", "default_transaction_read_only", "on"],
    ["standby", "in_hot_standby", "off"]
  ] as const) {
    it.effect(`closes a ${role} session when it is returned after its server has said ${parameter} = ${value}`, () =>
      Effect.gen(function* () {
        const { borrow, fill, pool } = yield* poolOf(role)
        const [first, second] = yield* fill(...at("a", "b"))
        const loan = borrow()
        assert.strictEqual(loan.member, first?.member)
        first?.session.parameters.set(parameter, value)
        if (loan.member !== undefined) pool.release(loan.member)
        yield* settle
        assert.isDefined(first?.session.lost)
        assert.strictEqual(second?.session.lost, undefined)
        assert.strictEqual(borrow().member, second?.member)
      })
    )
  }

  it.effect("does not lend an idle session whose server has said that it has another role", () =>
    Effect.gen(function* () {
      const { borrow, fill } = yield* poolOf("primary")
      const [first, second] = yield* fill(...at("a", "b"))
      first?.session.parameters.set("in_hot_standby", "on")
      assert.strictEqual(borrow().member, second?.member)
      yield* settle
      assert.isDefined(first?.session.lost)
    })
  )

  for (const [role, isKept] of [
    ["any", true],
    ["standby", true],
    ["read-only", true],
    ["primary", false],
    ["read-write", false]
  ] as const) {
    it.effect(`${isKept ? "keeps" : "closes"} a session that has met 25006, if the role is ${role}`, () =>
      Effect.gen(function* () {
        const { borrow, fill, pool } = yield* poolOf(role)
        const [only] = yield* fill(...at("a"))
        const { member } = borrow()
        member?.session.residue.failed("INSERT INTO t VALUES (1)", "25006")
        if (member !== undefined) pool.release(member)
        yield* settle
        assert.strictEqual(only?.session.lost === undefined, isKept)
      })
    )
  }

  it.effect("asks a server that does not report its role, when it checks a session, and keeps the session or not", () =>
    Effect.gen(function* () {
      const { borrow, fill } = yield* poolOf("primary")
      const [first, second] = yield* fill({ server: "a", tag: "SELECT 0" }, { server: "b", tag: "SELECT 1" })
      yield* TestClock.adjust(31_000)
      const loan = borrow()
      yield* settle
      assert.isDefined(first?.session.lost, "it is no primary any more")
      const other = borrow()
      yield* settle
      assert.strictEqual(second?.session.lost, undefined)
      assert.include([loan.member, other.member], second?.member)
    })
  )
})

describe("a pool that loses a session", () => {
  it.effect("checks the others to that server, gives up those that do not answer, and lends none before", () =>
    Effect.gen(function* () {
      const { borrow, fill, pool } = yield* poolOf("primary")
      const [lost, silent, alive, elsewhere] = yield* fill(...at("a", "a", "a", "b"))
      silent?.fallSilent()
      alive?.fallSilent()
      elsewhere?.fallSilent()
      lost?.breakOff()
      yield* settle
      assert.strictEqual(borrow().member, elsewhere?.member, "another server is not in doubt")
      const waiting = borrow()
      assert.notInclude([silent?.member, alive?.member], waiting.member)
      alive?.speak()
      yield* settle
      yield* TestClock.adjust(1_900)
      assert.strictEqual(silent?.session.lost, undefined)
      yield* TestClock.adjust(200)
      assert.isDefined(silent?.session.lost)
      assert.strictEqual(alive?.session.lost, undefined)
      assert.isAtMost(pool.counts.size, 4)
    })
  )

  it.effect("checks a session that was in use when it is returned", () =>
    Effect.gen(function* () {
      const { borrow, fill, pool } = yield* poolOf("any")
      const [lost, used] = yield* fill(...at("a", "a"))
      const [first, second] = [borrow(), borrow()]
      assert.sameMembers([first.member, second.member], [lost?.member, used?.member])
      lost?.breakOff()
      used?.fallSilent()
      if (used !== undefined) pool.release(used.member)
      yield* settle
      assert.isFalse(pool.hasIdle)
      used?.speak()
      yield* settle
      assert.strictEqual(borrow().member, used?.member)
    })
  )

  it.effect("does not doubt a server that has ended one session for a reason of that session", () =>
    Effect.gen(function* () {
      const { borrow, fill } = yield* poolOf("primary")
      const [timedOut, other] = yield* fill(...at("a", "a"))
      other?.fallSilent()
      const server = PgError.make("IdleSessionTimeoutError")
      timedOut?.session.die(
        new PgError.ConnectionLostError({ reason: "closed", server, safeToRetry: false, outcome: "none" })
      )
      yield* settle
      assert.strictEqual(borrow().member, other?.member)
    })
  )

  it.effect("doubts the server of a session that it has given up because a canceled query was not answered", () =>
    Effect.gen(function* () {
      const { borrow, fill } = yield* poolOf("primary")
      const [silent, other] = yield* fill(...at("a", "a"))
      other?.fallSilent()
      silent?.session.die(lostWith("the server did not answer a canceled query", { outcome: "unknown" }))
      yield* settle
      assert.notStrictEqual(borrow().member, other?.member)
    })
  )
})
