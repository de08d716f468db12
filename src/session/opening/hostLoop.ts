/**
 * Tries the hosts of a configuration until one gives a session: in the configured order or a random one, every address
 * of each name, each within `connectTimeout`. An address that has not answered lately is tried last, and not for long.
 *
 * As in libpq, a host that cannot be reached, refuses to serve or has another role is passed over, and a wrong password
 * is final. Unlike in libpq, the other addresses of a name are tried too if one has another role.
 */
import * as Effect from "effect/Effect"
import { timeoutOrElse } from "../../call/realTime.ts"
import type { HostAddress, ResolvedConfig } from "../../PgConfig.ts"
import * as PgError from "../../PgError.ts"
import type { Session } from "../engine/session.ts"
import type { KnownHosts } from "./knownHosts.ts"
import { Lookup } from "./lookup.ts"
import { attemptsOf, type Candidate, placeAt, placed } from "./place.ts"
import type { Role } from "./role.ts"

/** A server that was reached and has another role. */
export class Misfit {
  /** What it is. */
  readonly reason: string

  constructor(reason: string) {
    this.reason = reason
  }
}

/** Tries one address. If it is interrupted, it leaves nothing open. */
export type Try = (candidate: Candidate, role: Role) => Effect.Effect<Session | Misfit, PgError.PgError>

/** What has been tried in vain, and what is being tried, for the report of a failure. */
export interface Search {
  readonly attempts: Array<PgError.ConnectAttempt>
  place: PgError.ConnectPlace
  waitingFor: string
}

export const firstHost = Effect.fnUntraced(function* (
  config: ResolvedConfig,
  known: KnownHosts,
  search: Search,
  tryOne: Try
): Effect.fn.Return<Session, PgError.PgError> {
  const { attempts } = search
  const misfits: Array<Candidate> = []
  let answer: PgError.PgError | undefined

  /** Fails only if no other host can do. */
  const one = Effect.fnUntraced(function* (
    candidate: Candidate,
    role: Role,
    millis = config.connectTimeoutMillis
  ): Effect.fn.Return<Session | undefined, PgError.PgError> {
    search.place = placeAt(candidate, "tcp")
    const silent = Effect.sync(() => known.noAnswer(candidate.address))
    const tried = bounded(tryOne(candidate, role), millis, search, silent)
    const exit = yield* Effect.result(tried)
    if (exit._tag === "Success") {
      known.answered(candidate.address)
      if (!(exit.success instanceof Misfit)) return exit.success
      misfits.push(candidate)
      attempts.push({ ...placeAt(candidate, "startup"), reason: exit.success.reason })
      return undefined
    }
    const error = placed(exit.failure, candidate)
    if (!anotherHostMayDo(error)) return yield* error
    if (error._tag !== "ConnectError") answer = error
    attempts.push(...attemptsOf(error, candidate))
    return undefined
  })

  const [first, second] = passesOf(config)
  const silent: Array<Candidate> = []
  for (const host of inOrder(config, config.hosts)) {
    for (const candidate of yield* candidatesOf(config, host, search)) {
      const session = known.isSilent(candidate.address) ? void silent.push(candidate) : yield* one(candidate, first)
      if (session !== undefined) return session
    }
  }
  for (const candidate of silent) {
    // Others have answered, and one of them may be what is wanted at the next attempt, which must not come late.
    const isShort = misfits.length > 0 || answer !== undefined
    const session = yield* one(candidate, first, config.connectTimeoutMillis / (isShort ? SHORTER : 1))
    if (session !== undefined) return session
  }
  // Only servers that have answered can do now. The others have just been asked.
  for (const candidate of second === undefined ? [] : misfits.splice(0)) {
    const session = yield* one(candidate, second ?? first)
    if (session !== undefined) return session
  }
  if (config.hosts.length === 1 && answer !== undefined) return yield* answer
  return yield* new PgError.ConnectError({ stage: attempts.at(-1)?.stage ?? "resolve", attempts })
})

/** If other hosts have answered, an address that has not done so lately gets only this part of the time. */
const SHORTER = 4

/** The roles that are asked for, one after the other. */
const passesOf = ({ targetSessionAttrs }: ResolvedConfig): readonly [Role, Role?] =>
  targetSessionAttrs === "prefer-standby" ? ["standby", "any"] : [targetSessionAttrs]

/** A host that cannot be reached, that is going away or that refuses to serve is passed over. */
export const anotherHostMayDo = (error: PgError.PgError): boolean => {
  switch (error._tag) {
    case "ConnectError":
    case "ConnectionLostError":
    case "CannotConnectNowError":
    case "TooManyConnectionsError":
    case "AdminShutdownError":
    case "CrashShutdownError":
      return true
    default:
      return false
  }
}

/** The addresses of a host; none if its name is unknown, which is then one of the attempts. */
const candidatesOf = (
  config: ResolvedConfig,
  host: HostAddress,
  search: Search
): Effect.Effect<ReadonlyArray<Candidate>, PgError.PgError> => {
  if (host._tag === "Unix") return Effect.succeed([{ host, address: { _tag: "Unix", path: host.path } }])
  const { host: name, port } = host
  const addressed = (address: string): Candidate => ({ host, address: { _tag: "Tcp", name, host: address, port } })
  if (host.address !== undefined) return Effect.succeed([addressed(host.address)])
  const place = { host: name, port, address: undefined, stage: "resolve" } as const
  search.place = place
  search.waitingFor = "the addresses of the name"
  const found = Effect.flatMap(Lookup, (lookup) => lookup(name)).pipe(
    Effect.mapError((error) => connectError({ ...place, reason: error.code ?? error.message })),
    Effect.map((addresses) => inOrder(config, [...new Set(addresses)].map(addressed)))
  )
  return Effect.catch(bounded(found, config.connectTimeoutMillis, search), (error) => {
    search.attempts.push(...error.attempts)
    return Effect.succeed([])
  })
}

const connectError = (attempt: PgError.ConnectAttempt): PgError.ConnectError =>
  new PgError.ConnectError({ stage: attempt.stage, attempts: [attempt] })

const bounded = <A, E>(
  effect: Effect.Effect<A, E>,
  millis: number,
  search: Search,
  timedOut: Effect.Effect<void> = Effect.void
): Effect.Effect<A, E | PgError.ConnectError> =>
  millis === 0
    ? effect
    : timeoutOrElse(effect, millis, () =>
        Effect.andThen(
          timedOut,
          Effect.suspend(() => Effect.fail(connectError(late(search, millis))))
        )
      )

/** What is reported of the address that was being tried when the time was over. */
export const late = ({ place, waitingFor }: Search, millis: number): PgError.ConnectAttempt => ({
  ...place,
  reason: `the client got no answer within ${millis} ms while it waited for ${waitingFor}`
})

/** As given, or shuffled (Fisher and Yates). */
const inOrder = <A>({ loadBalanceHosts }: ResolvedConfig, given: ReadonlyArray<A>): ReadonlyArray<A> => {
  if (loadBalanceHosts === "disable") return given
  const shuffled = [...given]
  for (let last = shuffled.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1))
    const moved = shuffled[last]!
    shuffled[last] = shuffled[other]!
    shuffled[other] = moved
  }
  return shuffled
}
