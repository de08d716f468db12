/**
 * The data that binds an authentication to the TLS connection which carries it: `tls-server-end-point` of RFC 5929, the
 * hash of the server's certificate.
 */
import type { Buffer } from "node:buffer"
import { createHash } from "node:crypto"
import { signatureDigest } from "./certificate.ts"

/**
 * The hash of the certificate, with the digest of its own signature; SHA-256 stands in for MD5 and SHA-1. Undefined if
 * the signature has no digest of its own, so that nobody can say which to use.
 */
export const serverEndPoint = (der: Buffer): Buffer | undefined => {
  const digest = signatureDigest(der)
  if (digest === undefined) return undefined
  return createHash(digest === "md5" || digest === "sha1" ? "sha256" : digest)
    .update(der)
    .digest()
}
