/**
 * Runs Bun.sql, the client that is built into Bun. It pipelines by itself. It has neither cursors nor COPY from a stream
 * of rows that this benchmark could use.
 */
import type { Query } from "../workloads/workload.ts"
import type { Address } from "../protocol.ts"
import type { Driver, Row } from "./driver.ts"
import { promiseDriver, type Source } from "./promises.ts"

/** The part of Bun.sql that is used here. The types of Bun are not installed, because only this file needs them. */
interface Runs {
  readonly unsafe: (sql: string, parameters: ReadonlyArray<unknown>) => Promise<ReadonlyArray<Row>>
}

interface Reserved extends Runs {
  readonly release: () => void
}

interface Sql extends Runs {
  readonly connect: () => Promise<unknown>
  readonly reserve: () => Promise<Reserved>
  readonly begin: <A>(use: (transaction: Runs) => Promise<A>) => Promise<A>
  readonly close: () => Promise<void>
}

interface BunModule {
  readonly SQL: new (options: Readonly<Record<string, unknown>>) => Sql
}

/** A variable, so that the compiler does not look for the module, which exists only in Bun. */
const MODULE: string = "bun"
const { SQL }: BunModule = await import(MODULE)

const sqlOf = ({ host, port, user, password, database }: Address, connections: number): Sql =>
  new SQL({
    adapter: "postgres",
    hostname: host,
    port,
    username: user,
    password,
    database,
    tls: false,
    max: connections
  })

const fetch = (sql: Runs, query: Query): Promise<ReadonlyArray<Row>> => sql.unsafe(query.sql, query.parameters)

const close = (sql: Sql): Promise<void> => sql.close()

const connection: Source<Sql> = {
  open: async (address) => {
    const sql = sqlOf(address, 1)
    await sql.connect()
    return sql
  },
  close,
  skills: {
    fetch,
    executeMany: (sql, text, records) =>
      sql.begin((transaction) => Promise.all(records.map((record) => transaction.unsafe(text, record))))
  }
}

const pool: Source<Sql> = {
  open: async (address, { connections }) => sqlOf(address, connections),
  close,
  skills: {
    fetch,
    acquire: async (sql) => (await sql.reserve()).release(),
    lease: async (sql, query) => {
      const reserved = await sql.reserve()
      try {
        return await fetch(reserved, query)
      } finally {
        reserved.release()
      }
    },
    transaction: (sql, query) => sql.begin((transaction) => fetch(transaction, query))
  }
}

export const driver: Driver = promiseDriver({ connection, pool })
