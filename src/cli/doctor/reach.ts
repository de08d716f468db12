/** Examines the way to each host: its addresses, its port, and its TLS. */
import * as net from "node:net"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { HostAddress, ResolvedConfig } from "../../PgConfig.ts"
import { Lookup } from "../../session/opening/lookup.ts"
import { type Encryption, lookAtEncryption } from "./encryption.ts"
import { type Finding, ok, warning, wrong } from "./finding.ts"

const PATIENCE_MILLIS = 10_000

/** What was found at one host. */
export interface Reached {
  readonly findings: ReadonlyArray<Finding>
  readonly encryption: Encryption | undefined
}

export const reach = (config: ResolvedConfig, host: HostAddress): Effect.Effect<Reached> =>
  host._tag === "Unix" ? reachSocket(host.path) : reachPort(config, host)

const reachSocket = (path: string): Effect.Effect<Reached> =>
  Effect.map(Effect.result(timedConnect({ path: path.replace(/^@/, "\0") }, PATIENCE_MILLIS)), (connected) => {
    if (Result.isFailure(connected)) {
      const hint = "Check that the server runs, and that its unix_socket_directories has the directory."
      return { findings: [wrong("socket", `${path}: ${connected.failure}`, hint)], encryption: undefined }
    }
    connected.success.socket.destroy()
    return { findings: [ok("socket", `${path} accepts connections`)], encryption: undefined }
  })

const reachPort = (config: ResolvedConfig, host: Extract<HostAddress, { readonly _tag: "Tcp" }>) =>
  Effect.gen(function* () {
    const findings: Array<Finding> = []
    let encryption: Encryption | undefined
    const lookup = yield* Lookup
    const found = yield* Effect.result(host.address === undefined ? lookup(host.host) : Effect.succeed([host.address]))
    if (Result.isFailure(found)) {
      const reason = found.failure.code ?? found.failure.message
      const hint = "Check the spelling of the host, and whether this machine's DNS knows it."
      return { findings: [wrong("resolve", `${host.host}: ${reason}`, hint)], encryption }
    }
    const addresses = [...new Set(found.success)]
    if (addresses.some((address) => address !== host.host)) {
      findings.push(ok("resolve", `${host.host} is ${addresses.join(", ")}`))
    }
    const millis = Math.min(config.connectTimeoutMillis || PATIENCE_MILLIS, PATIENCE_MILLIS)
    for (const address of addresses) {
      const place = `${net.isIPv6(address) ? `[${address}]` : address}:${host.port}`
      const connected = yield* Effect.result(timedConnect({ host: address, port: host.port }, millis))
      if (Result.isFailure(connected)) {
        findings.push(wrong("tcp", `${place}: ${connected.failure}`, hintForPort(connected.failure)))
        continue
      }
      const { socket, took } = connected.success
      findings.push(ok("tcp", `${place} accepts connections, in ${took.toFixed(1)} ms`))
      if (config.sslMode === "disable") {
        socket.destroy()
        findings.push(withoutTls(config, address, "sslMode is disable"))
        continue
      }
      const look = yield* lookAtEncryption(socket, host.host, config, millis)
      if (look === "none") findings.push(withoutTls(config, address, "the server has no TLS"))
      else if ("problem" in look) findings.push(wrong("tls", `${place}: ${look.problem}`, HANDSHAKE))
      else {
        findings.push(ok("tls", `${look.protocol} with ${look.cipher}`))
        encryption ??= look
      }
    }
    return { findings, encryption }
  })

const HANDSHAKE = "Check that PostgreSQL or its pooler listens on this port, and which versions of TLS it allows."

const withoutTls = ({ sslMode }: ResolvedConfig, address: string, why: string): Finding => {
  if (sslMode !== "disable" && sslMode !== "allow" && sslMode !== "prefer") {
    return wrong(
      "tls",
      `${why}, but sslMode is ${sslMode}`,
      "Set ssl = on and a certificate in the server's configuration."
    )
  }
  return isLoopback(address)
    ? ok("tls", `not encrypted: ${why}, and the connection does not leave this machine`)
    : warning(
        "tls",
        `not encrypted: ${why}, so that everybody on the way reads passwords and rows`,
        "Let the server use TLS, and connect with sslMode=verify-full."
      )
}

export const isLoopback = (address: string): boolean =>
  address === "::1" || address.startsWith("127.") || address === "::ffff:127.0.0.1"

const hintForPort = (reason: string): string =>
  reason === "ECONNREFUSED"
    ? "Nothing listens there. Check that the server runs, its port, and its listen_addresses."
    : "Nothing answers. Check the address, the port, and the firewalls between."

interface Connected {
  readonly socket: net.Socket
  readonly took: number
}

const timedConnect = (target: net.NetConnectOpts, millis: number): Effect.Effect<Connected, string> =>
  Effect.callback((resume) => {
    const began = performance.now()
    const socket = net.connect(target)
    const fail = (reason: string): void => {
      socket.destroy()
      resume(Effect.fail(reason))
    }
    const timer = setTimeout(() => fail(`no answer within ${millis} ms`), millis)
    socket.once("error", (error: NodeJS.ErrnoException) => {
      clearTimeout(timer)
      fail(error.code ?? error.message)
    })
    socket.once("connect", () => {
      clearTimeout(timer)
      socket.removeAllListeners("error")
      resume(Effect.succeed({ socket, took: performance.now() - began }))
    })
    return Effect.sync(() => {
      clearTimeout(timer)
      socket.destroy()
    })
  })
