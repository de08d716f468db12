/**
 * Defines the messages between the runner and the process of a driver. Each is one line of JSON, and every request gets
 * a reply, in order. The protocol is simple, so that drivers in other languages can use it too.
 */
import type { Task, Workload } from "./workloads/workload.ts"

export interface Address {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
}

export interface Column {
  readonly name: string
  /** PostgreSQL's own name: `int4`, `_int4` for its array. */
  readonly type: string
}

/** A value as the server prints it; null is NULL. */
export type Text = string | null

/** What a driver's process will have to do, so that it can open what it needs, or refuse. */
export interface Plan extends Pick<Workload, "task" | "through" | "connections" | "statementCacheSize"> {
  /** Whether several loops share each connection. */
  readonly isPipelined: boolean
}

export type Request =
  | { readonly kind: "open"; readonly address: Address; readonly plan: Plan }
  /** Runs the task once and returns its rows, if it reads any. */
  | { readonly kind: "values"; readonly task: Task; readonly columns: ReadonlyArray<Column> }
  | { readonly kind: "repeat"; readonly task: Task; readonly fibers: number; readonly seconds: number }
  /** Runs the task in loops without timing them, to count what it allocates. */
  | { readonly kind: "allocation"; readonly task: Task; readonly fibers: number; readonly seconds: number }

/** What an idle connection uses: that of many, minus that of none, divided by their number. */
export interface IdleUse {
  readonly residentBytes: number
  /** Null if the language of the driver does not tell. */
  readonly heapBytes: number | null
  readonly cpuMicrosPerSecond: number
}

export interface Sample {
  readonly queries: number
  readonly rows: number
  readonly wallMicros: number
  /** User and system time of the whole process, including its garbage collector and compiler. */
  readonly cpuMicros: number
  /** The part of `cpuMicros` that the kernel took, such as for reading and writing sockets. */
  readonly systemMicros: number
  readonly p50Micros: number
  readonly p99Micros: number
  readonly p999Micros: number
  /** The peak memory of the process since its start. */
  readonly peakMemoryBytes: number
  /** Only for idle connections. The other figures are those of opening them. */
  readonly idle?: IdleUse | undefined
}

export type Reply =
  | { readonly kind: "opened" }
  | { readonly kind: "refused"; readonly reason: string }
  | { readonly kind: "values"; readonly rows: ReadonlyArray<ReadonlyArray<Text>> }
  | { readonly kind: "sample"; readonly sample: Sample }
  /** Null if the driver's language does not count it. */
  | { readonly kind: "allocation"; readonly bytesPerQuery: number | null }
  | { readonly kind: "failed"; readonly message: string }
