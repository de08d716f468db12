/** Measures a driver's own pool, set up as its users would do it. */
import { CONNECTIONS, type Task, type Workload } from "./workload.ts"

const throughPool = (task: Task, fibers: number) =>
  ({ task, through: "pool", connections: CONNECTIONS, fibers }) as const

const ONE_PLUS_ONE = { sql: "SELECT 1+1", parameters: [] }

/** Measures how the pool queues, and whether it pipelines, with a hundred loops for each connection. */
export const pool: Workload = {
  name: "pool",
  title: "SELECT 1+1 by 1,000 fibers on a pool of 10",
  setup: [],
  ...throughPool({ kind: "fetch", queries: [ONE_PLUS_ONE] }, 1000)
}

/** Measures borrowing alone. It shows no reset that a pool delays until the next statement; `lease` does. */
export const acquire: Workload = {
  name: "acquire",
  title: "acquire and release, nothing else",
  setup: [],
  ...throughPool({ kind: "acquire" }, CONNECTIONS)
}

export const lease: Workload = {
  name: "lease",
  title: "acquire, SELECT 1+1, release",
  setup: [],
  ...throughPool({ kind: "lease", query: ONE_PLUS_ONE }, CONNECTIONS)
}

/** Measures a transaction with one INSERT. It does not wait for the disk, which would take most of the time. */
export const transaction: Workload = {
  name: "transaction",
  title: "BEGIN, one INSERT, COMMIT through a pool of 10",
  setup: ["CREATE UNLOGGED TABLE ledger (account int4 NOT NULL, amount int8 NOT NULL, reason text NOT NULL)"],
  ...throughPool(
    {
      kind: "transaction",
      query: {
        sql: "INSERT INTO ledger (account, amount, reason) VALUES ($1, $2, $3)",
        parameters: [4711, 250, "a cup of coffee"]
      }
    },
    CONNECTIONS
  ),
  audit: `SELECT format('%s rows instead of one', count(*)) FROM ledger
          WHERE account = 4711 AND amount = 250 AND reason = 'a cup of coffee' HAVING count(*) <> 1`,
  reset: "TRUNCATE ledger"
}
