/**
 * Agrees with the server on a version of the protocol. A server that knows what the startup message asks for says
 * nothing; an older one names the version that it speaks, in its first message, and goes on with it.
 */
import * as Effect from "effect/Effect"
import type { ResolvedConfig } from "../../PgConfig.ts"
import * as PgError from "../../PgError.ts"
import { Backend, ProtocolVersion, type VersionOffer } from "../../wire/backendMessage.ts"
import { decodeNegotiateProtocolVersion } from "../../wire/coldMessages.ts"
import type { ErrorFields } from "../../wire/errorFields.ts"
import { failureAt, type Transport } from "../engine/transport.ts"
import type { Inbox } from "./startupInbox.ts"

export type WantedVersions = Pick<ResolvedConfig, "minProtocolVersion" | "maxProtocolVersion">

/** The version that both speak, after the startup message has asked for `maxProtocolVersion`. */
export const negotiatedVersion = Effect.fnUntraced(function* (
  transport: Transport,
  inbox: Inbox,
  { maxProtocolVersion, minProtocolVersion }: WantedVersions
): Effect.fn.Return<ProtocolVersion, PgError.PgError> {
  const asked = ProtocolVersion[maxProtocolVersion]
  if (asked !== ProtocolVersion["3.0"]) inbox.hintFor = hintForNewVersion
  const frame = yield* inbox.next
  if (frame.type !== Backend.NegotiateProtocolVersion) {
    inbox.giveBack(frame)
    return asked
  }
  const offer = yield* inbox.read(() => decodeNegotiateProtocolVersion(frame.body, 0, frame.body.length))
  const version = yield* versionOf(offer, asked)
  if (version >= ProtocolVersion[minProtocolVersion]) return version
  const reason = `the server speaks no newer protocol than ${nameOf(version)}, but minProtocolVersion is ${minProtocolVersion}`
  return yield* failureAt(transport.address, "startup", reason)
})

/**
 * What does not know 3.2 should talk the client down, but PgBouncer 1.18 says that the packet is bad, and Pgpool-II 4.3
 * that the password is.
 */
const hintForNewVersion = ({ code }: ErrorFields): string | undefined =>
  NOT_UNDERSTOOD.has(code)
    ? "Perhaps the server, or a pooler before it, does not speak protocol 3.2: leave maxProtocolVersion at 3.0."
    : undefined

const NOT_UNDERSTOOD: ReadonlySet<string> = new Set(["08P01", "0A000", "XX000"])

/** The client has asked for no protocol options, and for no version that does not exist. */
const versionOf = (
  { unknownOptions, version }: VersionOffer,
  asked: ProtocolVersion
): Effect.Effect<ProtocolVersion, PgError.ProtocolError> => {
  const known = KNOWN.find((each) => each === version)
  const received =
    unknownOptions.length > 0
      ? "a NegotiateProtocolVersion about options that were not asked for"
      : `a NegotiateProtocolVersion for ${nameOf(version)}`
  return known === undefined || known >= asked || unknownOptions.length > 0
    ? Effect.fail(new PgError.ProtocolError({ received, expected: `a version before ${nameOf(asked)}` }))
    : Effect.succeed(known)
}

const KNOWN: ReadonlyArray<ProtocolVersion> = Object.values(ProtocolVersion)

const nameOf = (version: number): string => `${version >> 16}.${version & 0xffff}`
