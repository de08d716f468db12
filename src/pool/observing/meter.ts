/** Records a pool's activity as metrics, under OpenTelemetry's names for connection pools. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"
import type { ResolvedPoolConfig } from "../../PgConfig.ts"
import { BOUNDARIES, SECONDS } from "../../session/observing/metrics.ts"
import { targetOf } from "../../session/observing/target.ts"
import type { Member } from "../member.ts"
import type { PoolCounts } from "./counts.ts"
import type { PoolHealth } from "./health.ts"
import type { OpenMember } from "../opening/opener.ts"

const connections = Metric.counter("db.client.connection.count", {
  description: "Connections of a pool that are open, by state: idle or used"
})
const idleMax = Metric.counter("db.client.connection.idle.max", {
  description: "The maximum number of idle connections of a pool"
})
const idleMin = Metric.counter("db.client.connection.idle.min", {
  description: "The minimum number of connections that a pool keeps open"
})
const max = Metric.counter("db.client.connection.max", {
  description: "The maximum number of connections of a pool"
})
const pending = Metric.counter("db.client.connection.pending_requests", {
  description: "Calls that wait for a connection of a pool"
})
const timeouts = Metric.counter("db.client.connection.timeouts", {
  description: "Calls that timed out while waiting for a connection of the pool",
  incremental: true
})

const createTime = Metric.histogram("db.client.connection.create_time", {
  description: "The time it took to open a connection, in seconds",
  boundaries: BOUNDARIES
})
const waitTime = Metric.histogram("db.client.connection.wait_time", {
  description: "The time it took to get a connection from the pool, in seconds",
  boundaries: BOUNDARIES
})
const useTime = Metric.histogram("db.client.connection.use_time", {
  description: "The time between borrowing a connection and returning it, in seconds",
  boundaries: BOUNDARIES
})

/** Receives every change in a pool. */
export interface PoolMeter {
  readonly changed: (counts: PoolCounts) => void
  readonly timedOut: () => void
  readonly lent: (member: Member, waitedMillis: number) => void
  /** Hears of a session that is lent no longer. It may hear of it several times. */
  readonly returned: (member: Member) => void
  /** Measures how long it takes to open a session. */
  readonly timing: (open: OpenMember) => OpenMember
}

/** What hears of a pool's activity. */
export interface PoolReports {
  readonly meter?: Omit<PoolMeter, "timing"> | undefined
  readonly health?: PoolHealth | undefined
}

/**
 * Creates the meter of a pool. What it counts goes back to 0 at the end of the scope. Two pools for one server are told
 * apart by their purpose.
 */
export const make = (config: ResolvedPoolConfig, purpose?: string): Effect.Effect<PoolMeter, never, Scope.Scope> =>
  Effect.gen(function* () {
    const meter = new Meter(config, purpose, yield* Effect.context<never>())
    yield* Effect.addFinalizer(() => Effect.sync(() => meter.ended()))
    return meter
  })

class Meter implements PoolMeter {
  private readonly idle: Level
  private readonly used: Level
  private readonly waiting: Level
  private readonly limits: ReadonlyArray<Level>
  private readonly attributes: Readonly<Record<string, string>>
  private readonly context: Context.Context<never>
  /** When each session was lent that is lent now. */
  private readonly lentAt = new Map<Member, number>()

  constructor(config: ResolvedPoolConfig, purpose: string | undefined, context: Context.Context<never>) {
    const name = purpose === undefined ? nameOf(config) : `${nameOf(config)} ${purpose}`
    const attributes = { "db.system.name": "postgresql", "db.client.connection.pool.name": name }
    const inState = (state: string) =>
      new Level(connections, { ...attributes, "db.client.connection.state": state }, context)
    this.attributes = attributes
    this.context = context
    this.idle = inState("idle")
    this.used = inState("used")
    this.waiting = new Level(pending, attributes, context)
    this.limits = [max, idleMax, idleMin].map((limit) => new Level(limit, attributes, context))
    const { maxConnections, minConnections } = config
    const values = [maxConnections, maxConnections, minConnections]
    for (const [index, limit] of this.limits.entries()) limit.set(values[index] ?? 0)
    Metric.withAttributes(timeouts, attributes).updateUnsafe(0, context)
  }

  readonly changed = ({ idle, size, waiting }: PoolCounts): void => {
    this.idle.set(idle)
    this.used.set(size - idle)
    this.waiting.set(waiting)
  }

  readonly timedOut = (): void => Metric.withAttributes(timeouts, this.attributes).updateUnsafe(1, this.context)

  readonly lent = (member: Member, waitedMillis: number): void => {
    this.record(waitTime, waitedMillis)
    this.lentAt.set(member, performance.now())
  }

  readonly returned = (member: Member): void => {
    const lentAt = this.lentAt.get(member)
    if (lentAt === undefined) return
    this.lentAt.delete(member)
    this.record(useTime, performance.now() - lentAt)
  }

  readonly timing =
    (open: OpenMember): OpenMember =>
    (done) => {
      const began = performance.now()
      open((opened) => {
        if (Exit.isSuccess(opened)) this.record(createTime, performance.now() - began)
        done(opened)
      })
    }

  ended(): void {
    for (const level of [this.idle, this.used, this.waiting, ...this.limits]) level.set(0)
  }

  private record(metric: typeof waitTime, millis: number): void {
    Metric.withAttributes(metric, { ...this.attributes, ...SECONDS }).updateUnsafe(millis / 1000, this.context)
  }
}

/** The name that the conventions give to a pool that has none. */
const nameOf = (config: ResolvedPoolConfig): string => {
  const { address, database, port } = targetOf(config, config.hosts[0])
  return `${address}${port === undefined ? "" : `:${port}`}/${database}`
}

/** A count that goes up and down. Two pools of one name add up. */
class Level {
  private readonly metric: typeof connections
  private readonly context: Context.Context<never>
  private value = 0

  constructor(
    metric: typeof connections,
    attributes: Readonly<Record<string, string>>,
    context: Context.Context<never>
  ) {
    this.metric = Metric.withAttributes(metric, attributes)
    this.context = context
  }

  set(value: number): void {
    if (value === this.value) return
    this.metric.updateUnsafe(value - this.value, this.context)
    this.value = value
  }
}
