/**
 * Reads what Node does not tell of a certificate (RFC 5280): the digest of its signature, and the names that it is for,
 * byte for byte. A part that cannot be read is as one that is not there, so that nothing matches it.
 *
 * ```
 * Certificate = SEQUENCE { tbs, signatureAlgorithm, signature }
 * tbs = SEQUENCE { [0] version?, serial, algorithm, issuer, validity, subject, key, [1]?, [2]?, [3] extensions? }
 * ```
 */
import type { Buffer } from "node:buffer"
import { derChildren, type DerElement, derElements, derObjectIdentifier, DerTag } from "./derReader.ts"

/** The names of a certificate, each as its bytes, one character for each byte. */
export interface CertificateNames {
  /** The DNS entries of the alternative names. */
  readonly dns: ReadonlyArray<string>
  readonly hasAddresses: boolean
  /** The first common name of the subject. */
  readonly commonName: string | undefined
}

export const certificateNames = (der: Buffer): CertificateNames => {
  const tbs = derChildren(partsOf(der)[0], DerTag.sequence)
  const alternatives = alternativeNames(tbs)
  return {
    dns: alternatives.filter(({ tag }) => tag === DNS_NAME).map(textOf),
    hasAddresses: alternatives.some(({ tag }) => tag === IP_ADDRESS),
    commonName: commonNameOf(tbs)
  }
}

/**
 * The name by which Node's crypto knows the digest that the certificate is signed with; undefined if the algorithm of
 * the signature has no digest of its own, as Ed25519, or is not known.
 */
export const signatureDigest = (der: Buffer): string | undefined => {
  const [algorithm, parameters] = derChildren(partsOf(der)[1], DerTag.sequence)
  const name = derObjectIdentifier(algorithm)
  return name === RSASSA_PSS ? pssDigest(parameters) : SIGNATURE_DIGESTS.get(name)
}

const partsOf = (der: Buffer): ReadonlyArray<DerElement> => derChildren(derElements(der)?.[0], DerTag.sequence)

const textOf = ({ content }: DerElement): string => content.toString("latin1")

/** GeneralName: `[2]` is dNSName, `[7]` is iPAddress. */
const DNS_NAME = DerTag.implicit(2)
const IP_ADDRESS = DerTag.implicit(7)
const SUBJECT_ALTERNATIVE_NAME = "2.5.29.17"
const COMMON_NAME = "2.5.4.3"

/** Extensions = SEQUENCE OF SEQUENCE { identifier, critical?, OCTET STRING }; the string holds SEQUENCE OF GeneralName. */
const alternativeNames = (tbs: ReadonlyArray<DerElement>): ReadonlyArray<DerElement> => {
  const wrapped = tbs.find(({ tag }) => tag === DerTag.context(3))
  const [extensions] = wrapped === undefined ? [] : (derElements(wrapped.content) ?? [])
  for (const extension of derChildren(extensions, DerTag.sequence)) {
    const fields = derChildren(extension, DerTag.sequence)
    const value = fields.at(-1)
    if (value === undefined || derObjectIdentifier(fields[0]) !== SUBJECT_ALTERNATIVE_NAME) continue
    return derChildren(derElements(value.content)?.[0], DerTag.sequence)
  }
  return []
}

/** Name = SEQUENCE OF SET OF SEQUENCE { identifier, text }. */
const commonNameOf = (tbs: ReadonlyArray<DerElement>): string | undefined => {
  const subject = tbs[tbs[0]?.tag === DerTag.context(0) ? 5 : 4]
  for (const set of derChildren(subject, DerTag.sequence)) {
    for (const attribute of derChildren(set, DerTag.set)) {
      const [type, value] = derChildren(attribute, DerTag.sequence)
      if (value !== undefined && derObjectIdentifier(type) === COMMON_NAME) return textOf(value)
    }
  }
  return undefined
}

const RSASSA_PSS = "1.2.840.113549.1.1.10"
const SHA_1 = "sha1"

/** RSASSA-PSS-params = SEQUENCE { [0] digest, SHA-1 if it is missing, ... }. */
const pssDigest = (parameters: DerElement | undefined): string | undefined => {
  const digest = derChildren(parameters, DerTag.sequence).find(({ tag }) => tag === DerTag.context(0))
  if (digest === undefined) return SHA_1
  const [algorithm] = derElements(digest.content) ?? []
  return DIGESTS.get(derObjectIdentifier(derChildren(algorithm, DerTag.sequence)[0]))
}

const DIGESTS: ReadonlyMap<string, string> = new Map([
  ["1.2.840.113549.2.5", "md5"],
  ["1.3.14.3.2.26", SHA_1],
  ["2.16.840.1.101.3.4.2.4", "sha224"],
  ["2.16.840.1.101.3.4.2.1", "sha256"],
  ["2.16.840.1.101.3.4.2.2", "sha384"],
  ["2.16.840.1.101.3.4.2.3", "sha512"]
])

const SIGNATURE_DIGESTS: ReadonlyMap<string, string> = new Map([
  ["1.2.840.113549.1.1.4", "md5"],
  ["1.2.840.113549.1.1.5", SHA_1],
  ["1.2.840.113549.1.1.14", "sha224"],
  ["1.2.840.113549.1.1.11", "sha256"],
  ["1.2.840.113549.1.1.12", "sha384"],
  ["1.2.840.113549.1.1.13", "sha512"],
  ["1.2.840.10045.4.1", SHA_1],
  ["1.2.840.10045.4.3.1", "sha224"],
  ["1.2.840.10045.4.3.2", "sha256"],
  ["1.2.840.10045.4.3.3", "sha384"],
  ["1.2.840.10045.4.3.4", "sha512"]
])
