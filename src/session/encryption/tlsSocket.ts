/** Encrypts an open socket with TLS, as the settings want it, and tells what came of it. */
import type { Buffer } from "node:buffer"
import * as net from "node:net"
import * as tls from "node:tls"
import type { ResolvedConfig, SslMode } from "../../PgConfig.ts"
import { hostMismatch } from "./certificateHost.ts"

/** How to encrypt; see the settings of the same names. All texts are in PEM format. */
export interface TlsOptions {
  readonly sslMode: SslMode
  readonly sslNegotiation: ResolvedConfig["sslNegotiation"]
  /** If undefined, the certificate authorities that Node trusts are used. */
  readonly sslRootCert: string | undefined
  readonly sslCert: string | undefined
  readonly sslKey: string | undefined
  /** Lists of revoked certificates. If there is one, each authority needs one. */
  readonly sslCrl: ReadonlyArray<string>
  readonly sslCertMode: ResolvedConfig["sslCertMode"]
  readonly sslSni: boolean
  readonly sslMinProtocolVersion: ResolvedConfig["sslMinProtocolVersion"]
  readonly sslMaxProtocolVersion: ResolvedConfig["sslMaxProtocolVersion"]
}

/** What the handshake has told. */
export interface TlsFacts {
  /** The server's certificate, in DER; undefined if it has shown none. */
  readonly serverCertificate: Buffer | undefined
  /**
   * Whether the server asked for the client's certificate, and the client had one to show. `unknown` in runtimes that do
   * not tell.
   */
  readonly clientCertificate: "not asked for" | "missing" | "shown" | "unknown"
}

/** The name of PostgreSQL's protocol in ALPN. */
const PROTOCOL = "postgresql"

/**
 * Begins the handshake over an open socket. `host` is what the user wrote, and what the certificate must be for. Throws if
 * a certificate, key or revocation list cannot be used.
 */
export const secure = (socket: net.Socket, host: string, options: TlsOptions): tls.TLSSocket => {
  const { sslCert, sslCrl, sslKey, sslMaxProtocolVersion, sslMinProtocolVersion, sslMode, sslRootCert } = options
  const isAddress = net.isIP(host) !== 0
  const verifies = verifiesChain(options)
  return tls.connect({
    socket,
    host,
    ALPNProtocols: [PROTOCOL],
    ...(isAddress || host === "" || !options.sslSni ? {} : { servername: host }),
    ...(sslRootCert === undefined ? {} : { ca: sslRootCert }),
    ...(options.sslCertMode === "disable" || sslCert === undefined ? {} : { cert: sslCert }),
    ...(options.sslCertMode === "disable" || sslKey === undefined ? {} : { key: sslKey }),
    ...(verifies && sslCrl.length > 0 ? { crl: [...sslCrl] } : {}),
    minVersion: sslMinProtocolVersion,
    ...(sslMaxProtocolVersion === undefined ? {} : { maxVersion: sslMaxProtocolVersion }),
    ...(isOld(sslMinProtocolVersion) ? { ciphers: `${tls.DEFAULT_CIPHERS}:@SECLEVEL=0` } : {}),
    rejectUnauthorized: verifies,
    checkServerIdentity: (_, { raw }) => {
      const mismatch = sslMode === "verify-full" ? hostMismatch(raw, host, isAddress) : undefined
      return mismatch === undefined ? undefined : new Error(mismatch)
    }
  })
}

/** TLS 1.0 and 1.1 need digests that OpenSSL otherwise forbids. */
const isOld = (version: string): boolean => version === "TLSv1" || version === "TLSv1.1"

/** As in libpq, the weaker modes verify the certificate's authority only if a root certificate was given. */
const verifiesChain = ({ sslMode, sslRootCert }: TlsOptions): boolean =>
  sslMode === "verify-ca" || sslMode === "verify-full" || (sslMode !== "disable" && sslRootCert !== undefined)

/** What a finished handshake has told, or why it does not do. */
export const facts = (socket: tls.TLSSocket, options: TlsOptions): TlsFacts | string => {
  if (options.sslNegotiation === "direct" && socket.alpnProtocol !== PROTOCOL) {
    return `the server has not agreed by ALPN to speak ${PROTOCOL}, which sslNegotiation "direct" requires`
  }
  return {
    serverCertificate: socket.getPeerX509Certificate()?.raw,
    clientCertificate: clientCertificateOf(socket, options)
  }
}

const clientCertificateOf = (socket: tls.TLSSocket, options: TlsOptions): TlsFacts["clientCertificate"] => {
  if (!canTellIfAsked(socket)) return "unknown"
  if (!isAsked(socket)) return "not asked for"
  return options.sslCertMode === "disable" || options.sslCert === undefined ? "missing" : "shown"
}

/** Deno does not tell. */
const canTellIfAsked = (socket: Partial<tls.TLSSocket>): boolean => socket.getSharedSigalgs !== undefined

/** A server that asks for a certificate says which signatures it accepts, and only then; so it is since TLS 1.2. */
const isAsked = (socket: tls.TLSSocket): boolean => socket.getSharedSigalgs().length > 0
