/** Tests a portal on the wire: how it is opened, run a page at a time, and closed. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Buffer } from "node:buffer"
import { pgType } from "../../../src/codec/oid.generated.ts"
import { closePortal, openPortal, page, Portal } from "../../../src/session/request/portal.ts"
import { objects, type Request, send } from "../../../src/session/request/request.ts"
import type { Session } from "../../../src/session/engine/session.ts"
import { assertHealthy, establish, failureOf, Say, scriptedServer } from "../../support/scriptedServer.ts"

const OPTIONS = { sql: "SELECT", params: [], form: objects }
const COLUMNS = [Say.column("id", pgType.int4.oid)]
const row = (id: number): Buffer => Say.row(Say.int4(id))

const asked = <A>(session: Session, request: Request<A>) =>
  Effect.forkChild(send(session, request), { startImmediately: true })

/** A portal whose first page has been read. */
const opened = Effect.gen(function* () {
  const { peer, session } = yield* establish(yield* scriptedServer)
  const portal = new Portal()
  const first = yield* asked(session, page(portal, OPTIONS, 2))
  assert.strictEqual(yield* peer.cycleTypes, "PDS")
  peer.send(Say.described(COLUMNS, { status: "T" }))
  const [bind, execute] = yield* peer.cycle
  assert.isTrue(bind?.body.toString("latin1").startsWith(`${portal.name}\0`))
  assert.strictEqual(execute?.body.toString("latin1"), `${portal.name}\0\0\0\0\x02`)
  peer.send(Say.bindComplete, row(1), row(2), Say.portalSuspended, Say.ready("T"))
  const { isLast, rows } = yield* Fiber.join(first)
  assert.deepStrictEqual([rows, isLast], [[{ id: 1 }, { id: 2 }], false])
  return { peer, session, portal }
})

describe("a portal", () => {
  it.live("is bound once, and then run a page at a time until it is complete", () =>
    Effect.gen(function* () {
      const { peer, portal, session } = yield* opened
      const second = yield* asked(session, page(portal, OPTIONS, 2))
      assert.strictEqual(yield* peer.cycleTypes, "ES")
      peer.send(row(3), Say.commandComplete("SELECT 3"), Say.ready("T"))
      const { isLast, rows } = yield* Fiber.join(second)
      assert.deepStrictEqual([rows, isLast], [[{ id: 3 }], true])
      yield* assertHealthy({ session, peer })
    }).pipe(Effect.scoped)
  )

  it.live("can be opened without a row", () =>
    Effect.gen(function* () {
      const { peer, session } = yield* establish(yield* scriptedServer)
      const portal = new Portal()
      const opening = yield* asked(session, openPortal(portal, OPTIONS))
      yield* peer.cycleTypes
      peer.send(Say.described(COLUMNS, { status: "T" }))
      assert.strictEqual(yield* peer.cycleTypes, "BS")
      peer.send(Say.bindComplete, Say.ready("T"))
      yield* Fiber.join(opening)
      const first = yield* asked(session, page(portal, OPTIONS, 5))
      assert.strictEqual(yield* peer.cycleTypes, "ES")
      peer.send(row(1), Say.portalSuspended, Say.ready("T"))
      assert.deepStrictEqual((yield* Fiber.join(first)).rows, [{ id: 1 }])
    }).pipe(Effect.scoped)
  )

  it.live("is closed by its name", () =>
    Effect.gen(function* () {
      const { peer, portal, session } = yield* opened
      const closing = yield* asked(session, closePortal(portal))
      const [close] = yield* peer.cycle
      assert.strictEqual(close?.body.toString("latin1"), `P${portal.name}\0`)
      peer.send(Say.closeComplete, Say.ready("T"))
      yield* Fiber.join(closing)
      yield* assertHealthy({ session, peer })
    }).pipe(Effect.scoped)
  )

  it.live("fails one page if the server does, and the session goes on", () =>
    Effect.gen(function* () {
      const { peer, portal, session } = yield* opened
      const second = yield* asked(session, page(portal, OPTIONS, 2))
      yield* peer.cycleTypes
      peer.send(row(3), Say.failed({ code: "22012" }, "E"))
      assert.strictEqual((yield* failureOf(second))._tag, "DivisionByZeroError")
      yield* assertHealthy({ session, peer })
    }).pipe(Effect.scoped)
  )

  const misplaced: Readonly<Record<string, ReadonlyArray<Buffer>>> = {
    "BindComplete in a later page": [Say.bindComplete],
    "ReadyForQuery before the end of a page": [row(3), Say.ready("T")],
    "a row after the end of a page": [Say.portalSuspended, row(3)],
    "CloseComplete in a page": [Say.closeComplete]
  }
  for (const [what, answer] of Object.entries(misplaced)) {
    it.live(`ends the session at ${what}`, () =>
      Effect.gen(function* () {
        const { peer, portal, session } = yield* opened
        const second = yield* asked(session, page(portal, OPTIONS, 2))
        yield* peer.cycleTypes
        peer.send(...answer)
        assert.strictEqual((yield* failureOf(second))._tag, "ProtocolError")
        yield* peer.closed
      }).pipe(Effect.scoped)
    )
  }

  const misplacedAtClose: Readonly<Record<string, Buffer>> = {
    "a row": row(1),
    CommandComplete: Say.commandComplete("CLOSE"),
    ReadyForQuery: Say.ready("T")
  }
  for (const [what, answer] of Object.entries(misplacedAtClose)) {
    it.live(`ends the session at ${what} if CloseComplete is due`, () =>
      Effect.gen(function* () {
        const { peer, portal, session } = yield* opened
        const closing = yield* asked(session, closePortal(portal))
        yield* peer.cycleTypes
        peer.send(answer)
        assert.strictEqual((yield* failureOf(closing))._tag, "ProtocolError")
        yield* peer.closed
      }).pipe(Effect.scoped)
    )
  }
})
