/**
 * Runs the program of an endpoint in a directory of its own, until it is stopped. Poolers refuse to run as root: if this
 * process is root, they run as `nobody`.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"

const NOBODY = 65534
const START_TIMEOUT_MILLIS = 20_000
const POLL_MILLIS = 20

/** Undefined if the process is not root, and its children run as itself. */
export const unprivileged = process.getuid?.() === 0 ? NOBODY : undefined

/** A directory that the program of an endpoint may write to. */
export class Place {
  readonly directory: string

  constructor(name: string) {
    this.directory = fs.mkdtempSync(path.join(os.tmpdir(), `effectpg-${name}-`))
    this.own(this.directory)
  }

  /** Writes a file that only the program may read, and returns its path. */
  file(name: string, content: string | Buffer): string {
    const file = path.join(this.directory, name)
    fs.writeFileSync(file, content, { mode: 0o600 })
    this.own(file)
    return file
  }

  remove(): void {
    fs.rmSync(this.directory, { recursive: true, force: true })
  }

  private own(file: string): void {
    if (unprivileged !== undefined) fs.chownSync(file, unprivileged, unprivileged)
  }
}

export interface Daemon {
  readonly stop: () => Promise<void>
}

export interface Command {
  readonly program: string
  readonly args: ReadonlyArray<string>
  /** The port on which it will listen. */
  readonly port: number
  readonly env?: NodeJS.ProcessEnv
}

/** Starts a program that stays in the foreground, and waits until it listens. Its directory is removed when it stops. */
export const startDaemon = async (place: Place, { args, env, port, program }: Command): Promise<Daemon> => {
  const log = fs.openSync(path.join(place.directory, "log"), "a", 0o600)
  const child = spawn(program, args, {
    cwd: place.directory,
    env: env ?? { PATH: process.env["PATH"], LC_ALL: "C", TZ: "UTC" },
    stdio: ["ignore", log, log],
    ...(unprivileged === undefined ? {} : { uid: unprivileged, gid: unprivileged })
  })
  fs.closeSync(log)
  const kill = (): void => {
    child.kill("SIGKILL")
    place.remove()
  }
  process.once("exit", kill)
  const stop = async (): Promise<void> => {
    process.removeListener("exit", kill)
    await ended(child)
    place.remove()
  }
  try {
    await untilListening(child, port)
    return { stop }
  } catch (error) {
    const said = fs.readFileSync(path.join(place.directory, "log"), "utf8")
    await stop()
    throw new Error(`${program} did not start\n${said}`, { cause: error })
  }
}

const KILL_AFTER_MILLIS = 3_000

const ended = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    const bound = setTimeout(() => child.kill("SIGKILL"), KILL_AFTER_MILLIS)
    child.once("exit", () => {
      clearTimeout(bound)
      resolve()
    })
    child.kill("SIGINT")
  })

const untilListening = async (child: ChildProcess, port: number): Promise<void> => {
  const deadline = Date.now() + START_TIMEOUT_MILLIS
  let failure: Error | undefined
  child.once("error", (error) => (failure = error))
  while (!(await accepts(port))) {
    if (failure !== undefined) throw failure
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`)
    if (Date.now() > deadline) throw new Error(`it does not listen after ${START_TIMEOUT_MILLIS} ms`)
    await sleep(POLL_MILLIS)
  }
}

/** Whether something listens on a port. */
export const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1")
    socket.once("connect", () => {
      socket.destroy()
      resolve(true)
    })
    socket.once("error", () => resolve(false))
  })

/** What a program says of its version, or undefined if it is not installed. */
export const versionOf = (program: string, args: ReadonlyArray<string>): string | undefined => {
  const { error, stderr, stdout } = spawnSync(program, args, {
    encoding: "utf8",
    env: { PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` }
  })
  return error === undefined ? `${stdout}${stderr}` : undefined
}
