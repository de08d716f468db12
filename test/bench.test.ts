import { assert, describe, it } from "@effect/vitest"
import { allocatedBytes } from "../bench/allocation.ts"
import { copyBlocks } from "../bench/drivers/copyText.ts"
import { openLoop, operationsOf } from "../bench/drivers/openLoop.ts"
import { operationOf } from "../bench/drivers/operation.ts"
import { parseTurn } from "../bench/floor.ts"
import { expectedMinutes, paceOf } from "../bench/measure.ts"
import { Meter } from "../bench/meter.ts"
import { full, parseOptions, short } from "../bench/options.ts"
import { serverText } from "../bench/serverText.ts"
import { median, medianRatio } from "../bench/statistics.ts"
import { usualWorkloads, workloads } from "../bench/workloads/index.ts"
import { mixedLoad } from "../bench/workloads/load.ts"

describe("the statistics of a benchmark", () => {
  it("take the middle value, or the mean of the two middle ones, in any order", () => {
    assert.strictEqual(median([30, 1, 2]), 2)
    assert.strictEqual(median([10, 9, 1, 2]), 5.5)
    assert.throws(() => median([]), "no median of no values")
  })

  it("compare round by round, so that a round that is slow for both does not count", () => {
    assert.strictEqual(medianRatio([1, 100, 2], [2, 200, 4]), 0.5)
    assert.strictEqual(medianRatio([1, 2, 9], [1, 1, 1]), 2)
  })
})

describe("a meter", () => {
  it("counts queries, rows and latencies until the time is up", () => {
    const endless = new Meter(3_600)
    const now = performance.now()
    assert.isTrue(endless.record(now - 5, 3))
    for (let query = 0; query < 98; query += 1) assert.isTrue(endless.record(now - 20, 3))
    assert.isTrue(endless.record(now - 100_000, 3))
    const sample = endless.sample()
    assert.strictEqual(sample.queries, 100)
    assert.strictEqual(sample.rows, 300)
    assert.isAtLeast(sample.p50Micros, 20_000)
    assert.isAtLeast(sample.p99Micros, sample.p50Micros)
    assert.isBelow(sample.p99Micros, 999_999)
    assert.isFalse(new Meter(0).record(now, 1))
  })

  it("keeps count of queries that take longer than a second", () => {
    const meter = new Meter(3_600)
    const now = performance.now()
    for (const millis of [3_000, 1, 5_000, 4_000]) meter.record(now - millis, 1)
    const { p50Micros, p99Micros } = meter.sample()
    assert.isTrue(p50Micros >= 3_000_000 && p50Micros < 4_000_000)
    assert.isAtLeast(p99Micros, 5_000_000)
  })
})

describe("the count of what is allocated", () => {
  it("is the size of all objects that were made, even if garbage was collected meanwhile", async () => {
    const OBJECTS = 2_000_000
    /** On a 64-bit machine: an array of four numbers, and the store of its elements. */
    const BYTES_PER_OBJECT = [64, 128] as const
    const kept: Array<unknown> = []
    const bytes = await allocatedBytes(async () => {
      for (let at = 0; at < OBJECTS; at += 1) {
        const made = [at, at + 0.5, at, at]
        if (at % 1000 === 0) kept.push(made)
      }
    })
    assert.isAtLeast(bytes / OBJECTS, BYTES_PER_OBJECT[0])
    assert.isAtMost(bytes / OBJECTS, BYTES_PER_OBJECT[1])
  })
})

const query = (sql: string) => ({ sql, parameters: [] })

describe("a task of a driver", () => {
  it("is refused by a driver that lacks the skill", () => {
    for (const { task } of workloads) {
      assert.isUndefined(operationOf({}, task))
      if (task.kind === "load") assert.isUndefined(operationsOf({}, task))
    }
  })

  it("sends its queries in turn, and counts the rows of each answer", () => {
    const asked: Array<string> = []
    const operation = operationOf(
      { fetch: (_: null, { sql }) => asked.push(sql) },
      { kind: "fetch", queries: [query("a"), query("b")] }
    )
    for (let turn = 0; turn < 3; turn += 1) operation?.run(null)
    assert.deepStrictEqual(asked, ["a", "b", "a"])
    assert.strictEqual(operation?.rows([{}, {}]), 2)
  })

  it("writes literals into a text that is new each time", () => {
    const asked = new Set<string>()
    const operation = operationOf(
      { fetchLiterals: (_: null, sql) => asked.add(sql) },
      { kind: "literals", sql: "SELECT #, #", rows: 1 }
    )
    for (let turn = 0; turn < 3; turn += 1) operation?.run(null)
    assert.strictEqual(asked.size, 3)
    for (const sql of asked) assert.match(sql, /^SELECT \d+, \d+$/)
  })

  it("counts what was streamed since the last question", () => {
    const task = { kind: "stream", query: query("a"), rows: 3, checkedWith: query("a") } as const
    const operation = operationOf(
      {
        stream: (_: null, __, see) => {
          see({})
          see({})
        }
      },
      task
    )
    operation?.run(null)
    assert.strictEqual(operation?.rows(undefined), 2)
    assert.strictEqual(operation?.rows(undefined), 0)
  })
})

describe("a load", () => {
  it("begins its calls when they are due, counts their time from then, and waits for the last one", async () => {
    const meter = new Meter(0.1)
    const task = {
      kind: "load",
      perSecond: 200,
      calls: [{ task: { kind: "fetch", queries: [query("a")] }, rows: 1, isTimed: true }],
      order: [0]
    } as const
    let running = 0
    let most = 0
    const fetch = async () => {
      most = Math.max(most, ++running)
      await new Promise((resolve) => setTimeout(resolve, 300))
      running--
      return [{}]
    }
    await openLoop({ fetch }, task, null, meter, (job: Promise<unknown>) => job)
    const { p50Micros, queries, rows } = meter.sample()
    assert.deepStrictEqual([most, running, queries, rows], [20, 0, 20, 20])
    assert.isAtLeast(p50Micros, 299_000)
  })

  it("fetches where a driver cannot stream, and counts no row of a call that has a wrong number", async () => {
    const meter = new Meter(0.02)
    const task = {
      kind: "load",
      perSecond: 100,
      calls: [
        { task: { kind: "fetch", queries: [query("a")] }, rows: 1, isTimed: true },
        { task: { kind: "stream", query: query("b"), rows: 2, checkedWith: query("b") }, rows: 2, isTimed: false }
      ],
      order: [0, 1]
    } as const
    const asked: Array<string> = []
    const fetch = async (_: null, { sql }: { readonly sql: string }) => {
      asked.push(sql)
      return [{}]
    }
    await openLoop({ fetch }, task, null, meter, (job: Promise<unknown>) => job)
    assert.deepStrictEqual([asked, meter.sample().queries, meter.sample().rows], [["a", "b"], 2, 1])
  })

  it("fails with the error of a call", async () => {
    const task = {
      kind: "load",
      perSecond: 100,
      calls: [{ task: { kind: "fetch", queries: [query("a")] }, rows: 1, isTimed: true }],
      order: [0]
    } as const
    const failing = openLoop(
      { fetch: () => Promise.reject(new Error("out of coffee")) },
      task,
      null,
      new Meter(0.1),
      (job: Promise<unknown>) => job
    )
    assert.include(String(await failing.catch((error: unknown) => error)), "out of coffee")
  })
})

describe("the text format of COPY", () => {
  it("escapes everything that would end a value, a row or the format, and comes in blocks", () => {
    assert.deepStrictEqual([...copyBlocks([[1, "a\tb\\c\nd\re", true]])], ["1\ta\\tb\\\\c\\nd\\re\ttrue\n"])
    const blocks = [...copyBlocks(Array.from({ length: 1_001 }, (_, at) => [at]))]
    assert.strictEqual(blocks.length, 3)
    assert.strictEqual(blocks.join(""), Array.from({ length: 1_001 }, (_, at) => `${at}\n`).join(""))
  })
})

const output = (times: string): string =>
  `number of transactions actually processed: 8010
latency average = 1.250 ms
tps = 8000.250000 (without initial connection time)
${times}`

describe("the output of pgbench", () => {
  it("is read together with the CPU time of the shell's children", () => {
    const turn = { queries: 8010, cpuMicros: 61_750_000, queriesPerSecond: 8000.25, averageMicros: 1250 }
    assert.deepStrictEqual(parseTurn(output("0m0.01s 0m0.00s\n1m0.5s 0m1.25s\n")), turn)
    assert.deepStrictEqual(parseTurn(output("0m0.010000s 0m0.000000s\n1m0.500000s 0m1.250000s\n")), turn)
  })

  it("is an error if something is missing", () => {
    assert.throws(() => parseTurn("0m0.01s 0m0.00s\n1m0.5s 0m1.25s\n"), "it did not print transactions")
    assert.throws(() => parseTurn(output("")), "did not print the time")
  })
})

describe("the text of a value", () => {
  it.each([
    [null, "int4", null],
    [2, "int4", "2"],
    [3.25, "float8", "3.25"],
    [9007199254740993n, "int8", "9007199254740993"],
    ["9007199254740993", "int8", "9007199254740993"],
    [true, "bool", "t"],
    [new Uint8Array([0, 255]), "bytea", "\\x00ff"],
    [[1, -2], "_int4", "{1,-2}"],
    ["2024-02-29", "date", "2024-02-29"],
    [new Date("2024-02-29T00:00:00Z"), "date", "2024-02-29"],
    [new Date("2024-02-29T12:34:56.780Z"), "timestamptz", "2024-02-29 12:34:56.78+00"],
    [new Date("2024-02-29T12:34:50.000Z"), "timestamptz", "2024-02-29 12:34:50+00"],
    [{ a: [1, "x"], b: null }, "jsonb", '{"a": [1, "x"], "b": null}']
  ])("%o of %s is what the server prints", (value, type, text) => {
    assert.strictEqual(serverText(value, type), text)
  })

  it.each([
    ["2", "int4"],
    ["t", "bool"],
    ["\\x00", "bytea"],
    ["{1,2}", "_int4"],
    [["1"], "_int4"],
    ["2024-02-29 12:34:56+00", "timestamptz"],
    [2 ** 53, "int8"],
    [1.5, "numeric"],
    [undefined, "text"]
  ])("%o is no decoded %s", (value, type) => {
    assert.throws(() => serverText(value, type), `not a decoded value of ${type}`)
  })

  it("shows by its quotes that JSON was not parsed", () => {
    assert.strictEqual(serverText('{"a": 1}', "jsonb"), '"{\\"a\\": 1}"')
  })

  it("is not guessed for an unknown type", () => {
    assert.throws(() => serverText("1", "money"), "does not know how the server prints money")
  })
})

describe("how long a measurement takes", () => {
  it("is at most half an hour for everything, and some minutes by default", () => {
    const DRIVERS = 9
    assert.isAtMost(expectedMinutes(workloads, DRIVERS, full), 30)
    assert.isAtMost(expectedMinutes(usualWorkloads, DRIVERS, short), 10)
  })

  it("takes into account that some workloads have fewer and longer turns, even longer ones if asked for", () => {
    assert.deepStrictEqual(paceOf(mixedLoad, full), { ...full, rounds: 3, secondsPerRound: 4 })
    assert.deepStrictEqual(paceOf(mixedLoad, { ...full, rounds: 2, secondsPerRound: 9 }).secondsPerRound, 9)
    assert.strictEqual(expectedMinutes([mixedLoad], 2, { ...full, warmUpSeconds: 3 }), (2 * (1 + 3 + 4 * 4)) / 60)
  })
})

describe("the command line of a benchmark", () => {
  const drivers = [{ name: "effectpg" }, { name: "pg" }]
  const parse = (...args: ReadonlyArray<string>) => parseOptions(args, drivers, workloads)

  it("chooses everything in the short form by default", () => {
    assert.deepStrictEqual(parse(), {
      drivers,
      workloads,
      pace: short,
      results: undefined,
      compare: undefined,
      publish: false,
      help: false
    })
    assert.deepStrictEqual(parse("--full").pace, full)
  })

  it("chooses the usual workloads by default, and all of them in the full form", () => {
    assert.strictEqual(parseOptions([], drivers, workloads, usualWorkloads).workloads, usualWorkloads)
    assert.strictEqual(parseOptions(["--full"], drivers, workloads, usualWorkloads).workloads, workloads)
    const [chosen, ...others] = parseOptions(
      ["--full", "--workloads", "idle"],
      drivers,
      workloads,
      usualWorkloads
    ).workloads
    assert.deepStrictEqual([chosen?.name, others], ["idle", []])
  })

  it("runs the chosen workloads in the order in which they are given", () => {
    const options = parse("--drivers", "pg,effectpg", "--workloads=mixed", "--rounds", "7", "--seconds", "0.25")
    assert.deepStrictEqual(
      options.drivers.map(({ name }) => name),
      ["pg", "effectpg"]
    )
    assert.deepStrictEqual(
      options.workloads.map(({ name }) => name),
      ["mixed"]
    )
    assert.deepStrictEqual(options.pace, { ...short, rounds: 7, secondsPerRound: 0.25 })
  })

  it.each([
    [["--drivers", "oracle"], 'there is no driver "oracle"; there are effectpg, pg'],
    [["--workloads", ""], 'there is no workload ""; there are one-plus-one'],
    [["--rounds", "2.5"], '--rounds must be a number above 0, and whole: "2.5" is not'],
    [["--rounds", "0"], '--rounds must be a number above 0, and whole: "0" is not'],
    [["--seconds", "soon"], '--seconds must be a number above 0: "soon" is not'],
    [["--speed", "9"], "Unknown option '--speed'"]
  ])("says what is wrong with %j", (args, complaint) => {
    assert.throws(() => parse(...args), complaint)
  })

  it("knows every workload by a name of its own", () => {
    assert.strictEqual(new Set(workloads.map(({ name }) => name)).size, workloads.length)
  })
})
