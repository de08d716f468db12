/** The server's part of SCRAM-SHA-256 (RFC 5802), for one password. */
import { Buffer } from "node:buffer"
import { createHash, createHmac, pbkdf2Sync, timingSafeEqual } from "node:crypto"
import type { FrontendMessage } from "./peer.ts"

const hmac = (key: Uint8Array, text: string): Buffer => createHmac("sha256", key).update(text).digest()

const SALT = "c2FsdC1vZi10aGUtdGVzdA=="

export class ScramServer {
  readonly iterations: number
  private readonly password: string
  private clientFirstBare = ""
  private challenge = ""

  constructor(password: string, iterations = 4_096) {
    this.password = password
    this.iterations = iterations
  }

  /** The challenge to a SASLInitialResponse (String mechanism, Int32 length, the client-first-message). */
  challengeTo({ body }: FrontendMessage): string {
    const message = body.toString("utf8", body.indexOf(0) + 5)
    this.clientFirstBare = message.replace(/^[nyp][^,]*,[^,]*,/, "")
    this.challenge = `r=${this.nonce}and-the-server's-part,s=${SALT},i=${this.iterations}`
    return this.challenge
  }

  /** The client's part of the nonce. */
  get nonce(): string {
    return /r=([^,]*)/.exec(this.clientFirstBare)?.[1] ?? ""
  }

  /** The answer to the client's proof; undefined if the proof is malformed. */
  proofFor({ body }: FrontendMessage): string | undefined {
    const [withoutProof = "", proof = ""] = body.toString("utf8").split(",p=")
    const authMessage = `${this.clientFirstBare},${this.challenge},${withoutProof}`
    const salted = pbkdf2Sync(this.password, Buffer.from(SALT, "base64"), this.iterations, 32, "sha256")
    const clientKey = hmac(salted, "Client Key")
    const signature = hmac(createHash("sha256").update(clientKey).digest(), authMessage)
    const expected = Buffer.from(clientKey.map((byte, index) => byte ^ signature[index]!))
    const actual = Buffer.from(proof, "base64")
    if (actual.length !== expected.length || !timingSafeEqual(actual, expected)) return undefined
    return `v=${hmac(hmac(salted, "Server Key"), authMessage).toString("base64")}`
  }
}
