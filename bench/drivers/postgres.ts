/** Runs postgres.js. It pipelines by itself if several queries wait for one connection. */
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import postgres from "postgres"
import type { Query } from "../workloads/workload.ts"
import { copyBlocks } from "./copyText.ts"
import { type Driver, type Row, STREAM_PAGE_ROWS } from "./driver.ts"
import { promiseDriver, type Source } from "./promises.ts"

const isPrepared = { prepare: true }

const fetch = (sql: postgres.Sql, query: Query): Promise<ReadonlyArray<Row>> =>
  sql.unsafe<Array<postgres.Row>>(query.sql, [...query.parameters], isPrepared)

const stream = async (sql: postgres.Sql, query: Query, see: (row: Row) => void): Promise<void> => {
  const pages = sql.unsafe<Array<postgres.Row>>(query.sql, [...query.parameters], isPrepared)
  for await (const rows of pages.cursor(STREAM_PAGE_ROWS)) rows.forEach(see)
}

const connection: Source<postgres.Sql> = {
  open: async (address) => {
    const sql = postgres({ ...address, max: 1, ssl: false })
    // The first query makes it connect.
    await sql`SELECT`
    return sql
  },
  close: (sql) => sql.end(),
  skills: {
    fetch,
    stream,
    executeMany: (sql, text, records) =>
      sql.begin((transaction) => records.map((record) => transaction.unsafe(text, [...record], isPrepared))),
    copyIn: async (sql, table, columns, records) => {
      const into = await sql`COPY ${sql(table)} (${sql([...columns])}) FROM STDIN`.writable()
      await pipeline(Readable.from(copyBlocks(records)), into)
    }
  }
}

const pool: Source<postgres.Sql> = {
  open: async (address, { connections }) => postgres({ ...address, max: connections, ssl: false }),
  close: (sql) => sql.end(),
  skills: {
    fetch,
    stream,
    acquire: async (sql) => (await sql.reserve()).release(),
    lease: async (sql, query) => {
      const reserved = await sql.reserve()
      try {
        return await fetch(reserved, query)
      } finally {
        reserved.release()
      }
    },
    transaction: (sql, query) =>
      sql.begin((transaction) => transaction.unsafe(query.sql, [...query.parameters], isPrepared))
  }
}

export const driver: Driver = promiseDriver({ connection, pool })
