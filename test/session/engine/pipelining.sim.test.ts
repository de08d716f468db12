/** Tests many requests at once: what is written when, and which request gets which answer. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Buffer } from "node:buffer"
import { pgType } from "../../../src/codec/oid.generated.ts"
import type { Exchange } from "../../../src/session/engine/exchange.ts"
import type { ByteWriter } from "../../../src/wire/byteWriter.ts"
import {
  ask,
  assertHealthy,
  boundInt4,
  establish,
  failureOf,
  Say,
  scriptedServer
} from "../../support/scriptedServer.ts"

const { int4 } = pgType
const columns = [Say.column("id", int4.oid)]
const withParameter = Say.described(columns, { parameters: [int4.oid] })
const rowOf = (value: number): Buffer => Say.row(Say.int4(value))
const answerOf = (value: number): Buffer => Say.answered("SELECT 1", { rows: [rowOf(value)] })
const NOTHING_DESCRIBED = Say.described([])

const session = Effect.flatMap(scriptedServer, (server) => establish(server))

describe("requests of one tick", () => {
  /** A session that knows the statement `SELECT $1`. */
  const known = Effect.gen(function* () {
    const both = yield* session
    const asking = yield* ask(both.session, "SELECT $1", [0])
    yield* both.peer.cycle
    both.peer.send(withParameter)
    yield* both.peer.cycle
    both.peer.send(answerOf(0))
    yield* Fiber.join(asking)
    return both
  })

  it.live("are written at once, and each gets its own answer, however the answers are cut", () =>
    Effect.gen(function* () {
      const both = yield* known
      const numbers = Array.from({ length: 50 }, (_, index) => index)
      const writes = both.peer.chunks.length
      const asking = yield* Effect.forEach(numbers, (number) => ask(both.session, "SELECT $1", [number]))
      const cycles = yield* Effect.forEach(numbers, () => both.peer.cycle)
      assert.strictEqual(both.peer.chunks.length, writes + 1)
      assert.deepStrictEqual(cycles.map(boundInt4), numbers)
      const answers = Buffer.concat(numbers.map((number) => answerOf(number * 2)))
      for (let at = 0; at < answers.length; at += 37) {
        both.peer.send(answers.subarray(at, at + 37))
        yield* Effect.yieldNow
      }
      const answered = yield* Effect.forEach(asking, Fiber.join)
      assert.deepStrictEqual(
        answered.map(({ rows }) => rows),
        numbers.map((number) => [[number * 2]])
      )
      yield* assertHealthy(both)
    }).pipe(Effect.scoped)
  )

  it.live("wait while the server has sixteen requests, are then written together, and none is lost", () =>
    Effect.gen(function* () {
      const both = yield* known
      const first = yield* Effect.forEach(Array.from({ length: 20 }), (_, index) =>
        ask(both.session, "SELECT $1", [index])
      )
      yield* Effect.forEach(first, () => both.peer.cycle)
      const writes = both.peer.chunks.length
      const later: Array<(typeof first)[number]> = []
      for (let index = 0; index < 5; index++) {
        later.push(yield* ask(both.session, "SELECT $1", [100 + index]))
        yield* Effect.sleep("1 milli")
      }
      for (let index = 0; index < 4; index++) both.peer.send(answerOf(index))
      yield* Effect.forEach(first.slice(0, 4), Fiber.join)
      assert.isTrue(yield* both.peer.staysQuiet)
      both.peer.send(answerOf(4))
      const cycles = yield* Effect.forEach(later, () => both.peer.cycle)
      assert.strictEqual(both.peer.chunks.length, writes + 1)
      assert.deepStrictEqual(cycles.map(boundInt4), [100, 101, 102, 103, 104])
      for (let index = 5; index < 20; index++) both.peer.send(answerOf(index))
      for (let index = 100; index < 105; index++) both.peer.send(answerOf(index))
      const answered = yield* Effect.forEach([...first, ...later], Fiber.join)
      assert.deepStrictEqual(
        answered.map(({ rows }) => rows),
        [...first.keys(), 100, 101, 102, 103, 104].map((number) => [[number]])
      )
      yield* assertHealthy(both)
    }).pipe(Effect.scoped)
  )

  it.live("wait no longer if as many of them wait as the server has", () =>
    Effect.gen(function* () {
      const both = yield* known
      const first = yield* Effect.forEach(Array.from({ length: 20 }), () => ask(both.session, "SELECT $1", [0]))
      yield* Effect.forEach(first, () => both.peer.cycle)
      const later = yield* Effect.forEach(Array.from({ length: 20 }), () => ask(both.session, "SELECT $1", [1]))
      yield* Effect.forEach(later, () => both.peer.cycle)
      both.peer.send(...first.map(() => answerOf(0)), ...later.map(() => answerOf(1)))
      yield* Effect.forEach([...first, ...later], Fiber.join)
      yield* assertHealthy(both)
    }).pipe(Effect.scoped)
  )

  it.live("leave out a request that cannot be encoded, whose statement is described once more", () =>
    Effect.gen(function* () {
      const both = yield* known
      const good = yield* ask(both.session, "SELECT $1", [1])
      const bad = yield* ask(both.session, "SELECT $1", ["one"[Symbol.iterator]()])
      const short = yield* ask(both.session, "SELECT $1", [])
      const long = yield* ask(both.session, "SELECT $1", [1, 2])
      const unspeakable = yield* ask(both.session, "SELECT \0")
      const alsoGood = yield* ask(both.session, "SELECT $1", [2])

      for (const count of [short, long]) assert.strictEqual((yield* failureOf(count))._tag, "ParameterCountError")
      assert.include((yield* failureOf(unspeakable)).message, "NUL")

      assert.strictEqual(boundInt4(yield* both.peer.cycle), 1)
      assert.strictEqual(boundInt4(yield* both.peer.cycle), 2)
      both.peer.send(answerOf(1), answerOf(2))
      assert.strictEqual(yield* both.peer.cycleTypes, "PDS")
      assert.isFalse(both.peer.hasUnread)
      both.peer.send(withParameter)
      const encode = yield* failureOf(bad)
      if (encode._tag !== "EncodeError") return assert.fail(`${String(encode)} is no EncodeError`)
      assert.deepStrictEqual([encode.parameter, encode.type, encode.sql], [1, "int4", "SELECT $1"])
      assert.deepStrictEqual((yield* Fiber.join(good)).rows, [[1]])
      assert.deepStrictEqual((yield* Fiber.join(alsoGood)).rows, [[2]])
      yield* assertHealthy(both)
    }).pipe(Effect.scoped)
  )

  it.live("fail alone if a value cannot be decoded, and the others succeed", () =>
    Effect.gen(function* () {
      const both = yield* known
      const before = yield* ask(both.session, "SELECT $1", [1])
      const broken = yield* ask(both.session, "SELECT $1", [2])
      const behind = yield* ask(both.session, "SELECT $1", [3])
      const badRow = Say.row(Buffer.of(1, 2, 3))
      both.peer.send(answerOf(1), Say.answered("SELECT 3", { rows: [rowOf(2), badRow, rowOf(2)] }), answerOf(3))
      const error = yield* failureOf(broken)
      if (error._tag !== "DecodeError") return assert.fail(`${String(error)} is no DecodeError`)
      assert.deepStrictEqual([error.column, error.type, error.sql], ["id", "int4", "SELECT $1"])
      assert.deepStrictEqual((yield* Fiber.join(before)).rows, [[1]])
      assert.deepStrictEqual((yield* Fiber.join(behind)).rows, [[3]])
      for (let cycle = 0; cycle < 3; cycle++) yield* both.peer.cycle
      yield* assertHealthy(both)
    }).pipe(Effect.scoped)
  )

  it.live("fail alone after an error of the server", () =>
    Effect.gen(function* () {
      const both = yield* known
      const before = yield* ask(both.session, "SELECT $1", [1])
      const failing = yield* ask(both.session, "SELECT $1", [2])
      const behind = yield* ask(both.session, "SELECT $1", [3])
      for (let cycle = 0; cycle < 3; cycle++) yield* both.peer.cycle
      both.peer.send(answerOf(1), Say.bindComplete, rowOf(2), Say.failed({ code: "22012" }), answerOf(3))
      assert.strictEqual((yield* failureOf(failing))._tag, "DivisionByZeroError")
      assert.deepStrictEqual((yield* Fiber.join(before)).rows, [[1]])
      assert.deepStrictEqual((yield* Fiber.join(behind)).rows, [[3]])
      yield* assertHealthy(both)
    }).pipe(Effect.scoped)
  )

  it.live("wait while a statement is being prepared that is not known yet", () =>
    Effect.gen(function* () {
      const both = yield* session
      const first = yield* ask(both.session, "SELECT first")
      const second = yield* ask(both.session, "SELECT second")
      const again = yield* ask(both.session, "SELECT first")
      for (const expected of ["PDS", "BES", "PDS", "BES", "BES"]) {
        assert.strictEqual(yield* both.peer.cycleTypes, expected)
        if (expected !== "BES") assert.isTrue(yield* both.peer.staysQuiet)
        both.peer.send(expected === "PDS" ? NOTHING_DESCRIBED : Say.answered(expected))
      }
      yield* Effect.forEach([first, second, again], Fiber.join)
      yield* assertHealthy(both)
    }).pipe(Effect.scoped)
  )

  it.live("are withdrawn without a trace if they have not been written", () =>
    Effect.gen(function* () {
      const both = yield* session
      const first = yield* ask(both.session, "SELECT first")
      const withdrawn = yield* ask(both.session, "SELECT withdrawn")
      const last = yield* ask(both.session, "SELECT last")
      yield* Fiber.interrupt(withdrawn)
      const texts: Array<string> = []
      for (const expected of ["PDS", "BES", "PDS", "BES"]) {
        const messages = yield* both.peer.cycle
        assert.strictEqual(messages.map(({ type }) => type).join(""), expected)
        if (expected === "PDS") texts.push(messages[0]?.body.toString().split("\0")[1] ?? "")
        both.peer.send(expected === "PDS" ? NOTHING_DESCRIBED : Say.answered(expected))
      }
      yield* Effect.forEach([first, last], Fiber.join)
      assert.deepStrictEqual(texts, ["SELECT first", "SELECT last"])
      yield* assertHealthy(both)
    }).pipe(Effect.scoped)
  )
})

// ------------------------------------------------------------------------------------------------ backpressure

/** A request of many bytes that reports when it is encoded. */
class LargeRequest implements Exchange {
  readonly sql = "LARGE"
  abandoned = false
  readonly exclusive = false
  readonly hasRun = false
  readonly mayOutlastError = false
  readonly done: Promise<void>
  private finish = (): void => {}
  private readonly encoded: () => void

  constructor(encoded: () => void) {
    this.encoded = encoded
    this.done = new Promise((resolve) => (this.finish = resolve))
  }

  encode(writer: ByteWriter): void {
    this.encoded()
    const query = writer.beginMessage("Q".charCodeAt(0))
    writer.cstring("x".repeat(100_000))
    writer.endMessage(query)
  }

  refused(): void {}
  dataRows(_bytes: Buffer, _at: number, limit: number): number {
    return limit
  }
  message(): void {}
  ready(): void {
    this.finish()
  }
  lost(): void {}
}

describe("a socket that is full", () => {
  it.live("stops the encoding until it can take more, while answers are still read", () =>
    Effect.gen(function* () {
      const total = 300
      const both = yield* session
      both.peer.pauseReading()
      let encoded = 0
      const requests = Array.from({ length: total }, () => new LargeRequest(() => encoded++))
      for (const request of requests) both.session.submit(request)
      assert.isTrue(yield* both.peer.staysQuiet)
      const whileFull = encoded
      assert.isAbove(whileFull, 0)
      assert.isBelow(whileFull, total)

      both.peer.send(Say.ready())
      yield* Effect.promise(() => requests[0]!.done)
      assert.strictEqual(encoded, whileFull)

      both.peer.resumeReading()
      for (let index = 0; index < total; index++) {
        assert.strictEqual((yield* both.peer.message).type, "Q")
        if (index > 0) both.peer.send(Say.ready())
      }
      yield* Effect.promise(() => requests.at(-1)!.done)
      yield* assertHealthy(both)
    }).pipe(Effect.scoped)
  )
})
