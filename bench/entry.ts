/** Measures one driver in one workload. A failure ends only the part of this driver. */
import { administer } from "./database.ts"
import type { Participant } from "./drivers/index.ts"
import { complaint, difference, type Expectation } from "./expectation.ts"
import { Peer } from "./peer.ts"
import type { Address, IdleUse, Sample } from "./protocol.ts"
import { median } from "./statistics.ts"
import type { Workload } from "./workloads/workload.ts"

/**
 * Medians over the rounds, except the peak memory, which is the maximum, and allocation, which has a turn of its own.
 */
export interface Figures {
  readonly cpuMicrosPerQuery: number
  readonly queriesPerSecond: number
  readonly p50Micros: number
  readonly p99Micros: number
  readonly p999Micros: number
  readonly peakMemoryBytes: number
  /** Bytes on V8's heap; null for a driver that does not run on Node. */
  readonly allocatedBytesPerQuery: number | null
  /** Only for idle connections: what one of them uses. */
  readonly idle?: IdleUse | undefined
}

export type Outcome =
  | {
      readonly kind: "measured"
      readonly driver: string
      readonly figures: Figures
      readonly samples: ReadonlyArray<Sample>
    }
  /** The driver lacks a feature that the workload needs. */
  | { readonly kind: "unsupported"; readonly driver: string; readonly reason: string }
  /** The driver returned an error or a wrong result. */
  | { readonly kind: "failed"; readonly driver: string; readonly reason: string }

export const cpuMicrosPerQuery = (sample: Sample): number => sample.cpuMicros / sample.queries

export const queriesPerSecond = (sample: Sample): number => (sample.queries / sample.wallMicros) * 1_000_000

export class Entry {
  private readonly participant: Participant
  private readonly workload: Workload
  private readonly database: Address
  private readonly expectation: Expectation
  private readonly samples: Array<Sample> = []
  private allocatedBytesPerQuery: number | null = null
  private peer: Peer | undefined
  private setback: { readonly kind: "unsupported" | "failed"; readonly reason: string } | undefined

  constructor(participant: Participant, workload: Workload, database: Address, expectation: Expectation) {
    this.participant = participant
    this.workload = workload
    this.database = database
    this.expectation = expectation
  }

  /** Connects, checks that the values are right, and warms up. */
  async prepare(warmUpSeconds: number): Promise<void> {
    await this.attempt(async () => {
      const opened = await Peer.open(this.participant, this.database, this.workload)
      if (!(opened instanceof Peer)) {
        this.setback = { kind: "unsupported", reason: opened.refused }
        return
      }
      this.peer = opened
      const wrong = (await this.misread(opened)) ?? (await this.miswritten(opened))
      if (wrong !== undefined) throw new Error(wrong)
      if (!this.needsNewProcess) await opened.repeat(this.workload, warmUpSeconds)
    })
    await this.reset()
  }

  async run(seconds: number): Promise<void> {
    await this.turn(async (peer) => {
      const sample = await (this.needsNewProcess ? this.inNewProcess(seconds) : peer.repeat(this.workload, seconds))
      const due = sample.queries * this.expectation.rowsPerQuery
      if (sample.rows !== due) throw new Error(`${sample.rows} rows in a turn where ${due} were due`)
      this.samples.push(sample)
    })
  }

  async countAllocation(seconds: number): Promise<void> {
    if (this.needsNewProcess) return
    await this.turn(async (peer) => {
      this.allocatedBytesPerQuery = await peer.allocatedBytesPerQuery(this.workload, seconds)
    })
  }

  outcome(): Outcome {
    const { samples, setback, allocatedBytesPerQuery } = this
    const driver = this.participant.name
    if (setback !== undefined) return { driver, ...setback }
    const medianOf = (figure: (sample: Sample) => number): number => median(samples.map(figure))
    return {
      kind: "measured",
      driver,
      figures: {
        cpuMicrosPerQuery: medianOf(cpuMicrosPerQuery),
        queriesPerSecond: medianOf(queriesPerSecond),
        p50Micros: medianOf((sample) => sample.p50Micros),
        p99Micros: medianOf((sample) => sample.p99Micros),
        p999Micros: medianOf((sample) => sample.p999Micros),
        peakMemoryBytes: Math.max(...samples.map((sample) => sample.peakMemoryBytes)),
        allocatedBytesPerQuery,
        ...idleOf(samples)
      },
      samples
    }
  }

  async close(): Promise<void> {
    await this.peer?.close()
  }

  /** Memory that was used before and is free again would hide what connections take. */
  private get needsNewProcess(): boolean {
    return this.workload.task.kind === "idle"
  }

  private async inNewProcess(seconds: number): Promise<Sample> {
    const peer = await Peer.open(this.participant, this.database, this.workload)
    if (!(peer instanceof Peer)) throw new Error(peer.refused)
    try {
      return await peer.repeat(this.workload, seconds)
    } finally {
      await peer.close()
    }
  }

  private async misread(peer: Peer): Promise<string | undefined> {
    for (const check of this.expectation.checks) {
      const wrong = difference(check, await peer.values(check.task, check.columns))
      if (wrong !== undefined) return wrong
    }
    return undefined
  }

  private async miswritten(peer: Peer): Promise<string | undefined> {
    if (this.workload.audit === undefined) return undefined
    await peer.values(this.workload.task, [])
    return complaint(this.database, this.workload.audit)
  }

  private async turn(step: (peer: Peer) => Promise<void>): Promise<void> {
    const { peer, setback } = this
    if (peer === undefined || setback !== undefined) return
    await this.attempt(() => step(peer))
    await this.reset()
  }

  /** Removes what the turn has written, before the next driver's turn. */
  private async reset(): Promise<void> {
    if (this.workload.reset !== undefined) await administer(this.database, [this.workload.reset])
  }

  private async attempt(step: () => Promise<void>): Promise<void> {
    try {
      await step()
    } catch (error) {
      this.setback = { kind: "failed", reason: error instanceof Error ? error.message : String(error) }
    }
  }
}

const idleOf = (samples: ReadonlyArray<Sample>): Pick<Figures, "idle"> => {
  const uses = samples.flatMap(({ idle }) => (idle === undefined ? [] : [idle]))
  if (uses.length === 0) return {}
  const heap = uses.flatMap(({ heapBytes }) => (heapBytes === null ? [] : [heapBytes]))
  return {
    idle: {
      residentBytes: median(uses.map(({ residentBytes }) => residentBytes)),
      heapBytes: heap.length === 0 ? null : median(heap),
      cpuMicrosPerSecond: median(uses.map(({ cpuMicrosPerSecond }) => cpuMicrosPerSecond))
    }
  }
}
