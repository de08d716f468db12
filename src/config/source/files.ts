/** Finds and reads the files that libpq reads: the password file, the service file and the TLS files. */
import * as fs from "node:fs/promises"
import * as os from "node:os"
import * as path from "node:path"
import * as Effect from "effect/Effect"

export type Environment = Readonly<Record<string, string | undefined>>

/** The variables that say where files are. */
export const fileVariables: ReadonlyArray<string> = ["HOME", "APPDATA", "PGSERVICEFILE", "PGSYSCONFDIR"]

export const defaultPassfile = (environment: Environment): string | undefined =>
  isWindows ? inApplicationData(environment, "pgpass.conf") : inHome(environment, ".pgpass")

export const defaultServiceFile = (environment: Environment): string | undefined =>
  isWindows ? inApplicationData(environment, ".pg_service.conf") : inHome(environment, ".pg_service.conf")

/** `root.crt`, `root.crl`, `postgresql.crt` or `postgresql.key`. */
export const defaultPemFile = (environment: Environment, name: string): string | undefined =>
  isWindows ? inApplicationData(environment, name) : inHome(environment, ".postgresql", name)

const isWindows = process.platform === "win32"

const inApplicationData = ({ APPDATA }: Environment, name: string): string | undefined =>
  APPDATA ? path.join(APPDATA, "postgresql", name) : undefined

const inHome = (environment: Environment, ...names: ReadonlyArray<string>): string | undefined => {
  const home = environment["HOME"] || systemHome()
  return home === undefined ? undefined : path.join(home, ...names)
}

/** Undefined if the process runs under a user ID that has no home directory. */
const systemHome = (): string | undefined => {
  try {
    return os.homedir()
  } catch {
    return undefined
  }
}

/** The text of a file. Fails with only the code of the error, such as `ENOENT`, because its message has the path. */
export const readFile = (file: string): Effect.Effect<string, string> =>
  Effect.map(readBytes(file), (bytes) => bytes.toString("utf8"))

/** The text of a file; undefined if the file does not exist or cannot be read. */
export const readFileIfAny = (file: string | undefined): Effect.Effect<string | undefined> =>
  Effect.map(readBytesIfAny(file), (bytes) => bytes?.toString("utf8"))

export const readBytes = (file: string): Effect.Effect<Buffer, string> =>
  Effect.tryPromise({ try: () => fs.readFile(file), catch: codeOf })

export const readBytesIfAny = (file: string | undefined): Effect.Effect<Buffer | undefined> =>
  file === undefined ? Effect.succeed(undefined) : Effect.catch(readBytes(file), () => Effect.succeed(undefined))

export const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "it is not readable"
