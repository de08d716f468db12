/**
 * Removes what killed processes have left of embedded servers: directories, and servers that still run in them. The file
 * `owners` in a directory has the numbers of the processes that use it. If none of them lives, the directory is left over.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { noPlaceIn, temporaryDirectory } from "./installation.ts"
import { commandOf, isAlive } from "./processes.ts"

const PREFIX = "effectpg-"
const END_TIMEOUT_MILLIS = 5_000
const POLL_MILLIS = 20

/** Makes a directory of this process, which is removed later if the process is killed. */
export const makeDirectory = (): string => {
  const home = temporaryDirectory()
  try {
    const directory = fs.mkdtempSync(path.join(home, PREFIX))
    fs.writeFileSync(path.join(directory, "owners"), `${process.pid}\n`)
    return directory
  } catch (cause) {
    throw noPlaceIn(home, cause)
  }
}

/** Removes what is left over, as far as this process may. Returns the directories. */
export const removeLeftovers = async (): Promise<ReadonlyArray<string>> => {
  const home = temporaryDirectory()
  const removed: Array<string> = []
  for (const name of namesIn(home)) {
    const directory = path.join(home, name)
    if (!name.startsWith(PREFIX) || !isLeftOver(directory)) continue
    try {
      await endServer(directory)
      fs.rmSync(directory, { recursive: true, force: true })
      removed.push(directory)
    } catch {
      // It belongs to another user, or another process has just removed it, or a server may run in it.
    }
  }
  return removed
}

/** A process may be allowed to write to a directory, and not to list it. */
const namesIn = (directory: string): ReadonlyArray<string> => {
  try {
    return fs.readdirSync(directory)
  } catch {
    return []
  }
}

const isLeftOver = (directory: string): boolean => {
  try {
    const owners = fs.readFileSync(path.join(directory, "owners"), "utf8").trim().split("\n")
    return owners.length > 0 && owners.every((owner) => !isAlive(Number(owner)))
  } catch {
    return false
  }
}

/** Ends the server that runs in a directory, if its guardian was killed, too. */
const endServer = async (directory: string): Promise<void> => {
  const pid = serverIn(directory)
  if (pid === undefined) return
  process.kill(pid, "SIGQUIT")
  const deadline = Date.now() + END_TIMEOUT_MILLIS
  while (isAlive(pid) && Date.now() < deadline) await sleep(POLL_MILLIS)
}

/**
 * The number of the main process of the server that runs in a directory, if one does. Throws if that cannot be known: then
 * nothing of the directory may be touched.
 */
export const serverIn = (directory: string): number | undefined => {
  const data = path.join(directory, "data")
  const file = path.join(data, "postmaster.pid")
  if (!fs.existsSync(file)) return undefined
  const pid = Number(fs.readFileSync(file, "utf8").split("\n")[0])
  if (!isAlive(pid)) return undefined
  // The number may have passed to another process since.
  const command = commandOf(pid)
  if (command === undefined) {
    if (!isAlive(pid)) return undefined
    throw new Error(
      `Process ${pid} may be a server that runs in ${directory}; this system does not tell. End it, or remove ${file} if it ` +
        "is another program."
    )
  }
  return command.includes(data) ? pid : undefined
}
