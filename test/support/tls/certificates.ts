/**
 * Makes certificates and revocation lists (RFC 5280) while a test runs, because Node cannot, and no other program is to be
 * needed. Nobody else trusts them.
 */
import { Buffer } from "node:buffer"
import { constants, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto"
import * as net from "node:net"
import * as D from "./der.ts"

/** A certificate with its key. */
export interface Identity {
  readonly subject: string
  readonly serial: number
  /** PEM. */
  readonly certificate: string
  readonly der: Buffer
  readonly privateKey: KeyObject
  /** PEM, PKCS#8, not encrypted. */
  readonly key: string
}

export type KeyKind = "ec" | "rsa" | "ed25519"

export type Digest = "md5" | "sha1" | "sha224" | "sha256" | "sha384" | "sha512"

export interface CertificateOptions {
  readonly subject: string
  /** Without one, the certificate is signed by itself. */
  readonly issuer?: Identity
  readonly key?: KeyKind
  readonly digest?: Digest
  /** Whether the signature is RSASSA-PSS; its issuer then has an RSA key. */
  readonly pss?: boolean
  readonly dns?: ReadonlyArray<string>
  readonly addresses?: ReadonlyArray<string>
  readonly isAuthority?: boolean
  /** Days from now; a negative number is in the past. */
  readonly validForDays?: number
}

const DAY = 86_400_000

let serials = 1000

export const certificate = (options: CertificateOptions): Identity => {
  const { addresses = [], dns = [], issuer, isAuthority = false, key = "ec", subject, validForDays = 365 } = options
  const { privateKey } = generate(key)
  const serial = serials++
  const signer = issuer?.privateKey ?? privateKey
  const algorithm = algorithmOf(signer, options)
  const names = [
    ...dns.map((name) => D.implicit(2, Buffer.from(name, "latin1"))),
    ...addresses.map((address) => D.implicit(7, addressBytes(address)))
  ]
  const tbs = D.sequence(
    D.context(0, D.integer(2)),
    D.integer(serial),
    algorithm.identifier,
    nameOf(issuer?.subject ?? subject),
    D.sequence(D.time(new Date(Date.now() - 30 * DAY)), D.time(new Date(Date.now() + validForDays * DAY))),
    nameOf(subject),
    createPublicKey(privateKey).export({ type: "spki", format: "der" }),
    D.context(
      3,
      D.sequence(
        extension("2.5.29.19", D.sequence(...(isAuthority ? [D.yes] : [])), true),
        ...(isAuthority ? [extension("2.5.29.15", D.der(0x03, Buffer.of(1, 0x06)), true)] : []),
        ...(names.length === 0 ? [] : [extension("2.5.29.17", D.sequence(...names), false)])
      )
    )
  )
  const bytes = D.sequence(tbs, algorithm.identifier, D.bits(algorithm.sign(tbs)))
  return {
    subject,
    serial,
    certificate: D.pem("CERTIFICATE", bytes),
    der: bytes,
    privateKey,
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString()
  }
}

/** The certificates that an authority has revoked, as PEM. */
export const revocationList = (authority: Identity, revoked: ReadonlyArray<Identity> = []): string => {
  const algorithm = algorithmOf(authority.privateKey, {})
  const since = D.time(new Date(Date.now() - DAY))
  const entries = revoked.map(({ serial }) => D.sequence(D.integer(serial), since))
  const tbs = D.sequence(
    D.integer(1),
    algorithm.identifier,
    nameOf(authority.subject),
    since,
    D.time(new Date(Date.now() + 30 * DAY)),
    ...(entries.length === 0 ? [] : [D.sequence(...entries)])
  )
  return D.pem("X509 CRL", D.sequence(tbs, algorithm.identifier, D.bits(algorithm.sign(tbs))))
}

const generate = (kind: KeyKind): { readonly privateKey: KeyObject } => {
  switch (kind) {
    case "ec":
      return generateKeyPairSync("ec", { namedCurve: "prime256v1" })
    case "rsa":
      return generateKeyPairSync("rsa", { modulusLength: 2048 })
    case "ed25519":
      return generateKeyPairSync("ed25519")
  }
}

const nameOf = (commonName: string): Buffer =>
  D.sequence(D.set(D.sequence(D.identifier("2.5.4.3"), D.utf8(commonName))))

const extension = (identifier: string, value: Buffer, isCritical: boolean): Buffer =>
  D.sequence(D.identifier(identifier), ...(isCritical ? [D.yes] : []), D.octets(value))

const addressBytes = (address: string): Buffer => {
  if (net.isIPv4(address)) return Buffer.from(address.split(".").map(Number))
  const [head = "", tail = ""] = address.split("::")
  const groups = (text: string) => (text === "" ? [] : text.split(":"))
  const missing = 8 - groups(head).length - groups(tail).length
  const all = [...groups(head), ...Array.from({ length: missing }, () => "0"), ...groups(tail)]
  return Buffer.from(all.map((group) => group.padStart(4, "0")).join(""), "hex")
}

interface Algorithm {
  readonly identifier: Buffer
  readonly sign: (bytes: Buffer) => Buffer
}

const algorithmOf = (
  key: KeyObject,
  { digest = "sha256", pss = false }: Pick<CertificateOptions, "digest" | "pss">
): Algorithm => {
  if (key.asymmetricKeyType === "ed25519") {
    return { identifier: D.sequence(D.identifier("1.3.101.112")), sign: (bytes) => sign(null, bytes, key) }
  }
  if (key.asymmetricKeyType === "ec") {
    return { identifier: D.sequence(D.identifier(ECDSA[digest])), sign: (bytes) => sign(digest, bytes, key) }
  }
  if (!pss) {
    return { identifier: D.sequence(D.identifier(RSA[digest]), D.nothing), sign: (bytes) => sign(digest, bytes, key) }
  }
  const hash = D.sequence(D.identifier(HASHES[digest]), D.nothing)
  const mask = D.sequence(D.identifier("1.2.840.113549.1.1.8"), hash)
  // SHA-1 is the default of RSASSA-PSS, and DER does not write defaults.
  const parameters =
    digest === "sha1"
      ? D.sequence()
      : D.sequence(D.context(0, hash), D.context(1, mask), D.context(2, D.integer(PSS_SALT_BYTES)))
  return {
    identifier: D.sequence(D.identifier("1.2.840.113549.1.1.10"), parameters),
    sign: (bytes) => sign(digest, bytes, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: PSS_SALT_BYTES })
  }
}

const PSS_SALT_BYTES = 20

const ECDSA: Readonly<Record<Digest, string>> = {
  md5: "",
  sha1: "1.2.840.10045.4.1",
  sha224: "1.2.840.10045.4.3.1",
  sha256: "1.2.840.10045.4.3.2",
  sha384: "1.2.840.10045.4.3.3",
  sha512: "1.2.840.10045.4.3.4"
}

const RSA: Readonly<Record<Digest, string>> = {
  md5: "1.2.840.113549.1.1.4",
  sha1: "1.2.840.113549.1.1.5",
  sha224: "1.2.840.113549.1.1.14",
  sha256: "1.2.840.113549.1.1.11",
  sha384: "1.2.840.113549.1.1.12",
  sha512: "1.2.840.113549.1.1.13"
}

const HASHES: Readonly<Record<Digest, string>> = {
  md5: "1.2.840.113549.2.5",
  sha1: "1.3.14.3.2.26",
  sha224: "2.16.840.1.101.3.4.2.4",
  sha256: "2.16.840.1.101.3.4.2.1",
  sha384: "2.16.840.1.101.3.4.2.2",
  sha512: "2.16.840.1.101.3.4.2.3"
}
