/**
 * Removes what killed processes have left of embedded servers: directories, and servers that still run in them. The file
 * `owners` in a directory has the numbers of the processes that use it. If none of them lives, the directory is left over.
 */
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { temporaryDirectory } from "./installation.ts"

const PREFIX = "effectpg-"
const END_TIMEOUT_MILLIS = 5_000
const POLL_MILLIS = 20

/** Makes a directory of this process, which is removed later if the process is killed. */
export const makeDirectory = (): string => {
  const directory = fs.mkdtempSync(path.join(temporaryDirectory(), PREFIX))
  fs.writeFileSync(path.join(directory, "owners"), `${process.pid}\n`)
  return directory
}

/** Removes what is left over, as far as this process may. Returns the directories. */
export const removeLeftovers = async (): Promise<ReadonlyArray<string>> => {
  const home = temporaryDirectory()
  const removed: Array<string> = []
  for (const name of fs.readdirSync(home)) {
    const directory = path.join(home, name)
    if (!name.startsWith(PREFIX) || !isLeftOver(directory)) continue
    try {
      await endServer(directory)
      fs.rmSync(directory, { recursive: true, force: true })
      removed.push(directory)
    } catch {
      // It belongs to another user, or another process has just removed it.
    }
  }
  return removed
}

const isLeftOver = (directory: string): boolean => {
  try {
    const owners = fs.readFileSync(path.join(directory, "owners"), "utf8").trim().split("\n")
    return owners.length > 0 && owners.every((owner) => !isAlive(Number(owner)))
  } catch {
    return false
  }
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0) && !isDefunct(pid)
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

/** Whether a process has ended, and nobody has taken notice: containers often have nobody who does. */
const isDefunct = (pid: number): boolean => {
  const file = `/proc/${pid}/stat`
  return process.platform === "linux" && fs.existsSync(file) && /\) Z /.test(fs.readFileSync(file, "utf8"))
}

/** Ends the server that runs in a directory, if its guardian was killed, too. */
const endServer = async (directory: string): Promise<void> => {
  const pid = serverIn(directory)
  if (pid === undefined) return
  process.kill(pid, "SIGQUIT")
  const deadline = Date.now() + END_TIMEOUT_MILLIS
  while (isAlive(pid) && Date.now() < deadline) await sleep(POLL_MILLIS)
}

/** The number of the main process of the server that runs in a directory, if one does. */
export const serverIn = (directory: string): number | undefined => {
  const data = path.join(directory, "data")
  const file = path.join(data, "postmaster.pid")
  if (!fs.existsSync(file)) return undefined
  const pid = Number(fs.readFileSync(file, "utf8").split("\n")[0])
  // The number may have passed to another process since.
  return isAlive(pid) && commandOf(pid).includes(data) ? pid : undefined
}

const commandOf = (pid: number): string => {
  try {
    return execFileSync("ps", ["-p", String(pid), "-o", "args="], { encoding: "utf8" })
  } catch {
    return ""
  }
}
