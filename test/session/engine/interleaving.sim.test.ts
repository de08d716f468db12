/**
 * Tests random programs of queries and interruptions against a backend that works as PostgreSQL does: it runs one query
 * after the other, and a cancel hits the query that runs when it arrives. Each caller that was not interrupted gets its
 * own answer.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { pgType } from "../../../src/codec/oid.generated.ts"
import type * as PgError from "../../../src/PgError.ts"
import {
  type Answer,
  ask,
  boundInt4,
  establish,
  type Peer,
  query,
  Say,
  type ScriptedServer,
  scriptedServer
} from "../../support/scriptedServer.ts"

const PROGRAMS = 40
const STEPS = 60
const MAX_PAUSE_MILLIS = 3

/** Numbers from 0 to below a limit, repeatable by their seed. */
const randomFrom = (seed: number): ((below: number) => number) => {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const columns = [Say.column("id", pgType.int4.oid)]
const described = Say.described(columns, { parameters: [pgType.int4.oid] })

const nothing = (): void => {}

/** Answers each query with its parameter after a while, or with 57014 if it is canceled before that. */
const backend = (server: ScriptedServer, peer: Peer, random: (below: number) => number) => {
  let cancelRunning = nothing
  const queries = Effect.gen(function* () {
    const messages = yield* peer.cycle
    if (messages[0]?.type === "P") return peer.send(described)
    const isCancelled = yield* Effect.raceFirst(
      Effect.as(Effect.sleep(random(MAX_PAUSE_MILLIS)), false),
      Effect.callback<boolean>((resume) => {
        cancelRunning = () => resume(Effect.succeed(true))
      })
    )
    cancelRunning = nothing
    peer.send(
      isCancelled
        ? Say.failed({ code: "57014" })
        : Say.answered("SELECT 1", { rows: [Say.row(Say.int4(boundInt4(messages)))] })
    )
  })
  const cancels = Effect.gen(function* () {
    const side = yield* server.accept
    yield* side.startupPacket
    yield* Effect.sleep(random(MAX_PAUSE_MILLIS))
    cancelRunning()
    side.end()
  })
  return Effect.all([Effect.forever(queries), Effect.forever(cancels)], { concurrency: "unbounded" })
}

describe("a session", () => {
  it.live("gives each query its own answer and cancels no other query, whatever is sent and interrupted", () =>
    Effect.gen(function* () {
      let cancels = 0
      for (let seed = 1; seed <= PROGRAMS; seed++) {
        const random = randomFrom(seed)
        const server = yield* scriptedServer
        const { peer, session } = yield* establish(server)
        // The end of a cancel's connection says that the signal has been sent, so it may not come by itself.
        server.lingers = true
        const serving = yield* Effect.forkChild(backend(server, peer, random))
        const asked = new Map<number, Fiber.Fiber<Answer, PgError.PgError>>()
        for (let step = 0; step < STEPS; step++) {
          const choice = random(10)
          if (choice < 4) asked.set(step, yield* ask(session, `SELECT $1 /* ${random(3)} */`, [step]))
          else if (choice < 7) yield* Effect.sleep(random(MAX_PAUSE_MILLIS))
          else {
            // The last one more often than others, because only it can be canceled.
            const [number, fiber] = [...asked].at(choice < 9 ? -1 : random(asked.size)) ?? []
            if (number === undefined || fiber === undefined) continue
            asked.delete(number)
            yield* Fiber.interrupt(fiber)
          }
        }
        for (const [number, fiber] of asked) {
          assert.deepStrictEqual((yield* Fiber.join(fiber)).rows, [[number]], `seed ${seed}, step ${number}`)
        }
        assert.deepStrictEqual((yield* query(session, "SELECT $1", [-1])).rows, [[-1]], `seed ${seed}`)
        assert.strictEqual(session.lost, undefined)
        cancels += server.peers.length - 1
        yield* Fiber.interrupt(serving)
      }
      assert.isAbove(cancels, PROGRAMS)
    }).pipe(Effect.scoped)
  )
})
