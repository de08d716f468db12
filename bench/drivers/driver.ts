import type { Meter } from "../meter.ts"
import type { Address, Plan } from "../protocol.ts"
import type { Query, Task, Value } from "../workloads/workload.ts"

export type Row = Readonly<Record<string, unknown>>

/** A driver for Node. It lives in a process of its own, where it is the only one. */
export interface Driver {
  /** Connects what it needs before it returns, and says why where it does not offer what it is asked for. */
  readonly open: (address: Address, plan: Plan) => Promise<Session | Refusal>
}

export type Records = ReadonlyArray<ReadonlyArray<Value>>

export interface Refusal {
  readonly refused: string
}

export interface Session {
  /** Does it once: the rows that it got, for a task that gets some. */
  readonly once: (task: Task) => Promise<ReadonlyArray<Row>>
  /** Does it in that many loops at once, each as the driver's users would write it, until the round is over. */
  readonly repeat: (task: Task, fibers: number, meter: Meter) => Promise<void>
  readonly close: () => Promise<void>
}

/**
 * What a driver can do with what it opens, a connection or a pool, as its users would do it. `Rows` and `Done` are the
 * effects or the promises of rows, and of nothing in particular. What is left out is what the driver does not offer.
 */
export interface Skills<On, Rows, Done> {
  readonly fetch?: (on: On, query: Query) => Rows
  /** Shows every row, and keeps none. */
  readonly stream?: (on: On, query: Query, see: (row: Row) => void) => Done
  readonly executeMany?: (on: On, sql: string, records: Records) => Done
  readonly copyIn?: (on: On, table: string, columns: ReadonlyArray<string>, records: Records) => Done
  readonly acquire?: (on: On) => Done
  readonly lease?: (on: On, query: Query) => Rows
  readonly transaction?: (on: On, query: Query) => Done
  readonly connect?: (on: On) => Done
}

/** How many rows a stream asks for at a time, in every driver that can be told. */
export const STREAM_PAGE_ROWS = 1_000

/** The caches of drivers hold so many statements or more; a workload of more has them enlarged. */
const USUAL_STATEMENTS = 100

/** How many statements a connection is to remember; undefined where the driver's own default will do. */
export const statementsOf = ({ task }: Plan): number | undefined =>
  task.kind === "fetch" && task.queries.length > USUAL_STATEMENTS ? task.queries.length : undefined

/** The connections, dealt out to the loops. */
export const dealt = <C>(connections: ReadonlyArray<C>, fibers: number): ReadonlyArray<C> =>
  Array.from({ length: fibers }, (_, fiber) => connections[fiber % connections.length]).filter(
    (connection) => connection !== undefined
  )
