/**
 * Runs node-postgres in its fastest documented form: named statements. It needs other packages for COPY and streams.
 */
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import pg from "pg"
import { from } from "pg-copy-streams"
import type { Query } from "../workloads/workload.ts"
import { copyBlocks } from "./copyText.ts"
import type { Driver, Row } from "./driver.ts"
import { promiseDriver, type Source } from "./promises.ts"

const names = new Map<string, string>()

const nameOf = (sql: string): string => {
  const known = names.get(sql)
  if (known !== undefined) return known
  const name = `bench_${names.size}`
  names.set(sql, name)
  return name
}

interface Queries {
  readonly query: (config: pg.QueryConfig) => Promise<pg.QueryResult<Row>>
}

const fetch = async (on: Queries, { sql, parameters }: Query): Promise<ReadonlyArray<Row>> =>
  (await on.query({ name: nameOf(sql), text: sql, values: [...parameters] })).rows

const begin = { text: "BEGIN" }
const commit = { text: "COMMIT" }

const connection: Source<pg.Client> = {
  open: async (address, { task, isPipelined }) => {
    const client = new pg.Client({ ...address, ssl: false, pipeline: isPipelined || task.kind === "executeMany" })
    await client.connect()
    return client
  },
  close: (client) => client.end(),
  skills: {
    fetch,
    executeMany: (client, sql, records) => {
      const name = nameOf(sql)
      return Promise.all([
        client.query(begin),
        ...records.map((record) => client.query({ name, text: sql, values: [...record] })),
        client.query(commit)
      ])
    },
    copyIn: (client, table, columns, records) => {
      const names = columns.map((column) => pg.escapeIdentifier(column)).join(", ")
      const into = client.query(from(`COPY ${pg.escapeIdentifier(table)} (${names}) FROM STDIN`))
      return pipeline(Readable.from(copyBlocks(records)), into)
    }
  }
}

const withClient = async <A>(pool: pg.Pool, use: (client: pg.PoolClient) => Promise<A>): Promise<A> => {
  const client = await pool.connect()
  try {
    return await use(client)
  } finally {
    client.release()
  }
}

const pool: Source<pg.Pool> = {
  open: async (address, { connections }) => new pg.Pool({ ...address, ssl: false, max: connections }),
  close: (pool) => pool.end(),
  skills: {
    fetch,
    acquire: async (pool) => (await pool.connect()).release(),
    lease: (pool, query) => withClient(pool, (client) => fetch(client, query)),
    transaction: (pool, query) =>
      withClient(pool, async (client) => {
        try {
          await client.query(begin)
          await fetch(client, query)
          await client.query(commit)
        } catch (error) {
          await client.query({ text: "ROLLBACK" })
          throw error
        }
      })
  }
}

export const driver: Driver = promiseDriver({ connection, pool })
