/** Opens the connection of a replication stream, checks that the slot has what is needed, and begins to stream. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { formatLsn, lsnOf } from "../call/lsn.ts"
import { passed } from "../call/realTime.ts"
import * as PgError from "../PgError.ts"
import { lostWith } from "../session/engine/lostErrors.ts"
import type { Session } from "../session/engine/session.ts"
import { createSlotCommand, openReplication, startCommand } from "../session/replication/commands.ts"
import { connect } from "../session/opening/connect.ts"
import { type LogStream, type Progress, startLog } from "../session/replication/logStream.ts"
import { textRows } from "../session/replication/textRows.ts"
import type { Settings } from "./options.ts"
import {
  checkKind,
  checkPublications,
  describeServer,
  noSlot,
  type Server,
  slotLost,
  type SlotState,
  slotState
} from "./preflight.ts"

/** A server that streams, and how to end that. */
export interface Streaming {
  readonly log: LogStream
  readonly session: Session
  readonly server: Server
  readonly close: Effect.Effect<void>
}

/** What a stream that goes on has read before. */
export interface Earlier {
  readonly systemId: string
  /** The position behind the last commit that was read. */
  readonly read: bigint
  readonly acknowledged: bigint
  /** Whether values shall come as texts. */
  readonly isTextual: boolean
}

/** How long the server may go on to send after it was asked to end the stream. */
const END_MILLIS = 1_000

/**
 * Opens a connection and streams. `progressFrom` is called with the position up to which the server knows everything to
 * be acknowledged, before the first report. Everything is closed if that fails or is interrupted. Otherwise `keep` gets
 * what is open, so that no interruption can come between.
 */
export const openStream = (
  settings: Settings,
  earlier: Earlier | undefined,
  progressFrom: (confirmed: bigint) => Progress,
  keep: (streaming: Streaming) => void
): Effect.Effect<void, PgError.PgError> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Scope.make(), (scope) =>
      streamIn(settings, earlier, progressFrom, scope).pipe(
        Scope.provide(scope),
        restore,
        Effect.onExit((exit) => (Exit.isSuccess(exit) ? Effect.void : Scope.close(scope, exit))),
        Effect.map(keep)
      )
    )
  )

const streamIn = Effect.fnUntraced(function* (
  settings: Settings,
  earlier: Earlier | undefined,
  progressFrom: (confirmed: bigint) => Progress,
  scope: Scope.Closeable
): Effect.fn.Return<Streaming, PgError.PgError, Scope.Scope> {
  const checked = yield* Effect.scoped(
    Effect.flatMap(connect(settings.config), (session) => check(session, settings, earlier))
  )
  const { server } = checked
  const session = yield* openReplication(settings.config)
  const confirmed = checked.confirmed ?? (yield* makeTemporary(session, settings.slot))
  const progress = progressFrom(confirmed)
  const { walSenderTimeoutMillis: timeout } = server
  const log = yield* startLog(
    session,
    startCommand({ ...settings, isBinary: earlier?.isTextual !== true, from: formatLsn(progress.flushed) }),
    {
      progress,
      statusMillis: timeout === 0 ? settings.statusMillis : Math.min(settings.statusMillis, timeout / 3),
      silenceMillis: settings.silenceMillis,
      maxWaitingBytes: settings.bufferBytes
    }
  ).pipe(Effect.mapError((error) => lossOf(error, settings, earlier)))
  yield* Effect.addFinalizer(() => log.endWithin(END_MILLIS))
  yield* Effect.forkScoped(Effect.interruptible(release(settings, session, log)))
  return { log, session, server, close: Scope.close(scope, Exit.void) }
})

/** How often a stream that is not read looks at its slot, if no time is set after which the server counts as lost. */
const LOOK_MILLIS = 60_000

/**
 * Gives the connection up if nothing is read from it and the server wants to give the slot up. The process that sends the
 * log would wait for the reader to take its last message, and the checkpointer of the server for that process.
 */
const release = (settings: Settings, session: Session, log: LogStream): Effect.Effect<void> => {
  const millis = settings.silenceMillis === 0 ? LOOK_MILLIS : settings.silenceMillis
  const state = Effect.scoped(Effect.flatMap(connect(settings.config), (other) => slotState(other, settings.slot)))
  return Effect.gen(function* () {
    while (session.lost === undefined) {
      yield* passed(millis)
      if (log.pausedMillis < millis) continue
      const slot = yield* Effect.orElseSucceed(state, () => undefined)
      if (slot?.isEndangered === true && log.pausedMillis >= millis) {
        session.die(lostWith("the slot keeps more of the log than the server allows, and the reader takes nothing"))
      }
    }
  })
}

/** What the server is, and up to where it knows everything to be acknowledged; undefined if the slot is to be made. */
interface Checked {
  readonly server: Server
  readonly confirmed: bigint | undefined
}

/** Checks on a normal session. */
const check = Effect.fnUntraced(function* (
  session: Session,
  settings: Settings,
  earlier: Earlier | undefined
): Effect.fn.Return<Checked, PgError.PgError> {
  const { config, slot: name, temporary } = settings
  const server = yield* describeServer(session)
  if (earlier === undefined) {
    yield* checkPublications(session, settings)
    yield* checkAfter(settings, server)
  }
  if (temporary && earlier === undefined) return { server, confirmed: undefined }
  const acknowledged = earlier?.acknowledged
  if (temporary) return yield* slotLost(name, "missing", "it was temporary, and its connection has ended", acknowledged)
  if (earlier !== undefined && earlier.systemId !== server.systemId) {
    return yield* slotLost(name, "otherServer", "the server belongs to another cluster", acknowledged)
  }
  const slot = yield* slotState(session, name)
  if (slot === undefined) {
    return yield* earlier === undefined
      ? noSlot(name)
      : slotLost(name, "missing", "the server does not have it", acknowledged)
  }
  yield* checkKind(slot, config.database)
  return { server, confirmed: yield* checkPosition(slot, server, earlier) }
})

/** Returns the position from which on the slot has the changes. */
const makeTemporary = (session: Session, name: string): Effect.Effect<bigint, PgError.PgError> =>
  Effect.map(
    textRows(session, createSlotCommand(session, { name, temporary: true, failover: false, snapshot: "nothing" })),
    ([row]) => lsnOf(row?.["consistent_point"]) ?? 0n
  )

/** A position that the server has not reached is of another history, and everything up to it would be left out. */
const checkAfter = ({ after = 0n, slot }: Settings, { position }: Server): Effect.Effect<void, PgError.PgError> => {
  if (after <= position) return Effect.void
  const ends = `the log of the server ends at ${formatLsn(position)}`
  const reason = `${ends}, before ${formatLsn(after)}, after which the stream was to begin`
  return Effect.fail(slotLost(slot, "diverged", reason, after))
}

const checkPosition = (
  slot: SlotState,
  server: Server,
  earlier: Earlier | undefined
): Effect.Effect<bigint, PgError.PgError> => {
  const { confirmed, invalidation, name } = slot
  if (invalidation !== undefined) {
    return Effect.fail(slotLost(name, "invalidated", invalidation, earlier?.acknowledged ?? confirmed))
  }
  if (earlier === undefined) return Effect.succeed(confirmed)
  if (confirmed > earlier.acknowledged) {
    const moved = `something has moved it to ${formatLsn(confirmed)}`
    return Effect.fail(slotLost(name, "advanced", moved, earlier.acknowledged))
  }
  if (server.position < earlier.read) {
    const behind = `the log of the server ends at ${formatLsn(server.position)}, before what was read`
    return Effect.fail(slotLost(name, "diverged", behind, earlier.acknowledged))
  }
  return Effect.succeed(confirmed)
}

const NO_LONGER = /can no longer|invalidated/

/** The slot may be lost between the check and the start. */
const lossOf = (error: PgError.PgError, { slot }: Settings, earlier: Earlier | undefined): PgError.PgError => {
  const acknowledged = earlier?.acknowledged
  if (error._tag === "ObjectNotInPrerequisiteStateError" && PgError.isPostgresError(error)) {
    if (NO_LONGER.test(error.message)) return slotLost(slot, "invalidated", error.message, acknowledged)
  }
  return error
}
