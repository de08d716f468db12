/**
 * Tests the pool against a model, under a clock that only the test moves. Sessions are borrowed, given back, given up,
 * broken, expired or refused, and the server may be slow. No slot is lost, no waiter overtakes another, and the size
 * stays within its bounds.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as TestClock from "effect/testing/TestClock"
import * as PgError from "../../src/PgError.ts"
import type { Member } from "../../src/pool/member.ts"
import type { PoolCounts } from "../../src/pool/observing/counts.ts"
import { type Reset, resetByScript } from "../../src/pool/resetting/memberReset.ts"
import { type PoolLimits, SessionPool } from "../../src/pool/sessionPool.ts"
import type { Timers } from "../../src/pool/timers.ts"
import { submitControl } from "../../src/session/transaction/control.ts"
import { clockTimers } from "./clockTimers.ts"
import { int } from "../wire/frames.ts"
import { inMemorySession } from "./inMemorySession.ts"

const LIMITS: PoolLimits = {
  minConnections: 0,
  maxConnections: 3,
  acquireTimeoutMillis: 1000,
  maxWaiters: Infinity,
  idleTimeoutMillis: 60_000,
  maxUses: 0
}

/** The largest number by which a step chooses; the smallest is 0. */
const MAX_PICK = 20

/** A borrower that has asked for a session, and what became of it. */
class Borrower {
  readonly order: number
  readonly askedAt: number
  member: Member | undefined
  isRefused = false
  refusal: PgError.PgError | undefined
  gaveUp = false
  giveUp: () => void = () => {}

  constructor(order: number, askedAt: number) {
    this.order = order
    this.askedAt = askedAt
  }

  get waits(): boolean {
    return this.member === undefined && !this.isRefused && !this.gaveUp
  }
}

/** A pool, all borrowers that have ever asked it, and the connections that are being opened. */
class World {
  readonly pool: SessionPool
  readonly borrowers: Array<Borrower> = []
  /** In the order in which they were lent a session after a wait. */
  readonly served: Array<number> = []
  /** Borrowers that were lent a session whose lifetime was over. */
  readonly lentExpired: Array<number> = []
  isClosed = false
  /** Whether the server leaves resets unanswered. */
  isSilent = false
  /** How often a borrower waited for the clock. */
  timersSet = 0
  /** The latest numbers that the pool has reported to its meter. */
  told: PoolCounts | undefined
  private readonly opening: Array<(opened: Exit.Exit<Member, PgError.PgError>) => void> = []
  private readonly breakOff = new Map<Member, () => void>()
  private readonly timers: Timers
  private readonly lifetimeMillis: number

  constructor(timers: Timers, limits: PoolLimits, lifetimeMillis: number) {
    this.timers = timers
    this.lifetimeMillis = lifetimeMillis
    const counted: Timers = {
      now: () => timers.now(),
      after: (millis, callback) => {
        this.timersSet++
        return timers.after(millis, callback)
      }
    }
    const meter = {
      changed: (counts: PoolCounts) => void (this.told = counts),
      timedOut: () => {},
      lent: () => {},
      returned: () => {}
    }
    const reset: Reset = (member, done) => {
      if (!this.isSilent) resetByScript(member, done)
    }
    this.pool = new SessionPool(limits, counted, (done) => void this.opening.push(done), reset, { meter })
  }

  get lent(): ReadonlyArray<Borrower> {
    return this.borrowers.filter(({ member }) => member !== undefined)
  }

  get waiting(): ReadonlyArray<Borrower> {
    return this.borrowers.filter(({ waits }) => waits)
  }

  acquire(): void {
    const borrower = new Borrower(this.borrowers.length, this.timers.now())
    this.borrowers.push(borrower)
    let isAsking = true
    borrower.giveUp = this.pool.acquire({
      lend: (member) => {
        borrower.member = member
        if (member.expiresAt <= this.timers.now()) this.lentExpired.push(borrower.order)
        if (!isAsking) this.served.push(borrower.order)
      },
      refuse: (cause) => {
        borrower.isRefused = true
        borrower.refusal = Option.getOrUndefined(Cause.findErrorOption(cause))
      }
    })
    isAsking = false
  }

  release(pick: number): void {
    const borrower = this.lent[pick % Math.max(1, this.lent.length)]
    const member = borrower?.member
    if (borrower === undefined || member === undefined) return
    borrower.member = undefined
    borrower.gaveUp = true
    this.pool.release(member)
  }

  giveUp(pick: number): void {
    const borrower = this.waiting[pick % Math.max(1, this.waiting.length)]
    if (borrower === undefined) return
    borrower.gaveUp = true
    borrower.giveUp()
  }

  /** Sessions of one pool have different lifetimes. */
  connected(pick = 0): void {
    const done = this.opening.shift()
    if (done === undefined) return
    const { breakOff, session } = inMemorySession()
    const member: Member = {
      session,
      catalogue: session.catalogue,
      generation: this.pool.generation,
      expiresAt: this.timers.now() + this.lifetimeMillis * (1 - pick / (MAX_PICK + 1)),
      uses: 0,
      idleSince: 0
    }
    this.breakOff.set(member, breakOff)
    done(Exit.succeed(member))
  }

  close(): void {
    this.isClosed = true
    this.pool.close()
  }

  refused(error: PgError.PgError): void {
    this.opening.shift()?.(Exit.fail(error))
  }

  died(): void {
    this.opening.shift()?.(Exit.die(new Error("a hook has thrown")))
  }

  /** Kills the backend of a session that is lent or idle. */
  kill(pick: number): void {
    const alive = [...this.breakOff].filter(([member]) => member.session.lost === undefined)
    const [member, breakOff] = alive[pick % Math.max(1, alive.length)] ?? []
    if (member === undefined || breakOff === undefined) return
    for (const borrower of this.borrowers) {
      if (borrower.member !== member) continue
      borrower.member = undefined
      borrower.gaveUp = true
    }
    breakOff()
  }

  /** The rules that must hold after every step. */
  check(limits: PoolLimits): void {
    const { connecting, idle, size, waiting } = this.pool.counts
    assert.strictEqual(this.told?.waiting ?? 0, waiting, "the meter counts other waiters")
    const members = this.lent.map(({ member }) => member)
    assert.isAtMost(size + connecting, limits.maxConnections)
    assert.strictEqual(new Set(members).size, members.length, "two have the same session")
    assert.strictEqual(waiting, this.waiting.length, "both count the same waiters")
    assert.strictEqual(connecting, this.opening.length)
    assert.isAtMost(idle + members.length, size)
    assert.isFalse(waiting > 0 && this.pool.hasIdle, "a borrower waits while a session is idle")
    assert.isAtMost(waiting, limits.maxWaiters)
    assert.deepStrictEqual(this.lentExpired, [], "a session whose life was over was lent")
    for (const { member } of limits.maxUses === 0 ? [] : this.lent) {
      assert.isAtMost(member?.uses ?? 0, limits.maxUses, "a session was lent too often")
    }
    assert.deepStrictEqual(
      this.served,
      [...this.served].sort((a, b) => a - b),
      "a borrower was overtaken"
    )
    for (const { askedAt } of this.waiting) {
      assert.isBelow(this.timers.now() - askedAt, limits.acquireTimeoutMillis + 1, "a borrower waits for too long")
    }
  }
}

const transient = new PgError.ConnectError({ stage: "tcp", attempts: [] })
const final = new PgError.AuthenticationError({ method: undefined, reason: "wrong password" })

type Step = (world: World, pick: number) => Effect.Effect<void> | void

const steps: ReadonlyArray<Step> = [
  (world) => world.acquire(),
  (world) => world.acquire(),
  (world, pick) => world.connected(pick),
  (world, pick) => world.connected(pick),
  (world, pick) => world.release(pick),
  (world, pick) => world.release(pick),
  (world, pick) => world.giveUp(pick),
  (world) => world.refused(transient),
  (world) => world.refused(final),
  (world) => world.died(),
  (world, pick) => world.kill(pick),
  (world) => world.pool.expire(),
  (_, pick) => TestClock.adjust(pick * 20),
  (_, pick) => TestClock.adjust(pick * 20),
  () => TestClock.adjust(70_000),
  // Most programs should have something to do until their end.
  (world, pick) => (pick === MAX_PICK ? world.close() : undefined)
]

const programs = Arbitrary.array(Arbitrary.all([int(0, steps.length - 1), int(0, MAX_PICK)]), {
  minLength: 30,
  maxLength: 60
})

const limitsOfPools: Arbitrary.Arbitrary<PoolLimits> = Arbitrary.all([int(1, 4), int(0, 4), int(1, 5), int(0, 3)]).pipe(
  Arbitrary.map(([maxConnections, minConnections, maxWaiters, maxUses]) => ({
    ...LIMITS,
    maxConnections,
    minConnections: Math.min(minConnections, maxConnections),
    maxWaiters: maxWaiters === 5 ? Infinity : maxWaiters,
    maxUses
  }))
)

const lifetimes = [Infinity, 1_000, 2_000, 65_000]

/** Lets sessions answer and sleeping fibers wake up. */
const settle = Effect.andThen(
  TestClock.adjust(0),
  Effect.promise(() => new Promise((done) => setImmediate(done)))
)

const worldWith = (limits: PoolLimits, lifetimeMillis = Infinity) =>
  Effect.map(clockTimers, (timers) => new World(timers, limits, lifetimeMillis))

describe("a pool of sessions", () => {
  it.effect.prop(
    "loses no slot, keeps the order of its waiters and never grows above its maximum, whatever happens",
    [programs, limitsOfPools, int(0, lifetimes.length - 1)],
    ([program, limits, lifetime]) =>
      Effect.gen(function* () {
        const world = yield* worldWith(limits, lifetimes[lifetime])
        for (const [step, pick] of program) {
          const effect = steps[step]!(world, pick)
          if (effect !== undefined) yield* effect
          yield* settle
          world.check(limits)
        }
        // After any program, once everything is given back and the server answers, every waiter is served.
        for (let round = 0; round < 20; round++) {
          while (world.lent.length > 0) world.release(0)
          yield* TestClock.adjust(500)
          world.connected()
          yield* settle
        }
        assert.strictEqual(world.waiting.length, 0)
        if (world.isClosed) {
          assert.deepStrictEqual(world.pool.counts, { size: 0, idle: 0, connecting: 0, waiting: 0 })
          return
        }
        world.acquire()
        for (let round = 0; round < 20 && world.waiting.length > 0; round++) {
          world.connected()
          yield* TestClock.adjust(40)
          yield* settle
        }
        assert.strictEqual(world.lent.length, 1, "a slot was lost")
      }),
    { arbitrary: { runs: 200 }, timeout: 60_000 }
  )

  it.effect("waits out a temporary failure, and fails all waiters with a permanent one", () =>
    Effect.gen(function* () {
      const world = yield* worldWith(LIMITS)
      world.acquire()
      world.acquire()
      world.refused(transient)
      yield* settle
      assert.strictEqual(world.waiting.length, 2)
      world.refused(final)
      yield* settle
      assert.deepStrictEqual(
        world.borrowers.map(({ refusal }) => refusal?._tag),
        ["AuthenticationError", "AuthenticationError"]
      )
    })
  )

  it.effect("tries again with one connection after a failure, and with growing pauses", () =>
    Effect.gen(function* () {
      const world = yield* worldWith(LIMITS)
      world.acquire()
      world.acquire()
      world.refused(transient)
      world.refused(transient)
      yield* settle
      assert.strictEqual(world.pool.counts.connecting, 0)
      yield* TestClock.adjust(60)
      assert.strictEqual(world.pool.counts.connecting, 1)
      world.connected()
      yield* settle
      assert.strictEqual(world.pool.counts.connecting, 1, "the second opens once the first has shown the way")
    })
  )

  it.effect("reports how long a borrower waited, and the state of the other sessions", () =>
    Effect.gen(function* () {
      const world = yield* worldWith({ ...LIMITS, maxConnections: 1 })
      world.acquire()
      world.connected()
      yield* settle
      world.acquire()
      world.acquire()
      yield* TestClock.adjust(1000)
      const [, first, second] = world.borrowers
      assert.strictEqual(first?.refusal?._tag, "AcquireTimeoutError")
      assert.match(first?.refusal?.message ?? "", /1000 ms: 1 in use, 0 connecting, 1 other call waiting/)
      assert.match(second?.refusal?.message ?? "", /0 other calls waiting/)
    })
  )

  it.effect("answers each call at once after a refusal: the first ask the server anew, the next share its answer", () =>
    Effect.gen(function* () {
      const world = yield* worldWith({ ...LIMITS, minConnections: 1 })
      let asked = 0
      for (let call = 0; call < 18; call++) {
        world.acquire()
        assert.isAtMost(world.pool.counts.connecting, 1)
        asked += world.pool.counts.connecting
        world.refused(final)
        assert.isTrue(world.borrowers[call]?.refusal === final, "the call waits for no pause")
        yield* settle
        assert.strictEqual(world.pool.counts.connecting, 0, "the minimum waits for the pause")
      }
      assert.strictEqual(asked, 4)
      yield* TestClock.adjust(101)
      if (world.pool.counts.connecting === 1) world.refused(final)
      yield* TestClock.adjust(101)
      world.acquire()
      assert.strictEqual(world.pool.counts.connecting, 1, "the server is asked again")
      world.connected()
      yield* settle
      assert.isDefined(world.borrowers[18]?.member)
      world.acquire()
      world.acquire()
      assert.strictEqual(world.pool.counts.connecting, 2, "what is past is forgotten")
    })
  )

  it.effect(
    "waits for a session that is in use rather than give a refusal, if the server has refused another one",
    () =>
      Effect.gen(function* () {
        const world = yield* worldWith({ ...LIMITS, maxConnections: 2 })
        world.acquire()
        world.connected()
        yield* settle
        for (let call = 1; call < 5; call++) {
          world.acquire()
          world.refused(final)
          yield* settle
        }
        world.acquire()
        yield* settle
        assert.strictEqual(world.waiting.length, 1)
        world.release(0)
        yield* settle
        assert.isDefined(world.borrowers[5]?.member)
      })
  )

  it.effect("pauses no longer than a second while a borrower waits, also if it came in a long pause", () =>
    Effect.gen(function* () {
      const world = yield* worldWith({ ...LIMITS, minConnections: 1, acquireTimeoutMillis: 60_000 })
      yield* TestClock.adjust(0)
      world.acquire()
      for (let attempt = 0; attempt < 12; attempt++) {
        assert.strictEqual(world.pool.counts.connecting, 1, `attempt ${attempt}`)
        world.refused(transient)
        yield* TestClock.adjust(1000)
      }
      world.borrowers[0]?.giveUp()
      world.refused(transient)
      yield* TestClock.adjust(2000)
      assert.strictEqual(world.pool.counts.connecting, 0, "nobody waits")
      world.acquire()
      yield* TestClock.adjust(1)
      assert.strictEqual(world.pool.counts.connecting, 1, "a borrower waits")
    })
  )

  it.effect("opens a session for a borrower that waits for a slow reset, and not for one that is served soon", () =>
    Effect.gen(function* () {
      const world = yield* worldWith(LIMITS)
      world.acquire()
      world.connected()
      yield* settle
      const member = world.borrowers[0]?.member
      assert.isDefined(member)
      if (member === undefined) return
      for (let lease = 0; lease < 3; lease++) {
        member.session.residue.soil()
        world.release(0)
        world.acquire()
        assert.strictEqual(world.pool.counts.connecting, 0)
        yield* settle
        assert.isTrue(world.borrowers[lease + 1]?.member === member)
        yield* TestClock.adjust(60)
      }
      world.isSilent = true
      member.session.residue.soil()
      world.release(0)
      world.acquire()
      yield* settle
      assert.strictEqual(world.pool.counts.connecting, 0)
      yield* TestClock.adjust(101)
      assert.strictEqual(world.pool.counts.connecting, 1)
      world.connected()
      yield* settle
      assert.isDefined(world.borrowers[4]?.member)
    })
  )

  it.effect("refuses a waiter beyond its maximum", () =>
    Effect.gen(function* () {
      const world = yield* worldWith({ ...LIMITS, maxConnections: 1, maxWaiters: 1 })
      world.acquire()
      world.acquire()
      assert.strictEqual(world.borrowers[1]?.refusal?._tag, "TooManyWaitersError")
      world.connected()
      yield* settle
      assert.isDefined(world.borrowers[0]?.member)
    })
  )

  it.effect("lends no session that comes back before its requests are answered", () =>
    Effect.gen(function* () {
      const world = yield* worldWith({ ...LIMITS, maxConnections: 1 })
      world.acquire()
      world.connected()
      yield* settle
      const session = world.lent[0]?.member?.session
      if (session === undefined) return assert.fail("nothing was lent")
      submitControl(session, { operation: "a query", sql: "SELECT 1" }, () => {})
      world.release(0)
      world.acquire()
      assert.strictEqual(world.waiting.length, 1)
      yield* settle
      assert.strictEqual(world.waiting.length, 0)
      assert.isTrue(session.settled)
    })
  )

  it.effect("closes sessions that are idle for too long, down to its minimum, and restores the minimum", () =>
    Effect.gen(function* () {
      const world = yield* worldWith({ ...LIMITS, minConnections: 1 })
      world.acquire()
      world.acquire()
      world.connected()
      world.connected()
      yield* settle
      world.release(0)
      world.release(0)
      yield* settle
      assert.strictEqual(world.pool.counts.idle, 2)
      yield* TestClock.adjust(61_000)
      yield* settle
      assert.strictEqual(world.pool.counts.size, 1)
      world.kill(0)
      yield* settle
      assert.strictEqual(world.pool.counts.connecting, 1)
    })
  )

  it.effect("keeps idle sessions that it may not close, and does not check them all the time", () =>
    Effect.gen(function* () {
      const world = yield* worldWith({ ...LIMITS, minConnections: 1 })
      world.acquire()
      world.connected()
      yield* settle
      world.release(0)
      yield* settle
      const before = world.timersSet
      yield* TestClock.adjust(10 * LIMITS.idleTimeoutMillis)
      assert.isAtMost(world.timersSet - before, 10)
      assert.strictEqual(world.pool.counts.size, 1)
    })
  )

  it.effect("closes no more than it may while the closed ones have not gone yet", () =>
    Effect.gen(function* () {
      const world = yield* worldWith({ ...LIMITS, minConnections: 1 })
      for (let n = 0; n < 3; n++) world.acquire()
      for (let n = 0; n < 3; n++) world.connected()
      yield* settle
      let closed = 0
      for (const { member } of world.lent) if (member !== undefined) member.session.close = () => void closed++
      for (let n = 0; n < 3; n++) world.release(0)
      yield* settle
      yield* TestClock.adjust(2 * LIMITS.idleTimeoutMillis)
      assert.strictEqual(closed, 2)
      assert.strictEqual(world.pool.counts.idle, 1)
    })
  )

  it.effect("opens no session for a borrower whose session is only being checked", () =>
    Effect.gen(function* () {
      const world = yield* worldWith({ ...LIMITS, idleTimeoutMillis: 0 })
      world.acquire()
      world.connected()
      yield* settle
      world.release(0)
      yield* TestClock.adjust(31_000)
      world.acquire()
      assert.strictEqual(world.pool.counts.connecting, 0)
      world.acquire()
      assert.strictEqual(world.pool.counts.connecting, 1, "the second has none in sight")
    })
  )

  it.effect("lends a session that was idle for long if the borrower may not wait", () =>
    Effect.gen(function* () {
      const world = yield* worldWith({ ...LIMITS, minConnections: 1, maxWaiters: 0, idleTimeoutMillis: 0 })
      world.pool.open(() => {})
      world.connected()
      yield* settle
      yield* TestClock.adjust(31_000)
      world.acquire()
      world.acquire()
      yield* settle
      assert.isDefined(world.borrowers[0]?.member)
      assert.strictEqual(world.borrowers[1]?.refusal?._tag, "TooManyWaitersError")
    })
  )

  it.effect("replaces a session after its maximum number of uses", () =>
    Effect.gen(function* () {
      const world = yield* worldWith({ ...LIMITS, maxUses: 2 })
      world.acquire()
      world.connected()
      yield* settle
      world.release(0)
      yield* settle
      assert.strictEqual(world.pool.counts.idle, 1)
      world.acquire()
      world.release(0)
      yield* settle
      assert.strictEqual(world.pool.counts.size, 0)
    })
  )

  it.effect("lends no session whose lifetime is over, whichever was idle first, and replaces it", () =>
    Effect.gen(function* () {
      const world = yield* worldWith(LIMITS, 10_000)
      world.acquire()
      world.acquire()
      world.connected(0)
      world.connected(MAX_PICK / 2)
      yield* settle
      const [longer, shorter] = world.borrowers.map(({ member }) => member?.session)
      world.release(0)
      world.release(0)
      yield* settle
      yield* TestClock.adjust(6_000)
      world.acquire()
      assert.isTrue(world.borrowers[2]?.member?.session === longer)
      yield* settle
      assert.isDefined(shorter?.lost)
      yield* TestClock.adjust(4_000)
      world.release(0)
      yield* settle
      assert.isDefined(longer?.lost)
      world.acquire()
      world.connected()
      yield* settle
      const next = world.borrowers[3]?.member?.session
      assert.isTrue(next !== undefined && next !== longer && next !== shorter)
    })
  )

  it.effect("counts borrowers as uses, and not its own resets, rollbacks and checks", () =>
    Effect.gen(function* () {
      const world = yield* worldWith({ ...LIMITS, maxConnections: 1, idleTimeoutMillis: 0, maxUses: 3 })
      for (const use of [1, 2, 3]) {
        world.acquire()
        world.connected()
        yield* settle
        const member = world.lent[0]?.member
        assert.strictEqual(member?.uses, use)
        assert.strictEqual(world.pool.counts.size, 1)
        if (member !== undefined) member.session.residue.soil()
        world.release(0)
        yield* settle
        yield* TestClock.adjust(31_000)
      }
      assert.strictEqual(world.pool.counts.size, 0)
    })
  )

  it.effect("checks a session that was idle for long, and lends another if the check fails", () =>
    Effect.gen(function* () {
      const world = yield* worldWith({ ...LIMITS, idleTimeoutMillis: 0 })
      world.acquire()
      world.connected()
      yield* settle
      world.release(0)
      yield* TestClock.adjust(31_000)
      world.acquire()
      assert.isTrue(world.borrowers[1]?.waits)
      yield* settle
      assert.isDefined(world.borrowers[1]?.member)
      world.release(0)
      yield* TestClock.adjust(31_000)
      world.acquire()
      world.kill(0)
      yield* settle
      assert.strictEqual(world.pool.counts.connecting, 1)
      world.connected()
      yield* settle
      assert.isDefined(world.borrowers[2]?.member)
    })
  )

  it.effect("refuses waiting and new borrowers after it is closed, and closes the sessions that come back", () =>
    Effect.gen(function* () {
      const world = yield* worldWith({ ...LIMITS, maxConnections: 1 })
      world.acquire()
      world.connected()
      yield* settle
      world.acquire()
      world.pool.close()
      world.acquire()
      assert.deepStrictEqual(
        world.borrowers.slice(1).map(({ refusal }) => refusal?._tag),
        ["PoolClosedError", "PoolClosedError"]
      )
      world.release(0)
      yield* settle
      assert.strictEqual(world.pool.counts.size, 0)
    })
  )
})
