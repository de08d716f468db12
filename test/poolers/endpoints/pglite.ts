/**
 * PGlite behind its socket: one session of a PostgreSQL in WebAssembly, which all clients share. It is installed into a
 * folder of its own, because it is large, and nothing else here needs it.
 */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { freePort } from "../../../src/testServer/freePort.ts"
import { type Daemon, Place, startDaemon } from "./daemon.ts"

export interface PgLite extends Daemon {
  readonly port: number
}

const PACKAGES = ["@electric-sql/pglite@0.5.14", "@electric-sql/pglite-socket@0.2.17"]
const MAX_CLIENTS = 40

export const pgliteVersion = "0.5.14"

/** Installs the packages, unless an earlier run has. Returns the file that starts the server. */
const installed = (): string => {
  const folder = path.join(os.tmpdir(), `effectpg-pglite-${pgliteVersion}`)
  const server = path.join(folder, "node_modules/@electric-sql/pglite-socket/dist/scripts/server.js")
  if (fs.existsSync(server)) return server
  fs.mkdirSync(folder, { recursive: true })
  const { status, stderr } = spawnSync("npm", ["install", "--no-save", "--no-audit", "--no-fund", ...PACKAGES], {
    cwd: folder,
    encoding: "utf8"
  })
  if (status !== 0) throw new Error(`npm could not install PGlite\n${stderr}`)
  return server
}

export const startPgLite = async (): Promise<PgLite> => {
  const server = installed()
  const port = await freePort()
  const args = [server, "--db=memory://", `--port=${port}`, "--host=127.0.0.1", `--max-connections=${MAX_CLIENTS}`]
  return { ...(await startDaemon(new Place("pglite"), { program: process.execPath, args, port })), port }
}
