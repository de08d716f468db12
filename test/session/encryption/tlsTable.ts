/**
 * The table of `tlsMatrix.integration.test.ts`: every sslMode with servers and clients of every kind. Certificates and keys
 * are made anew for each run, as files, because libpq takes nothing else.
 */
import { Buffer } from "node:buffer"
import { createHash, createPrivateKey } from "node:crypto"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import type { SslMode } from "../../../src/PgConfig.ts"
import { certificate, type Identity, nameOf, revocationList } from "../../support/tls/certificates.ts"
import type { TlsPart } from "../../support/tls/tlsActor.ts"

/** The columns of the table. */
export const MODES: ReadonlyArray<SslMode> = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]

// ------------------------------------------------------------------------------------------------ certificates

export const root = certificate({ subject: "root", key: "rsa", isAuthority: true })
const intermediate = certificate({ subject: "intermediate", issuer: root, isAuthority: true })
const stranger = certificate({ subject: "stranger", isAuthority: true })

const named = { subject: "server", dns: ["localhost"] }
const right = certificate({ ...named, issuer: root })
const revoked = certificate({ ...named, issuer: root })
const selfSigned = certificate(named)
const servers = {
  right,
  revoked,
  selfSigned,
  ofStranger: certificate({ ...named, issuer: stranger }),
  wrongName: certificate({ subject: "elsewhere", issuer: root, dns: ["elsewhere.example"] }),
  address: certificate({ subject: "server", issuer: root, addresses: ["127.0.0.1"] }),
  addressAsName: certificate({ subject: "server", issuer: root, dns: ["127.0.0.1"] }),
  addressAsCommonName: certificate({ subject: "127.0.0.1", issuer: root }),
  otherAddress: certificate({ subject: "127.0.0.1", issuer: root, addresses: ["127.0.0.2"] }),
  commonName: certificate({ subject: "localhost", issuer: root }),
  commonNameBesideOthers: certificate({ subject: "localhost", issuer: root, dns: ["elsewhere.example"] }),
  commonNameBesideAddress: certificate({ subject: "localhost", issuer: root, addresses: ["127.0.0.9"] }),
  wildcard: certificate({ subject: "server", issuer: root, dns: ["*.db.example"] }),
  capitals: certificate({ subject: "server", issuer: root, dns: ["LOCALHOST"] }),
  nul: certificate({ subject: "server", issuer: root, dns: ["localhost\0.evil.example"] }),
  expired: certificate({ ...named, issuer: root, validForDays: -1 }),
  byIntermediate: certificate({ ...named, issuer: intermediate }),
  authorityAsServer: root
} satisfies Readonly<Record<string, Identity>>

const client = { subject: "cert_user", issuer: root }
const clients = {
  ec: certificate(client),
  rsa: certificate({ ...client, key: "rsa" }),
  other: certificate({ subject: "somebody_else", issuer: root }),
  ofStranger: certificate({ subject: "cert_user", issuer: stranger }),
  byIntermediate: certificate({ ...client, issuer: intermediate })
}

const KEY_PASSWORD = "key to the key"

/** The files that URLs name; libpq takes nothing else. */
export const directory = fs.mkdtempSync(path.join(os.tmpdir(), "effectpg-tls-"))
const file = (name: string, content: string | Buffer): string => {
  const where = path.join(directory, name)
  fs.writeFileSync(where, content, { mode: 0o600 })
  return where
}
const encryptedKey = (identity: Identity, type: "pkcs8" | "sec1" | "pkcs1"): string =>
  createPrivateKey(identity.key)
    .export({ type, format: "pem", cipher: "aes-256-cbc", passphrase: KEY_PASSWORD })
    .toString()

const lists = { root: revocationList(root, [revoked]), intermediate: revocationList(intermediate) }

/** The name that `openssl rehash` gives to a list: a hash of the name of its authority, in the form that OpenSSL compares. */
const hashOf = ({ subject }: Identity): string => {
  const withoutHeader = nameOf(subject).subarray(2)
  return createHash("sha1").update(withoutHeader).digest().readUInt32LE(0).toString(16).padStart(8, "0")
}

const directoryOf = (name: string, files: Readonly<Record<string, string>>): string => {
  const where = path.join(directory, name)
  fs.mkdirSync(where)
  for (const [each, content] of Object.entries(files)) fs.writeFileSync(path.join(where, each), content)
  return where
}

export const paths = {
  crlDirectory: directoryOf("lists", { [`${hashOf(root)}.r0`]: lists.root }),
  root: file("root.crt", root.certificate),
  stranger: file("stranger.crt", stranger.certificate),
  selfSigned: file("selfSigned.crt", selfSigned.certificate),
  crl: file("root.crl", lists.root),
  crls: file("all.crl", lists.root + lists.intermediate),
  crlOfStranger: file("stranger.crl", revocationList(stranger)),
  ecDer: file("ec.der", createPrivateKey(clients.ec.key).export({ type: "sec1", format: "der" })),
  rsaDer: file("rsa.der", createPrivateKey(clients.rsa.key).export({ type: "pkcs8", format: "der" })),
  ecEncrypted: file("ec.encrypted", encryptedKey(clients.ec, "pkcs8")),
  ecOldEncrypted: file("ec.old", encryptedKey(clients.ec, "sec1")),
  rsaEncrypted: file("rsa.encrypted", encryptedKey(clients.rsa, "pkcs1"))
}
const presented = (identity: Identity, name: string, ...chain: ReadonlyArray<Identity>) => ({
  sslcert: file(`${name}.crt`, [identity, ...chain].map((each) => each.certificate).join("")),
  sslkey: file(`${name}.key`, identity.key)
})
const ec = presented(clients.ec, "ec")
const rsa = presented(clients.rsa, "rsa")

// ------------------------------------------------------------------------------------------------------- table

export interface Row {
  readonly host?: string
  readonly user?: string
  readonly database?: string
  /** The first major of PostgreSQL that can do it. */
  readonly since?: number
  /** The files in `~/.postgresql`. */
  readonly home?: Readonly<Record<string, string>>
  /** What the URL asks for besides. The root certificate is asked for unless it is undefined here. */
  readonly keys?: Readonly<Record<string, string | undefined>>
  /** One for each of the modes. */
  readonly is: string
  /** What libpq does, and why this client does otherwise. */
  readonly libpq?: readonly [is: string, because: string]
}

/** A host that no name server knows. */
const at = (host: string) => ({ host, keys: { hostaddr: "127.0.0.1" } })
const crl = { sslcrl: paths.crl }
const noRoot = { sslrootcert: undefined }

/** By the certificate that the server shows. */
export const table: ReadonlyArray<
  readonly [what: string, shown: ReadonlyArray<Identity>, rows: Readonly<Record<string, Row>>]
> = [
  // disable, allow, prefer, require, verify-ca, verify-full
  [
    "the right certificate",
    [servers.right],
    {
      "and its authority": { is: "clear clear TLS TLS TLS TLS" },
      "and no authority": { keys: noRoot, is: "clear clear TLS TLS no no" },
      "and another authority": { keys: { sslrootcert: paths.stranger }, is: "clear clear clear no no no" },
      "and the authorities of the system": { keys: { sslrootcert: "system" }, is: "no no no no no no" },
      "for another address": { host: "127.0.0.1", is: "clear clear TLS TLS TLS no" },
      "for a host with a dot at its end": { ...at("localhost."), is: "clear clear TLS TLS TLS no" },
      "for a host in capitals": { ...at("LOCALHOST"), is: "clear clear TLS TLS TLS TLS" },
      "and no name": { host: "", keys: { hostaddr: "127.0.0.1" }, is: "clear clear TLS TLS TLS no" },
      "and its authority at home": {
        home: { "root.crt": root.certificate },
        keys: noRoot,
        is: "clear clear TLS TLS TLS TLS"
      },
      "and another authority at home": {
        home: { "root.crt": stranger.certificate },
        keys: noRoot,
        is: "clear clear clear no no no"
      },
      "and a list at home": {
        home: { "root.crt": root.certificate, "root.crl": lists.root },
        keys: noRoot,
        is: "clear clear TLS TLS TLS TLS"
      },
      "and a directory of lists": { keys: { sslcrldir: paths.crlDirectory }, is: "clear clear TLS TLS TLS TLS" },
      "that is not on the list of revoked ones": { keys: crl, is: "clear clear TLS TLS TLS TLS" },
      "and the list of another authority": { keys: { sslcrl: paths.crlOfStranger }, is: "clear clear clear no no no" },
      "but no server name (SNI)": { keys: { sslsni: "0" }, is: "clear clear TLS TLS TLS TLS" },
      "and TLS 1.2 at most": { keys: { ssl_max_protocol_version: "TLSv1.2" }, is: "clear clear TLS TLS TLS TLS" },
      "and TLS 1.3 at least": { keys: { ssl_min_protocol_version: "TLSv1.3" }, is: "clear clear TLS TLS TLS TLS" },
      "and TLS 1.1 at most": {
        keys: { ssl_min_protocol_version: "TLSv1", ssl_max_protocol_version: "TLSv1.1" },
        is: "clear clear clear no no no"
      },
      directly: { since: 17, keys: { sslnegotiation: "direct" }, is: "no no no TLS TLS TLS" },
      "for a role that only TLS lets in": { user: "tls_only_user", is: "no TLS TLS TLS TLS TLS" },
      "for a role that TLS does not let in": { user: "plain_only_user", is: "clear clear clear no no no" },
      "for a wrong password": { user: "wrong", is: "no no no no no no" },
      "for a database that does not exist": { database: "nowhere", is: "no no no no no no" },
      "with channel binding": { user: "scram_user", keys: { channel_binding: "require" }, is: "no no TLS TLS TLS TLS" },
      "without channel binding": {
        user: "scram_user",
        keys: { channel_binding: "disable" },
        is: "clear clear TLS TLS TLS TLS"
      },
      "with binding, where nobody authenticates": { keys: { channel_binding: "require" }, is: "no no no no no no" },
      "with binding, but md5": { user: "md5_user", keys: { channel_binding: "require" }, is: "no no no no no no" },
      "with binding, but a password": {
        user: "cleartext_user",
        keys: { channel_binding: "require" },
        is: "no no no no no no"
      },
      "with a client that may not be let in without a method": {
        keys: { require_auth: "scram-sha-256" },
        is: "no no no no no no"
      },
      "with a client that must not use md5": {
        user: "md5_user",
        keys: { require_auth: "!md5" },
        is: "no no no no no no"
      },
      "with protocol 3.2": {
        since: 18,
        keys: { min_protocol_version: "3.2", max_protocol_version: "3.2" },
        is: "clear clear TLS TLS TLS TLS"
      }
    }
  ],
  [
    "a revoked certificate",
    [servers.revoked],
    {
      "and no list": { is: "clear clear TLS TLS TLS TLS" },
      "and the list": { keys: crl, is: "clear clear clear no no no" },
      "and the list at home": {
        home: { "root.crt": root.certificate, "root.crl": lists.root },
        keys: noRoot,
        is: "clear clear clear no no no"
      },
      "and the list at home, but another authority to trust": {
        home: { "root.crl": lists.root },
        is: "clear clear clear no no no"
      },
      "and a directory of lists": { keys: { sslcrldir: paths.crlDirectory }, is: "clear clear clear no no no" },
      "and the list, but no authority": { keys: { ...crl, ...noRoot }, is: "clear clear TLS TLS no no" }
    }
  ],
  [
    "a certificate that signs itself",
    [servers.selfSigned],
    {
      "and another authority": { is: "clear clear clear no no no" },
      "and itself as the authority": { keys: { sslrootcert: paths.selfSigned }, is: "clear clear TLS TLS TLS TLS" },
      "and no authority": { keys: noRoot, is: "clear clear TLS TLS no no" }
    }
  ],
  ["a certificate of a stranger", [servers.ofStranger], { "and the authority": { is: "clear clear clear no no no" } }],
  ["a certificate for another name", [servers.wrongName], { "": { is: "clear clear TLS TLS TLS no" } }],
  [
    "a certificate for an address",
    [servers.address],
    {
      "and the address": { host: "127.0.0.1", is: "clear clear TLS TLS TLS TLS" },
      "and a name": { is: "clear clear TLS TLS TLS no" },
      "and a name that is reached there": { ...at("db.example"), is: "clear clear TLS TLS TLS no" }
    }
  ],
  [
    "a certificate with the address as a name",
    [servers.addressAsName],
    { "and the address": { host: "127.0.0.1", is: "clear clear TLS TLS TLS TLS" } }
  ],
  [
    "a certificate with the address as its common name",
    [servers.addressAsCommonName],
    { "and the address": { host: "127.0.0.1", is: "clear clear TLS TLS TLS TLS" } }
  ],
  [
    "a certificate for another address, with the address as its common name",
    [servers.otherAddress],
    { "and the address": { host: "127.0.0.1", is: "clear clear TLS TLS TLS no" } }
  ],
  ["a certificate with a common name only", [servers.commonName], { "": { is: "clear clear TLS TLS TLS TLS" } }],
  [
    "a certificate with the common name beside other names",
    [servers.commonNameBesideOthers],
    { "": { is: "clear clear TLS TLS TLS no" } }
  ],
  [
    "a certificate with the common name beside an address",
    [servers.commonNameBesideAddress],
    { "": { is: "clear clear TLS TLS TLS TLS" } }
  ],
  [
    "a certificate for *.db.example",
    [servers.wildcard],
    {
      "and one label": { ...at("a.db.example"), is: "clear clear TLS TLS TLS TLS" },
      "and one label in capitals": { ...at("A.DB.Example"), is: "clear clear TLS TLS TLS TLS" },
      "and two labels": { ...at("a.b.db.example"), is: "clear clear TLS TLS TLS no" },
      "and no label": { ...at("db.example"), is: "clear clear TLS TLS TLS no" }
    }
  ],
  ["a certificate in capitals", [servers.capitals], { "": { is: "clear clear TLS TLS TLS TLS" } }],
  ["a certificate with a NUL in its name", [servers.nul], { "": { is: "clear clear TLS TLS TLS no" } }],
  ["an expired certificate", [servers.expired], { "": { is: "clear clear clear no no no" } }],
  [
    "a certificate of an intermediate authority",
    [servers.byIntermediate],
    { "that is missing": { is: "clear clear clear no no no" } }
  ],
  [
    "a certificate with that of its intermediate authority",
    [servers.byIntermediate, intermediate],
    {
      "": { is: "clear clear TLS TLS TLS TLS" },
      "and the list of the root only": { keys: crl, is: "clear clear clear no no no" },
      "and the lists of both": { keys: { sslcrl: paths.crls }, is: "clear clear TLS TLS TLS TLS" }
    }
  ],
  [
    "the right certificate, to a client with one",
    [servers.right],
    {
      "with an EC key": { user: "cert_user", keys: ec, is: "no TLS TLS TLS TLS TLS" },
      "with an RSA key": { user: "cert_user", keys: rsa, is: "no TLS TLS TLS TLS TLS" },
      "at home": {
        user: "cert_user",
        home: { "postgresql.crt": clients.ec.certificate, "postgresql.key": clients.ec.key },
        is: "no TLS TLS TLS TLS TLS"
      },
      "at home without its key": {
        user: "cert_user",
        home: { "postgresql.crt": clients.ec.certificate },
        is: "no no no no no no"
      },
      "with an EC key in DER": {
        user: "cert_user",
        keys: { ...ec, sslkey: paths.ecDer },
        is: "no TLS TLS TLS TLS TLS"
      },
      "with an RSA key in DER": {
        user: "cert_user",
        keys: { ...rsa, sslkey: paths.rsaDer },
        is: "no TLS TLS TLS TLS TLS"
      },
      "with an encrypted key": {
        user: "cert_user",
        keys: { ...ec, sslkey: paths.ecEncrypted, sslpassword: KEY_PASSWORD },
        is: "no TLS TLS TLS TLS TLS"
      },
      "with a key encrypted in the old way": {
        user: "cert_user",
        keys: { ...ec, sslkey: paths.ecOldEncrypted, sslpassword: KEY_PASSWORD },
        is: "no TLS TLS TLS TLS TLS"
      },
      "with an encrypted RSA key": {
        user: "cert_user",
        keys: { ...rsa, sslkey: paths.rsaEncrypted, sslpassword: KEY_PASSWORD },
        is: "no TLS TLS TLS TLS TLS"
      },
      "with a wrong password for its key": {
        user: "cert_user",
        keys: { ...ec, sslkey: paths.ecEncrypted, sslpassword: "wrong" },
        is: "no no no no no no"
      },
      "with the key of another certificate": {
        user: "cert_user",
        keys: { ...ec, sslkey: rsa.sslkey },
        is: "no no no no no no"
      },
      "for another role": { user: "cert_user", keys: presented(clients.other, "other"), is: "no no no no no no" },
      "of a stranger": {
        user: "cert_user",
        keys: presented(clients.ofStranger, "ofStranger"),
        is: "no no no no no no"
      },
      "with its intermediate authority": {
        user: "cert_user",
        keys: presented(clients.byIntermediate, "byIntermediate", intermediate),
        is: "no TLS TLS TLS TLS TLS"
      },
      "that is not to be sent": { user: "cert_user", keys: { ...ec, sslcertmode: "disable" }, is: "no no no no no no" },
      "that must be sent": { user: "cert_user", keys: { ...ec, sslcertmode: "require" }, is: "no TLS TLS TLS TLS TLS" },
      "that must be sent, where it is not needed": {
        keys: { ...ec, sslcertmode: "require" },
        is: "no no TLS TLS TLS TLS"
      },
      "that must be sent, but is missing": { keys: { sslcertmode: "require" }, is: "no no no no no no" }
    }
  ]
]

/** Servers that are none, or lie. */
export const actors: ReadonlyArray<readonly [what: string, part: TlsPart, Row]> = [
  ["a server without TLS", { answer: Buffer.from("N"), after: "no TLS" }, { is: "clear clear clear no no no" }],
  [
    "a server that says S and goes on in the clear",
    { answer: Buffer.from("S"), after: "no TLS" },
    { is: "clear clear clear no no no" }
  ],
  [
    "a server that says S and then nonsense",
    { answer: Buffer.from("S"), after: Buffer.from("nonsense, and more of it") },
    { is: "clear clear clear no no no" }
  ],
  [
    "a server that says S and leaves",
    { answer: Buffer.from("S"), after: Buffer.alloc(0) },
    { is: "clear clear clear no no no" }
  ],
  [
    "a server that says more than S",
    { answer: Buffer.from("Sx"), after: { cert: right.certificate, key: right.key } },
    { is: "clear clear no no no no" }
  ],
  [
    "a server that says more than S, and has no TLS",
    { answer: Buffer.from("Sx"), after: "no TLS" },
    {
      is: "clear clear no no no no",
      libpq: ["clear clear clear no no no", "libpq sees the failed handshake first, this client the byte too many"]
    }
  ],
  ["a server that says more than N", { answer: Buffer.from("Nx"), after: "no TLS" }, { is: "clear clear no no no no" }],
  [
    "a server that answers with an error",
    { answer: Buffer.from("E\0\0\0\x04"), after: "no TLS" },
    { is: "clear clear no no no no" }
  ],
  [
    "a server that leaves when asked for TLS",
    { answer: undefined, after: "no TLS" },
    { is: "clear clear no no no no" }
  ],
  [
    "a server that asks for no certificate, which must be sent",
    { answer: Buffer.from("S"), after: { cert: right.certificate, key: right.key } },
    { keys: { ...ec, sslcertmode: "require" }, is: "no no no no no no" }
  ],
  [
    "a server that asks for a certificate, which must be sent",
    {
      answer: Buffer.from("S"),
      after: { cert: right.certificate, key: right.key, requestCert: true, rejectUnauthorized: false }
    },
    { keys: { ...ec, sslcertmode: "require" }, is: "no no TLS TLS TLS TLS" }
  ],
  [
    "a server that chooses another protocol by ALPN",
    { answer: Buffer.from("S"), after: { cert: right.certificate, key: right.key, ALPNProtocols: ["http/1.1"] } },
    { is: "clear clear clear no no no" }
  ],
  [
    "a server that knows nothing of ALPN",
    { answer: Buffer.from("S"), after: { cert: right.certificate, key: right.key } },
    { is: "clear clear TLS TLS TLS TLS" }
  ]
]
