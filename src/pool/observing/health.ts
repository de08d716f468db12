/**
 * Logs when a pool loses a connection that it did not close, when it cannot open one, and when it is healthy again. A
 * server that restarts ends many connections at once, and a server that is away refuses many: one line tells of them.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as PgError from "../../PgError.ts"
import type { Timers } from "../timers.ts"

/** Hears of the sessions that a pool loses and gains. */
export interface PoolHealth {
  /** A session has ended that the pool did not close. `isShort` tells whether the pool needs another one. */
  readonly lost: (error: PgError.PgError, isShort: boolean) => void
  readonly notOpened: (cause: Cause.Cause<PgError.PgError>) => void
  readonly opened: () => void
}

/** There is at most one warning in this time. */
const PAUSE_MILLIS = 10_000

/** Creates the log of the pool to that database. It writes with the loggers of the current context. */
export const make = (database: string, timers: Timers): Effect.Effect<PoolHealth> =>
  Effect.map(Effect.context<never>(), (context) => {
    const run = Effect.runForkWith(context)
    return new HealthLog(database, timers, (line) => void run(line))
  })

class HealthLog implements PoolHealth {
  private readonly database: string
  private readonly timers: Timers
  private readonly write: (line: Effect.Effect<void>) => void
  private warnedAt = -Infinity
  /** How many warnings were left out since the last one. */
  private leftOut = 0
  /** Since when the pool has been short of a connection. */
  private shortSince: number | undefined
  /** Whether a warning has been written since the pool was healthy. */
  private hasWarned = false
  private lostSinceHealthy = 0

  constructor(database: string, timers: Timers, write: (line: Effect.Effect<void>) => void) {
    this.database = database
    this.timers = timers
    this.write = write
  }

  readonly lost = (error: PgError.PgError, isShort: boolean): void => {
    this.lostSinceHealthy++
    if (isShort) this.shortSince ??= this.timers.now()
    this.warn(`the pool lost a connection to ${this.database}`, error)
  }

  readonly notOpened = (cause: Cause.Cause<PgError.PgError>): void => {
    if (Cause.hasInterruptsOnly(cause)) return
    this.shortSince ??= this.timers.now()
    this.warn(
      `the pool cannot open a connection to ${this.database}`,
      Option.getOrUndefined(Cause.findErrorOption(cause))
    )
  }

  readonly opened = (): void => {
    const { hasWarned, lostSinceHealthy, shortSince } = this
    if (shortSince === undefined) return
    this.shortSince = undefined
    if (!hasWarned) return
    this.hasWarned = false
    this.lostSinceHealthy = 0
    const millis = Math.round(this.timers.now() - shortSince)
    const lost = lostSinceHealthy === 0 ? "" : `; connections lost since it was last healthy: ${lostSinceHealthy}`
    this.write(Effect.logInfo(`the pool to ${this.database} is healthy again after ${millis} ms${lost}`))
  }

  private warn(what: string, error: PgError.PgError | undefined): void {
    const now = this.timers.now()
    if (now - this.warnedAt < PAUSE_MILLIS) {
      this.leftOut++
      return
    }
    const others = this.leftOut === 0 ? "" : ` (and ${this.leftOut} more such events since the last message)`
    this.warnedAt = now
    this.leftOut = 0
    this.hasWarned = true
    const reason = error === undefined ? "an unexpected failure" : `${error._tag}: ${error.message}`
    this.write(Effect.logWarning(`${what}: ${reason}${others}`))
  }
}
