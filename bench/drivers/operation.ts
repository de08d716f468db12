/** Turns a task of a workload into a call of a driver. */
import type { Query, Task } from "../workloads/workload.ts"
import type { Records, Refusal, Row, Skills } from "./driver.ts"

export interface Operation<On, Job> {
  readonly run: (on: On) => Job
  /** How many rows the job has read or written, from its result. */
  readonly rows: (result: unknown) => number
}

const lengthOf = (result: unknown): number => (Array.isArray(result) ? result.length : 0)

/** Makes the operation for a task; undefined if the driver lacks it. Streamed rows are passed to `see`. */
export const operationOf = <On, Rows, Done>(
  skills: Skills<On, Rows, Done>,
  task: Task,
  see: (row: Row) => void = () => {}
): Operation<On, Rows | Done> | undefined => {
  switch (task.kind) {
    case "fetch":
      return skills.fetch && { run: inTurn(skills.fetch, task.queries), rows: lengthOf }
    case "literals":
      return skills.fetchLiterals && { run: withLiterals(skills.fetchLiterals, task.sql), rows: lengthOf }
    case "stream":
      return skills.stream && streaming(skills.stream, task.query, see)
    case "executeMany": {
      const { executeMany } = skills
      const records = recordsOf(task)
      return executeMany && { run: (on) => executeMany(on, task.sql, records), rows: () => task.count }
    }
    case "copyIn": {
      const { copyIn } = skills
      const records = recordsOf(task)
      return copyIn && { run: (on) => copyIn(on, task.table, task.columns, records), rows: () => task.count }
    }
    case "acquire":
      return skills.acquire && { run: skills.acquire, rows: () => 0 }
    case "lease": {
      const { lease } = skills
      return lease && { run: (on) => lease(on, task.query), rows: lengthOf }
    }
    case "transaction": {
      const { transaction } = skills
      return transaction && { run: (on) => transaction(on, task.query), rows: () => 1 }
    }
    case "connect":
      return skills.connect && { run: skills.connect, rows: () => 0 }
    case "idle": {
      const { hold } = skills
      const { connections, query } = task
      return hold && { run: (on) => hold(on, query, connections, async () => {}), rows: () => connections }
    }
    case "load":
      return undefined
  }
}

const inTurn = <On, Rows>(
  fetch: (on: On, query: Query) => Rows,
  queries: readonly [Query, ...Array<Query>]
): ((on: On) => Rows) => {
  let turn = 0
  return (on) => {
    const query = queries[turn] ?? queries[0]
    turn = (turn + 1) % queries.length
    return fetch(on, query)
  }
}

/** Numbers the texts of all rounds, so that none comes twice. */
let literal = 0

const withLiterals =
  <On, Rows>(fetch: (on: On, sql: string) => Rows, sql: string): ((on: On) => Rows) =>
  (on) =>
    fetch(
      on,
      sql.replaceAll("#", () => String(++literal))
    )

const streaming = <On, Done>(
  stream: (on: On, query: Query, see: (row: Row) => void) => Done,
  query: Query,
  see: (row: Row) => void
): Operation<On, Done> => {
  let seen = 0
  let counted = 0
  return {
    run: (on) =>
      stream(on, query, (row) => {
        seen += 1
        see(row)
      }),
    rows: () => {
      const rows = seen - counted
      counted = seen
      return rows
    }
  }
}

const recordsOf = ({ row, count }: Extract<Task, { readonly count: number }>): Records =>
  Array.from({ length: count }, () => row)

/** Runs a task once and returns its rows. `settle` waits for the driver's effect or promise. */
export const rowsOnce = async <On, Rows, Done>(
  skills: Skills<On, Rows, Done>,
  task: Task,
  on: On,
  settle: (job: Rows | Done) => Promise<unknown>
): Promise<ReadonlyArray<Row>> => {
  const streamed: Array<Row> = []
  const operation = operationOf(skills, task, (row) => streamed.push(row))
  if (operation === undefined) throw new Error(`asked for ${task.kind}, which it had refused`)
  const result = await settle(operation.run(on))
  return READING.has(task.kind) ? rowsOf(result) : streamed
}

const READING: ReadonlySet<Task["kind"]> = new Set<Task["kind"]>(["fetch", "lease", "idle"])

const rowsOf = (result: unknown): ReadonlyArray<Row> => (Array.isArray(result) ? result : [])

/** Makes the refusal of a driver that lacks a task. */
export const lacks = (task: Task, through: string): Refusal => ({
  refused: `this benchmark knows no ${task.kind} of it${through === "nothing" ? "" : ` through its ${through}`}`
})
