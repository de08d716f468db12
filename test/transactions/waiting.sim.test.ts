/** Tests fibers that wait for the end of a transaction above them, and what they do when they are woken. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { PLAIN_LEVEL, TransactionLevel } from "../../src/session/transaction/transactionLevel.ts"
import { answerFirst, begin, establish, Say, scriptedServer } from "../support/scriptedServer.ts"

const immediately = { startImmediately: true } as const
const committed = [Say.commandComplete("COMMIT"), Say.ready()]

describe("a fiber that waits for the end of a transaction", () => {
  it.live("is not forgotten if the first fiber that is woken begins another, and interrupts the next", () =>
    Effect.gen(function* () {
      const { peer, session } = yield* establish(yield* scriptedServer)
      const level = TransactionLevel.root(session)
      const end = yield* Deferred.make<void>()
      yield* Effect.forkChild(
        level.within(PLAIN_LEVEL, (inner) => Effect.andThen(begin(inner), Deferred.await(end))),
        immediately
      )
      yield* answerFirst(peer)
      yield* Effect.sleep("20 millis")

      const first = yield* Effect.forkChild(
        Effect.gen(function* () {
          yield* level.untilSettled()
          const another = yield* Effect.forkScoped(level.within(PLAIN_LEVEL, begin), immediately)
          const waiting = yield* Effect.forkScoped(level.untilSettled(), immediately)
          next.interruptUnsafe()
          return { another, waiting }
        }),
        immediately
      )
      const next = yield* Effect.forkChild(level.untilSettled(), immediately)
      yield* Deferred.succeed(end, undefined)
      yield* peer.message
      peer.send(...committed)
      yield* answerFirst(peer)
      yield* peer.message
      peer.send(...committed)
      const { another, waiting } = yield* Fiber.join(first)
      yield* Fiber.join(another)
      const isWoken = Effect.as(Fiber.join(waiting), true)
      const isForgotten = Effect.as(Effect.sleep("1 second"), false)
      assert.isTrue(yield* Effect.raceFirst(isWoken, isForgotten))
    }).pipe(Effect.scoped)
  )
})
