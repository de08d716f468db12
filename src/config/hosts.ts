/** Determines which servers to try, in which order, and which of them will do. */
import * as fs from "node:fs/promises"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type * as PgError from "../PgError.ts"
import { type Given, invalid, readChoice, readInteger, readOr, readText } from "./given.ts"
import type { Source } from "./source/sources.ts"

/**
 * What kind of server a connection is for; libpq's `target_session_attrs`.
 * - `any`: every server.
 * - `read-write`: one whose transactions can write by default. `read-only`: one whose transactions cannot.
 * - `primary`: one that is no standby. `standby`: one that is.
 * - `prefer-standby`: a standby if any host is one, otherwise any server.
 *
 * @category models
 * @since 0.1.0
 */
export type TargetSessionAttrs = "any" | "read-write" | "read-only" | "primary" | "standby" | "prefer-standby"

/**
 * Whether the hosts are tried as listed (`disable`) or in an order that is new for each connection (`random`).
 *
 * @category models
 * @since 0.1.0
 */
export type LoadBalanceHosts = "disable" | "random"

const ATTRIBUTES: ReadonlyArray<TargetSessionAttrs> = [
  "any",
  "read-write",
  "read-only",
  "primary",
  "standby",
  "prefer-standby"
]
const ORDERS: ReadonlyArray<LoadBalanceHosts> = ["disable", "random"]

/**
 * A server that a connection tries.
 *
 * @category models
 * @since 0.1.0
 */
export type HostAddress = (
  | {
      readonly _tag: "Tcp"
      /** A name or an IP address. It names the server for TLS, the password file and errors. */
      readonly host: string
      /** The IP address to connect to, if `hostaddr` gives one. Otherwise `host` is looked up. */
      readonly address?: string
      readonly port: number
    }
  | {
      readonly _tag: "Unix"
      /**
       * The path of the socket itself: `/run/postgresql/.s.PGSQL.5432`. If it begins with `@`, the socket is an abstract
       * one, whose name has a NUL in the place of the `@`.
       */
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
export const SOCKET_DIRECTORIES = ["/run/postgresql", "/var/run/postgresql", "/tmp"]

export interface Hosts {
  readonly hosts: ReadonlyArray<HostAddress>
  readonly targetSessionAttrs: TargetSessionAttrs
  readonly loadBalanceHosts: LoadBalanceHosts
}

export const resolveHosts = Effect.fnUntraced(function* (
  source: Source
): Effect.fn.Return<Hosts, PgError.InvalidConfigError> {
  return {
    hosts: yield* listHosts(source("host"), source("port"), source("hostaddr")),
    targetSessionAttrs: yield* readOr(source("targetSessionAttrs"), readChoice(ATTRIBUTES), "any"),
    loadBalanceHosts: yield* readOr(source("loadBalanceHosts"), readChoice(ORDERS), "disable")
  }
})

export const listHosts = Effect.fnUntraced(function* (
  host: Given | undefined,
  port: Given | undefined,
  hostaddr?: Given
): Effect.fn.Return<ReadonlyArray<HostAddress>, PgError.InvalidConfigError> {
  const numeric = yield* readNumericAddresses(hostaddr)
  const hosts = host === undefined && numeric.length > 0 ? numeric.map(() => "") : yield* readHosts(host)
  if (numeric.length > 0 && numeric.length !== hosts.length) {
    return yield* invalid(
      hostaddr?.name,
      `has ${numeric.length} addresses for ${hosts.length} hosts: give one for each host`
    )
  }
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
    const address = numeric[at] ?? ""
    if (address !== "") {
      addresses.push({ _tag: "Tcp", host: host === "" ? address : host, address, port })
      continue
    }
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

/** An address is empty if the list leaves it out. */
const readNumericAddresses = Effect.fnUntraced(function* (
  given: Given | undefined
): Effect.fn.Return<ReadonlyArray<string>, PgError.InvalidConfigError> {
  if (given === undefined) return []
  const addresses: Array<string> = []
  for (const each of elementsOf(given)) {
    const address = (yield* readText({ ...given, value: each })).trim()
    if (address !== "" && !isIpAddress(address)) {
      return yield* invalid(given.name, "must be an IP address, or one for each host; set the port separately")
    }
    addresses.push(address)
  }
  return addresses
})

/** IPv6 is written without brackets and may end with a zone, such as `%eth0`. */
const isIpAddress = (text: string): boolean =>
  /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/.test(text) ||
  (/^[\da-f:.]*:[\da-f:.]*(?:%[\w.-]+)?$/i.test(text) && URL.canParse(`http://[${text.replace(/%.*/, "")}]`))

const readHosts = Effect.fnUntraced(function* (
  given: Given | undefined
): Effect.fn.Return<ReadonlyArray<string>, PgError.InvalidConfigError> {
  if (given === undefined) return [""]
  const hosts: Array<string> = []
  for (const each of elementsOf(given)) {
    const host = (yield* readText({ ...given, value: each })).trim()
    // A URL has been split already; a separator that is left in a host was percent-encoded on purpose.
    const isCut = given.isText && Array.isArray(given.value)
    const isAddress = isCut || isSocket(host) || /^[\da-f]*:[\da-f]*:[\da-f:.]*(%.+)?$/i.test(host)
    if (!isAddress && /[:@[\]/]/.test(host)) {
      return yield* invalid(
        given.name,
        "must be a name, an IP address (IPv6 without brackets), a directory that begins with / or an abstract socket " +
          "that begins with @; set the port separately"
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

/** A directory, or the name of an abstract socket. */
const isSocket = (host: string): boolean => /^[/@]/.test(host)

const addressOf = (host: string, port: number): HostAddress =>
  isSocket(host) ? { _tag: "Unix", path: socketIn(host, port), port } : { _tag: "Tcp", host, port }

const socketIn = (directory: string, port: number): string => path.posix.join(directory, `.s.PGSQL.${port}`)

/** The sockets that exist, then localhost. If one directory is a link to another, their socket appears only once. */
export const defaultAddresses = Effect.fnUntraced(function* (
  directories: ReadonlyArray<string>,
  port: number
): Effect.fn.Return<ReadonlyArray<HostAddress>> {
  const sockets = new Map<string, string>()
  for (const directory of directories) {
    const socket = socketIn(directory, port)
    const real = yield* Effect.promise(() => fs.realpath(socket).catch(() => undefined))
    if (real !== undefined && !sockets.has(real)) sockets.set(real, socket)
  }
  return [
    ...Array.from(sockets.values(), (socket): HostAddress => ({ _tag: "Unix", path: socket, port })),
    { _tag: "Tcp", host: "localhost", port }
  ]
})
