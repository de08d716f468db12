/** What all servers have in common that the tests set up themselves, embedded or in a container. */
import * as fs from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import pg from "pg"
import { type ServerSetup, THROWN_AWAY } from "../../../src/testServer/embedded.ts"
import type { PgServer, StartOptions } from "./server.ts"

export const superuser = { user: "postgres", password: "secret", database: "postgres" } as const

/** Every role's password is `rolePassword`; its name says what its lines of pg_hba.conf require. */
export const testRoles = [
  "trust_user",
  "cleartext_user",
  "md5_user",
  "scram_user",
  "cert_user",
  "tls_only_user",
  "plain_only_user"
] as const

export const rolePassword = "role secret"

/** The first line that matches a connection decides. `local` is the Unix socket. */
export const pgHba = `
local     all trust_user          trust
host      all trust_user      all trust
local     all cleartext_user      password
host      all cleartext_user  all password
local     all md5_user            md5
host      all md5_user        all md5
host      all scram_user      all scram-sha-256
local     all scram_user          scram-sha-256
hostssl   all cert_user       all cert
host      all cert_user       all reject
hostssl   all tls_only_user   all scram-sha-256
host      all tls_only_user   all reject
hostnossl all plain_only_user all scram-sha-256
host      all plain_only_user all reject
local     all all                 scram-sha-256
host      all all             all scram-sha-256
`

/** Deadlocks are detected at once, for tests that wait for one. */
const SETTINGS = { max_prepared_transactions: "10", deadlock_timeout: "20ms", ssl: "on" } as const

/** The flags of a server that a test starts by itself. */
export const serverFlags = (settings: Readonly<Record<string, string>>): ReadonlyArray<string> =>
  Object.entries({ ...THROWN_AWAY, ...SETTINGS, ...settings }).flatMap(([key, value]) => ["-c", `${key}=${value}`])

/** The files and settings of the server that all tests share. */
export const setupOf = (options: StartOptions): ServerSetup => ({
  password: superuser.password,
  files: {
    "pg_hba.conf": pgHba,
    "server.crt": tlsFile("server.crt"),
    "server.key": tlsFile("server.key"),
    "ca.crt": tlsFile("ca.crt")
  },
  settings: (directory) => ({
    ...SETTINGS,
    hba_file: `${directory}/pg_hba.conf`,
    ssl_cert_file: `${directory}/server.crt`,
    ssl_key_file: `${directory}/server.key`,
    ssl_ca_file: `${directory}/ca.crt`,
    ...options.settings
  })
})

export const tlsDirectory = new URL("../tls/", import.meta.url)

const tlsFile = (name: string): string => fs.readFileSync(new URL(name, tlsDirectory), "utf8")

export const certificateOfAuthority = (): string => tlsFile("ca.crt")

export const createRoles = async (server: Omit<PgServer, "features">): Promise<void> => {
  const client = await connect(server)
  try {
    for (const role of testRoles) {
      await client.query(`SET password_encryption = '${role === "md5_user" ? "md5" : "scram-sha-256"}'`)
      await client.query(`CREATE ROLE ${role} LOGIN PASSWORD '${rolePassword}'`)
    }
  } finally {
    await client.end()
  }
}

const CANNOT_CONNECT_NOW = "57P03"
const RETRY_MILLIS = 50
const MAX_RETRIES = 200

/** A server listens a little before it is ready. */
const connect = async (server: Omit<PgServer, "features">, retries = 0): Promise<pg.Client> => {
  const client = new pg.Client({ ...server, ssl: false })
  try {
    await client.connect()
    return client
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || error.code !== CANNOT_CONNECT_NOW || retries === MAX_RETRIES)
      throw error
    await sleep(RETRY_MILLIS)
    return connect(server, retries + 1)
  }
}
