/**
 * A process of its own that runs an embedded server and outlives a process that was killed: when its standard input ends,
 * for whatever reason, it stops the server. Then it removes the server's directory, if that is to go with the server.
 *
 * Lines of its input are orders: SIGINT and SIGQUIT stop the server, SIGKILL kills all of its processes, SIGSTOP freezes
 * them, SIGCONT lets them go on, and `start` starts the server again.
 *
 *   node guardian.ts <uid, or -1 to stay> <directory> <remove, or keep> <command> <arguments...>
 */
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { createInterface } from "node:readline"
import { childrenOf } from "./processes.ts"

const [uid, directory, fate, command, ...args] = process.argv.slice(2)
if (uid === undefined || directory === undefined || command === undefined) throw new Error("guardian: bad arguments")

// From now on the directory is in use as long as this process lives (see leftovers.ts). One that is kept is never left over.
if (fate === "remove") fs.appendFileSync(path.join(directory, "owners"), `${process.pid}\n`)
const log = fs.openSync(path.join(directory, "log"), "a")
const launch = () => {
  const server = spawn(command, args, {
    cwd: directory,
    env: { PATH: process.env["PATH"], LC_ALL: "C", TZ: "UTC" },
    stdio: ["ignore", log, log],
    ...(Number(uid) < 0 ? {} : { uid: Number(uid), gid: Number(uid) })
  })
  server.once("error", (error) => {
    fs.writeSync(log, String(error))
    process.exit(1)
  })
  server.once("exit", () => {
    if (isAbandoned) leave()
    if (!isOrderedDown) process.exit(1)
    fs.writeSync(log, `${DOWN}\n`)
  })
  return server
}

/** The log's message after an order to stop has been carried out. */
const DOWN = "guardian: the server is down"

let isAbandoned = false
let isOrderedDown = false
let server = launch()

const leave = (): never => {
  if (fate === "remove") fs.rmSync(directory, { recursive: true, force: true })
  process.exit(0)
}

const abandon = (): void => {
  isAbandoned = true
  if (server.exitCode !== null || server.signalCode !== null) leave()
  signalAll("SIGCONT")
  // Where nothing is kept, there is nothing worth a checkpoint.
  server.kill(fate === "remove" ? "SIGQUIT" : "SIGINT")
}

/** Signals the server's main process first, so that it cannot replace the others. */
const signalAll = (signal: NodeJS.Signals): void => {
  const { pid } = server
  if (pid === undefined) return
  for (const each of [pid, ...childrenOf(pid)]) {
    try {
      process.kill(each, signal)
    } catch {
      // It has just ended.
    }
  }
}

createInterface({ input: process.stdin }).on("line", (order) => {
  if (order === "SIGSTOP" || order === "SIGCONT") return signalAll(order)
  isOrderedDown = order !== "start"
  if (order === "start") server = launch()
  else if (order === "SIGINT" || order === "SIGQUIT") server.kill(order)
  else if (order === "SIGKILL") signalAll(order)
})

process.stdin.once("close", abandon)
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, abandon)
