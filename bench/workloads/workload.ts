export type Value = number | boolean | string

/** What every driver is asked to do, and what it is asked to do it with. */
export interface Query {
  readonly sql: string
  readonly parameters: ReadonlyArray<Value>
}

/** The same row many times over: what is measured is how it is written, not how it is made. */
interface Records {
  readonly row: ReadonlyArray<Value>
  readonly count: number
}

/** What a loop does once; the measurements call it a query, whatever it is. */
export type Task =
  /** All rows of a query; of several, each in turn. They have the same number of rows. */
  | { readonly kind: "fetch"; readonly queries: readonly [Query, ...Array<Query>] }
  /** One row after the other, in constant memory. That they are the right ones is checked with fewer. */
  | { readonly kind: "stream"; readonly query: Query; readonly rows: number; readonly checkedWith: Query }
  /** One statement, run for each record; all or nothing. */
  | ({ readonly kind: "executeMany"; readonly sql: string } & Records)
  /** COPY of values that the driver encodes. */
  | ({ readonly kind: "copyIn"; readonly table: string; readonly columns: ReadonlyArray<string> } & Records)
  /** Borrows a connection and gives it back. */
  | { readonly kind: "acquire" }
  /** The same with a query in between. */
  | { readonly kind: "lease"; readonly query: Query }
  /** One statement that writes one row, between BEGIN and COMMIT. */
  | { readonly kind: "transaction"; readonly query: Query }
  /** Connects, authenticates, and closes. */
  | { readonly kind: "connect" }

export interface Workload {
  /** Its name on the command line and in the results. */
  readonly name: string
  readonly title: string
  /** Statements that make its tables; run once, before any driver connects. */
  readonly setup: ReadonlyArray<string>
  readonly task: Task
  /** Whether a loop has a connection dealt to it, shares the driver's own pool with the others, or has nothing yet. */
  readonly through: "connections" | "pool" | "nothing"
  readonly connections: number
  /** How many loops there are. More than there are connections: the driver must pipeline, or its pool must queue. */
  readonly fibers: number
  /** For a task that writes: a query, run after the task was done once, whose rows say what is wrong. */
  readonly audit?: string
  /** A statement that takes away what a turn has written, so that the next one finds what it found. */
  readonly reset?: string
  /** Whether pgbench, which decodes nothing, can show how much of the cost is the round trip's. */
  readonly hasFloor?: boolean
}

/** As many as pgbench of MagicStack takes, so that results can be set beside its own. */
export const CONNECTIONS = 10

/** A loop on each connection. */
export const onConnections = (task: Task) =>
  ({ task, through: "connections", connections: CONNECTIONS, fibers: CONNECTIONS }) as const

export const fetching = (sql: string, ...parameters: ReadonlyArray<Value>) =>
  onConnections({ kind: "fetch", queries: [{ sql, parameters }] })

export const isPipelined = ({ through, fibers, connections }: Workload): boolean =>
  through === "connections" && fibers > connections
