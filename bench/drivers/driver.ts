/** Defines what a driver does for the benchmark. */
import type { Meter } from "../meter.ts"
import type { Address, Plan } from "../protocol.ts"
import type { Query, Task, Value } from "../workloads/workload.ts"

export type Row = Readonly<Record<string, unknown>>

/** A driver for Node. It runs alone in a process. */
export interface Driver {
  /** Opens the connections or the pool that the plan needs. Returns a refusal if the driver lacks the feature. */
  readonly open: (address: Address, plan: Plan) => Promise<Session | Refusal>
}

export type Records = ReadonlyArray<ReadonlyArray<Value>>

export interface Refusal {
  readonly refused: string
}

export interface Session {
  /** Runs the task once and returns its rows, if it reads any. */
  readonly once: (task: Task) => Promise<ReadonlyArray<Row>>
  /**
   * Runs the task in that many concurrent loops, written as the driver's users would write them, until the round ends.
   */
  readonly repeat: (task: Task, fibers: number, meter: Meter) => Promise<void>
  readonly close: () => Promise<void>
}

/**
 * The operations of a driver on a connection or a pool, written as its users would write them. `Rows` is an effect or a
 * promise of rows, and `Done` one whose result does not matter. An operation that the driver lacks is left out.
 */
export interface Skills<On, Rows, Done> {
  readonly fetch?: (on: On, query: Query) => Rows
  /** Fetches with a text that holds its values, and is unlikely to come again. */
  readonly fetchLiterals?: (on: On, sql: string) => Rows
  /** Passes every row to `see` and keeps none. */
  readonly stream?: (on: On, query: Query, see: (row: Row) => void) => Done
  readonly executeMany?: (on: On, sql: string, records: Records) => Done
  readonly copyIn?: (on: On, table: string, columns: ReadonlyArray<string>, records: Records) => Done
  readonly acquire?: (on: On) => Done
  readonly lease?: (on: On, query: Query) => Rows
  readonly transaction?: (on: On, query: Query) => Done
  readonly connect?: (on: On) => Done
  /** Opens connections, runs the query once on each, runs `use`, closes them, and returns the rows of the first. */
  readonly hold?: (on: On, query: Query, connections: number, use: () => Promise<void>) => Rows
}

/** How many rows a stream asks for at a time, in a driver that does not choose a good number by itself. */
export const STREAM_PAGE_ROWS = 1_000

/** Every driver caches at least this many statements. For a workload with more, the cache is enlarged. */
const USUAL_STATEMENTS = 100

/** How many statements a connection has to cache; undefined if the driver's default is enough. */
export const statementsOf = ({ statementCacheSize, task }: Plan): number | undefined =>
  statementCacheSize ?? statementsIn(task)

const statementsIn = (task: Task): number | undefined =>
  task.kind === "fetch" && task.queries.length > USUAL_STATEMENTS ? task.queries.length : undefined

/** Deals the connections out to the loops, so that each loop has one. */
export const dealt = <C>(connections: ReadonlyArray<C>, fibers: number): ReadonlyArray<C> =>
  Array.from({ length: fibers }, (_, fiber) => connections[fiber % connections.length]).filter(
    (connection) => connection !== undefined
  )
