/** Authenticates the client: has the server's method checked, and answers it. */
import type { Buffer } from "node:buffer"
import { createHash } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { AuthMethod } from "../../../config/requireAuth.ts"
import * as PgError from "../../../PgError.ts"
import { encodePassword } from "../../../wire/coldMessages.ts"
import type { Transport } from "../../engine/transport.ts"
import { allowed, type AllowedMethods } from "./allowedMethods.ts"
import { type Credentials, encoded, nextRequest, passwordOf } from "./credentials.ts"
import { sasl } from "./sasl.ts"
import type { Inbox } from "../startupInbox.ts"

export interface AuthenticationOptions extends AllowedMethods, Credentials {}

/** Answers the server's requests until AuthenticationOk. */
export const authenticate = Effect.fnUntraced(function* (
  transport: Transport,
  inbox: Inbox,
  options: AuthenticationOptions
): Effect.fn.Return<void, PgError.PgError> {
  const request = yield* nextRequest(inbox)
  yield* allowed(request, transport, options)
  switch (request._tag) {
    case "Ok":
      return
    case "CleartextPassword":
      transport.write(yield* passwordMessage("password", Redacted.value(yield* passwordOf(options))))
      break
    case "MD5Password": {
      const password = Redacted.value(yield* passwordOf(options))
      transport.write(yield* passwordMessage("md5", md5Password(options.user, password, request.salt)))
      break
    }
    case "SASL":
      return yield* sasl(transport, inbox, request.mechanisms, options)
    default:
      return yield* new PgError.ProtocolError({ received: `Authentication${request._tag}`, expected: FIRST_REQUEST })
  }
  const answer = yield* nextRequest(inbox)
  if (answer._tag !== "Ok") {
    return yield* new PgError.ProtocolError({ received: `Authentication${answer._tag}`, expected: "AuthenticationOk" })
  }
})

const FIRST_REQUEST = "AuthenticationOk or a request for a password"

const passwordMessage = (method: AuthMethod, password: string): Effect.Effect<Buffer, PgError.AuthenticationError> =>
  encoded(
    () => encodePassword(password),
    (reason) => new PgError.AuthenticationError({ method, reason })
  )

/** "md5" and md5(md5(password + user) + salt). */
const md5Password = (user: string, password: string, salt: Buffer): string => {
  const inner = createHash("md5").update(password).update(user).digest("hex")
  return `md5${createHash("md5").update(inner).update(salt).digest("hex")}`
}
