/**
 * Reads password files. The password is that of the first line whose fields all match. A field is `*` or the value
 * itself, with a backslash before each colon and backslash.
 *
 * ```
 * host:port:database:user:password
 * ```
 */
import * as fs from "node:fs/promises"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { readFileIfAny } from "./files.ts"
import { type HostAddress, SOCKET_DIRECTORIES } from "../hosts.ts"

export interface Login {
  readonly host: HostAddress
  readonly database: string
  readonly user: string
}

/** The password for a host. As in libpq, a file that does not exist or that others can read gives no password. */
export const passwordFromFile = Effect.fnUntraced(function* (
  file: string | undefined,
  login: Login
): Effect.fn.Return<Redacted.Redacted | undefined> {
  if (file === undefined) return undefined
  const status = yield* Effect.promise(() => fs.stat(file).catch(() => undefined))
  if (status === undefined) return undefined
  if (!status.isFile()) {
    yield* Effect.logWarning("the client ignores the password file, because it is not a plain file")
    return undefined
  }
  if (process.platform !== "win32" && (status.mode & GROUP_AND_OTHERS) !== 0) {
    yield* Effect.logWarning(
      "the client ignores the password file, because its group or others can access it; run chmod 0600 on it"
    )
    return undefined
  }
  const password = findPassword((yield* readFileIfAny(file)) ?? "", login)
  return password === undefined ? undefined : Redacted.make(password)
})

const GROUP_AND_OTHERS = 0o077

export const findPassword = (text: string, { database, host, user }: Login): string | undefined => {
  const hosts = host._tag === "Tcp" ? [host.host] : socketNames(path.posix.dirname(host.path))
  for (const line of text.split(/\r?\n|\r$/)) {
    if (line.startsWith("#")) continue
    const [hostField, portField, databaseField, userField, password] = fieldsOf(line)
    if (
      password !== undefined &&
      hosts.some((host) => matches(hostField, host)) &&
      matches(portField, String(host.port)) &&
      matches(databaseField, database) &&
      matches(userField, user)
    ) {
      return password === "" ? undefined : unescape(password)
    }
  }
  return undefined
}

/** A socket is named by its directory; in a directory where servers put it by default, it is also localhost. */
const socketNames = (directory: string): ReadonlyArray<string> =>
  SOCKET_DIRECTORIES.includes(directory) ? [directory, "localhost"] : [directory]

/** The fields before unescaping, split at each colon that no backslash escapes. */
const fieldsOf = (line: string): ReadonlyArray<string> => {
  const fields: Array<string> = []
  let start = 0
  for (let at = 0; at < line.length; at++) {
    if (line.charAt(at) === "\\") at++
    else if (line.charAt(at) === ":") {
      fields.push(line.slice(start, at))
      start = at + 1
    }
  }
  fields.push(line.slice(start))
  return fields
}

const unescape = (field: string): string => field.replace(/\\(.)/g, "$1")

const matches = (field: string | undefined, value: string): boolean =>
  field === "*" || (field !== undefined && unescape(field) === value)
