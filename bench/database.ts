/** Makes a database for the benchmark alone, so that it touches nothing else on the server. */
import { randomBytes } from "node:crypto"
import pg from "pg"
import type { Address } from "./protocol.ts"

export const withDatabase = async <A>(server: Address, use: (database: Address) => Promise<A>): Promise<A> => {
  const database = `bench_${randomBytes(8).toString("hex")}`
  await administer(server, [`CREATE DATABASE ${database} TEMPLATE template0 ENCODING 'UTF8'`])
  try {
    return await use({ ...server, database })
  } finally {
    await administer(server, [`DROP DATABASE ${database} WITH (FORCE)`])
  }
}

/** Runs statements one after another on a new connection. */
export const administer = async (address: Address, statements: ReadonlyArray<string>): Promise<void> => {
  const client = new pg.Client({ ...address })
  await client.connect()
  try {
    for (const statement of statements) await client.query(statement)
  } finally {
    await client.end()
  }
}
