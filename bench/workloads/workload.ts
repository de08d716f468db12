/** Defines what a workload is: a task, and how many connections and loops run it. */
export type Value = number | boolean | string

/** A statement with its parameters. */
export interface Query {
  readonly sql: string
  readonly parameters: ReadonlyArray<Value>
}

/** One row, written many times, because the workload measures how rows are written and not how they are made. */
interface Records {
  readonly row: ReadonlyArray<Value>
  readonly count: number
}

/** What a loop does each time. The measurements call each of these a query. */
export type Task =
  /** Fetches all rows of a query. Several queries run in turn and have the same number of rows. */
  | { readonly kind: "fetch"; readonly queries: readonly [Query, ...Array<Query>] }
  /** Fetches with a text that is new each time: every `#` in it becomes the next number. */
  | { readonly kind: "literals"; readonly sql: string; readonly rows: number }
  /** Streams rows in constant memory. `checkedWith` has fewer rows, with which the values are checked. */
  | { readonly kind: "stream"; readonly query: Query; readonly rows: number; readonly checkedWith: Query }
  /** Runs one statement for each record, all or nothing. */
  | ({ readonly kind: "executeMany"; readonly sql: string } & Records)
  /** Copies records in; the driver encodes their values. */
  | ({ readonly kind: "copyIn"; readonly table: string; readonly columns: ReadonlyArray<string> } & Records)
  /** Borrows a connection and gives it back. */
  | { readonly kind: "acquire" }
  /** Borrows a connection, runs a query, and gives the connection back. */
  | { readonly kind: "lease"; readonly query: Query }
  /** Runs a statement that writes one row, between BEGIN and COMMIT. */
  | { readonly kind: "transaction"; readonly query: Query }
  /** Connects, authenticates, and closes. */
  | { readonly kind: "connect" }
  /** Opens this many connections, runs the query once on each, and leaves them alone. */
  | { readonly kind: "idle"; readonly connections: number; readonly query: Query }
  /** Begins calls at a fixed rate, whether or not those before them are done. `order` repeats, by index of `calls`. */
  | {
      readonly kind: "load"
      readonly perSecond: number
      readonly calls: ReadonlyArray<Call>
      readonly order: ReadonlyArray<number>
    }

/** One of the calls of a load. */
export interface Call {
  /** A driver that cannot stream fetches the rows instead. */
  readonly task: Extract<Task, { readonly kind: "fetch" | "transaction" | "stream" }>
  /** How many rows it has to read or write. */
  readonly rows: number
  /** Whether its time counts for the latencies. */
  readonly isTimed: boolean
}

export interface Workload {
  /** Its name on the command line and in the results. */
  readonly name: string
  readonly title: string
  /** Statements that make its tables. They run once, before any driver connects. */
  readonly setup: ReadonlyArray<string>
  readonly task: Task
  /** Whether a loop gets one of the connections, uses the driver's pool, or starts with nothing. */
  readonly through: "connections" | "pool" | "nothing"
  readonly connections: number
  /** How many loops there are. If there are more than connections, the driver has to pipeline or its pool to queue. */
  readonly fibers: number
  /** A query that runs after the first run of a task that writes. Its rows say what is wrong in the tables. */
  readonly audit?: string
  /** A statement that removes what a turn has written, so that the next turn starts from the same state. */
  readonly reset?: string
  /** Fewer and longer turns than usual: at most so many, and at least so long. */
  readonly turns?: { readonly most: number; readonly least: number }
  /** How many statements a connection remembers; by default all those of the task. */
  readonly statementCacheSize?: number | undefined
  /** Whether pgbench, which decodes nothing, can show the cost of the round trip alone. */
  readonly hasFloor?: boolean
}

/** MagicStack's pgbench uses as many, so that results can be compared with its own. */
export const CONNECTIONS = 10

/** Runs one loop on each connection. */
export const onConnections = (task: Task) =>
  ({ task, through: "connections", connections: CONNECTIONS, fibers: CONNECTIONS }) as const

export const fetching = (sql: string, ...parameters: ReadonlyArray<Value>) =>
  onConnections({ kind: "fetch", queries: [{ sql, parameters }] })

export const isPipelined = ({ through, fibers, connections }: Workload): boolean =>
  through === "connections" && fibers > connections
