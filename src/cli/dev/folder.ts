/** The folder of a development server: its data, its port, its password. */
import * as fs from "node:fs"
import * as path from "node:path"
import type * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { CliFailure } from "../terminal/failure.ts"
import { withFiles } from "../terminal/files.ts"

/** Makes the folder if it is not there. Version control is to ignore what is in it. */
export const openFolder = (given: string): Effect.Effect<string, CliFailure> =>
  withFiles(() => {
    fs.mkdirSync(given, { recursive: true })
    const folder = fs.realpathSync(given)
    const ignore = path.join(folder, ".gitignore")
    if (!fs.existsSync(ignore)) fs.writeFileSync(ignore, "*\n")
    return folder
  })

const portFile = (folder: string): string => path.join(folder, "port")

/** The port of the last time. */
export const lastPort = (folder: string): number | undefined => {
  const port = Number(read(portFile(folder)))
  return Number.isInteger(port) && port > 0 ? port : undefined
}

export const keepPort = (folder: string, port: number): Effect.Effect<void, CliFailure> =>
  withFiles(() => fs.writeFileSync(portFile(folder), `${port}\n`))

/** The URL of the server that runs in the folder, if one was ever started there. */
export const urlOf = (folder: string): Redacted.Redacted | undefined => {
  const port = lastPort(folder)
  const password = read(path.join(folder, "password"))
  return port === undefined || password === ""
    ? undefined
    : Redacted.make(`postgres://postgres:${encodeURIComponent(password)}@localhost:${port}/postgres`)
}

/** The number of the main process of the server that uses the data, if its file is there. */
export const serverPid = (folder: string): number | undefined => {
  const pid = Number(read(pidFile(folder)).split("\n")[0])
  return Number.isInteger(pid) && pid > 0 ? pid : undefined
}

export const pidFile = (folder: string): string => path.join(folder, "data", "postmaster.pid")

const read = (file: string): string => {
  try {
    return fs.readFileSync(file, "utf8").trim()
  } catch {
    return ""
  }
}
