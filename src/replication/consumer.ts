/**
 * Reads a replication slot: keeps a connection that streams, opens another one if it is lost, and hands over transactions
 * one after the other. Nothing is read ahead of the reader beyond the buffer of the connection.
 */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { formatLsn } from "../call/lsn.ts"
import * as PgError from "../PgError.ts"
import { isTransient, reconnectDelay } from "../pool/opening/reconnect.ts"
import { passed } from "../call/realTime.ts"
import type { LogItem, Progress } from "../session/replication/logStream.ts"
import { violation } from "../session/engine/lostErrors.ts"
import { ProtocolViolation, UnresolvedType } from "../wire/failure.ts"
import type { RelationMessage } from "../wire/copyData/logicalMessage.ts"
import { Acknowledgements } from "./acknowledgements.ts"
import { Assembler, type Received, type ReceivedChange } from "./assembler.ts"
import { ForeignValues, MissingTexts } from "./foreignValues.ts"
import { openStream, type Streaming } from "./connecting.ts"
import type { Settings } from "./options.ts"
import { TableReader, UnresolvedColumn } from "./tableReader.ts"
import { StreamTypes } from "./typeLookup.ts"

type Changes = Arr.NonEmptyReadonlyArray<ReceivedChange>

/** How many changes of a large transaction are handed over at once. */
const PIECE_CHANGES = 500

/** Looking up types may fail so often in a row before the stream fails. */
const MAX_LOOKUPS = 3

export class Consumer {
  readonly settings: Settings
  readonly acknowledgements: Acknowledgements
  private readonly foreign = new ForeignValues()
  private readonly assembler: Assembler
  private readonly types: StreamTypes
  private streaming: Streaming | undefined
  /** Whether the scope has closed, after which nothing is read any more. */
  private isClosed = false
  /** The system identifier of the first server. */
  private systemId: string | undefined
  private items: ReadonlyArray<LogItem> = []
  private at = 0
  /** How often types were looked up since the last message that could be read. */
  private lookups = 0
  /** How many questions about types and values were not answered since the last one that was. */
  private unansweredCount = 0
  /** Whether this connection brings values as texts. */
  private isTextual = false
  /** The transaction that was handed over last. */
  private current: Received | undefined
  /** Only one reader at a time moves the stream on. */
  private readonly turn = Semaphore.makeUnsafe(1)
  private readonly sql: string

  private constructor(settings: Settings) {
    this.settings = settings
    this.types = new StreamTypes(settings.config)
    this.sql = `START_REPLICATION SLOT "${settings.slot}" LOGICAL`
    this.acknowledgements = new Acknowledgements(settings.after ?? 0n, () => this.streaming?.log.acknowledged())
    this.assembler = new Assembler(this.makeReader, this.acknowledgements, settings.after ?? 0n, this.foreign)
  }

  /** Connects, and reads until the scope closes. */
  static make(settings: Settings): Effect.Effect<Consumer, PgError.PgError, Scope.Scope> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const consumer = new Consumer(settings)
        yield* Effect.addFinalizer(() => consumer.close)
        yield* restore(consumer.connectFirst)
        return consumer
      })
    )
  }

  // ------------------------------------------------------------------------------------------------- connections

  private get connectFirst(): Effect.Effect<void, PgError.PgError> {
    return Effect.catch(this.connect, (error) =>
      this.settings.waitForSlot && isInUse(error) ? this.connectAgain(error) : Effect.fail(error)
    )
  }

  private readonly connect: Effect.Effect<void, PgError.PgError> = Effect.suspend(() => {
    const { acknowledgements, assembler, settings, systemId } = this
    const earlier =
      systemId === undefined
        ? undefined
        : { systemId, read: assembler.floor, acknowledged: acknowledgements.flushed, isTextual: this.isTextual }
    const progressFrom = (confirmed: bigint): Progress => {
      if (systemId === undefined) acknowledgements.upTo(confirmed)
      return {
        get flushed() {
          return acknowledgements.flushed
        },
        caughtUp: (lsn) => assembler.caughtUp(lsn)
      }
    }
    return openStream(settings, earlier, progressFrom, (streaming) => {
      this.streaming = streaming
      this.systemId = streaming.server.systemId
    })
  })

  /** Tries until a connection streams, or until trying again makes no sense. */
  private connectAgain(lost: PgError.PgError): Effect.Effect<void, PgError.PgError> {
    const again = (failures: number, error: PgError.PgError): Effect.Effect<void, PgError.PgError> =>
      isTransient(error) || isInUse(error)
        ? Effect.andThen(
            passed(reconnectDelay(failures)),
            Effect.catch(this.connect, (next) => again(failures + 1, next))
          )
        : Effect.fail(error)
    return Effect.andThen(this.disconnect, again(1, lost))
  }

  private get close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.isClosed = true
      return Effect.andThen(this.disconnect, this.types.close)
    })
  }

  private get disconnect(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { streaming } = this
      this.streaming = undefined
      return streaming === undefined ? Effect.void : streaming.close
    })
  }

  /** Gets more from the server, from another connection if need be. */
  private get more(): Effect.Effect<void, PgError.PgError> {
    return Effect.suspend(() => {
      const { streaming } = this
      // An interruption while it was connecting again has left no connection.
      if (streaming === undefined) return this.isClosed ? Effect.fail(ended()) : this.connectAgain(ended())
      return Effect.matchEffect(streaming.log.next(this.receive), {
        onSuccess: (goesOn) => (goesOn ? Effect.void : this.restart(ended())),
        onFailure: (error) => this.restart(error)
      })
    })
  }

  private readonly receive = (items: ReadonlyArray<LogItem>): void => {
    this.items = items
    this.at = 0
  }

  private restart(error: PgError.PgError): Effect.Effect<void, PgError.PgError> {
    if (!isTransient(error)) return Effect.fail(explained(error, this.settings))
    return Effect.suspend(() => {
      this.assembler.restart()
      this.isTextual = false
      return Effect.andThen(
        Effect.logWarning(
          `The replication slot "${this.settings.slot}" is read from a new connection: ${error.message}`
        ),
        this.connectAgain(error)
      )
    })
  }

  // ------------------------------------------------------------------------------------------------- messages

  private readonly makeReader = (message: RelationMessage): TableReader | undefined => {
    const { settings, sql, types } = this
    if (settings.tables !== undefined && !Object.hasOwn(settings.tables, `${message.schema}.${message.name}`)) {
      return undefined
    }
    const unknown = types.unknownAmong(message.columns.map(({ typeOid }) => typeOid))
    if (unknown.length > 0) throw new UnresolvedType("its type is not known yet", unknown, { isOutdated: false })
    return new TableReader(message, types.types, types.names, sql, this.foreign)
  }

  /** Takes messages until `isEnough`, or until those that have come are used up and `isSome`. */
  private advance(isEnough: () => boolean, isSome: () => boolean): Effect.Effect<void, PgError.PgError> {
    return Effect.suspend(() => {
      try {
        while (!isEnough()) {
          const item = this.items[this.at]
          if (item === undefined) {
            if (isSome()) return Effect.void
            return Effect.andThen(this.more, this.advance(isEnough, isSome))
          }
          if (item._tag === "Data") this.assembler.take(item.bytes, item.time)
          else this.assembler.caughtUp(item.lsn)
          this.at++
          this.lookups = 0
        }
        return Effect.void
      } catch (failure) {
        if (failure instanceof UnresolvedType && this.lookups < MAX_LOOKUPS) {
          return Effect.andThen(this.lookUp(failure), this.advance(isEnough, isSome))
        }
        if (failure instanceof MissingTexts) {
          return Effect.andThen(this.learnTexts(failure), this.advance(isEnough, isSome))
        }
        return this.broken(failure)
      }
    })
  }

  private learnTexts({ values }: MissingTexts): Effect.Effect<void, PgError.PgError> {
    return Effect.matchEffect(this.types.textsOf(values), {
      onSuccess: (texts) => this.learned(() => this.foreign.learn(values, texts)),
      onFailure: (error) => {
        if (isTransient(error) || !PgError.isPostgresError(error)) return this.unanswered(error)
        if (!this.settings.temporary && !this.isTextual) return this.restartTextual(error)
        return values.length === 1
          ? Effect.sync(() => values.forEach((value) => this.foreign.refuse(value)))
          : Effect.forEach(values, (value) => this.learnTexts(new MissingTexts([value])), { discard: true })
      }
    })
  }

  /**
   * Begins anew, with values as texts, until the connection is lost. The server makes these with the types as they were,
   * so it can do that also for types that it does not have any more.
   */
  private restartTextual(refusal: PgError.PgError): Effect.Effect<void, PgError.PgError> {
    return Effect.suspend(() => {
      this.receive([])
      this.assembler.restart()
      this.isTextual = true
      const { slot } = this.settings
      return Effect.logInfo(
        `The replication slot "${slot}" is read from a new connection, with values as texts: ${refusal.message}`
      ).pipe(
        Effect.andThen(this.disconnect),
        Effect.andThen(Effect.catch(this.connect, (error) => this.connectAgain(error)))
      )
    })
  }

  private lookUp({ isOutdated, oids }: UnresolvedType): Effect.Effect<void, PgError.PgError> {
    const { assembler, types } = this
    const wanted = isOutdated ? [...new Set([...oids, ...assembler.typeOids])] : oids
    return Effect.matchEffect(types.lookUp(wanted, isOutdated, assembler.xid), {
      onSuccess: () =>
        this.learned(() => {
          this.lookups++
          assembler.readAnew(types.types)
        }),
      onFailure: (error) => this.unanswered(error)
    })
  }

  private learned(take: () => void): Effect.Effect<void> {
    return Effect.sync(() => {
      this.unansweredCount = 0
      take()
    })
  }

  /**
   * After a question that the server has not answered, because its connection was lost or refused: begins anew. A server
   * that shuts down lets nobody connect, and waits until its streams have ended. A temporary slot would be lost; its
   * stream asks again.
   */
  private unanswered(error: PgError.PgError): Effect.Effect<void, PgError.PgError> {
    return Effect.suspend(() => {
      if (!isTransient(error) || this.unansweredCount === MAX_UNANSWERED) return Effect.fail(error)
      this.unansweredCount++
      if (this.settings.temporary) return passed(reconnectDelay(this.unansweredCount))
      this.receive([])
      return this.restart(error)
    })
  }

  /** Ends the connection after bytes that the protocol does not allow. What cannot be read is an error of its own. */
  private broken(failure: unknown): Effect.Effect<never, PgError.PgError> {
    if (PgError.isPgError(failure)) return Effect.fail(this.withWayOut(failure))
    if (failure instanceof UnresolvedColumn) return Effect.fail(this.withWayOut(failure.error))
    if (!(failure instanceof ProtocolViolation) && !(failure instanceof UnresolvedType)) return Effect.die(failure)
    const error = violation(failure)
    this.streaming?.session.die(error)
    return Effect.fail(error)
  }

  /** A change that cannot be read comes again in every run, so the error says how to go on without it. */
  private withWayOut(error: PgError.PgError): PgError.PgError {
    const { commitLsn } = this.assembler
    if (!(error instanceof PgError.DecodeError) || commitLsn === undefined) return error
    const hint = `To leave out its transaction and all before it, set after: "${formatLsn(commitLsn + 1n)}".`
    const { column, reason, sql, type } = error
    return new PgError.DecodeError({ column, type, reason, sql, hint })
  }

  // ------------------------------------------------------------------------------------------------- transactions

  private readonly isReady = (): boolean => this.assembler.ready !== undefined

  /** Waits for the next transaction. The one before it, if it is still being received, is given up. */
  readonly next: Effect.Effect<Received, PgError.PgError> = Effect.suspend(() => {
    const { assembler, isReady, turn } = this
    return turn.withPermit(
      Effect.suspend(() => {
        if (this.current !== undefined && !this.current.isWhole) {
          this.current.isAbandoned = true
          this.current.pending = []
        }
        return Effect.flatMap(this.advance(isReady, isReady), () => {
          const { ready } = assembler
          assembler.ready = undefined
          if (ready === undefined) return Effect.die(new Error("the stream has advanced without a transaction"))
          this.current = ready
          return Effect.succeed(ready)
        })
      })
    )
  })

  /** Takes the next changes of a transaction that is read piece by piece. */
  changesOf(received: Received): Pull.Pull<Changes, PgError.PgError> {
    return Effect.suspend((): Pull.Pull<Changes, PgError.PgError> => {
      if (received.isAbandoned) return Effect.fail(tooLate())
      const isOver = (): boolean => received.endLsn !== undefined
      const isSome = (): boolean => received.pending.length > 0
      const isEnough = (): boolean => received.pending.length >= PIECE_CHANGES || isOver()
      return this.turn.withPermit(
        Effect.flatMap(this.advance(isEnough, isSome), (): Pull.Pull<Changes, PgError.PgError> => {
          if (received.isAbandoned) return Effect.fail(tooLate())
          const { pending } = received
          received.pending = []
          return Arr.isReadonlyArrayNonEmpty(pending) ? Effect.succeed(pending) : Cause.done()
        })
      )
    })
  }

  /** Waits for the end of a transaction, and drops the changes that were not taken. */
  endOf(received: Received): Effect.Effect<string, PgError.PgError> {
    return Effect.suspend(() => {
      const { endLsn } = received
      if (endLsn !== undefined) return Effect.succeed(formatLsn(endLsn))
      received.isAbandoned = true
      received.pending = []
      const isOver = (): boolean => received.endLsn !== undefined
      return Effect.flatMap(this.turn.withPermit(this.advance(isOver, isOver)), () => this.endOf(received))
    })
  }
}

/** Then the stream fails, because the server may let nobody connect who does not replicate. */
const MAX_UNANSWERED = 8

/** The slot has another reader, which may be our own lost connection: the server notices late that it is gone. */
const isInUse = (error: PgError.PgError): boolean => error._tag === "ObjectInUseError"

const ended = (): PgError.ConnectionLostError =>
  new PgError.ConnectionLostError({
    reason: "the server has ended the stream",
    server: undefined,
    safeToRetry: false,
    outcome: "none"
  })

const tooLate = (): PgError.UnsupportedError =>
  new PgError.UnsupportedError({
    feature: "reading the changes of a large transaction after its end, or after the next transaction was taken,",
    instead: "read them before, one transaction after the other",
    sql: ""
  })

/** The server looks for publications as they were when a change was made. */
const explained = (error: PgError.PgError, { publications, slot }: Settings): PgError.PgError =>
  error._tag === "UndefinedObjectError" && /publication/.test(error.message)
    ? new PgError.ReplicationSetupError({
        problem: "publication",
        reason: `${error.message} when a change was made that the slot "${slot}" still holds`,
        hint:
          `Create the publication ${publications.map((name) => `"${name}"`).join(", ")} before the slot: ` +
          "drop the slot and make it anew."
      })
    : error
