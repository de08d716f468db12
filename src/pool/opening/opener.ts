/** Opens the sessions of a pool, each in a scope of its own, so that a session that has ended leaves nothing behind. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import * as PgConfig from "../../PgConfig.ts"
import * as PgError from "../../PgError.ts"
import type { KnownHosts } from "../../session/opening/knownHosts.ts"
import { connect } from "../../session/opening/connect.ts"
import type { KnownDatabases } from "../../session/types/knownDatabase.ts"
import type { Session } from "../../session/engine/session.ts"
import { type Hooks, runHook } from "../hooks.ts"
import type { Member } from "../member.ts"
import type { Timers } from "../timers.ts"
import { isFit } from "./fitness.ts"
import { checkSession } from "../../session/transaction/startupCheck.ts"

/** What the sessions of a pool share. */
export interface Shared {
  readonly databases: KnownDatabases
  readonly hosts: KnownHosts
}

/** Opens a session in the scope, with the pool's settings and those that `onConnect` provides for each connection. */
export const connector = (
  config: PgConfig.ResolvedConfig,
  { databases, hosts }: Shared,
  settings: Effect.Effect<PgConfig.Settings, PgError.PgError> | undefined
): Effect.Effect<Session, PgError.PgError, Scope.Scope> => {
  if (settings === undefined) return connect(config, databases, checkSession, hosts)
  return Effect.flatMap(Effect.flatMap(settings, PgConfig.resolve), (resolved) =>
    // All connections use the same codecs object, because they share what they know about types by its identity.
    connect({ ...resolved, types: config.types }, databases, checkSession, hosts)
  )
}

/** Opens one more session, and reports the result. */
export type OpenMember = (done: (opened: Exit.Exit<Member, PgError.PgError>) => void) => void

export interface OpenerOptions {
  readonly hosts: KnownHosts
  readonly connect: Effect.Effect<Session, PgError.PgError, Scope.Scope>
  /** The parent of the sessions' scopes. */
  readonly sessions: Scope.Scope
  readonly timers: Timers
  /** 0 means no limit. */
  readonly maxLifetimeMillis: number
  readonly generation: () => number
  readonly init: Hooks["init"]
}

export const memberOpener = Effect.fnUntraced(function* (options: OpenerOptions): Effect.fn.Return<OpenMember> {
  // A connection serves many: its span does not belong to the trace in which the pool happened to be made.
  const run = Effect.runForkWith(Context.omit(Tracer.ParentSpan)(yield* Effect.context<never>()))
  const open = Effect.gen(function* () {
    const generation = options.generation()
    const scope = yield* Scope.fork(options.sessions)
    const close = Scope.close(scope, Exit.void)
    const member = yield* options.connect.pipe(
      Effect.flatMap((session) => initialised(session, generation, options)),
      Scope.provide(scope),
      Effect.onError(() => close)
    )
    member.session.onEnd(() => run(close))
    return member
  })
  return (done) => {
    const answered = Effect.onExit(open, (exit) => Effect.sync(() => done(exit)))
    run(Effect.forkIn(answered, options.sessions))
  }
})

const initialised = Effect.fnUntraced(function* (
  session: Session,
  generation: number,
  { hosts, init, maxLifetimeMillis, timers }: OpenerOptions
): Effect.fn.Return<Member, PgError.PgError> {
  if (init !== undefined) yield* runHook(session, "init", init)
  session.residue.cleaned()
  const now = timers.now()
  const expiresAt = maxLifetimeMillis === 0 ? Infinity : now + maxLifetimeMillis * (1 - Math.random() * MAX_JITTER)
  const { catalogue } = session
  const place = hosts.placeOf(session)
  const member: Member = {
    session,
    generation,
    expiresAt,
    catalogue,
    place,
    earlyReset: undefined,
    uses: 0,
    idleSince: now
  }
  return isFit(member) ? member : yield* unfitAtOnce(session)
})

/** A pool that lends no such session would open one after the other, so this is a failure, after which it pauses. */
const unfitAtOnce = ({ observer: { target } }: Session): PgError.ConnectError => {
  const place = { host: target.address, port: target.port, address: undefined, stage: "startup" } as const
  const reason = "has not the role of targetSessionAttrs any more, after the init hook"
  return new PgError.ConnectError({ stage: "startup", attempts: [{ ...place, reason }] })
}

/** The largest fraction of its lifetime that a connection may lose at random, so that not all end at once. */
const MAX_JITTER = 0.1
