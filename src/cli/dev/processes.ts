/** What is known of other processes. A number alone does not name one, because numbers are used again. */
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"

export const isAlive = (pid: number): boolean => {
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

/** A process, by its number and when it began. */
export interface Identity {
  readonly pid: number
  /** Empty where nothing tells it. */
  readonly beginning: string
}

export const ownIdentity = (): Identity => ({ pid: process.pid, beginning: beginningOf(process.pid) })

/** Whether the process whose identity is in a file is there. */
export const livesIn = (file: string): boolean => {
  const identity = read(file)
  if (identity === undefined || !isAlive(identity.pid)) return false
  return identity.beginning === "" || identity.beginning === beginningOf(identity.pid)
}

const read = (file: string): Identity | undefined => {
  try {
    const identity: unknown = JSON.parse(fs.readFileSync(file, "utf8"))
    if (typeof identity !== "object" || identity === null) return undefined
    if (!("pid" in identity) || !("beginning" in identity)) return undefined
    return { pid: Number(identity.pid), beginning: String(identity.beginning) }
  } catch {
    return undefined
  }
}

const beginningOf = (pid: number): string => ask(pid, "lstart=")

export const commandOf = (pid: number): string => ask(pid, "args=")

const ask = (pid: number, column: string): string => {
  try {
    return execFileSync("ps", ["-p", String(pid), "-o", column], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      env: { PATH: process.env["PATH"], LC_ALL: "C", TZ: "UTC" }
    }).trim()
  } catch {
    return ""
  }
}
