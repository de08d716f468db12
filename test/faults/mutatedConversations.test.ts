/**
 * Tests conversations in which a server is nearly right: its answers are mutated at random, from a seed, under every
 * kind of call. Every call ends, with an allowed result or a typed error, and never with a defect.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { Buffer } from "node:buffer"
import { pgType } from "../../src/codec/oid.generated.ts"
import { fromRoot } from "../../src/connection/connection.ts"
import type { PgConnection } from "../../src/PgConnection.ts"
import * as PgError from "../../src/PgError.ts"
import { TransactionLevel } from "../../src/session/transaction/transactionLevel.ts"
import { Backend } from "../../src/wire/backendMessage.ts"
import { dataRow } from "../fixtures/dataRow.ts"
import { answering, establish, Say, scriptedServer, type Statement } from "../support/scriptedServer.ts"
import { frame, golden, int32 } from "../wire/frames.ts"

/** So many seeds for each kind of call. */
const RUNS_PER_CALL = Number(process.env["EFFECTPG_MUTATED_RUNS"] ?? 60)

/** A missing answer ends with the connection. */
const SILENCE_MILLIS = 40

const UNKNOWN_TYPE = 99_999

type Random = (below: number) => number

/** A random number generator (mulberry32). */
const randomFrom =
  (seed: number): Random =>
  (below) => {
    seed = (seed + 0x6d2b79f5) | 0
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296) * below)
  }

const someGolden = Object.values(golden)

/** What a server that is not quite right may make of its answer. */
const mutations: ReadonlyArray<(frames: Array<Buffer>, at: number, random: Random) => void> = [
  (frames, at) => frames.splice(at, 1),
  (frames, at) => frames.splice(at, 0, frames[at]!),
  (frames, at, random) => {
    const other = random(frames.length)
    ;[frames[at], frames[other]] = [frames[other]!, frames[at]!]
  },
  (frames, at, random) => frames.splice(at, 0, someGolden[random(someGolden.length)]!),
  (frames, at, random) => (frames[at] = someGolden[random(someGolden.length)]!),
  (frames, at) => frames.splice(at, 0, Say.error({ code: "22012" })),
  (frames, at) => frames.splice(at, 0, Say.error({ code: "57P01", severity: "FATAL" })),
  (frames, at) => frames.splice(at, 0, Say.error({ code: "0A000", routine: "RevalidateCachedQuery" })),
  (frames, at, random) => {
    const bytes = Buffer.from(frames[at]!)
    bytes[random(bytes.length)]! ^= 1 << random(8)
    frames[at] = bytes
  },
  (frames, at, random) => {
    const bytes = Buffer.from(frames[at]!)
    for (let index = 5; index < bytes.length; index++) if (random(3) === 0) bytes[index] = random(256)
    frames[at] = bytes
  },
  (frames, at, random) => {
    const body = frames[at]!.subarray(5)
    frames[at] = frame(frames[at]![0]!, body.subarray(0, random(body.length + 1)))
  },
  (frames, at, random) => {
    const body = frames[at]!.subarray(5)
    frames[at] = frame(frames[at]![0]!, Buffer.concat([body, Buffer.alloc(1 + random(8), random(256))]))
  },
  (frames, at, random) => {
    frames[at] = frame(random(256), frames[at]!.subarray(5))
  },
  // A malformed row, in a place for rows.
  (frames, _at, random) => {
    const at = frames.findLastIndex((each) => each[0] === Backend.DataRow)
    const body = Buffer.from(frames[at]?.subarray(5) ?? [])
    if (body.length > 6) body.writeInt32BE(random(2) === 0 ? random(1_000) : -random(10), 2)
    if (at >= 0) frames[at] = frame(Backend.DataRow, body)
  },
  (frames, at, random) => frames.splice(at, frames.length, frames[at]!.subarray(0, random(frames[at]!.length)))
]

const mutated = (all: ReadonlyArray<Buffer>, random: Random): ReadonlyArray<Buffer> => {
  const frames = [...all]
  for (let left = 1 + random(3); left > 0 && frames.length > 0; left--) {
    mutations[random(mutations.length)]!(frames, random(frames.length), random)
  }
  return frames
}

const record = Buffer.concat([int32(1), int32(UNKNOWN_TYPE), int32(3), Buffer.from("sad")])

const rows: Statement = {
  columns: [
    Say.column("n", pgType.int4.oid),
    Say.column("t", pgType.text.oid),
    Say.column("r", pgType.record.oid),
    Say.column("m", UNKNOWN_TYPE)
  ],
  rows: Array.from({ length: 5 }, (_, at) =>
    dataRow([Say.int4(at), Buffer.from("text"), at === 0 ? record : null, Buffer.from("sad")])
  )
}

/** The catalogue's answer for the unknown type: it is an enum. */
const catalogue: Statement = {
  parameters: [pgType.oid.arrayOid],
  columns: (["oid", "text", "text", "text", "bool", "oid", "text", "oid", "oid", "oid", "bool"] as const)
    .map((type, at) => Say.column(`c${at}`, pgType[type].oid))
    .concat([Say.column("names", pgType.text.arrayOid), Say.column("oids", pgType.oid.arrayOid)]),
  rows: [
    dataRow([
      int32(UNKNOWN_TYPE),
      Buffer.from("public"),
      Buffer.from("mood"),
      Buffer.from("e"),
      Buffer.of(0),
      int32(0),
      Buffer.from(","),
      int32(0),
      null,
      null,
      Buffer.of(0),
      null,
      null
    ])
  ]
}

const statements: ReadonlyArray<readonly [string, Statement]> = [
  ["SELECT rows", rows],
  ["SELECT given", { ...rows, parameters: [pgType.int4.oid, pgType.text.oid] }],
  ["INSERT", { parameters: [pgType.int4.oid] }],
  [
    "SELECT pg_catalog.pg_advisory",
    { columns: [Say.column("l", pgType.void.oid)], rows: [dataRow([Buffer.alloc(0)])] }
  ],
  ["SELECT a.attname", { columns: [Say.column("a", pgType.text.oid)], rows: [dataRow([Buffer.from("n")])] }],
  ['SELECT "n"', { columns: [Say.column("n", pgType.int4.oid)] }],
  ["WITH RECURSIVE", catalogue]
]

type Call = (pg: PgConnection) => Effect.Effect<unknown, PgError.PgError>

const calls: Readonly<Record<string, Call>> = {
  fetch: (pg) => pg.fetch("SELECT rows"),
  "fetch of parameters": (pg) => pg.fetch("SELECT given", [1, "x"]),
  "fetch, twice": (pg) => Effect.andThen(pg.fetch("SELECT rows"), pg.fetch("SELECT rows")),
  "fetch, several at once": (pg) =>
    Effect.all([pg.fetch("SELECT rows"), pg.fetchRow("SELECT rows"), pg.execute("INSERT", [1])], {
      concurrency: "unbounded"
    }),
  fetchOne: (pg) => pg.fetchOne("SELECT rows"),
  fetchValue: (pg) => pg.fetchValue("SELECT rows"),
  execute: (pg) => pg.execute("INSERT", [1]),
  executeScript: (pg) => pg.executeScript("INSERT; SELECT rows; INSERT"),
  executeMany: (pg) => pg.executeMany("INSERT", [[1], [2], [3]]),
  fetchMany: (pg) =>
    pg.fetchMany("SELECT given", [
      [1, "x"],
      [2, "y"]
    ]),
  "fetchMany of a Stream": (pg) => pg.fetchMany("SELECT given", Stream.make([1, "x"], [2, "y"])),
  batch: (pg) => pg.batch([{ sql: "SELECT rows" }, { sql: "INSERT", params: [1] }]),
  "batch with barriers": (pg) =>
    pg.batch([{ sql: "SELECT rows" }, { sql: "INSERT", params: [1] }], { errorBarriers: true }),
  stream: (pg) => Stream.runCollect(pg.stream("SELECT rows", [], { fetchSize: 2 })),
  "the head of a stream": (pg) => Stream.runHead(pg.stream("SELECT rows", [], { fetchSize: 2 })),
  cursor: (pg) =>
    Effect.scoped(
      Effect.flatMap(pg.cursor("SELECT rows"), (cursor) => Effect.andThen(cursor.fetch(2), cursor.forward(1)))
    ),
  "a cursor that scrolls": (pg) =>
    Effect.scoped(Effect.flatMap(pg.cursor("SELECT rows", [], { scroll: true }), (cursor) => cursor.last)),
  prepare: (pg) => Effect.scoped(Effect.flatMap(pg.prepare("SELECT given"), (each) => each.fetch([1, "x"]))),
  withTransaction: (pg) =>
    pg.withTransaction(Effect.andThen(pg.execute("INSERT", [1]), pg.withTransaction(pg.fetch("SELECT rows")))),
  withAdvisoryLock: (pg) => pg.withAdvisoryLock(1, pg.fetch("SELECT rows")),
  copyOut: (pg) => Stream.runCollect(pg.copyOut({ query: "SELECT rows" })),
  copyOutRows: (pg) => Stream.runCollect(pg.copyOutRows({ query: "SELECT rows" })),
  copyIn: (pg) => pg.copyIn({ table: "t" }, [Buffer.from("1\n")]),
  copyInRows: (pg) => pg.copyInRows({ table: "t", columns: ["n"] }, [[1], [2]]),
  listen: (pg) => Effect.scoped(pg.listen("channel")),
  reset: (pg) => pg.reset
}

/** Runs a call whose first answers are partly mutated, and tells whether it got that far. */
const ending = (call: Call, seed: number) =>
  Effect.gen(function* () {
    const server = yield* scriptedServer
    const { peer, session } = yield* establish(server, { cancelTimeoutMillis: 500 })
    const random = randomFrom(seed)
    const first = random(4)
    const last = first + random(3)
    let answers = 0
    let isReached = false
    const tamper = (frames: ReadonlyArray<Buffer>): ReadonlyArray<Buffer> => {
      const answer = answers++
      if (answer < first || answer > last) return frames
      isReached = true
      return mutated(frames, random)
    }
    yield* answering(peer, { statements, tamper })
    const pg = fromRoot(TransactionLevel.root(session))
    const fiber = yield* Effect.forkChild(call(pg), { startImmediately: true })
    const since = performance.now()
    while (fiber.pollUnsafe() === undefined && performance.now() - since < SILENCE_MILLIS) yield* Effect.sleep(1)
    peer.destroy()
    const exit = yield* Effect.timeoutOption(Fiber.await(fiber), "5 seconds")
    if (exit._tag === "None") return assert.fail(`seed ${seed}: the call does not end`)
    if (Exit.isSuccess(exit.value)) return isReached
    const { cause } = exit.value
    assert.isFalse(Cause.hasDies(cause), `seed ${seed}: ${Cause.pretty(cause)}`)
    const error = Cause.squash(cause)
    assert.isTrue(PgError.isPgError(error), `seed ${seed}: ${String(error)}`)
    return isReached
  }).pipe(Effect.scoped)

describe("a call whose answers are mutated", () => {
  for (const [index, [name, call]] of Object.entries(calls).entries()) {
    it.live(
      `ends with a typed error or an allowed result: ${name}`,
      () =>
        Effect.gen(function* () {
          let reached = 0
          for (let run = 0; run < RUNS_PER_CALL; run++) {
            if (yield* ending(call, index * 100_000 + run)) reached++
          }
          assert.isAbove(reached, RUNS_PER_CALL / 8)
        }),
      120_000
    )
  }
})
