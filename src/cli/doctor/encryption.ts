/**
 * Looks at the TLS of a server from outside: whether it has it, and which certificates it shows. It accepts them all, so
 * that it can also tell about those that a connection would refuse. It sends nothing but the handshake.
 */
import * as Effect from "effect/Effect"
import * as net from "node:net"
import * as tls from "node:tls"
import type { ResolvedConfig } from "../../PgConfig.ts"
import { encodeSslRequest } from "../../wire/coldMessages.ts"

export interface ShownCertificate {
  readonly subject: string
  readonly issuer: string
  readonly validTo: Date
}

export interface Encryption {
  readonly protocol: string
  readonly cipher: string
  /** The server's own first; then its authority, and so on, as far as the server shows them. */
  readonly chain: ReadonlyArray<ShownCertificate>
}

/** What a server says about TLS, or why it cannot be known. */
export type Look = Encryption | "none" | { readonly problem: string }

const YES = 0x53
const NO = 0x4e

/** Looks over an open socket, which it takes over and closes. */
export const lookAtEncryption = (
  socket: net.Socket,
  host: string,
  config: ResolvedConfig,
  millis: number
): Effect.Effect<Look> =>
  Effect.callback<Look>((resume) => {
    const finish = (look: Look): void => {
      socket.destroy()
      resume(Effect.succeed(look))
    }
    socket.setTimeout(millis, () => finish({ problem: `no answer within ${millis} ms` }))
    socket.on("error", ({ message }) => finish({ problem: message }))
    socket.on("close", () => finish({ problem: "the server has closed the connection" }))
    const shake = (): void => {
      const secured = tls.connect({ socket, ...optionsFor(host, config) }, () => finish(encryptionOf(secured)))
      secured.on("error", ({ message }) => finish({ problem: message }))
    }
    if (config.sslNegotiation === "direct") shake()
    else {
      socket.write(encodeSslRequest())
      socket.once("data", ([answer]) => {
        if (answer === YES) shake()
        else finish(answer === NO ? "none" : { problem: "the server does not speak PostgreSQL's protocol" })
      })
    }
    return Effect.sync(() => socket.destroy())
  })

const optionsFor = (host: string, config: ResolvedConfig): tls.ConnectionOptions => ({
  ALPNProtocols: ["postgresql"],
  rejectUnauthorized: false,
  minVersion: config.sslMinProtocolVersion,
  ...(config.sslMaxProtocolVersion === undefined ? {} : { maxVersion: config.sslMaxProtocolVersion }),
  ...(net.isIP(host) === 0 ? { servername: host } : {}),
  ...(config.sslCert === undefined ? {} : { cert: config.sslCert }),
  ...(config.sslKey === undefined ? {} : { key: config.sslKey })
})

const encryptionOf = (socket: tls.TLSSocket): Encryption => ({
  protocol: socket.getProtocol() ?? "TLS",
  cipher: socket.getCipher().name,
  chain: chainOf(socket.getPeerCertificate(true))
})

/** A certificate that is signed by itself is its own issuer. */
const chainOf = (first: tls.DetailedPeerCertificate): ReadonlyArray<ShownCertificate> => {
  const chain: Array<ShownCertificate> = []
  const seen = new Set<string>()
  let next: tls.DetailedPeerCertificate | undefined = first
  while (next?.fingerprint256 !== undefined && !seen.has(next.fingerprint256)) {
    seen.add(next.fingerprint256)
    chain.push({ subject: nameOf(next.subject), issuer: nameOf(next.issuer), validTo: new Date(next.valid_to) })
    next = next.issuerCertificate
  }
  return chain
}

const nameOf = (name: tls.Certificate | undefined): string => {
  const [first] = [name?.CN, name?.O].flat().filter((part) => part !== undefined)
  return first ?? "a name without CN"
}
