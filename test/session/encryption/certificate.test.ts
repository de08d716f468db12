import { assert, describe, it } from "@effect/vitest"
import { Buffer } from "node:buffer"
import { createHash } from "node:crypto"
import { certificateNames, signatureDigest } from "../../../src/session/encryption/certificate.ts"
import { hostMismatch } from "../../../src/session/encryption/certificateHost.ts"
import { serverEndPoint } from "../../../src/session/encryption/channelBinding.ts"
import { certificate, type CertificateOptions, type Digest } from "../../support/tls/certificates.ts"

const rsaAuthority = certificate({ subject: "authority", key: "rsa", isAuthority: true })
const ecAuthority = certificate({ subject: "authority", isAuthority: true })
const ed25519Authority = certificate({ subject: "authority", key: "ed25519", isAuthority: true })

const signed = (options: Partial<CertificateOptions>) =>
  certificate({ subject: "server", dns: ["db.example"], ...options })

const digests: ReadonlyArray<Digest> = ["md5", "sha1", "sha224", "sha256", "sha384", "sha512"]

/** Each signature, and the digest that tls-server-end-point uses for it. */
const signatures: ReadonlyArray<readonly [what: string, options: Partial<CertificateOptions>, digest: Digest]> = [
  ...digests.map((digest) => [`RSA and ${digest}`, { issuer: rsaAuthority, digest }, digest] as const),
  ...digests
    .filter((digest) => digest !== "md5")
    .map((digest) => [`ECDSA and ${digest}`, { issuer: ecAuthority, digest }, digest] as const),
  ...digests.map((digest) => [`RSASSA-PSS and ${digest}`, { issuer: rsaAuthority, digest, pss: true }, digest] as const)
]

describe("the signature of a certificate", () => {
  for (const [what, options, digest] of signatures) {
    it(`has its own digest: ${what}`, () => {
      assert.strictEqual(signatureDigest(signed(options).der), digest)
    })

    it(`decides the hash that binds a channel, with SHA-256 for the weak ones: ${what}`, () => {
      const { der } = signed(options)
      const used = digest === "md5" || digest === "sha1" ? "sha256" : digest
      assert.deepStrictEqual(serverEndPoint(der), createHash(used).update(der).digest())
    })
  }

  it("has no digest to bind to with Ed25519", () => {
    const { der } = signed({ issuer: ed25519Authority })
    assert.strictEqual(signatureDigest(der), undefined)
    assert.strictEqual(serverEndPoint(der), undefined)
  })

  it("is that of the certificate, and not of its key", () => {
    assert.strictEqual(signatureDigest(signed({ issuer: ecAuthority, key: "ed25519", digest: "sha384" }).der), "sha384")
  })
})

describe("the names of a certificate", () => {
  it("are its DNS entries, its common name, and whether it has addresses", () => {
    const { der } = signed({ dns: ["a.example", "*.b.example"], addresses: ["127.0.0.1", "::1"] })
    assert.deepStrictEqual(certificateNames(der), {
      dns: ["a.example", "*.b.example"],
      hasAddresses: true,
      commonName: "server"
    })
    assert.deepStrictEqual(certificateNames(signed({ dns: [] }).der), {
      dns: [],
      hasAddresses: false,
      commonName: "server"
    })
  })
})

describe("a certificate that is damaged", () => {
  it("has no names that it did not have, and throws nothing, whatever byte is changed or missing", () => {
    const { der } = signed({ dns: ["db.example"], addresses: ["127.0.0.1"] })
    for (let at = 0; at < der.length; at++) {
      for (const change of [0x00, 0x01, 0x7f, 0x80, 0x84, 0xff]) {
        const damaged = Buffer.from(der)
        damaged[at] = change
        certificateNames(damaged)
        signatureDigest(damaged)
      }
      certificateNames(der.subarray(0, at))
      assert.strictEqual(signatureDigest(der.subarray(0, at)), undefined)
    }
  })

  it("matches no host if it is none at all", () => {
    for (const bytes of [Buffer.alloc(0), Buffer.from("nonsense"), Buffer.of(0x30, 0x84, 0xff, 0xff, 0xff, 0xff)]) {
      assert.isString(hostMismatch(bytes, "db.example", false))
    }
  })
})
