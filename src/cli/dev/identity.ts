/** Names a process in a file. A number alone does not name one, because numbers are used again. */
import * as fs from "node:fs"
import { beginningOf, isAlive } from "../../testServer/processes.ts"

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
