/**
 * Starts a session on an open transport: sends the startup message, authenticates, and reads up to ReadyForQuery.
 *
 * ```
 * StartupMessage -> NegotiateProtocolVersion? -> authentication -> ParameterStatus..., BackendKeyData -> ReadyForQuery
 * ```
 */
import * as Effect from "effect/Effect"
import * as PgError from "../../PgError.ts"
import { Backend, type BackendKey, ProtocolVersion, TransactionStatus } from "../../wire/backendMessage.ts"
import { decodeBackendKeyData, encodeStartup } from "../../wire/coldMessages.ts"
import { MIN_SECRET_BYTES } from "../../wire/limits.ts"
import type { Frame, Inbox } from "./startupInbox.ts"
import { readParameterStatus } from "../engine/serverParameters.ts"
import type { Transport } from "../engine/transport.ts"
import { authenticate, type AuthenticationOptions } from "./authentication/authenticate.ts"
import { encoded } from "./authentication/credentials.ts"
import { negotiatedVersion, type WantedVersions } from "./protocolVersion.ts"

export interface StartupOptions extends AuthenticationOptions, WantedVersions {
  readonly parameters: ReadonlyMap<string, string>
}

/** What the server reported at startup. */
export interface Started {
  readonly parameters: ReadonlyMap<string, string>
  readonly key: BackendKey
}

export const startup = Effect.fnUntraced(function* (
  transport: Transport,
  inbox: Inbox,
  options: StartupOptions
): Effect.fn.Return<Started, PgError.PgError> {
  const newest = ProtocolVersion[options.maxProtocolVersion]
  transport.write(yield* encoded(() => encodeStartup(options.parameters, newest), notToBeSent))
  const version = yield* negotiatedVersion(transport, inbox, options)
  yield* authenticate(transport, inbox, options)
  return yield* untilReady(inbox, version)
})

const notToBeSent = (reason: string) => new PgError.InvalidConfigError({ setting: undefined, reason })

const untilReady = Effect.fnUntraced(function* (
  inbox: Inbox,
  version: ProtocolVersion
): Effect.fn.Return<Started, PgError.PgError> {
  const parameters = new Map<string, string>()
  let key: BackendKey | undefined
  while (true) {
    const frame: Frame = yield* inbox.next
    const { body, type } = frame
    switch (type) {
      case Backend.ParameterStatus:
        yield* inbox.read(() => readParameterStatus(parameters, body, 0, body.length))
        break
      case Backend.BackendKeyData:
        key = yield* inbox.read(() => decodeBackendKeyData(body, 0, body.length))
        if (version === ProtocolVersion["3.0"] && key.secret.length !== MIN_SECRET_BYTES) {
          return yield* inbox.refuse(frame, `a secret of ${MIN_SECRET_BYTES} bytes, as protocol 3.0 has it`)
        }
        break
      case Backend.ReadyForQuery:
        if (body.length !== 1 || body[0] !== TransactionStatus.idle)
          return yield* inbox.refuse(frame, "ReadyForQuery of an idle session")
        if (key === undefined) return yield* inbox.refuse(frame, "BackendKeyData")
        return { parameters, key }
      default:
        return yield* inbox.refuse(frame, "ParameterStatus, BackendKeyData or ReadyForQuery")
    }
  }
})
