/** A real server that shows whatever certificate a test wants. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Buffer } from "node:buffer"
import * as fs from "node:fs"
import * as net from "node:net"
import * as path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import * as tls from "node:tls"
import pg from "pg"
import { type EmbeddedPgServer, startEmbedded } from "../server/embedded.ts"
import type { StartOptions } from "../server/server.ts"
import type { Identity } from "./certificates.ts"

export interface PresentingServer {
  readonly server: EmbeddedPgServer
  /** Shows this certificate from now on, with those of the authorities between it and the root. */
  readonly present: (identity: Identity, ...chain: ReadonlyArray<Identity>) => Effect.Effect<void>
  /** Runs SQL as the superuser, with another client. */
  readonly run: (sql: string) => Effect.Effect<ReadonlyArray<Readonly<Record<string, unknown>>>>
}

const RETRY_MILLIS = 10
const MAX_RETRIES = 500

/** `authority` is the one whose clients' certificates the server accepts. */
export const presentingServer = (
  authority: Identity,
  options: StartOptions = {}
): Effect.Effect<PresentingServer, never, Scope.Scope> =>
  Effect.gen(function* () {
    const server = yield* Effect.acquireRelease(
      Effect.promise(() => startEmbedded(options)),
      ({ stop }) => Effect.promise(stop)
    )
    const directory = server.unixSocketDir
    if (directory === undefined) return assert.fail("the embedded server has no directory")
    const write = (name: string, text: string) => fs.writeFileSync(path.join(directory, name), text)
    write("ca.crt", authority.certificate)
    const run = async (sql: string) => {
      const client = new pg.Client({ ...server, ssl: false })
      await client.connect()
      try {
        const { rows } = await client.query<Record<string, unknown>>(sql)
        return rows
      } finally {
        await client.end()
      }
    }
    const present = async (identity: Identity, ...chain: ReadonlyArray<Identity>) => {
      write("server.crt", [identity, ...chain].map(({ certificate }) => certificate).join(""))
      write("server.key", identity.key)
      await run("SELECT pg_reload_conf()")
      for (let tries = 0; !(await shown(server.port))?.equals(identity.der); tries++) {
        if (tries === MAX_RETRIES) assert.fail(`the server has not taken the certificate of ${identity.subject}`)
        await sleep(RETRY_MILLIS)
      }
    }
    return {
      server,
      present: (...identities) => Effect.promise(() => present(...identities)),
      run: (sql) => Effect.promise(() => run(sql))
    }
  })

const SSL_REQUEST = Buffer.from("0000000804d2162f", "hex")

/** The certificate that the server shows. */
const shown = (port: number): Promise<Buffer | undefined> =>
  new Promise((resolve) => {
    const raw = net.connect({ host: "127.0.0.1", port })
    raw.once("error", () => resolve(undefined))
    raw.once("connect", () => raw.write(SSL_REQUEST))
    raw.once("data", () => {
      const secured = tls.connect({ socket: raw, rejectUnauthorized: false, ALPNProtocols: ["postgresql"] })
      secured.once("error", () => resolve(undefined))
      secured.once("secureConnect", () => {
        resolve(secured.getPeerX509Certificate()?.raw)
        secured.destroy()
      })
    })
  })
