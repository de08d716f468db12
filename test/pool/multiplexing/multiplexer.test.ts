/** Tests where the multiplexer leaves its sessions, on sessions whose answers a test keeps back. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { Member } from "../../../src/pool/member.ts"
import { Multiplexer } from "../../../src/pool/multiplexing/multiplexer.ts"
import { SessionPool } from "../../../src/pool/sessionPool.ts"
import { realTimers } from "../../../src/pool/timers.ts"
import { SimpleQuery } from "../../../src/session/exchange/simpleQuery.ts"
import type { Request } from "../../../src/session/request/request.ts"
import type { CommandTag } from "../../../src/wire/commandTag.ts"
import { inMemorySession } from "../inMemorySession.ts"

const LIMITS = {
  minConnections: 0,
  maxConnections: 1,
  acquireTimeoutMillis: 2_000,
  maxWaiters: Infinity,
  idleTimeoutMillis: 0,
  maxUses: 0
}

const SQL = "SELECT 1"
const statement: Request<ReadonlyArray<CommandTag>> = {
  sql: SQL,
  params: [],
  exchange: (session, resume) => new SimpleQuery(session, SQL, resume)
}

/** Longer than a server may be silent before the calls behind are moved. */
const SILENCE_MILLIS = 100

const immediately = { startImmediately: true } as const

describe("a session that several calls share", () => {
  it.live("goes back to its pool if its last call moves away behind one that was interrupted", () =>
    Effect.gen(function* () {
      const { fallSilent, session, speak } = inMemorySession()
      const { catalogue } = session
      const member: Member = { session, generation: 0, expiresAt: Infinity, catalogue, uses: 0, idleSince: 0 }
      const pool = new SessionPool(
        LIMITS,
        realTimers,
        (done) => done(Exit.succeed(member)),
        (_, done) => done(true)
      )
      const multiplexer = new Multiplexer(pool, LIMITS)
      // What was short may be shared from now on.
      yield* multiplexer.call(statement)
      fallSilent()
      const first = yield* Effect.forkChild(multiplexer.call(statement), immediately)
      yield* Effect.sleep(1)
      // Nothing is written behind a canceled call.
      const second = yield* Effect.forkChild(multiplexer.call(statement), immediately)
      first.interruptUnsafe()
      yield* Effect.sleep(SILENCE_MILLIS)
      speak()
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(second)))
      yield* Effect.sleep(1)
      assert.deepInclude(pool.counts, { size: 1, idle: 1, waiting: 0 })
    })
  )
})
