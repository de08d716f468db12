/**
 * Checks that a certificate is for the host that the user named, by libpq's rules. They differ from Node's: an address
 * may also be in a DNS entry, the common name counts if there is no entry of the host's kind, `*` stands for one whole
 * label on the left, and a dot at the end is not removed.
 */
import { Buffer } from "node:buffer"
import { X509Certificate } from "node:crypto"
import { certificateNames } from "./certificate.ts"

/** Why the certificate is not for the host; undefined if it is. `isAddress` says that the host is an IP address. */
export const hostMismatch = (der: Buffer, host: string, isAddress: boolean): string | undefined => {
  if (host === "") return "verify-full needs the name of the host, which the certificate has to contain"
  const { commonName, dns, hasAddresses } = certificateNames(der)
  if (isAddress && hasAddresses && new X509Certificate(der).checkIP(host) !== undefined) return undefined
  const hasKind = isAddress ? hasAddresses : dns.length > 0
  const names = hasKind || commonName === undefined ? dns : [...dns, commonName]
  // The C strings of others end at a NUL, so a name with one could look different to its authority.
  if (names.some((name) => name.includes("\0"))) return "a name in the server's certificate contains a NUL"
  const wanted = lowerCase(Buffer.from(host).toString("latin1"))
  return names.some((name) => matches(lowerCase(name), wanted))
    ? undefined
    : `the server's certificate is for another host than ${host}`
}

/** Only ASCII has another case here, as in DNS. */
const lowerCase = (text: string): string => text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())

const matches = (pattern: string, host: string): boolean => {
  if (pattern === host) return true
  if (!pattern.startsWith("*.") || pattern.length < 3) return false
  const dot = host.indexOf(".")
  return dot > 0 && host.slice(dot) === pattern.slice(1)
}
