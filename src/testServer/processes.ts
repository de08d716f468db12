/**
 * What is known of other processes: whether they live, what they run, when they began. Linux tells it in files; elsewhere
 * the program `ps` does, which slim containers lack.
 */
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"

/** Whether a process is there, and has not ended. */
export const isAlive = (pid: number): boolean => isThere(pid) && !isDefunct(pid)

const isThere = (pid: number): boolean => {
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

/** Whether a process has ended, and nobody has taken notice: containers often have nobody who does. */
const isDefunct = (pid: number): boolean => statusOf(pid)?.[STATE] === "Z"

/** The command line of a process; undefined if the system does not tell it. */
export const commandOf = (pid: number): string | undefined =>
  textOf(`/proc/${pid}/cmdline`)?.replaceAll("\0", " ") ?? ps("-p", String(pid), "-o", "args=")

/** When a process began, in a form that only fits to compare; empty if the system does not tell it. */
export const beginningOf = (pid: number): string => {
  const began = statusOf(pid)?.[BEGINNING]
  return began === undefined
    ? (ps("-p", String(pid), "-o", "lstart=") ?? "")
    : `${textOf("/proc/sys/kernel/random/boot_id")?.trim() ?? ""} ${began}`
}

/** The processes that a process has started, and that are there. */
export const childrenOf = (parent: number): ReadonlyArray<number> =>
  process.platform === "linux"
    ? fs
        .readdirSync("/proc")
        .map(Number)
        .filter((pid) => statusOf(pid)?.[PARENT] === String(parent))
    : (ps("-A", "-o", "pid=,ppid=") ?? "")
        .split("\n")
        .map((line) => line.trim().split(/\s+/).map(Number))
        .flatMap(([pid, ppid]) => (pid !== undefined && ppid === parent ? [pid] : []))

const STATE = 0
const PARENT = 1
const BEGINNING = 19

/** What Linux says of a process behind its name, which may have blanks and brackets. */
const statusOf = (pid: number): ReadonlyArray<string> | undefined => {
  const status = textOf(`/proc/${pid}/stat`)
  return status?.slice(status.lastIndexOf(")") + 2).split(" ")
}

const textOf = (file: string): string | undefined => {
  if (process.platform !== "linux") return undefined
  try {
    return fs.readFileSync(file, "utf8")
  } catch {
    return undefined
  }
}

const ps = (...args: ReadonlyArray<string>): string | undefined => {
  try {
    const stdio = ["ignore", "pipe", "ignore"] as const
    return execFileSync("ps", args, { encoding: "utf8", stdio: [...stdio], env: ENVIRONMENT }).trim()
  } catch {
    return undefined
  }
}

/** Makes `ps` answer in English, in the same time zone, on every machine. */
const ENVIRONMENT = { PATH: process.env["PATH"], LC_ALL: "C", TZ: "UTC" }
