/** Tests a statement with parameters: when it is prepared anew, what it may be, and what happens to the cache. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Buffer } from "node:buffer"
import { pgType } from "../../../src/codec/oid.generated.ts"
import type { ResolvedConfig } from "../../../src/PgConfig.ts"
import { MAX_COUNT } from "../../../src/wire/limits.ts"
import { MAX_REPETITIONS } from "../../../src/session/exchange/repetition.ts"
import { ask, assertHealthy, establish, failureOf, play, Say, scriptedServer } from "../../support/scriptedServer.ts"

const { int4 } = pgType
const columns = [Say.column("id", int4.oid)]
const withParameter = Say.described(columns, { parameters: [int4.oid] })
const rowOf = (value: number): Buffer => Say.row(Say.int4(value))
const answerOf = (value: number): Buffer => Say.answered("SELECT 1", { rows: [rowOf(value)] })
const NOTHING_DESCRIBED = Say.described([])

const session = (settings: Partial<ResolvedConfig> = {}) =>
  Effect.flatMap(scriptedServer, (server) => establish(server, settings))

const cacheOf = (size: number): Partial<ResolvedConfig> => ({
  statementCache: { mode: "cached", size, lifetimeMillis: 0, maxSqlBytes: 0 }
})

// ------------------------------------------------------------------------------------------------ the cache

describe("the statement cache", () => {
  it.live("prepares a text once", () =>
    Effect.gen(function* () {
      const both = yield* session()
      assert.strictEqual((yield* play(both, "SELECT a", { description: NOTHING_DESCRIBED })).written, "PDS BES")
      assert.strictEqual((yield* play(both, "SELECT a")).written, "BES")
      assert.strictEqual((yield* play(both, "SELECT b", { description: NOTHING_DESCRIBED })).written, "PDS BES")
      assert.strictEqual((yield* play(both, "SELECT a")).written, "BES")
    }).pipe(Effect.scoped)
  )

  it.live("prepares a text each time if it is turned off", () =>
    Effect.gen(function* () {
      const both = yield* session(cacheOf(0))
      for (let times = 0; times < 2; times++) {
        const answer = Buffer.concat([
          Say.parseComplete,
          Say.bindComplete,
          Say.noData,
          Say.commandComplete("A"),
          Say.ready()
        ])
        const { written } = yield* play(both, "SELECT a", { description: NOTHING_DESCRIBED, answer })
        assert.strictEqual(written, "PDS PBDES", "the run may come to another server connection than the description")
      }
    }).pipe(Effect.scoped)
  )

  it.live("closes an evicted statement with the next request, of any kind", () =>
    Effect.gen(function* () {
      const both = yield* session(cacheOf(1))
      yield* play(both, "SELECT a", { description: NOTHING_DESCRIBED })
      const replaced = yield* play(both, "SELECT b", { description: NOTHING_DESCRIBED })
      assert.strictEqual(replaced.written, "PDS CBES")
      assert.strictEqual((yield* play(both, "SELECT b")).written, "BES")
    }).pipe(Effect.scoped)
  )

  it.live("still closes an evicted statement if the request could not be encoded", () =>
    Effect.gen(function* () {
      const both = yield* session(cacheOf(1))
      yield* play(both, "SELECT a", { description: NOTHING_DESCRIBED })
      const refused = yield* ask(both.session, "SELECT $1", [{}])
      yield* both.peer.cycle
      both.peer.send(withParameter)
      assert.strictEqual((yield* failureOf(refused))._tag, "EncodeError")
      const asking = yield* ask(both.session, "SELECT $1", [1])
      assert.strictEqual(yield* both.peer.cycleTypes, "CBES")
      both.peer.send(Say.closeComplete, answerOf(1))
      assert.deepStrictEqual((yield* Fiber.join(asking)).rows, [[1]])
      assert.strictEqual(both.session.lost, undefined)
    }).pipe(Effect.scoped)
  )

  for (const tag of ["DISCARD ALL", "DEALLOCATE ALL"]) {
    it.live(`forgets everything at ${tag}`, () =>
      Effect.gen(function* () {
        const both = yield* session()
        yield* play(both, "SELECT a", { description: NOTHING_DESCRIBED })
        assert.strictEqual((yield* play(both, tag, { answer: Say.ran(tag) })).written, "PBDES")
        assert.strictEqual((yield* play(both, "SELECT a", { description: NOTHING_DESCRIBED })).written, "PDS BES")
        yield* assertHealthy(both)
      }).pipe(Effect.scoped)
    )
  }

  it.live("does not keep a statement that could not be prepared", () =>
    Effect.gen(function* () {
      const both = yield* session()
      for (let times = 0; times < 2; times++) {
        const asking = yield* ask(both.session, "SELEKT")
        assert.strictEqual(yield* both.peer.cycleTypes, "PDS")
        both.peer.send(Say.failed({ code: "42601" }))
        assert.strictEqual((yield* failureOf(asking))._tag, "PostgresSyntaxError")
      }
      yield* assertHealthy(both)
    }).pipe(Effect.scoped)
  )
})

describe("a statement that was prepared and could not be described", () => {
  it.live("is closed before its text is prepared again", () =>
    Effect.gen(function* () {
      const both = yield* session()
      const asking = yield* ask(both.session, "SELECT a")
      yield* both.peer.cycle
      both.peer.send(Say.parseComplete, Say.failed({ code: "57014" }))
      assert.strictEqual((yield* failureOf(asking))._tag, "QueryCanceledError")
      assert.strictEqual((yield* play(both, "SELECT a", { description: NOTHING_DESCRIBED })).written, "CPDS BES")
      yield* assertHealthy(both)
    }).pipe(Effect.scoped)
  )
})

/** The result of a statement that is described, prepared and refused again and again. */
const repeated = ["PBDES", ...Array.from({ length: MAX_REPETITIONS - 1 }, () => ["PDS", "PBDES"]).flat()]
const prepared = Buffer.concat([Say.parseComplete, Say.bindComplete, Say.rowDescription([])])

const stalePlans = [
  { code: "26000", message: "prepared statement does not exist" },
  { code: "0A000", message: "cached plan must not change result type", routine: "RevalidateCachedQuery" }
] as const

describe("a stale plan", () => {
  for (const stale of stalePlans) {
    it.live(`is made anew, and the statement runs again, outside a transaction: ${stale.code}`, () =>
      Effect.gen(function* () {
        const both = yield* session()
        yield* play(both, "SELECT a", { description: NOTHING_DESCRIBED })
        const asking = yield* ask(both.session, "SELECT a")
        assert.strictEqual(yield* both.peer.cycleTypes, "BES")
        both.peer.send(Say.failed(stale))
        assert.strictEqual(yield* both.peer.cycleTypes, "CPDS")
        both.peer.send(Say.closeComplete, Say.described(columns))
        assert.strictEqual(yield* both.peer.cycleTypes, "PBDES")
        both.peer.send(Say.parseComplete, Say.bindComplete, Say.rowDescription(columns), rowOf(5))
        both.peer.send(Say.commandComplete("SELECT 1"), Say.ready())
        assert.deepStrictEqual((yield* Fiber.join(asking)).rows, [[5]])
        yield* assertHealthy(both)
      }).pipe(Effect.scoped)
    )

    it.live(`is made anew ${MAX_REPETITIONS} times, and is then the error of the statement: ${stale.code}`, () =>
      Effect.gen(function* () {
        const both = yield* session()
        yield* play(both, "SELECT a", { description: NOTHING_DESCRIBED })
        const asking = yield* ask(both.session, "SELECT a")
        yield* both.peer.cycle
        both.peer.send(Say.failed(stale))
        for (let times = 0; times < MAX_REPETITIONS; times++) {
          yield* both.peer.cycle
          both.peer.send(...(times === 0 ? [Say.closeComplete] : []), Say.described(columns))
          yield* both.peer.cycle
          both.peer.send(Say.failed(stale))
        }
        const error = yield* failureOf(asking)
        assert.strictEqual("code" in error ? error.code : undefined, stale.code)
        assert.isTrue(yield* both.peer.staysQuiet)
        yield* assertHealthy(both)
      }).pipe(Effect.scoped)
    )

    it.live(`is the error of the statement inside a transaction, and made anew in the next: ${stale.code}`, () =>
      Effect.gen(function* () {
        const both = yield* session()
        yield* play(both, "SELECT a", { description: NOTHING_DESCRIBED })
        const asking = yield* ask(both.session, "SELECT a")
        yield* both.peer.cycle
        both.peer.send(Say.failed(stale, "E"))
        const error = yield* failureOf(asking)
        assert.strictEqual("code" in error ? error.code : undefined, stale.code)
        assert.isTrue(yield* both.peer.staysQuiet)
        const again = yield* ask(both.session, "SELECT a")
        assert.strictEqual(yield* both.peer.cycleTypes, "CPDS")
        both.peer.send(Say.closeComplete, NOTHING_DESCRIBED)
        assert.strictEqual(yield* both.peer.cycleTypes, "BES")
        both.peer.send(Say.answered("SELECT 0"))
        yield* Fiber.join(again)
        yield* assertHealthy(both)
      }).pipe(Effect.scoped)
    )
  }

  for (const [code, status, cycles, answer] of [
    ["26000", "E", ["BES"], 'prepared statement "effectpg_1" does not exist'],
    ["26000", "I", ["BES", "CPDS", ...repeated], 'prepared statement "effectpg_1" does not exist'],
    ["42P05", "I", ["BES", "CPDS", ...repeated], 'prepared statement "effectpg_1" already exists']
  ] as const) {
    it.live(`names the setting for poolers if it is never valid: ${code} in ${cycles.length} round trips`, () =>
      Effect.gen(function* () {
        const both = yield* session()
        yield* play(both, "SELECT a", { description: NOTHING_DESCRIBED })
        const asking = yield* ask(both.session, "SELECT a")
        const last = cycles.length - 1
        for (const [index, cycle] of cycles.entries()) {
          assert.strictEqual(yield* both.peer.cycleTypes, cycle)
          if (cycle === "CPDS") both.peer.send(Say.closeComplete)
          if (cycle === "PBDES" || index === last) both.peer.send(Say.failed({ code, message: answer }, status))
          else both.peer.send(cycle === "BES" ? Say.failed(stalePlans[0]) : NOTHING_DESCRIBED)
        }
        const error = yield* failureOf(asking)
        assert.include("hint" in error ? error.hint : undefined, "statementMode")
        assert.include(error.message, answer)
        assert.strictEqual(error.outcome, "none")
        assert.isTrue(yield* both.peer.staysQuiet)
        yield* assertHealthy(both)
      }).pipe(Effect.scoped)
    )
  }

  for (const [what, answer] of [
    ["an 0A000 that another routine found", Say.failed({ code: "0A000", routine: "transformLockingClause" })],
    ["an 0A000 without its routine", Say.failed({ code: "0A000" })],
    ["a 26000 after rows", Buffer.concat([Say.bindComplete, rowOf(1), Say.failed({ code: "26000" })])],
    ["a 26000 of a function that ran", Buffer.concat([Say.bindComplete, Say.failed({ code: "26000" })])]
  ] as const) {
    it.live(`is not recognized in ${what}, because the statement may have run`, () =>
      Effect.gen(function* () {
        const both = yield* session()
        yield* play(both, "SELECT a", { description: Say.described(columns) })
        const asking = yield* ask(both.session, "SELECT a")
        yield* both.peer.cycle
        both.peer.send(answer)
        const error = yield* failureOf(asking)
        assert.include(["0A000", "26000"], "code" in error ? error.code : undefined)
        assert.isTrue(yield* both.peer.staysQuiet)
        assert.strictEqual((yield* play(both, "SELECT a")).written, "BES")
        yield* assertHealthy(both)
      }).pipe(Effect.scoped)
    )
  }

  it.live("is made anew once for all requests that were pipelined behind DISCARD ALL", () =>
    Effect.gen(function* () {
      const both = yield* session()
      yield* play(both, "SELECT discard", { description: NOTHING_DESCRIBED })
      yield* play(both, "SELECT a", { description: NOTHING_DESCRIBED })
      const discarding = yield* ask(both.session, "SELECT discard")
      const behind = [yield* ask(both.session, "SELECT a"), yield* ask(both.session, "SELECT a")]
      for (let cycle = 0; cycle < 3; cycle++) assert.strictEqual(yield* both.peer.cycleTypes, "BES")
      const gone = Say.failed(stalePlans[0])
      both.peer.send(Say.answered("DISCARD ALL"), gone, gone)
      const answers = { PDS: NOTHING_DESCRIBED, PBDES: prepared, BES: Say.answered("SELECT 0") }
      for (const expected of ["PDS", "PBDES", "BES"] as const) {
        assert.strictEqual(yield* both.peer.cycleTypes, expected)
        both.peer.send(
          answers[expected],
          ...(expected === "PBDES" ? [Say.commandComplete("SELECT 0"), Say.ready()] : [])
        )
      }
      yield* Effect.forEach([discarding, ...behind], Fiber.join)
      yield* assertHealthy(both)
    }).pipe(Effect.scoped)
  )
})

// ------------------------------------------------------------------------------------------------ results

describe("a statement", () => {
  it.live("may have 65,535 parameters, and no more values than it has parameters", () =>
    Effect.gen(function* () {
      const both = yield* session()
      const values = Array.from({ length: MAX_COUNT }, (_, index) => index)
      const asking = yield* ask(both.session, "SELECT many", values)
      yield* both.peer.cycle
      both.peer.send(Say.described([], { parameters: values.map(() => int4.oid) }))
      const [bind] = yield* both.peer.cycle
      if (bind === undefined) return assert.fail("no Bind")
      const counts = bind.body.indexOf(0, 1) + 1
      assert.strictEqual(bind.body.readUInt16BE(counts + 4), MAX_COUNT)
      assert.strictEqual(bind.body.readInt32BE(counts + 6 + 8 * (MAX_COUNT - 1) + 4), MAX_COUNT - 1)
      both.peer.send(Say.answered("SELECT 0"))
      yield* Fiber.join(asking)

      const tooMany = yield* ask(both.session, "SELECT many", [...values, 1])
      assert.strictEqual((yield* failureOf(tooMany))._tag, "ParameterCountError")
      yield* assertHealthy(both)
    }).pipe(Effect.scoped)
  )

  it.live("fails with that reason if it is empty", () =>
    Effect.gen(function* () {
      const both = yield* session()
      const asking = yield* ask(both.session, " ")
      yield* both.peer.cycle
      both.peer.send(Say.described([], { returnsRows: false }))
      yield* both.peer.cycle
      both.peer.send(Say.parseComplete, Say.bindComplete, Say.noData, Say.emptyQuery, Say.ready())
      assert.strictEqual((yield* failureOf(asking))._tag, "EmptyQueryError")
      yield* assertHealthy(both)
    }).pipe(Effect.scoped)
  )

  it.live("may stop after the requested number of rows", () =>
    Effect.gen(function* () {
      const both = yield* session()
      const asking = yield* ask(both.session, "SELECT", [], 2)
      yield* both.peer.cycle
      both.peer.send(Say.described(columns))
      const [, execute] = yield* both.peer.cycle
      assert.deepStrictEqual(execute, { type: "E", body: Buffer.of(0, 0, 0, 0, 2) })
      both.peer.send(Say.bindComplete, rowOf(1), rowOf(2), Say.portalSuspended, Say.ready())
      assert.deepStrictEqual(yield* Fiber.join(asking), { rows: [[1], [2]], tag: undefined })
      yield* assertHealthy(both)
    }).pipe(Effect.scoped)
  )
})

describe("two errors of the server in one answer", () => {
  it.live("are reported by the first", () =>
    Effect.gen(function* () {
      const both = yield* session()
      const asking = yield* ask(both.session, "SELECT")
      yield* both.peer.cycle
      both.peer.send(Say.error({ code: "22012" }), Say.failed({ code: "25P02" }))
      assert.strictEqual((yield* failureOf(asking))._tag, "DivisionByZeroError")
      yield* assertHealthy(both)
    }).pipe(Effect.scoped)
  )
})

describe("a COPY in a statement that does not stream", () => {
  it.live("is refused to the server if it is FROM STDIN, and the error names the call to use", () =>
    Effect.gen(function* () {
      const both = yield* session()
      const asking = yield* ask(both.session, "copy t FROM STDIN")
      assert.strictEqual(yield* both.peer.cycleTypes, "PBDES")
      const behind = yield* ask(both.session, "SELECT 1")
      both.peer.send(Say.parseComplete, Say.bindComplete, Say.noData, Say.copyIn)
      assert.strictEqual(yield* both.peer.cycleTypes, "fS")
      both.peer.send(Say.failed({ code: "57014" }))
      const error = yield* failureOf(asking)
      assert.strictEqual(error._tag, "UnsupportedError")
      assert.include(error.message, "copyIn")
      assert.strictEqual(error.outcome, "none")
      assert.strictEqual(yield* both.peer.cycleTypes, "PDS")
      both.peer.send(NOTHING_DESCRIBED)
      yield* both.peer.cycle
      both.peer.send(Say.answered("SELECT 0"))
      yield* Fiber.join(behind)
      yield* assertHealthy(both)
    }).pipe(Effect.scoped)
  )

  it.live("is read and dropped if it is TO STDOUT, and the error names the call to use", () =>
    Effect.gen(function* () {
      const both = yield* session()
      const asking = yield* ask(both.session, "COPY t TO STDOUT")
      yield* both.peer.cycle
      both.peer.send(Say.parseComplete, Say.bindComplete, Say.noData)
      both.peer.send(Say.copyOut, Say.copyData("1\n"), Say.copyData("2\n"), Say.copyDone)
      both.peer.send(Say.commandComplete("COPY 2"), Say.ready())
      const error = yield* failureOf(asking)
      assert.strictEqual(error._tag, "UnsupportedError")
      assert.include(error.message, "copyOut")
      assert.strictEqual(error.outcome, "unknown")
      yield* assertHealthy(both)
    }).pipe(Effect.scoped)
  )
})
