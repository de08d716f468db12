/**
 * Tests that the benchmark checks the values which it measures, in its smallest form: they must be equal for all
 * drivers.
 */
import { assert, describe, it } from "@effect/vitest"
import { findFloor, type Floor } from "../bench/floor.ts"
import { bunParticipants, type Participant, nodeParticipants, sqlClientParticipants } from "../bench/drivers/index.ts"
import type { Outcome } from "../bench/entry.ts"
import { measure, type Measurement, type Pace } from "../bench/measure.ts"
import { connect } from "../bench/workloads/connect.ts"
import { idle } from "../bench/workloads/idle.ts"
import { fixedRate, mixedLoad } from "../bench/workloads/load.ts"
import { mixed } from "../bench/workloads/mixed.ts"
import { onePlusOne } from "../bench/workloads/onePlusOne.ts"
import { pipelined } from "../bench/workloads/pipelined.ts"
import { acquire, lease, pool, transaction } from "../bench/workloads/pool.ts"
import { primaryKey } from "../bench/workloads/primaryKey.ts"
import { batch, copyFrom } from "../bench/workloads/records.ts"
import { manyShapes } from "../bench/workloads/shapes.ts"
import { sqlClientWorkloads } from "../bench/workloads/sqlClient.ts"
import { stream } from "../bench/workloads/stream.ts"
import type { Query, Workload } from "../bench/workloads/workload.ts"
import { createDatabase } from "./support/database.ts"

const tiny: Pace = { rounds: 1, secondsPerRound: 0.01, warmUpSeconds: 0.01 }

/** Many processes are started, one after the other. */
const TIMEOUT_MILLIS = 120_000

/** Runs the benchmark in a database of its own. */
const measurementOf = async (
  workload: Workload,
  participants: ReadonlyArray<Participant>,
  floor?: Floor
): Promise<Measurement> => {
  const { host, port, user, password, database, drop } = await createDatabase()
  try {
    return await measure(workload, participants, { host, port, user, password, database }, tiny, floor)
  } finally {
    await drop()
  }
}

const outcomesOf = async (
  workload: Workload,
  participants: ReadonlyArray<Participant>
): Promise<ReadonlyArray<Outcome>> => (await measurementOf(workload, participants)).outcomes

/** The short form with fewer rows. */
const shortStream: Workload = {
  ...stream,
  task: {
    kind: "stream",
    query: { sql: "SELECT i FROM generate_series(1, $1) AS i", parameters: [3000] },
    rows: 3000,
    checkedWith: { sql: "SELECT i FROM generate_series(1, $1) AS i", parameters: [1500] }
  }
}

const queryOf = ({ task }: Workload): Query => {
  if ("query" in task) return task.query
  throw new Error("a task of no single query")
}

/** A driver whose process answers with these replies, in turn, and then ends. */
const scripted = (name: string, replies: ReadonlyArray<object>): Participant => ({
  name,
  version: "1.0.0",
  command: process.execPath,
  args: [
    "--eval",
    `const replies = ${JSON.stringify(replies)}
     process.stdin.on("data", () =>
       replies.length === 0 ? process.exit(7) : console.log(JSON.stringify(replies.shift())))`
  ]
})

/** The results of each driver for Node, after a check of the figures of those that were measured. */
const kindsOf = async (workload: Workload, rowsPerQuery: number): Promise<Readonly<Record<string, string>>> => {
  const outcomes = await outcomesOf(workload, nodeParticipants)
  for (const outcome of outcomes) {
    assert.notStrictEqual(outcome.kind, "failed", JSON.stringify(outcome))
    if (outcome.kind !== "measured") continue
    // In so short a turn V8 may free more than is allocated, because it goes on freeing between two collections.
    assert.isTrue(Number.isFinite(outcome.figures.allocatedBytesPerQuery ?? 0))
    assert.strictEqual(outcome.samples.length, tiny.rounds)
    for (const { queries, rows, cpuMicros, peakMemoryBytes } of outcome.samples) {
      assert.isAbove(queries, 0)
      assert.strictEqual(rows, queries * rowsPerQuery)
      assert.isAbove(cpuMicros, 0)
      assert.isAbove(peakMemoryBytes, 0)
    }
  }
  return Object.fromEntries(outcomes.map(({ driver, kind }) => [driver, kind]))
}

const onAnyConnection = {
  effectpg: "measured",
  "effectpg-exclusive": "unsupported",
  pg: "measured",
  postgres: "measured",
  "sql-pg": "measured",
  "sql-pg-multiplexed": "measured"
}
const throughAnyPool = { ...onAnyConnection, "effectpg-exclusive": "measured" }

/** The complaint about a driver whose process answers in this way. */
const reasonsOf = async (workload: Workload, replies: ReadonlyArray<object>) =>
  (await outcomesOf(workload, [scripted("liar", replies)])).map((outcome) =>
    outcome.kind === "failed" ? outcome.reason : outcome.kind
  )

const floorOf = async (floor?: Floor) => (await measurementOf(primaryKey, [], floor)).floor

describe("a benchmark", { timeout: TIMEOUT_MILLIS }, () => {
  it("measures every driver for Node, all of which get the server's values", async () => {
    assert.deepStrictEqual(await kindsOf({ ...mixed, connections: 1, fibers: 1 }, 1000), onAnyConnection)
  })

  it("measures pools under more loops than they have connections", async () => {
    assert.deepStrictEqual(await kindsOf({ ...pool, connections: 2, fibers: 20 }, 1), throughAnyPool)
    assert.deepStrictEqual(await kindsOf({ ...lease, connections: 2, fibers: 4 }, 1), throughAnyPool)
    assert.deepStrictEqual(await kindsOf({ ...acquire, connections: 2, fibers: 2 }, 0), throughAnyPool)
  })

  it("measures transactions, and checks that they have written the expected rows", async () => {
    assert.deepStrictEqual(await kindsOf({ ...transaction, connections: 2, fibers: 2 }, 1), throughAnyPool)
  })

  it.each(sqlClientWorkloads)(
    "measures $name through SqlClient, where both clients get the server's values",
    async (workload) => {
      const outcomes = await outcomesOf({ ...workload, connections: 2, fibers: 2 }, sqlClientParticipants)
      assert.strictEqual(outcomes.length, 4)
      for (const outcome of outcomes) assert.strictEqual(outcome.kind, "measured", JSON.stringify(outcome))
    }
  )

  it("measures connections that come and go", async () => {
    assert.deepStrictEqual(await kindsOf(connect, 0), onAnyConnection)
  })

  it("measures calls at a fixed rate, which begin when they are due and not when others are done", async () => {
    const brief = { most: 1, least: 0.2 }
    assert.deepStrictEqual(await kindsOf({ ...fixedRate, turns: brief }, 1), throughAnyPool)
    assert.deepStrictEqual(await kindsOf({ ...mixedLoad, turns: brief }, 1), throughAnyPool)
    const slow: Workload = {
      ...fixedRate,
      connections: 1,
      turns: brief,
      task: {
        kind: "load",
        perSecond: 100,
        calls: [
          {
            task: { kind: "fetch", queries: [{ sql: "SELECT 1 AS slept FROM pg_sleep(0.02)", parameters: [] }] },
            rows: 1,
            isTimed: true
          }
        ],
        order: [0]
      }
    }
    // Twenty calls are due in 0.2 s and need 0.4 s, so that the last one waits for about as long as the turn takes.
    for (const outcome of await outcomesOf(slow, nodeParticipants.slice(0, 1))) {
      assert.isTrue(outcome.kind === "measured" && outcome.figures.p99Micros > 100_000, JSON.stringify(outcome))
    }
  })

  it("rejects a driver that reads a wrong number of rows under a load", async () => {
    const [effectpg] = nodeParticipants
    assert.isDefined(effectpg)
    if (fixedRate.task.kind !== "load") return assert.fail("no load")
    const [call] = fixedRate.task.calls
    assert.isDefined(call)
    const wrong = {
      ...fixedRate,
      turns: { most: 1, least: 0.1 },
      task: { ...fixedRate.task, calls: [{ ...call, rows: 2 }] }
    }
    const [outcome] = await outcomesOf(wrong, [effectpg])
    assert.isTrue(outcome?.kind === "failed" && outcome.reason.startsWith("0 rows in a turn"), JSON.stringify(outcome))
  })

  it("measures what idle connections use", async () => {
    const few: Workload = {
      ...idle,
      task: { kind: "idle", connections: 20, query: queryOf(idle) },
      turns: { most: 1, least: 0.1 }
    }
    const outcomes = await outcomesOf(few, nodeParticipants)
    for (const outcome of outcomes) {
      if (outcome.driver === "effectpg-exclusive") continue
      assert.strictEqual(outcome.kind, "measured", JSON.stringify(outcome))
      if (outcome.kind !== "measured") continue
      assert.isAbove(outcome.figures.idle?.heapBytes ?? 0, 0)
      assert.isTrue(Number.isFinite(outcome.figures.idle?.residentBytes))
    }
  })

  it("measures the drivers for Bun if it is installed, with the same checks", async () => {
    assert.deepStrictEqual(bunParticipants("there-is-no-such-program"), [])
    const participants = bunParticipants()
    for (const workload of [mixed, lease, transaction, { ...batch, connections: 1, fibers: 1 }]) {
      for (const outcome of await outcomesOf(workload, participants)) {
        assert.strictEqual(outcome.kind, "measured", JSON.stringify(outcome))
      }
    }
  })

  it("measures streams, rotating statements and bulk writes for the drivers that offer them", async () => {
    assert.deepStrictEqual(await kindsOf(shortStream, 3000), { ...onAnyConnection, pg: "unsupported" })
    assert.deepStrictEqual(await kindsOf(manyShapes, 1), onAnyConnection)
    const withoutSqlPg = { ...onAnyConnection, "sql-pg": "unsupported", "sql-pg-multiplexed": "unsupported" }
    assert.deepStrictEqual(await kindsOf({ ...batch, connections: 1, fibers: 1 }, 1000), withoutSqlPg)
    assert.deepStrictEqual(await kindsOf({ ...copyFrom, connections: 1, fibers: 1 }, 10_000), withoutSqlPg)
  })

  it("rejects a driver that writes wrong rows or reads a wrong number of rows in a turn", async () => {
    const written = { kind: "values", rows: [] }
    const sample = {
      queries: 2,
      rows: 3,
      wallMicros: 1,
      cpuMicros: 1,
      systemMicros: 1,
      p50Micros: 1,
      p99Micros: 1,
      p999Micros: 1,
      peakMemoryBytes: 1
    }
    const opened = { kind: "opened" }
    assert.deepStrictEqual(await reasonsOf(batch, [opened, written]), ["0 rows, 0 of them right, instead of 1000"])
    assert.deepStrictEqual(await reasonsOf(transaction, [opened, written]), ["0 rows instead of one"])
    const one = { kind: "values", rows: [["2"]] }
    const turn = { kind: "sample", sample }
    assert.deepStrictEqual(await reasonsOf(onePlusOne, [opened, one, turn, turn]), [
      "3 rows in a turn where 2 were due"
    ])
  })

  it("measures the least that a query can cost if pgbench exists, and says what goes wrong with pgbench", async () => {
    assert.isUndefined(await floorOf())
    const missing = await floorOf({ command: "there-is-no-such-program", version: "1" })
    assert.strictEqual(missing?.kind, "failed")
    const found = findFloor()
    if (found === undefined) return
    const outcome = await floorOf(found)
    assert.strictEqual(outcome?.kind, "measured", JSON.stringify(outcome))
    if (outcome?.kind !== "measured") return
    assert.isAbove(outcome.queriesPerSecond, 0)
    assert.isAbove(outcome.averageMicros, 0)
  })

  it("rejects a driver that gets other values, fails, or ends, and does not let it disturb the others", async () => {
    const [effectpg] = nodeParticipants.filter(({ name }) => name === "effectpg")
    assert.isDefined(effectpg)
    const opened = { kind: "opened" }
    const outcomes = await outcomesOf({ ...onePlusOne, connections: 1, fibers: 1 }, [
      scripted("wrong", [opened, { kind: "values", rows: [["3"]] }]),
      scripted("empty", [opened, { kind: "values", rows: [] }]),
      scripted("failing", [{ kind: "failed", message: "no route to host" }]),
      scripted("gone", [opened]),
      scripted("confused", [opened, opened]),
      { ...scripted("absent", []), command: "there-is-no-such-program" },
      effectpg
    ])
    assert.deepStrictEqual(
      outcomes.map((outcome) => (outcome.kind === "failed" ? [outcome.driver, outcome.reason] : outcome.driver)),
      [
        ["wrong", "row 1, column ?column?: 3 where the server has 2"],
        ["empty", "0 rows where the server has 1"],
        ["failing", "no route to host"],
        ["gone", "its process ended with 7"],
        ["confused", "it answered opened where values was due"],
        ["absent", "spawn there-is-no-such-program ENOENT"],
        "effectpg"
      ]
    )
  })

  it("asks no driver for what it does not support", async () => {
    const refusing = scripted("patient", [{ kind: "refused", reason: "not before noon" }])
    const [plain] = nodeParticipants.filter(({ name }) => name === "sql-pg")
    assert.isDefined(plain)
    assert.deepStrictEqual(await outcomesOf(pipelined, [refusing, plain]), [
      { kind: "unsupported", driver: "patient", reason: "not before noon" },
      { kind: "unsupported", driver: "sql-pg", reason: "it cannot pipeline" }
    ])
  })
})
