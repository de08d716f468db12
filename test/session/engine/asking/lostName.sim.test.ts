/** Tests what is written while a session finds out why a name is lost, and that nothing is written for who has gone. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { PoolClosedError } from "../../../../src/PgError.ts"
import { ask, establish, failureOf, type Peer, Say, scriptedServer } from "../../../support/scriptedServer.ts"

const AUTO = { statementCache: { mode: "auto", size: 100, lifetimeMillis: 300_000, maxSqlBytes: 15_360 } } as const

const DESCRIBED = Say.described([Say.column("a", 23)])

/** A session whose next run of `SELECT a` the server has refused, because it does not know the name. */
const refused = Effect.gen(function* () {
  const both = yield* Effect.flatMap(scriptedServer, (server) => establish(server, AUTO))
  const { peer, session } = both
  const first = yield* ask(session, "SELECT a")
  const [parse] = yield* peer.cycle
  const name = parse?.body.subarray(0, parse.body.indexOf(0)).toString() ?? ""
  peer.send(DESCRIBED)
  yield* peer.cycle
  peer.send(Say.failed({ code: "26000", message: `prepared statement "${name}" does not exist` }))
  return { ...both, first, name }
})

/** Reads the question, and answers it with one value. */
const answerQuestion = (peer: Peer, value: string) =>
  Effect.gen(function* () {
    const question = yield* peer.message
    assert.strictEqual(question.type, "Q")
    assert.include(question.body.toString(), "pg_backend_pid()")
    peer.send(
      Say.rowDescription([Say.column("a", 25)]),
      Say.row(Buffer.from(value)),
      Say.commandComplete("SELECT 1"),
      Say.ready()
    )
  })

const answered = Say.answered("SELECT 1", { rows: [Say.row(Say.int4(7))] })

describe("a session that does not find a statement", () => {
  for (const [what, answer, isNamed] of [
    ["under its name, if the process is the same and lacks it", String(Say.PROCESS_ID), true],
    ["without a name, if the process is another", "17", false],
    ["without a name, if the process has it now", `${Say.PROCESS_ID} has it`, false]
  ] as const) {
    it.live(`asks once, and prepares it again ${what}`, () =>
      Effect.gen(function* () {
        const { first, name, peer, session } = yield* refused
        yield* answerQuestion(peer, answer)
        assert.strictEqual(yield* peer.cycleTypes, "CPDS")
        peer.send(Say.closeComplete, DESCRIBED)
        const [parse, ...others] = yield* peer.cycle
        assert.strictEqual(parse?.body.toString().startsWith(name), isNamed)
        assert.strictEqual(others.map(({ type }) => type).join(""), "BDES")
        peer.send(Say.parseComplete, Say.bindComplete, Say.rowDescription([Say.column("a", 23)]))
        peer.send(Say.row(Say.int4(7)), Say.commandComplete("SELECT 1"), Say.ready())
        assert.deepStrictEqual((yield* Fiber.join(first)).rows, [[7]])
        assert.strictEqual(session.statements.keepsNames, isNamed)
        const again = yield* ask(session, "SELECT a")
        assert.strictEqual(yield* peer.cycleTypes, isNamed ? "BES" : "PBDES")
        peer.send(isNamed ? answered : Buffer.concat([Say.parseComplete, Say.bindComplete]))
        if (!isNamed)
          peer.send(
            Say.rowDescription([Say.column("a", 23)]),
            Say.row(Say.int4(7)),
            Say.commandComplete("SELECT 1"),
            Say.ready()
          )
        yield* Fiber.join(again)
      }).pipe(Effect.scoped)
    )
  }

  it.live("writes nothing more for a borrower that has left meanwhile", () =>
    Effect.gen(function* () {
      const { first, peer, session } = yield* refused
      yield* peer.something
      assert.isFalse(session.isQuiet)
      session.abandonAll(new PoolClosedError())
      assert.strictEqual((yield* failureOf(first))._tag, "PoolClosedError")
      assert.isTrue(session.isFenced)
      yield* answerQuestion(peer, "17")
      assert.isTrue(yield* peer.staysQuiet)
    }).pipe(Effect.scoped)
  )
})
