/**
 * What the runner and a driver's own process say to each other: one JSON value per line, a reply to every request, in
 * the order of the requests. It is plain enough to be spoken in other languages.
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

/** What a driver's process is for, so that it can open what is needed and refuse what it cannot do. */
export interface Plan extends Pick<Workload, "task" | "through" | "connections"> {
  /** Several loops will share each connection. */
  readonly isPipelined: boolean
}

export type Request =
  | { readonly kind: "open"; readonly address: Address; readonly plan: Plan }
  /** Does it once: the rows, where it gets some. */
  | { readonly kind: "values"; readonly task: Task; readonly columns: ReadonlyArray<Column> }
  | { readonly kind: "repeat"; readonly task: Task; readonly fibers: number; readonly seconds: number }
  /** The same, and nothing is timed: it counts what is allocated. */
  | { readonly kind: "allocation"; readonly task: Task; readonly fibers: number; readonly seconds: number }

export interface Sample {
  readonly queries: number
  readonly rows: number
  readonly wallMicros: number
  /** User and system time of the whole process, its garbage collector and compiler included. */
  readonly cpuMicros: number
  readonly p50Micros: number
  readonly p99Micros: number
  /** The most that the process has had in memory since it began. */
  readonly peakMemoryBytes: number
}

export type Reply =
  | { readonly kind: "opened" }
  | { readonly kind: "refused"; readonly reason: string }
  | { readonly kind: "values"; readonly rows: ReadonlyArray<ReadonlyArray<Text>> }
  | { readonly kind: "sample"; readonly sample: Sample }
  /** Null where the driver's language keeps no count. */
  | { readonly kind: "allocation"; readonly bytesPerQuery: number | null }
  | { readonly kind: "failed"; readonly message: string }
