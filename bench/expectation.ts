/**
 * Fetches the values that every driver must return, as the server prints them. It uses node-postgres without decoding,
 * so that a fault in the decoding of a driver shows.
 */
import { createHash } from "node:crypto"
import pg from "pg"
import type { Address, Column, Text } from "./protocol.ts"
import type { Query, Task } from "./workloads/workload.ts"

/** A task that reads rows, and the rows that it must return. */
export interface Check {
  readonly task: Task
  readonly columns: ReadonlyArray<Column>
  readonly rows: ReadonlyArray<ReadonlyArray<Text>>
}

export interface Expectation {
  readonly serverVersion: string
  /** Empty for a task that reads no rows. */
  readonly checks: ReadonlyArray<Check>
  /** How many rows a task reads or writes each time. */
  readonly rowsPerQuery: number
  /** SHA-256 of all rows. Results with the same checksum have read the same rows. */
  readonly checksum: string
}

const unread = { getTypeParser: () => (text: string | Buffer) => String(text) }

export const expectationOf = async (address: Address, task: Task): Promise<Expectation> => {
  const client = new pg.Client({ ...address, types: unread })
  await client.connect()
  try {
    await client.query("SET TimeZone = 'UTC'")
    const version = await client.query<{ readonly server_version: string }>("SHOW server_version")
    const checks: Array<Check> = []
    for (const { task: checked, query } of readings(task)) {
      checks.push({ task: checked, ...(await resultOf(client, query)) })
    }
    return {
      serverVersion: version.rows[0]?.server_version ?? "unknown",
      checks,
      rowsPerQuery: rowsOf(task, checks),
      checksum: createHash("sha256")
        .update(JSON.stringify(checks.map(({ rows }) => rows)))
        .digest("hex")
    }
  } finally {
    await client.end()
  }
}

/** Divides a task into parts with one query each. */
const readings = (task: Task): ReadonlyArray<{ readonly task: Task; readonly query: Query }> => {
  switch (task.kind) {
    case "fetch":
      return task.queries.map((query) => ({ task: { kind: "fetch", queries: [query] }, query }))
    case "stream":
      return [{ task: { ...task, query: task.checkedWith }, query: task.checkedWith }]
    case "lease":
    case "idle":
      return [{ task, query: task.query }]
    case "load":
      return task.calls.flatMap(({ task: called }) => {
        if (called.kind !== "fetch") return []
        const [query] = called.queries
        return [{ task: { kind: "fetch", queries: [query] }, query }]
      })
    case "literals":
    case "executeMany":
    case "copyIn":
    case "transaction":
    case "acquire":
    case "connect":
      return []
  }
}

const rowsOf = (task: Task, checks: ReadonlyArray<Check>): number => {
  switch (task.kind) {
    case "fetch":
    case "lease":
      return checks[0]?.rows.length ?? 0
    case "literals":
    case "stream":
      return task.rows
    case "executeMany":
    case "copyIn":
      return task.count
    case "transaction":
    case "load":
    case "idle":
      return 1
    case "acquire":
    case "connect":
      return 0
  }
}

const resultOf = async (client: pg.Client, { sql, parameters }: Query): Promise<Omit<Check, "task">> => {
  const { fields, rows } = await client.query<Array<Text>>({ text: sql, values: [...parameters], rowMode: "array" })
  const types = await client.query<{ readonly oid: string; readonly typname: string }>(
    "SELECT oid, typname FROM pg_type WHERE oid = ANY($1)",
    [fields.map((field) => field.dataTypeID)]
  )
  const nameOf = new Map(types.rows.map(({ oid, typname }) => [Number(oid), typname]))
  return {
    columns: fields.map(({ name, dataTypeID }) => ({ name, type: nameOf.get(dataTypeID) ?? "unknown" })),
    rows
  }
}

/** Describes the first difference from the expected rows; undefined if there is none. */
export const difference = (
  { columns, rows }: Pick<Check, "columns" | "rows">,
  found: ReadonlyArray<ReadonlyArray<Text>>
): string | undefined => {
  if (found.length !== rows.length) return `${found.length} rows where the server has ${rows.length}`
  for (const [at, row] of rows.entries()) {
    for (const [column, { name }] of columns.entries()) {
      const [expected, got] = [row[column], found[at]?.[column]]
      if (expected !== got) return `row ${at + 1}, column ${name}: ${got} where the server has ${expected}`
    }
  }
  return undefined
}

/**
 * Runs the audit of a task that writes, after one run of the task. Returns its complaint; undefined if there is none.
 */
export const complaint = async (address: Address, audit: string): Promise<string | undefined> => {
  const client = new pg.Client({ ...address, types: unread })
  await client.connect()
  try {
    const { rows } = await client.query<Array<Text>>({ text: audit, rowMode: "array" })
    return rows[0]?.[0] ?? undefined
  } finally {
    await client.end()
  }
}
