/**
 * SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677) as three pure steps: the client's first message, its answer to the server's
 * challenge, and the check that the server knows the password, too. Nothing here uses a socket. The keys come from
 * `scramKeys.ts`, because it is slow to derive them.
 */
import type { Buffer } from "node:buffer"
import { Buffer as NodeBuffer } from "node:buffer"
import { createHash, createHmac, createSecretKey, type KeyObject, timingSafeEqual } from "node:crypto"
import { ProtocolViolation } from "../../../wire/failure.ts"

export const SCRAM_SHA_256 = "SCRAM-SHA-256"
export const SCRAM_SHA_256_PLUS = "SCRAM-SHA-256-PLUS"

/**
 * What the client says of channel binding: it does not want it or cannot do it (`n`), it could, but the server does not
 * offer it (`y`), or it is done (`p`), with this hash of the server's certificate. A server that has offered it refuses a
 * `y`, which shows that somebody has removed the offer.
 */
export type ChannelBinding = { readonly flag: "n" | "y" } | { readonly flag: "p"; readonly serverEndPoint: Buffer }

/** The flag, and no authorization identity. */
const gs2Header = ({ flag }: ChannelBinding): string => `${flag === "p" ? "p=tls-server-end-point" : flag},,`

const MAX_SERVER_FIRST_CHARACTERS = 4096

export interface ClientFirst {
  readonly nonce: string
  readonly binding: ChannelBinding
  /** client-first-message: the GS2 header, an empty user name (the startup message has it), and the nonce. */
  readonly message: string
}

export const clientFirst = (nonce: string, binding: ChannelBinding): ClientFirst => ({
  nonce,
  binding,
  message: `${gs2Header(binding)}n=,r=${nonce}`
})

export interface ServerFirst {
  readonly message: string
  readonly nonce: string
  readonly salt: Buffer
  readonly iterations: number
}

/** Reads `r=<nonce>,s=<salt>,i=<iterations>`, and refuses anything else, in content or in order. */
export const readServerFirst = (message: string, first: ClientFirst, maxIterations: number): ServerFirst => {
  if (message.length > MAX_SERVER_FIRST_CHARACTERS) throw new ProtocolViolation("a SCRAM challenge that is too long")
  const match = /^r=([!-+\--~]+),s=([A-Za-z0-9+/]+={0,2}),i=([1-9][0-9]{0,9})$/.exec(message)
  if (match === null) throw new ProtocolViolation("a SCRAM challenge that does not have the form r=,s=,i=")
  const [, nonce = "", salt = "", iterations = ""] = match
  if (!nonce.startsWith(first.nonce) || nonce.length === first.nonce.length) {
    throw new ProtocolViolation("a SCRAM challenge that does not continue the client's nonce")
  }
  if (Number(iterations) > maxIterations) {
    throw new ProtocolViolation(
      `a SCRAM challenge with ${iterations} iterations, where the client accepts at most ${maxIterations}`
    )
  }
  return { message, nonce, salt: NodeBuffer.from(salt, "base64"), iterations: Number(iterations) }
}

export interface ClientFinal {
  readonly message: string
  /** What the server must answer to prove that it knows the password. */
  readonly serverSignature: Buffer
}

/** What both sides derive from a password, the salt and the number of iterations. */
export interface Keys {
  readonly clientKey: Buffer
  readonly storedKey: KeyObject
  readonly serverKey: KeyObject
}

/** `saltedPassword` is PBKDF2-HMAC-SHA-256 of the prepared password with the server's salt and iterations, 32 bytes. */
export const keysOf = (saltedPassword: Buffer): Keys => {
  const salted = createSecretKey(saltedPassword)
  const clientKey = hmac(salted, "Client Key")
  return {
    clientKey,
    storedKey: createSecretKey(createHash("sha256").update(clientKey).digest()),
    serverKey: createSecretKey(hmac(salted, "Server Key"))
  }
}

export const clientFinal = (first: ClientFirst, challenge: ServerFirst, keys: Keys): ClientFinal => {
  const { binding } = first
  const header = gs2Header(binding)
  const bound = NodeBuffer.concat([
    NodeBuffer.from(header),
    binding.flag === "p" ? binding.serverEndPoint : NodeBuffer.alloc(0)
  ])
  const withoutProof = `c=${bound.toString("base64")},r=${challenge.nonce}`
  const authMessage = `${first.message.slice(header.length)},${challenge.message},${withoutProof}`
  const clientSignature = hmac(keys.storedKey, authMessage)
  const proof = keys.clientKey.map((byte, index) => byte ^ clientSignature[index]!)
  return {
    message: `${withoutProof},p=${NodeBuffer.from(proof).toString("base64")}`,
    serverSignature: hmac(keys.serverKey, authMessage)
  }
}

/** Whether the server-final-message is the expected proof. */
export const isServerProof = (message: string, final: ClientFinal): boolean => {
  const match = /^v=([A-Za-z0-9+/]+={0,2})$/.exec(message)
  if (match === null) return false
  const signature = NodeBuffer.from(match[1]!, "base64")
  return signature.length === final.serverSignature.length && timingSafeEqual(signature, final.serverSignature)
}

/** With a `KeyObject` this takes a fourth of the time that it takes with bytes. */
const hmac = (key: KeyObject, text: string): Buffer => createHmac("sha256", key).update(text).digest()
