/** Determines which servers to try, and in which order. */
import * as fs from "node:fs/promises"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type * as PgError from "../PgError.ts"
import { type Given, invalid, readInteger, readText } from "./given.ts"

/**
 * A server that a connection tries.
 *
 * @category models
 * @since 0.1.0
 */
export type HostAddress = (
  | { readonly _tag: "Tcp"; readonly host: string; readonly port: number }
  | {
      readonly _tag: "Unix"
      /** The path of the socket itself: `/run/postgresql/.s.PGSQL.5432`. */
      readonly path: string
      readonly port: number
    }
) & {
  /**
   * The password that the password file has for this host, read again for each connection; set only if no other source
   * gives one. It takes precedence over the configuration's password.
   */
  readonly password?: Effect.Effect<Redacted.Redacted | undefined, PgError.PgError>
}

const DEFAULT_PORT = 5432
const MAX_PORT = 65_535

/** The directories in which common distributions put the server's socket. */
const SOCKET_DIRECTORIES = ["/run/postgresql", "/var/run/postgresql", "/tmp"]

export const resolveHosts = Effect.fnUntraced(function* (
  host: Given | undefined,
  port: Given | undefined
): Effect.fn.Return<ReadonlyArray<HostAddress>, PgError.InvalidConfigError> {
  const hosts = yield* readHosts(host)
  const ports = yield* readPorts(port)
  if (ports.length !== 1 && ports.length !== hosts.length) {
    return yield* invalid(
      port?.name,
      `has ${ports.length} ports for ${hosts.length} hosts: give one port for all, or one for each host`
    )
  }
  const addresses: Array<HostAddress> = []
  // A list may leave out thousands of hosts, and looking for sockets takes time, so the result is cached by port.
  const defaults = new Map<number, ReadonlyArray<HostAddress>>()
  for (const [at, host] of hosts.entries()) {
    const port = ports[at] ?? ports[0] ?? DEFAULT_PORT
    if (host !== "") {
      addresses.push(addressOf(host, port))
      continue
    }
    const found = defaults.get(port) ?? (yield* defaultAddresses(SOCKET_DIRECTORIES, port))
    defaults.set(port, found)
    addresses.push(...found)
  }
  return addresses
})

const readHosts = Effect.fnUntraced(function* (
  given: Given | undefined
): Effect.fn.Return<ReadonlyArray<string>, PgError.InvalidConfigError> {
  if (given === undefined) return [""]
  const hosts: Array<string> = []
  for (const each of elementsOf(given)) {
    const host = (yield* readText({ ...given, value: each })).trim()
    // A URL has been split already; a separator that is left in a host was percent-encoded on purpose.
    const isCut = given.isText && Array.isArray(given.value)
    const isAddress = isCut || host.startsWith("/") || /^[\da-f]*:[\da-f]*:[\da-f:.]*(%.+)?$/i.test(host)
    if (!isAddress && /[:@[\]/]/.test(host)) {
      return yield* invalid(
        given.name,
        "must be a name, an IP address (IPv6 without brackets) or a directory that begins with /; set the port separately"
      )
    }
    hosts.push(host)
  }
  return hosts.length === 0 ? yield* invalid(given.name, "must name at least one host") : hosts
})

/** A port is undefined if the list leaves it out. */
const readPorts = Effect.fnUntraced(function* (
  given: Given | undefined
): Effect.fn.Return<ReadonlyArray<number>, PgError.InvalidConfigError> {
  if (given === undefined) return [DEFAULT_PORT]
  const ports: Array<number> = []
  for (const value of elementsOf(given)) {
    ports.push(value === "" ? DEFAULT_PORT : yield* readInteger(1, MAX_PORT)({ ...given, value }))
  }
  return ports
})

const elementsOf = ({ value }: Given): ReadonlyArray<unknown> =>
  Array.isArray(value) ? value : typeof value === "string" ? value.split(",") : [value]

const addressOf = (host: string, port: number): HostAddress =>
  host.startsWith("/") ? { _tag: "Unix", path: socketIn(host, port), port } : { _tag: "Tcp", host, port }

const socketIn = (directory: string, port: number): string => path.posix.join(directory, `.s.PGSQL.${port}`)

/** The sockets that exist, then localhost. If one directory is a link to another, their socket appears only once. */
export const defaultAddresses = Effect.fnUntraced(function* (
  directories: ReadonlyArray<string>,
  port: number
): Effect.fn.Return<ReadonlyArray<HostAddress>> {
  const sockets = new Set<string>()
  for (const directory of directories) {
    const socket = yield* Effect.promise(() => fs.realpath(socketIn(directory, port)).catch(() => undefined))
    if (socket !== undefined) sockets.add(socket)
  }
  return [
    ...Array.from(sockets, (socket): HostAddress => ({ _tag: "Unix", path: socket, port })),
    { _tag: "Tcp", host: "localhost", port }
  ]
})
