/**
 * Starts the one server that all integration tests share. They get it by `inject("postgres")`, and its major version by
 * `inject("serverMajor")`, because older servers lack features. Tests that use PgTest make their databases there, too.
 */
import pg from "pg"
import type { TestProject } from "vitest/node"
import { startRun } from "../../src/pgTest/run.ts"
import { type PgServer, start } from "./postgres.ts"

declare module "vitest" {
  interface ProvidedContext {
    readonly postgres: PgServer
    readonly serverMajor: number
  }
}

const askMajor = async ({ database, host, password, port, user }: PgServer): Promise<number> => {
  const client = new pg.Client({ host, port, user, password, database })
  await client.connect()
  try {
    const { rows } = await client.query<{ readonly server_version_num: string }>("SHOW server_version_num")
    return Math.floor(Number(rows[0]?.server_version_num) / 10_000)
  } finally {
    await client.end()
  }
}

export default async (project: TestProject): Promise<() => Promise<void>> => {
  const { stop, ...server } = await start()
  project.provide("postgres", server)
  project.provide("serverMajor", await askMajor(server))
  const { host, password, port, user, database } = server
  const credentials = `${encodeURIComponent(user)}:${encodeURIComponent(password)}`
  const url = `postgres://${credentials}@${host}:${port}/${database}?sslmode=disable`
  // Each project has a server of its own, and an environment for its workers.
  const environment = { ...project.config.env }
  const endRun = await startRun({ url }, environment)
  project.config.env = environment
  return async () => {
    await endRun()
    await stop()
  }
}
