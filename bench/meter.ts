/** Measures one round of one driver. The cost of metering is the same for every driver in the same runtime. */
import * as fs from "node:fs"
import type { IdleUse, Sample } from "./protocol.ts"

const MICROS_PER_MILLI = 1_000
const MILLIS_PER_SECOND = 1_000
const BYTES_PER_KIBIBYTE = 1_024

/** There is one bucket per microsecond. Longer queries are listed separately, since there cannot be many of them. */
const BUCKETS = 1_000_000

export class Meter {
  readonly seconds: number
  /** What idle connections have used, if there are any. */
  idle: IdleUse | undefined
  private queries = 0
  private timed = 0
  private rows = 0
  private readonly latencies = new Uint32Array(BUCKETS)
  private readonly longLatencies: Array<number> = []
  private cpuAtStart = process.cpuUsage()
  private startedAt = performance.now()
  private stopped: Pick<Sample, "wallMicros" | "cpuMicros" | "systemMicros"> | undefined

  constructor(seconds: number) {
    this.seconds = seconds
  }

  /** Begins anew: nothing before this is measured. */
  restart(): void {
    this.cpuAtStart = process.cpuUsage()
    this.startedAt = performance.now()
  }

  /** Measures no time after this. */
  stop(): void {
    this.stopped = this.times
  }

  /** Counts a query that started at that time of `performance.now`. Returns false when the round is over. */
  record(startedAt: number, rows: number): boolean {
    const now = performance.now()
    const micros = Math.floor((now - startedAt) * MICROS_PER_MILLI)
    if (micros < BUCKETS) this.latencies[micros] = (this.latencies[micros] ?? 0) + 1
    else this.longLatencies.push(micros)
    this.timed += 1
    this.count(rows)
    return now < this.startedAt + this.seconds * MILLIS_PER_SECOND
  }

  /** Counts a query whose latency does not matter. */
  count(rows: number): void {
    this.queries += 1
    this.rows += rows
  }

  sample(): Sample {
    return {
      queries: this.queries,
      rows: this.rows,
      ...(this.stopped ?? this.times),
      p50Micros: this.latency(0.5),
      p99Micros: this.latency(0.99),
      p999Micros: this.latency(0.999),
      peakMemoryBytes: peakMemoryBytes(),
      ...(this.idle && { idle: this.idle })
    }
  }

  private get times(): Pick<Sample, "wallMicros" | "cpuMicros" | "systemMicros"> {
    const cpu = process.cpuUsage(this.cpuAtStart)
    return {
      wallMicros: (performance.now() - this.startedAt) * MICROS_PER_MILLI,
      cpuMicros: cpu.user + cpu.system,
      systemMicros: cpu.system
    }
  }

  /** Returns the latency of which this share of the queries stayed below. */
  private latency(share: number): number {
    const rank = Math.ceil(this.timed * share)
    let counted = 0
    const bucket = this.latencies.findIndex((count) => (counted += count) >= rank)
    if (bucket >= 0) return bucket
    return this.longLatencies.toSorted((a, b) => a - b)[rank - counted - 1] ?? 0
  }
}

const HIGH_WATER_MARK = /^VmHWM:\s+(\d+) kB$/m

/** Reads the peak memory. On Linux `maxRSS` would include the memory of the parent when it started this process. */
const peakMemoryBytes = (): number => {
  const status = fs.existsSync("/proc/self/status") ? fs.readFileSync("/proc/self/status", "utf8") : ""
  const [, kibibytes = process.resourceUsage().maxRSS] = HIGH_WATER_MARK.exec(status) ?? []
  return Number(kibibytes) * BYTES_PER_KIBIBYTE
}
